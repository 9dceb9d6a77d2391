"""A small world that random hands act on through the services: two skills, the people and bots around them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.utils import timezone

from donna_skills.accounts.actors import Actor, ActorKind
from donna_skills.errors import DonnaError
from lifecycle.models import Review, ReviewKind, RunPath, RunStatus, Skill, SkillRun, StateTransition
from lifecycle.services import (
    candidates,
    corrections,
    degradations,
    divergences,
    promotions,
    reports,
    reviews,
    rollbacks,
    skills,
)
from lifecycle.services.judging import Judgement
from lifecycle.states import GATED, REASON_ACTORS, SERVING, TABLE, Reason, State
from tests import builders

NEWEST = 6


class World:
    """Each method is something that somebody does; what the rules refuse is refused, and nothing has happened."""

    def __init__(self) -> None:
        self.people = {
            name: builders.person(role)
            for name, role in (("ann", "reviewer"), ("ben", "admin"), ("cat", "author"), ("dan", "operator"))
        }
        self.token, _ = builders.bot_token()
        self.skills = [builders.skill(), builders.skill(State.SHADOW_PRIMARY)]
        self.began = {skill.pk: self._state(skill) for skill in self.skills}
        self.known = set(StateTransition.objects.values_list("pk", flat=True))
        self.refused = 0
        self._numbers = itertools.count()

    def actor(self, name: str) -> Actor:
        if name == "bot":
            return Actor.bot(self.token)
        return Actor.system("the world") if name == "system" else Actor.person(self.people[name])

    def report(self, which: int, statuses: Sequence[str]) -> None:
        """A bot reports runs of the version in force, or of the reference."""
        skill = self._skill(which)
        number = skill.current_version.number if skill.current_version else None
        for status in statuses:
            output = {"label": "greeting"} if status == RunStatus.SUCCEEDED else None
            report = reports.Report(
                capability=skill.capability.name, status=status, inputs={"text": "hello"}, version=number,
                external_id=f"run-{next(self._numbers)}", output=output, cost_usd=1,
            )  # fmt: skip
            with self._by_the_rules():
                reports.record(report, token=self.token)

    def try_unseen(self, which: int, valid: Sequence[bool]) -> None:
        """Runs of a sandbox skill beside the reference, after which its promotion is considered."""
        skill = self._skill(which)
        for good in valid:
            if skill.current_version is not None:
                builders.run(skill, path=RunPath.SANDBOX, status=RunStatus.SUCCEEDED if good else RunStatus.FAILED)
        promotions.consider_quietly(skill.pk)

    def judge(self, which: int, agreements: Sequence[float | None]) -> None:
        """The judge's word on runs that nobody has compared yet."""
        waiting = SkillRun.objects.filter(skill=self.skills[which], path=RunPath.SKILL, divergence=None)
        runs = waiting.filter(status=RunStatus.SUCCEEDED, version__isnull=False).select_related("skill__capability")
        for run, agreement in zip(runs.order_by("-pk"), agreements, strict=False):
            divergences.record(run, None, Judgement(agreement=agreement, because="" if agreement else "It was away."))

    def correct(self, which: int, number: int) -> None:
        runs = SkillRun.objects.filter(skill=self.skills[which], output__isnull=False).order_by("-pk")[:number]
        for run in list(runs):
            with self._by_the_rules():
                corrections.add(run, field="label", corrected="farewell", actor=self.actor("bot"))

    def hand_in(self, which: int, who: str) -> None:
        skill = self._skill(which)
        files = builders.step_package(skill.capability.name, changelog=f"Hand-in {next(self._numbers)}.")
        with self._by_the_rules():
            skills.submit_version(skill, files=files, actor=self.actor(who))

    def go_on(self, which: int, *, well: bool) -> None:
        """What usually happens next to a skill, in whichever state it is; well, or badly."""
        state = self._state(self.skills[which])
        if state in {State.CLAUDE_NATIVE, State.SKILL_CANDIDATE, State.DEGRADED}:
            self.hand_in(which, "cat")
        elif state in {State.DRAFT, State.FLAGGED_FOR_REVIEW}:
            self.decide(which, "ann", yes=well, keep_gate=not well)
        elif state == State.SANDBOX:
            self.try_unseen(which, [well] * 3)
            self.decide(which, "ann", yes=well, keep_gate=False)
        else:
            self.report(which, [RunStatus.SUCCEEDED] * 6)
            self.judge(which, [1.0 if well else 0.0] * 6)
            self.sleep()

    def decide(self, which: int, who: str, *, yes: bool, keep_gate: bool) -> None:
        """The newest open question about a skill is answered by somebody."""
        review = Review.objects.open().filter(skill=self.skills[which]).order_by("-pk").first()
        if review is None:
            return
        seen = reviews.seen_digest(review)
        with self._by_the_rules():
            if yes:
                reviews.approve(review, by=self.people[who], seen_digest=seen, keep_gate=keep_gate)
            else:
                reviews.reject(review, by=self.people[who], reason="Not like this.", seen_digest=seen)

    def move(self, which: int, who: str, to_state: State, reason: Reason) -> None:
        """Anybody asks for any move, for any reason."""
        with self._by_the_rules():
            skills.request_move(self._skill(which), to_state=to_state, reason=reason, actor=self.actor(who))

    def switch(self, which: int, who: str, what: str) -> None:
        skill, actor = self._skill(which), self.actor(who)
        with self._by_the_rules():
            if what == "pause":
                skills.pause(skill, actor=actor)
            elif what == "resume":
                skills.resume(skill, actor=actor)
            else:
                skills.set_human_gate(skill, what == "close the gate", actor=actor)

    def roll_back(self, which: int, who: str) -> None:
        skill = self._skill(which)
        oldest = skill.versions.order_by("number").first()
        if oldest is not None:
            with self._by_the_rules():
                rollbacks.roll_back(skill, oldest, actor=self.actor(who), note="It was better.")

    def sleep(self) -> None:
        """What a night does without a model; a line that says error would be a fault of ours."""
        now = timezone.now()
        found = [candidates.detect(now), degradations.sweep(now), corrections.sweep(), promotions.sweep()]
        assert not [line for swept in found for line in swept.lines if line.outcome == "error"]

    def check(self) -> None:
        """What has to be true whatever was done."""
        fresh = StateTransition.objects.exclude(pk__in=self.known).select_related("version", "person")
        for row in fresh:
            edge = (State(row.from_state), State(row.to_state))
            assert row.reason in TABLE.get(edge, ()), f"{edge} for {row.reason} is not in the table"
            assert row.actor_kind == REASON_ACTORS[Reason(row.reason)]
            if row.to_state == State.SANDBOX:
                assert row.actor_kind == ActorKind.PERSON
            if row.actor_kind == ActorKind.PERSON:
                assert row.person is not None
                if row.to_state in GATED and row.version is not None:
                    assert row.version.author_id != row.person.pk, "somebody approved their own work"
            self.known.add(row.pk)
        asked = [
            (review.kind, review.capability_id)
            for review in Review.objects.open()
            if review.kind != ReviewKind.FOLLOW_UP
        ]
        assert len(asked) == len(set(asked)), "two open questions about one subject"
        for skill in Skill.objects.filter(pk__in=self.began):
            assert self._replayed(skill) == skill.state
            assert skill.state not in {State.SANDBOX, *SERVING} or skill.current_version_id
            assert skill.baseline_version_id in {None, skill.current_version_id}

    def _replayed(self, skill: Skill) -> str:
        """Where the rows lead, from the beginning on."""
        state = skill.initial_state
        for row in StateTransition.objects.filter(skill=skill).order_by("pk"):
            assert row.from_state == state, "a row begins where none ended"
            state = row.to_state
        return state

    def _skill(self, which: int) -> Skill:
        return Skill.objects.for_page().get(pk=self.skills[which].pk)

    @staticmethod
    def _state(skill: Skill) -> str:
        return Skill.objects.values_list("state", flat=True).get(pk=skill.pk)

    @contextmanager
    def _by_the_rules(self) -> Iterator[None]:
        """A refusal leaves everything that matters as it was; any other error is a fault of ours."""
        before = self._all_that_matters()
        try:
            yield
        except DonnaError:
            self.refused += 1
            assert self._all_that_matters() == before, "a refusal left something behind"

    def _all_that_matters(self) -> list[Any]:
        return [
            list(Skill.objects.order_by("pk").values_list("pk", "state", "current_version", "paused", "baseline_n")),
            list(Review.objects.order_by("pk").values_list("pk", "state")),
            StateTransition.objects.count(),
        ]
