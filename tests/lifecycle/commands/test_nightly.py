"""The night by hand."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from donna_skills.jobs.models import JobRun, JobStatus
from donna_skills.notifications.models import Event
from lifecycle.models import Candidate, CandidateStatus, Skill
from lifecycle.services import nightly
from lifecycle.states import State
from tests import builders
from tests.lifecycle.services import nights

pytestmark = pytest.mark.django_db


def nightly_by_hand(*words: str) -> str:
    out = StringIO()
    call_command("nightly", *words, stdout=out)
    return out.getvalue()


def slipped() -> Skill:
    skill = builders.skill(State.TRUSTED)
    Skill.objects.filter(pk=skill.pk).update(
        baseline_mean=0.95, baseline_success_rate=1.0, baseline_n=100, baseline_version=skill.current_version
    )
    for _ in range(30):
        builders.divergence(skill, 0.1)
    return skill


def test_a_dry_run_says_what_would_be_and_writes_nothing():
    skill = slipped()
    before = (Event.objects.count(), JobRun.objects.count())
    said = nightly_by_hand("--dry-run")
    assert "Look for skills that slipped: 1 flagged" in said
    assert skill.capability.name in said
    assert "What would be: 7 of 7 steps are done." in said
    assert (Event.objects.count(), JobRun.objects.count()) == before
    assert Skill.objects.get(pk=skill.pk).state == State.TRUSTED


def test_a_real_one_is_a_job_and_is_tonights():
    skill = slipped()
    assert "The night: 7 of 7 steps are done." in nightly_by_hand()
    assert Skill.objects.get(pk=skill.pk).state == State.FLAGGED_FOR_REVIEW
    job = JobRun.objects.get(kind=nightly.KIND)
    assert (job.status, job.requested_label) == (JobStatus.SUCCEEDED, "system the command nightly")
    assert nightly.wake(timezone.now()) is None


def test_as_of_a_time_the_steps_see_what_was_there_then():
    slipped()
    hour_ago = (timezone.now() - timedelta(hours=1)).isoformat()
    assert "Look for skills that slipped: 1 insufficient data" in nightly_by_hand("--dry-run", "--as-of", hour_ago)
    assert "Look for skills that slipped: 1 flagged" in nightly_by_hand("--dry-run")


def test_as_of_a_time_long_after_candidates_are_stale_and_nobodys_night_is_taken():
    candidate = builders.candidate(builders.skill())
    Candidate.objects.update(first_seen=timezone.now(), last_seen=timezone.now())
    later = f"{timezone.now() + timedelta(days=70):%Y-%m-%d}"
    assert "stale" in nightly_by_hand("--as-of", later)
    assert Candidate.objects.get(pk=candidate.pk).status == CandidateStatus.STALE
    assert JobRun.objects.get(kind=nightly.KIND).report["as_of"].startswith(later)
    assert JobRun.objects.get(kind=nightly.KIND).key == f"night as of {later}"


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-11-21T25:00:00"])
def test_a_time_that_is_none_is_refused(text: str):
    with pytest.raises(CommandError, match="no time"):
        nightly_by_hand("--as-of", text)
    assert not JobRun.objects.exists()


def test_a_night_with_a_failed_step_prints_its_report_and_fails(settings: Any):
    def breaks(turn: nightly.Turn) -> None:
        raise ZeroDivisionError

    settings.JOB_HANDLERS = {nightly.KIND: nights.HANDLER}
    nights.choose(breaks)  # type: ignore[arg-type]
    out = StringIO()
    with pytest.raises(CommandError, match=r"ended as failed\. 1 of 1 steps failed: step one"):
        call_command("nightly", stdout=out)
    assert "Step one: An unexpected error (ZeroDivisionError)." in out.getvalue()
