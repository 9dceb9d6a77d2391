"""Candidates: what counts, what is worth a skill, how long a no holds, and who may say it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.audit.models import AuditEvent
from donna_skills.errors import AlreadyDecided, Invalid, NotPermitted
from donna_skills.notifications.models import Event, Notification
from lifecycle.decisions import candidacy
from lifecycle.models import Candidate, CandidateStatus, Capability, RunPath, RunStatus, Skill, SkillRun
from lifecycle.services import candidates, transitions
from lifecycle.services.shapes import OutputShape
from lifecycle.states import Reason, State
from tests import builders

pytestmark = pytest.mark.django_db

NOW = timezone.now()
TEN_CENTS = Decimal("0.1")


def calls(skill: Skill, count: int = 200, *, at: datetime = NOW, **fields: Any) -> None:
    """Answers of the reference model, as rows."""
    given = {
        "capability": skill.capability, "skill": skill, "path": RunPath.NATIVE, "status": RunStatus.SUCCEEDED,
        "outcome": "succeeded", "inputs": {"text": "hello"}, "output": {"label": "greeting"}, "cost_usd": TEN_CENTS,
        "created_at": at, "finished_at": at, **fields,
    }  # fmt: skip
    SkillRun.objects.bulk_create(SkillRun(**given) for _ in range(count))


def detect(now: datetime = NOW, **options: Any) -> dict[str, int]:
    return candidates.detect(now, **options).counts


def found(**fields: Any) -> tuple[Skill, Candidate]:
    """An open candidate: 200 calls at ten cents."""
    skill = builders.skill(**fields)
    calls(skill)
    assert detect() == {"found": 1}
    return Skill.objects.for_page().get(pk=skill.pk), Candidate.objects.get(capability=skill.capability)


def person(role: str) -> Actor:
    return Actor.person(builders.person(role))


def bot() -> Actor:
    return Actor.bot(builders.bot_token()[0])


def state_of(skill: Skill) -> str:
    return Skill.objects.values_list("state", flat=True).get(pk=skill.pk)


def test_work_that_repeats_and_costs_becomes_a_candidate_with_its_arithmetic():
    skill, candidate = found()
    assert (candidate.status, candidate.volume) == (CandidateStatus.NEW, 200)
    assert (candidate.mean_cost_usd, candidate.expected_savings_usd) == (TEN_CENTS, Decimal(17))
    assert candidate.repetitiveness == 0.995
    assert candidate.fingerprint == candidacy.pattern_fingerprint(skill.capability.description)
    evidence = candidate.evidence
    assert (Decimal(evidence["cost_usd"]), Decimal(evidence["skill_cost_usd"]), evidence["shapes"]) == (20, 3, 1)


def test_the_system_moves_the_skill_with_the_figures_as_evidence():
    skill, candidate = found()
    assert skill.state == State.SKILL_CANDIDATE
    moved = skill.transitions.get()
    assert (moved.reason, moved.actor_kind, moved.evidence) == (Reason.GATE_PASSED, "system", candidate.evidence)


def test_authors_and_reviewers_are_told_once_and_nobody_else():
    told = [builders.person(role) for role in ("author", "reviewer", "admin")]
    builders.person("viewer")
    builders.person("operator")
    _, candidate = found()
    calls(Skill.objects.get(), 50)
    assert detect() == {"refreshed": 1}
    lines = Notification.objects.filter(event__kind="candidate.found")
    assert {line.person_id for line in lines} == {one.pk for one in told}
    assert lines.count() == 3
    event = Event.objects.get(kind="candidate.found")
    assert (event.subject_id, Decimal(event.payload["expected_savings_usd"])) == (str(candidate.pk), 17)


@pytest.mark.parametrize(
    "fields",
    [
        {"path": RunPath.SHADOW},
        {"path": RunPath.SANDBOX},
        {"path": RunPath.VALIDATION},
        {"path": RunPath.SKILL},
        {"status": RunStatus.FAILED, "outcome": "failed"},
        {"status": RunStatus.RUNNING, "outcome": "", "finished_at": None},
        {"at": NOW - timedelta(days=30)},
        {"at": NOW + timedelta(seconds=1)},
    ],
    ids=["shadow", "sandbox", "validation", "skill", "failed", "running", "too old", "later"],
)
def test_only_the_references_answers_of_the_last_thirty_days_count(fields: dict[str, Any]):
    calls(builders.skill(), **fields)
    assert detect() == {}


def test_an_answer_that_stepped_in_for_a_failed_skill_does_not_count():
    skill = builders.skill()
    calls(skill, fallback_of=builders.run(skill, status=RunStatus.FAILED))
    assert detect() == {}


@pytest.mark.parametrize("state", [state for state in State if state not in candidates.UNSERVED])
def test_nothing_is_proposed_where_a_skill_is_beyond_the_reference(state: State):
    calls(builders.skill(state))
    assert detect() == {}
    assert not Candidate.objects.exists()


def test_a_capability_that_waits_for_a_person_is_not_looked_at():
    skill = builders.skill()
    Capability.objects.filter(pk=skill.capability_id).update(status="pending_review")
    calls(skill)
    assert detect() == {}


@pytest.mark.parametrize(("count", "outcome"), [(10, "found"), (9, "too_little")])
def test_savings_of_exactly_the_least_are_enough(configure: Any, tmp_path: Any, count: int, outcome: str):
    configure()
    (tmp_path / "skills.yaml").write_text("auto_draft_min_expected_savings_usd: 0.85\n")
    calls(builders.skill(), count)  # ten times 0.1 × 0.85, which is less in floats
    assert detect() == {outcome: 1}


def test_with_the_master_switch_off_nothing_is_found(configure: Any, tmp_path: Any):
    configure()
    (tmp_path / "skills.yaml").write_text("enabled: false\n")
    calls(builders.skill())
    assert detect() == {}
    assert not Candidate.objects.exists()


def test_a_dry_run_says_what_would_be_and_writes_nothing():
    skill = builders.skill()
    calls(skill)
    assert detect(dry_run=True) == {"found": 1}
    assert (state_of(skill), Candidate.objects.count()) == (State.CLAUDE_NATIVE, 0)
    detect()
    before = Candidate.objects.values().get()
    assert detect(NOW + timedelta(days=90), dry_run=True) == {"stale": 1}
    assert Candidate.objects.values().get() == before


def test_the_numbers_of_an_open_candidate_are_refreshed_each_night():
    skill, candidate = found()
    calls(skill, 100, at=NOW + timedelta(hours=1), output={"label": "a", "why": "b"})
    assert detect(NOW + timedelta(days=1)) == {"refreshed": 1}
    fresh = Candidate.objects.get()
    assert (fresh.pk, fresh.volume, fresh.expected_savings_usd) == (candidate.pk, 300, Decimal("25.5"))
    assert fresh.evidence["shapes"] == 2
    assert (fresh.first_seen, fresh.last_seen) == (NOW, NOW + timedelta(days=1))
    assert skill.transitions.count() == 1


def test_a_candidate_that_is_not_seen_for_thirty_days_is_stale_and_may_be_found_again():
    skill, _ = found()
    almost, then = NOW + timedelta(days=29), NOW + timedelta(days=30)
    assert detect(almost) == {"refreshed": 1}  # its calls are still within the window
    assert detect(then) == {"refreshed": 1}
    assert detect(almost + timedelta(days=30)) == {"stale": 1}
    assert Candidate.objects.get().status == CandidateStatus.STALE
    assert detect(then + timedelta(days=31)) == {}

    later = then + timedelta(days=40)
    calls(skill, at=later)
    assert detect(later) == {"found": 1}
    assert Candidate.objects.open().count() == 1
    assert skill.transitions.count() == 1  # it is a candidate by state already


def test_a_candidate_whose_skill_has_a_draft_is_drafted():
    skill, candidate = found()
    builders.version(skill)
    transitions.move(skill, State.DRAFT, reason=Reason.GATE_PASSED, actor=builders.SYSTEM)
    assert detect() == {}
    candidate.refresh_from_db()
    assert candidate.status == CandidateStatus.DRAFTED


def test_a_reviewers_no_holds_for_ninety_days_and_returns_the_skill_to_the_reference():
    skill, candidate = found()
    reviewer = person("reviewer")
    dismissed = candidates.dismiss(candidate, by=reviewer, reason="We stop doing this.")
    assert (dismissed.status, dismissed.dismissed_by, dismissed.reason) == (
        CandidateStatus.DISMISSED, reviewer.user, "We stop doing this.",
    )  # fmt: skip
    assert dismissed.dismissed_until and dismissed.dismissed_at
    assert dismissed.dismissed_until - dismissed.dismissed_at == timedelta(days=90)
    moved = skill.transitions.order_by("-id").first()
    assert moved is not None
    assert (moved.to_state, moved.reason, moved.person) == (State.CLAUDE_NATIVE, "manual_override", reviewer.user)

    until = dismissed.dismissed_until
    for night in (NOW + timedelta(days=1), until - timedelta(seconds=1)):
        calls(skill, at=night)
        assert detect(night) == {"dismissed": 1}
    assert (state_of(skill), Candidate.objects.count()) == (State.CLAUDE_NATIVE, 1)
    assert detect(until) == {"found": 1}
    assert state_of(skill) == State.SKILL_CANDIDATE
    assert Candidate.objects.filter(status=CandidateStatus.DISMISSED).count() == 1


@pytest.mark.parametrize("who", ["author", "bot"])
def test_an_authors_or_a_bots_no_holds_too_and_moves_no_skill(who: str):
    skill, candidate = found()
    actor = bot() if who == "bot" else person(who)
    dismissed = candidates.dismiss(candidate, by=actor)
    assert (dismissed.dismissed_by, dismissed.token) == (actor.user, actor.token)
    assert state_of(skill) == State.SKILL_CANDIDATE
    assert detect(NOW + timedelta(days=1)) == {"dismissed": 1}
    assert skill.transitions.count() == 1


def test_a_pattern_that_is_no_skill_stays_so_under_any_name():
    skill, candidate = found(description="Say  good\nmorning.")
    candidates.dismiss(candidate, by=person("reviewer"), reason="It is small talk.", not_a_skill=True)
    twin = builders.skill(description="say GOOD morning.")
    years_later = NOW + timedelta(days=4 * 365)
    for one in (skill, twin):
        calls(one, at=years_later)
    assert detect(years_later) == {"dismissed": 2}
    assert Candidate.objects.count() == 1


@pytest.mark.parametrize("who", ["viewer", "operator"])
def test_who_neither_writes_nor_reviews_may_not_dismiss(who: str):
    skill, candidate = found()
    with pytest.raises(NotPermitted):
        candidates.dismiss(candidate, by=person(who))
    assert (Candidate.objects.get().status, state_of(skill)) == (CandidateStatus.NEW, State.SKILL_CANDIDATE)
    assert AuditEvent.objects.filter(action="candidate.dismiss.refused").count() == 1


def test_ruling_a_pattern_out_takes_a_reviewer_and_a_reason():
    _, candidate = found()
    for actor in (person("author"), bot()):
        with pytest.raises(NotPermitted):
            candidates.dismiss(candidate, by=actor, reason="No.", not_a_skill=True)
    with pytest.raises(Invalid):
        candidates.dismiss(candidate, by=person("reviewer"), reason=" ", not_a_skill=True)
    assert Candidate.objects.get().status == CandidateStatus.NEW


def test_dismissing_twice_is_decided_already_and_nothing_moves():
    skill, candidate = found()
    candidates.dismiss(candidate, by=person("author"))
    with pytest.raises(AlreadyDecided):
        candidates.dismiss(candidate, by=person("reviewer"))
    assert state_of(skill) == State.SKILL_CANDIDATE
    assert Candidate.objects.get().dismissed_by is not None


def test_a_dismissal_during_the_night_is_not_refreshed_away():
    skill, candidate = found()
    stale_copy = Candidate.objects.get()
    candidates.dismiss(candidate, by=person("author"))
    assert Candidate.objects.open().bulk_update([stale_copy], ["status", "volume"]) == 0
    assert Candidate.objects.get().status == CandidateStatus.DISMISSED
    assert skill.transitions.count() == 1


def test_a_person_who_moves_the_skill_back_by_hand_is_not_overruled_the_next_night():
    skill, _ = found()
    transitions.move(skill, State.CLAUDE_NATIVE, reason=Reason.MANUAL_OVERRIDE, actor=person("reviewer"))
    assert detect(NOW + timedelta(days=1)) == {"refreshed": 1}
    assert state_of(skill) == State.CLAUDE_NATIVE


def test_one_that_somebody_else_found_a_moment_ago_is_left_and_the_others_go_on():
    first, second = builders.skill(), builders.skill()
    for skill in (first, second):
        calls(skill)
    faster = [first.capability]

    def somebody_is_faster(execute: Any, sql: str, *rest: Any) -> Any:
        if faster and sql.startswith('INSERT INTO "lifecycle_candidate"'):
            open_candidate(faster.pop())
        return execute(sql, *rest)

    with connection.execute_wrapper(somebody_is_faster):
        swept = candidates.detect(NOW)
    assert swept.counts == {"overtaken": 1, "found": 1}
    assert "Another run of the detection" in swept.lines[0].detail
    assert (state_of(first), state_of(second)) == (State.CLAUDE_NATIVE, State.SKILL_CANDIDATE)
    assert Notification.objects.filter(event__subject_id=first.pk).count() == 0


def open_candidate(capability: Capability) -> Candidate:
    return Candidate.objects.create(
        capability=capability, fingerprint="0" * 32, expected_savings_usd=1, volume=1, mean_cost_usd=1,
        repetitiveness=0, first_seen=NOW, last_seen=NOW,
    )  # fmt: skip


def test_the_database_refuses_a_second_open_candidate_and_a_dismissal_without_an_end():
    _, candidate = found()
    with pytest.raises(IntegrityError), transaction.atomic():
        open_candidate(candidate.capability)
    with pytest.raises(IntegrityError), transaction.atomic():
        Candidate.objects.update(status=CandidateStatus.DISMISSED, dismissed_at=NOW)


OUTPUTS: list[Sequence[Any]] = [
    [],
    [{"a": 1}, {"a": None}, {"a": [1, 2]}],
    [{"a": 1, "b": 2}, {"b": 1, "a": 2}, {"a": 1}],
    [{}, [], None, "text", 1, 1.5, True, False],
    [{"a,b": 1}, {"a": 1, "b": 1}, {'a","b': 1}, {"ab": 1}],
    [{"bb": 1, "a": 2}, {"a": 1, "bb": 2}, {"é": 1, "z": 2}, {"z": 1, "é": 2}],
    ["object", "[]", "number", ["number"]],
]


@pytest.mark.parametrize("outputs", OUTPUTS, ids=range(len(OUTPUTS)))
def test_the_database_tells_shapes_apart_as_the_decision_does(outputs: Sequence[Any]):
    skill = builders.skill()
    for output in outputs:
        calls(skill, 1, output=output)
    rows = SkillRun.objects.order_by("pk").annotate(shape=OutputShape("output")).values_list("shape", flat=True)
    pure = [candidacy.shape(output) for output in outputs]
    assert [[a == b for b in rows] for a in rows] == [[a == b for b in pure] for a in pure]
    assert candidacy.repetitiveness_of(distinct=len(set(rows)), total=len(rows)) == candidacy.repetitiveness(outputs)


def test_thirty_capabilities_take_as_many_queries_as_three():
    def some(count: int) -> None:
        for _ in range(count):
            calls(builders.skill(), 60)

    def queries(now: datetime) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert set(detect(now)) == {"refreshed"}
        return len(seen)

    some(3)
    detect()
    few = queries(NOW + timedelta(hours=1))
    some(27)
    detect(NOW + timedelta(hours=2))
    assert Candidate.objects.open().count() == 30
    assert queries(NOW + timedelta(hours=3)) == few <= 10
