"""Evidence in the admin: what the gates said is read there, and gathered by those who may spend on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from donna_skills.jobs.models import JobRun
from lifecycle.decisions.gates import GateReason, GateResult
from lifecycle.services import evidence, verify
from lifecycle.states import State
from tests import builders
from tests.admin import addresses

AsRole = Callable[..., Client]


@pytest.mark.parametrize("role", ["author", "reviewer"])
def test_who_may_write_or_decide_has_a_version_verified(as_role: AsRole, role: str) -> None:
    version = builders.skill(State.DRAFT).current_version
    asker = as_role(role)
    assert "Verify version" in asker.get(addresses.change(version)).content.decode()
    assert not JobRun.objects.filter(kind=verify.KIND).exists()

    done = asker.post(addresses.act(version, "verify"))

    job = JobRun.objects.get(kind=verify.KIND)
    assert (done.status_code, job.subject_id) == (302, str(version.pk))


@pytest.mark.parametrize("role", ["operator", "viewer"])
def test_nobody_else_does(as_role: AsRole, role: str) -> None:
    version = builders.skill(State.DRAFT).current_version
    assert as_role(role).post(addresses.act(version, "verify")).status_code == 403
    assert not JobRun.objects.filter(kind=verify.KIND).exists()


def test_a_decision_says_why_in_sentences_and_shows_what_a_file_says_as_text(as_role: AsRole) -> None:
    skill = builders.skill(State.DRAFT)
    reason = GateReason("STATIC_STRUCTURE_INVALID", "<script>x</script> is no step.", "BLOCK")
    decision = evidence.record(
        skill, digest="0" * 64, inputs_digest="1" * 64, results=[GateResult("static", (reason,))], evidence={}
    )
    page = as_role("viewer").get(addresses.change(decision)).content.decode()
    assert "static: &lt;script&gt;x&lt;/script&gt; is no step." in page
    assert "Blocked" in page
