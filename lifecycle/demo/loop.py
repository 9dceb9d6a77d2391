"""The whole loop as a story, told through the services and a real worker: `manage.py demo --loop`.

Each turn looks at where the skill is and does what comes next there, so that a story that was cut off goes on where it
stopped, and one that is over is only read out again. Offline only: a demo never spends money.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date, timedelta
from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.errors import Conflict
from donna_skills.jobs.models import OPEN, JobRun, JobStatus
from lifecycle.configuration import knobs
from lifecycle.demo import live, mails, world
from lifecycle.demo.people import DEMO, Cast
from lifecycle.models import (
    OPEN_STATUSES,
    AttemptStatus,
    DraftAttempt,
    Evolution,
    Review,
    ReviewKind,
    RunPath,
    Skill,
    SkillRun,
    StateTransition,
)
from lifecycle.services import nightly, promotions, reports, reviews, runs
from lifecycle.states import SERVING, State

Say = Callable[[str], None]

BEFORE = 200
"""Calls of the reference model before anything is learned, as a bot reports them, at ten cents each."""
HERE = 25
"""Calls that are made here: the gates replay them, and know how many tokens they took."""
AFTER_CHANGE = 200
MOST_AFTER_CHANGE = 2_000
"""Calls after the mails have changed, so many at a time: one in twenty of a trusted skill's runs is compared."""
ONCE_DEGRADED = 25
_COST = Decimal("0.10")
_WAIT_S = 120.0
_POLL_S = 0.2
_STOPS_WITHIN_S = 15.0
_TURNS = 20
_ROUNDS = 30


class StoryStuck(Conflict):
    """The story did not come to what follows: says where it stands."""


def tell(
    cast: Cast, *, today: date, say: Say, worker: Callable[[], AbstractContextManager[object]] | None = None
) -> Skill:
    """From calls of the reference to a skill that was trusted, slipped, was mended and is tried anew.

    Conflict where a model would be paid, StoryStuck where what should follow does not.
    """
    if not live.costs_nothing():
        raise Conflict(
            "A real model provider is set up, and a demo never spends money: set DONNA_MODEL_ADAPTER=offline."
        )
    world.register(mails.CAPABILITY, actor=DEMO)
    story = _Story(cast, today, say)
    if story.is_over():
        return story.skill()
    with (worker or own_worker)():
        for _ in range(_TURNS):
            story.turn()
            if story.is_over():
                return story.skill()
    raise StoryStuck(f"The story did not end; the skill is in {story.skill().state}.")


def rows(skill: Skill) -> list[StateTransition]:
    """The moves of the story, oldest first."""
    return list(skill.transitions.select_related("person", "version").order_by("id"))


class _Story:
    def __init__(self, cast: Cast, today: date, say: Say) -> None:
        self._cast, self._today, self._say = cast, today, say

    def skill(self) -> Skill:
        return Skill.objects.for_page().get(capability__name=mails.CAPABILITY)

    def is_over(self) -> bool:
        """A version that was evolved is out of review."""
        skill = self.skill()
        evolved = Evolution.objects.filter(skill=skill, status=AttemptStatus.ACCEPTED).order_by("-id").first()
        return bool(
            evolved and skill.current_version_id == evolved.to_version_id and skill.state in {State.SANDBOX, *SERVING}
        )

    def turn(self) -> None:
        """What comes next where the skill is now."""
        skill = self.skill()
        turns: dict[str, Callable[[Skill], None]] = {
            State.CLAUDE_NATIVE: self._be_found,
            State.SKILL_CANDIDATE: self._be_found,
            State.DRAFT: self._be_approved,
            State.SANDBOX: self._be_tried,
            State.SHADOW_PRIMARY: self._be_tried,
            State.TRUSTED: self._slip,
            State.FLAGGED_FOR_REVIEW: self._be_degraded,
            State.DEGRADED: self._be_evolved,
        }
        turns[skill.state](skill)
        if self.skill().state == skill.state:
            raise StoryStuck(f"The story does not go on from {skill.state}. {self._last_words(skill)}".strip())

    def _be_found(self, skill: Skill) -> None:
        """Calls of the reference pile up; the night finds them worth a skill, drafts it, and the gates judge it."""
        now = timezone.now()
        for number in range(BEFORE):
            inputs, output = mails.mail(number, today=self._today)
            reports.record(
                reports.Report(
                    capability=mails.CAPABILITY,
                    status="succeeded",
                    inputs=inputs,
                    output=output,
                    external_id=f"demo-loop-{number:04}",
                    cost_usd=_COST,
                    latency_ms=2_400,
                    started_at=now - timedelta(hours=2 * (BEFORE - number)),
                ),
                token=self._cast.assistant,
            )
        self._calls(HERE)
        self._say(f"{BEFORE + HERE} mails were read by the reference model, most of them at {_COST} USD each.")
        self._night()
        attempt = DraftAttempt.objects.filter(skill=skill).select_related("decision").order_by("-id").first()
        if attempt and attempt.decision:
            self._say(f"The night drafted a skill, and the gates say {attempt.decision.verdict}.")

    def _be_approved(self, skill: Skill) -> None:
        review = Review.objects.open().filter(skill=skill, version=skill.current_version).first()
        if review is None:
            return
        reviews.approve(
            review,
            by=self._cast.reviewer,
            comment="Read the rules and the examples: right.",
            seen_digest=review.subject_digest,
        )
        self._say(f"A reviewer approves the {review.get_kind_display().lower()}: {review.summary}")

    def _be_tried(self, skill: Skill) -> None:
        """The bot calls on; the worker compares, and the gates promote, or ask a person where something is missing."""
        for _ in range(_ROUNDS):
            self._calls(10)
            self._settled()
            if self._promoted_by_a_person(skill) or self.skill().state != skill.state:
                break
        self._say(f"It earned its promotion from {skill.state} to {self.skill().state}.")

    def _promoted_by_a_person(self, skill: Skill) -> bool:
        review = Review.objects.open().filter(skill=skill, kind=ReviewKind.PROMOTION).first()
        if review is not None:
            reviews.approve(review, by=self._cast.reviewer, comment="Seen.", seen_digest=review.subject_digest)
        return review is not None

    def _slip(self, skill: Skill) -> None:
        """The mails change, and go on until a whole window of them was compared."""
        wanted, count = knobs().degradation_rolling_window, 0
        since = skill.divergences.judged().filter(at__gt=skill.state_entered_at)
        while since.count() < wanted and count < MOST_AFTER_CHANGE:
            self._calls(AFTER_CHANGE, new_form=True)
            self._settled()
            count += AFTER_CHANGE
        self._say(f"The shop's mails look different now: {count} of them were read.")
        self._night()

    def _be_degraded(self, skill: Skill) -> None:
        review = Review.objects.open().get(skill=skill)
        self._say(f"Flagged. {review.summary}")
        reviews.reject(
            review,
            by=self._cast.reviewer,
            reason="It gives the customer's code for the order's.",
            seen_digest=review.subject_digest,
        )
        self._say("A reviewer degrades it: the reference model answers again.")

    def _be_evolved(self, skill: Skill) -> None:
        self._calls(ONCE_DEGRADED, new_form=True)
        self._night()
        evolved = Evolution.objects.filter(skill=skill).order_by("-id").first()
        if evolved:
            self._say(f"The night evolved it. {evolved.diagnosis} {evolved.changelog}")

    def _calls(self, count: int, *, new_form: bool = False) -> None:
        first = SkillRun.objects.filter(capability__name=mails.CAPABILITY, path__in=_ASKED).count()
        for number in range(first, first + count):
            inputs, _ = mails.mail(number, today=self._today, new_form=new_form)
            runs.execute(mails.CAPABILITY, inputs=inputs, request=runs.Request(actor=self._cast.bot))

    def _night(self) -> None:
        job = nightly.request(by=Actor.person(self._cast.operator))
        until(lambda: not JobRun.objects.filter(pk=job.pk, status__in=OPEN).exists(), what="the night's work")
        job.refresh_from_db()
        if job.status != JobStatus.SUCCEEDED:
            raise StoryStuck(f"The night ended as {job.get_status_display().lower()}. {job.error}")

    def _settled(self) -> None:
        """Wait until the worker has run and compared what it was given."""
        found = SkillRun.objects.filter(capability__name=mails.CAPABILITY)
        until(
            lambda: (
                not found.filter(status__in=OPEN_STATUSES).exists()
                and not found.filter(compare_at__isnull=False).exists()
            ),
            what="the worker's comparisons",
        )

    def _last_words(self, skill: Skill) -> str:
        if skill.state in promotions.NEXT:
            return promotions.standing(skill).progress
        attempt = DraftAttempt.objects.filter(skill=skill).order_by("-id").first()
        evolved = Evolution.objects.filter(skill=skill).order_by("-id").first()
        newest = evolved or attempt
        return " ".join(str(reason["message"]) for reason in newest.reasons) if newest else ""


_ASKED = (RunPath.NATIVE, RunPath.SKILL)


def until(condition: Callable[[], bool], *, what: str, seconds: float = _WAIT_S) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise StoryStuck(f"Waited {seconds:.0f} seconds for {what}: is a worker running?")
        time.sleep(_POLL_S)


@contextmanager
def own_worker() -> Iterator[None]:
    """A worker for the time of the story; one that runs already does no harm."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "qcluster"],
        cwd=settings.BASE_DIR,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
