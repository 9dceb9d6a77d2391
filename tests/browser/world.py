"""A world with something of everything, built through the services: what the tour of all pages is shown."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from donna_skills.accounts.models import User
from donna_skills.notifications.events import Notice, publish
from lifecycle.models import Review, RiskTier, RunPath, RunStatus, Skill
from lifecycle.services import reviews, seeds
from lifecycle.states import State
from tests import builders
from tests.admin import rows
from tests.lifecycle.views import reviewing

LONG = "a_name_without_any_place_to_break_" + "x" * 40


def build() -> None:
    """One row of every table, each state of a skill, each kind of question, and texts that are hard to lay out."""
    seeds.load()
    for label in rows.MAKERS:
        rows.row(label)
    for state in State:
        builders.skill(state, name=f"in_{state.value}")
    _served()
    _asked()
    _told()


def _served() -> None:
    """A skill with answers of every outcome, and enough comparisons for a chart."""
    skill = builders.skill(State.TRUSTED, name="parse_invoice", description=f"Reads invoices. {LONG}")
    for number in range(45):
        builders.divergence(skill, 0.6 if number % 9 == 0 else 1.0, reference_output={"label": LONG})
    builders.divergence(skill, None, abstained_because="The judge said nothing usable.")
    for status in RunStatus:
        builders.run(skill, status=status, error=f"It broke at {LONG}." if status == RunStatus.FAILED else "")
    builders.run(skill, path=RunPath.NATIVE, output={"label": LONG})


def _asked() -> None:
    """Drafts that may be approved, wait and are blocked, a promotion, a flag, and one that is decided."""
    for verdict in ("PASS", "HOLD", "BLOCK"):
        prompt = f"Label <b>this</b> \u202e {LONG}: {{{{ inputs.text }}}}"
        skill = builders.skill(State.TRUSTED, name=f"drafted_{verdict.lower()}")
        review = reviewing.draft(skill, files=builders.step_package(skill.capability.name, prompt=prompt))
        reviewing.said(review, verdict, gates=[_gate(verdict)], cases=_CASES, replays=_replays(skill))
    reviewing.promotion("sort_mail", risk=RiskTier.HIGH)
    flagged = builders.skill(State.FLAGGED_FOR_REVIEW, name="slipped")
    move = flagged.transitions.get(to_state=State.FLAGGED_FOR_REVIEW)
    with transaction.atomic():
        reviews.open_flag(flagged, move, actor=builders.SYSTEM, summary="It slipped.", evidence={"mean": 0.71})
    decided = reviewing.draft()
    reviews.reject(decided, by=builders.person("reviewer"), reason="Too long.", seen_digest=decided.subject_digest)
    assert Review.objects.open().count() > 5


def _replays(skill: Skill) -> list[dict[str, Any]]:
    """Recorded runs as the gates keep them: one done again as before, one that answers differently, one that fails."""
    ran = builders.run(skill)
    kept = {"run_id": str(ran.pk), "recorded": True, "answered": True, "output_then": {"label": LONG}, "cost_usd": "0"}
    return [
        {**kept, "status": "succeeded", "output": {"label": LONG}, "tokens": 12, "tokens_then": 14},
        {**kept, "status": "succeeded", "output": {"label": "other"}, "tokens": 12, "tokens_then": None},
        {**kept, "status": "failed", "error": f"It broke at {LONG}.", "answered": False, "tokens": 3},
    ]


def _told() -> None:
    everybody = tuple(User.objects.all())
    with transaction.atomic():
        publish("review.opened", subject_type="x", subject_id="1", notify=Notice(title=LONG, people=everybody))


def _gate(verdict: str) -> dict[str, Any]:
    reasons = [{"code": "FIXTURES_FAILED", "message": f"One fails: {LONG}.", "status": verdict}]
    return {
        "gate": "fixtures",
        "status": verdict,
        "cost_usd": "0.04",
        "reasons": [] if verdict == "PASS" else reasons,
        "figures": {"passed": 1, "total": 2, "newly_failing": ["one"]},
    }


_CASES: list[dict[str, Any]] = [
    {"name": "one", "split": "train", "passed": False, "problems": ["label is missing"], "output": {"label": LONG}},
    {"name": "two", "split": "holdout", "passed": True, "problems": [], "output": {"label": "greeting"}},
    {"name": "three", "split": "train", "passed": None},
]
