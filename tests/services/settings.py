"""The settings of worker processes that tests start: our own, with job kinds for tests and leases that end soon."""

from __future__ import annotations

from donna_skills.settings import *  # noqa: F403
from tests.jobs.handler_names import HANDLERS

JOB_HANDLERS = {**HANDLERS, "lifecycle.nightly": "tests.lifecycle.services.nights.deadly"}
LEASE_S = 4
LEASE_RENEW_S = 1
