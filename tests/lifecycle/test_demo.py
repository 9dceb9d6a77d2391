"""`manage.py demo`: the world is whole, made once however often it is asked for, and costs nothing."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.models import Avg, F, Q
from django.test import Client, TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from donna_skills.accounts import people, tokens
from donna_skills.accounts.models import User
from donna_skills.accounts.roles import Role
from donna_skills.audit import services as audit
from donna_skills.llm.models import ModelCall
from donna_skills.llm.port import Purpose
from donna_skills.notifications.models import Notification
from lifecycle.configuration import knobs
from lifecycle.demo import history
from lifecycle.demo.courses import (
    ASKING,
    COMPARED,
    COURSES,
    DRIFTING,
    FLAGGED,
    JOURNEY,
    PAUSED,
    RELEASED,
    WITHOUT_SKILL,
)
from lifecycle.execution import fixtures, schemas
from lifecycle.models import (
    Candidate,
    Capability,
    CapabilityStatus,
    Correction,
    Divergence,
    Fixture,
    FixtureSource,
    GateVerdict,
    Review,
    ReviewKind,
    ReviewState,
    RunPath,
    RunStatus,
    Skill,
    SkillRun,
    SkillVersion,
    StepResult,
    VersionStatus,
)
from lifecycle.services import candidates, degradations, evidence, versions
from lifecycle.services.ports import GatewayModels
from lifecycle.states import State

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("demo")]

TODAY = date(2026, 3, 18)
MOST_QUERIES = 3_000


@pytest.fixture(scope="module")
def first(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[str, int]]:
    """What the command prints and how many queries it takes; the world stays for every test here that asks for it."""
    with django_db_blocker.unblock():
        atomics = TestCase._enter_atomics()
        try:
            with CaptureQueriesContext(connection) as queries:
                printed = demo()
            yield printed, len(queries)
        finally:
            TestCase._rollback_atomics(atomics)


@pytest.fixture
def printed(first: tuple[str, int], db: None) -> str:
    return first[0]


def test_it_takes_few_queries_for_the_runs_that_it_makes(printed: str, first: tuple[str, int]) -> None:
    assert 4_000 <= SkillRun.objects.filter(reported=True).count() <= 6_000
    assert first[1] < MOST_QUERIES


def test_it_prints_how_to_log_in_and_tokens_that_open_the_door(printed: str) -> None:
    password = re.search(r"password of each: (\S+)\)", printed)
    raw = re.findall(r"dsk_\w+", printed)
    found = [tokens.authenticate(one) for one in raw]
    assert password and all(User.objects.get(username=role).check_password(password[1]) for role in Role)
    assert {token.name: "reviews:decide" in token.scopes for token in found if token} == {
        "demo bot": False,
        "demo reviewer": True,
    }
    assert people.DEMO_PASSWORD not in printed  # known to everybody, so only where DONNA_DEMO or DEBUG asks for it
    assert "Open next: Home as reviewer (open questions: 4)" in printed


def test_a_second_time_adds_nothing_and_shows_no_secret(printed: str) -> None:
    before = rows()
    again = demo()
    assert rows() == before
    assert "nothing was added" in again
    assert "dsk_" not in again


def test_the_audit_log_is_intact(printed: str) -> None:
    assert audit.verify().intact


def test_replaying_each_skills_moves_gives_its_state(printed: str) -> None:
    for skill in Skill.objects.all():
        state = skill.initial_state
        for move in skill.transitions.order_by("id"):
            assert move.from_state == state
            state = move.to_state
        assert state == skill.state, skill


def test_the_skills_stand_in_different_places(printed: str) -> None:
    states = dict(Skill.objects.values_list("capability__name", "state"))
    assert states[JOURNEY] == states[ASKING] == State.SHADOW_PRIMARY
    assert {states[name] for name in (DRIFTING, *RELEASED)} == {State.TRUSTED}
    assert states["email_triage"] == State.SANDBOX
    assert {states[name] for name in WITHOUT_SKILL} == {State.CLAUDE_NATIVE}
    assert list(Skill.objects.filter(paused=True).values_list("capability__name", flat=True)) == [PAUSED]
    flag = Skill.objects.get(state=State.FLAGGED_FOR_REVIEW).transitions.order_by("-id").first()
    assert flag is not None
    assert (flag.skill.capability.name, flag.reason, str(flag.person)) == (FLAGGED, "manual_override", "reviewer")
    assert "worded anew" in flag.note


def test_one_skill_has_gone_the_whole_way_from_a_rejected_draft_to_its_release(printed: str) -> None:
    first, second = SkillVersion.objects.filter(skill__capability__name=JOURNEY).order_by("number")
    rejected = Review.objects.get(version=first)
    assert (first.status, rejected.state) == (VersionStatus.REJECTED, ReviewState.REJECTED)
    assert "data" in rejected.comment
    assert (second.status, Review.objects.get(version=second).state) == (VersionStatus.RELEASED, ReviewState.APPROVED)
    assert second.author is not None and second.author.username == "author"


def test_a_version_a_capability_a_flag_and_a_promotion_wait_for_a_reviewer(printed: str) -> None:
    waiting = {review.kind: review for review in Review.objects.open().select_related("version", "capability")}
    assert set(waiting) == {ReviewKind.DRAFT, ReviewKind.CAPABILITY, ReviewKind.FLAG, ReviewKind.PROMOTION}
    assert waiting[ReviewKind.PROMOTION].capability.name == ASKING
    assert waiting[ReviewKind.FLAG].capability.name == FLAGGED
    draft = waiting[ReviewKind.DRAFT]
    assert draft.version is not None and draft.version.status == VersionStatus.DRAFT
    assert (draft.capability.name, draft.version.number, draft.version.author_kind) == ("email_triage", 2, "bot")
    decision = evidence.latest(draft.version.skill, draft.version.digest)
    assert decision is not None and decision.verdict in {GateVerdict.PASS, GateVerdict.HOLD}
    assert [gate["gate"] for gate in decision.gates][-1] == "baseline"
    similar = waiting[ReviewKind.CAPABILITY]
    assert similar.capability.status == CapabilityStatus.PENDING_REVIEW
    assert similar.evidence["similar_to"] == "parcel_status"


def test_the_drifting_skill_does_worse_in_its_last_two_weeks_and_no_other_does_as_badly(printed: str) -> None:
    bad = {name: _share_of_bad_runs(name, 0, 14) for name in (DRIFTING, "parse_task", "dedup_check", JOURNEY)}
    assert bad[DRIFTING] > 5 * _share_of_bad_runs(DRIFTING, 15, history.DAYS)
    assert bad[DRIFTING] > 0.15
    assert max(share for name, share in bad.items() if name != DRIFTING) < 0.05


def test_the_next_night_would_flag_the_drifting_skill_and_finds_the_other_trusted_ones_healthy(printed: str) -> None:
    lines = {line.capability: line for line in degradations.sweep(timezone.now(), dry_run=True).lines}
    assert (lines[DRIFTING].outcome, lines[DRIFTING].reasons) == (
        "flagged",
        ("rate_below_baseline", "mean_below_baseline"),
    )
    assert {lines[name].outcome for name in RELEASED} == {"healthy"}


def test_comparisons_have_the_judges_word_a_priced_reference_and_their_own_day(printed: str) -> None:
    past = Divergence.objects.filter(run__reported=True)
    assert Counter(past.values_list("skill__capability__name", flat=True)) == {
        name: sum(counts) for name, counts in COMPARED.items()
    }
    assert not past.filter(Q(reference__cost_usd=0) | Q(at__lt=F("run__finished_at"))).exists()
    assert past.filter(run__output=F("reference_output")).exclude(agreement=1).count() == 0
    assert past.filter(agreement__lt=1).exclude(rationale__startswith="They differ in").count() == 0
    assert Divergence.objects.filter(run__reported=False).count() == 11
    assert not SkillRun.objects.filter(compare_at__isnull=False).exists()


def test_the_inboxes_hold_what_waits_and_nothing_that_is_over(printed: str) -> None:
    unread = Counter(Notification.objects.filter(read_at__isnull=True).values_list("person__username", flat=True))
    assert 0 < max(unread.values()) <= 8


def test_each_capability_without_a_skill_costs_enough_to_be_worth_one(printed: str) -> None:
    for name in WITHOUT_SKILL:
        month = SkillRun.objects.filter(
            capability__name=name, path=RunPath.NATIVE, created_at__gte=_days_ago(30), status=RunStatus.SUCCEEDED
        )
        mean = month.aggregate(mean=Avg("cost_usd"))["mean"]
        saved = month.count() * mean * Decimal("0.85")
        assert saved >= Decimal(str(knobs().auto_draft_min_expected_savings_usd)), name


def test_a_night_finds_these_as_candidates_and_no_others(printed: str) -> None:
    swept = candidates.detect(timezone.now())
    found = Candidate.objects.open().select_related("capability")
    assert {candidate.capability.name for candidate in found} == set(WITHOUT_SKILL)
    assert swept.counts == {"found": len(WITHOUT_SKILL)}


def test_runs_were_carried_out_with_their_steps_and_one_fell_back_on_the_reference(printed: str) -> None:
    live = SkillRun.objects.filter(reported=False).exclude(path__in=[RunPath.SHADOW, RunPath.VALIDATION])
    assert not SkillRun.objects.open().exists()
    assert Counter(live.values_list("path", flat=True)) == {"skill": 9, "native": 4, "sandbox": 3}
    ids = set(live.values_list("pk", flat=True))
    assert ids <= set(StepResult.objects.values_list("run_id", flat=True))
    assert ModelCall.objects.filter(run_id__in=ids, purpose__in=[Purpose.NATIVE, Purpose.SKILL_STEP]).count() == 15
    assert ModelCall.objects.filter(purpose=Purpose.JUDGE).count() == 11
    escalated = live.get(status=RunStatus.ESCALATED)
    assert "private network" in escalated.escalation_reason
    assert [run.status for run in escalated.fallbacks.all()] == [RunStatus.SUCCEEDED]


def test_the_pages_show_it_to_a_reviewer(printed: str, client: Client) -> None:
    client.force_login(User.objects.get(username=Role.REVIEWER))
    escalated = SkillRun.objects.get(status=RunStatus.ESCALATED)
    for address, shown in (
        ("/", "flagged skill"),
        ("/skills/", FLAGGED),
        (f"/skills/{DRIFTING}/", "v1"),
        ("/runs/", JOURNEY),
        (f"/runs/{escalated.pk}/", "private network"),
        ("/admin/lifecycle/review/", "parcel_tracking"),
    ):
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert shown in answer.content.decode(), address


def test_people_corrected_and_captured(printed: str) -> None:
    corrected = Correction.objects.values_list("run__capability__name", flat=True)
    assert Counter(corrected) == {DRIFTING: 6, FLAGGED: 6}
    assert not Correction.objects.filter(original=F("corrected")).exists()
    captured = Fixture.objects.filter(source=FixtureSource.CAPTURED, captured_from__isnull=False)
    assert captured.filter(name__endswith=" from the office").count() == 2  # verifying a version may capture more


def test_too_few_corrections_are_among_the_newest_runs_to_flag_the_drifting_skill_at_once(printed: str) -> None:
    newest = SkillRun.objects.filter(capability__name=DRIFTING)[: knobs().correction_cluster_window_runs]
    count = Correction.objects.filter(run__in=[run.pk for run in newest]).count()
    assert count < knobs().correction_cluster_threshold


def test_the_demos_own_package_passes_its_fixtures(printed: str) -> None:
    capability = Capability.objects.get(name=JOURNEY)
    package = versions.package_of(capability.skill.current_version)
    models = GatewayModels(purpose=Purpose.VALIDATION, task_type=JOURNEY, run_id=None)
    found = [
        fixtures.run_case(
            package,
            case,
            models=models,
            granted_tools=capability.granted_tools,
            output_schema=capability.output_schema,
        )
        for case in package.fixtures
    ]
    assert [result.problems for result in found] == [(), ()]


def test_answers_that_are_right_match_their_schema_and_broken_ones_do_not(printed: str) -> None:
    contract = dict(Capability.objects.values_list("name", "output_schema"))
    for one in history.plan(COURSES, today=TODAY)[::7]:
        if one.right is not None:
            assert schemas.problems(one.right, contract[one.report.capability]) == []
    unlike = SkillRun.objects.filter(degraded=True, reported=True)
    assert 40 < unlike.count() < 200
    assert unlike.exclude(error__startswith="The reported output does not match").count() == 0


def demo() -> str:
    printed = io.StringIO()
    call_command("demo", stdout=printed)
    return printed.getvalue()


def rows() -> dict[str, int]:
    """How many rows each of our tables has."""
    ours = [model for model in apps.get_models() if model._meta.app_label not in {"contenttypes", "auth", "sessions"}]
    return {model._meta.label_lower: model._default_manager.count() for model in ours}


def _share_of_bad_runs(capability: str, newest: int, oldest: int) -> float:
    """Failed or degraded, of the reported runs that began so many days ago."""
    runs = SkillRun.objects.filter(
        capability__name=capability,
        reported=True,
        created_at__gte=_days_ago(oldest),
        created_at__lt=_days_ago(newest - 1),
    )
    good = runs.filter(status=RunStatus.SUCCEEDED, degraded=False).count()
    return 1 - good / runs.count()


def _days_ago(days: int) -> datetime:
    return midnight(timezone.now().date() - timedelta(days=days))


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), timezone.now().tzinfo)
