"""The gates of an evolved version, cheap to dear, up to the first that blocks: each runs it and says what it found.

    files -> static, safety, leak -> targeted cases -> held-out cases -> fixtures, before and after -> recent successes

A gate that had nothing to look at is HOLD, and a person decides with that in view. Models are asked outside of any
transaction; once the budget is used up nothing more is asked, and `paused` says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef, Q

from donna_skills.llm import routing
from lifecycle.configuration import knobs
from lifecycle.decisions import evolution, filegates
from lifecycle.decisions.gates import GateResult
from lifecycle.decisions.statistics import exact
from lifecycle.execution import canonical
from lifecycle.models import Correction, Divergence, Fixture, RunPath, RunStatus, SkillRun, SkillVersion
from lifecycle.packages.model import Files, Package
from lifecycle.services import gateinputs, judging, material, validation, versions
from lifecycle.services.validation import CaseRun, Progress, RunReplay

_STAGES = 5


@dataclass(frozen=True)
class Answered:
    """One run replayed and laid beside what it is held against; `agreement` is None where nobody can say."""

    agreement: float | None
    replay: RunReplay
    cost_usd: Decimal
    paused: bool
    because: str = ""


@dataclass
class Trial:
    """One pass over one set of files. `evidence` holds JSON values for pages."""

    version: SkillVersion
    files: Files
    targeted: Sequence[str]
    shown: Collection[str]
    """Ids of the cases that the prompt showed: only these can be targeted."""
    held_out: Collection[str]
    now: datetime
    waived: Collection[str] = ()
    progress: Progress | None = None
    results: list[GateResult] = field(default_factory=list)
    evidence: dict[str, Any] = field(default_factory=dict)
    paused: bool = False
    incomplete: bool = False
    fixes: int = 0
    breaks: int = 0

    def carry_out(self) -> None:
        """Fill `results`, up to the first BLOCK or to where the budget was used up."""
        skill = self.version.skill
        rate = knobs().evolution_fixture_regression_pass_rate
        self._given = gateinputs.gather(skill, self.files, fixture_rate=rate)
        self.digest = self._given.digest
        self._cases = material.cases([*self.targeted, *self.shown, *self.held_out], self.version)
        self.evidence = {"evolved_from": self.version.number, "waived": sorted(self.waived), "cases": [], "replays": []}
        for gates in (self._files, self._targeted, self._holdout, self._regression, self._recent):
            for result in gates():
                self.results.append(result)
                if result.status == "BLOCK" or self.paused:
                    return

    @property
    def inputs_digest(self) -> str:
        """Of all that was looked at besides the files."""
        looked_at = [
            self._given.inputs_digest,
            self.version.digest,
            sorted(self.targeted),
            sorted(self.held_out),
            sorted(self.waived),
            [one["run_id"] for one in self.evidence.get("recent", [])],
            [[result.gate, [reason.message for reason in result.reasons]] for result in self.results]
            if self.incomplete or self.paused
            else [],
        ]
        return hashlib.sha256(canonical.dumps(looked_at).encode(errors="surrogatepass")).hexdigest()

    def _files(self) -> Iterator[GateResult]:
        self._tell(0, "Reading the files")
        given = self._given
        # What could not be stored as a version blocks here, a tool that is not granted too.
        yield filegates.static_gate(given.reasons(), given.facts(), strict=True)
        models = {step.name: step.model for step in given.package.steps} if given.package else {}
        yield filegates.safety_gate(given.files, models=models, aliases=tuple(routing.routes().aliases))
        yield filegates.leak_gate(
            given.files, {**given.holdout, **self._secret_texts()}, canaries=self._secret_inputs()
        )

    def _targeted(self) -> Iterator[GateResult]:
        """An id that the prompt did not show is unknown, whatever it names."""
        known = [one for one in dict.fromkeys(self.targeted) if one in self.shown and one in self._cases]
        found = self._replay_cases(known, 1, "Targeted case")
        passed = {one: self._passes(answered) for one, answered in found.items()}
        self.evidence["targeted"] = [self._line(one, answered) for one, answered in found.items()]
        rate = knobs().evolution_targeted_case_pass_rate
        yield evolution.targeted_gate(self.targeted, passed, required=rate, cost=_cost(found.values()))

    def _holdout(self) -> Iterator[GateResult]:
        known = [one for one in self.held_out if one in self._cases]
        found = self._replay_cases(known, 2, "Held-out case")
        before = {one: self._passed_then(one) for one in known}
        after = {one: self._passes(answered) for one, answered in found.items()}
        yield evolution.holdout_gate(before, after, cost=_cost(found.values()))

    def _regression(self) -> Iterator[GateResult]:
        """Every example that the skill has, with both versions; those that came with the new one, with that alone."""
        skill, package = self.version.skill, self._package()
        stored = [gateinputs.case_of(row) for row in Fixture.objects.filter(skill=skill).order_by("name")]
        tell = self._part(3, "with the version in force")
        before = validation.run_fixtures(skill, versions.package_of(self.version), stored, progress=tell)
        self._note(before)
        after: list[CaseRun] = []
        if not self.paused:
            after = validation.run_fixtures(skill, package, self._given.cases, progress=self._part(3, "with the new"))
            self._note(after)
        then, now = _passed(before), _passed(after)
        self.breaks += sum(then.get(name) is True and now[name] is False for name in now)
        self.evidence["cases"] = [one.as_dict() for one in after]
        self.evidence["before"] = [{"name": one.name, "passed": one.passed} for one in before]
        rate = knobs().evolution_fixture_regression_pass_rate
        yield evolution.regression_gate(
            then, now, required=rate, waived=self.waived, cost=_spent(before) + _spent(after)
        )

    def _recent(self) -> Iterator[GateResult]:
        """The newest successes, with both versions, each against what was answered then."""
        runs = recent_successes(self.version, now=self.now)
        old = self._beside(
            runs, versions.package_of(self.version), [run.output for run in runs], self._part(4, "as it was")
        )
        new = (
            []
            if self.paused
            else self._beside(runs, self._package(), [run.output for run in runs], self._part(4, "as it would be"))
        )
        self.evidence["recent"] = [
            {"run_id": str(run.pk), "before": one.agreement, "now": other.agreement}
            for run, one, other in zip(runs, old, new, strict=False)
        ]
        self.evidence["replays"] = [one.replay.as_dict() for one in new]
        yield evolution.recent_success_gate(
            [one.agreement for one in old[: len(new)]],
            [one.agreement for one in new],
            cost=_cost(old) + _cost(new),
        )

    def _replay_cases(self, ids: Sequence[str], stage: int, what: str) -> dict[str, Answered]:
        found = [self._cases[one] for one in ids]
        beside = [one.reference_output for one in found]
        answered = self._beside([one.run for one in found], self._package(), beside, self._part(stage, what))
        for one, given in zip(ids, answered, strict=True):
            now, then = self._passes(given), self._passed_then(one)
            self.fixes += now is True and not then
            self.breaks += now is False and then
        return dict(zip(ids, answered, strict=True))

    def _beside(
        self, runs: Sequence[SkillRun], package: Package, expected: Sequence[Any], tell: Progress
    ) -> list[Answered]:
        """Each run with this package, judged against what is expected of it. What is equal needs no judge."""
        replays = validation.replay_runs(self.version.skill, package, runs, progress=tell)
        found = [self._judged(run, replay, wanted) for run, replay, wanted in zip(runs, replays, expected, strict=True)]
        self.paused = self.paused or any(one.paused for one in found)
        self.incomplete = self.incomplete or any(one.agreement is None for one in found)
        return found

    def _judged(self, run: SkillRun, replay: RunReplay, wanted: Any) -> Answered:
        if self.paused or replay.paused:
            return Answered(None, replay, replay.cost_usd, paused=True, because="The budget was used up.")
        if not replay.answered or not replay.recorded:
            return Answered(
                None, replay, replay.cost_usd, paused=False, because=replay.error or "It cannot be replayed."
            )
        if replay.status != RunStatus.SUCCEEDED:
            return Answered(0.0, replay, replay.cost_usd, paused=False, because=replay.error)
        if canonical.dumps(replay.output) == canonical.dumps(wanted):
            return Answered(1.0, replay, replay.cost_usd, paused=False)
        said = judging.compare(run, output=replay.output, reference_output=wanted)
        self.paused = self.paused or said.paused
        return Answered(
            said.agreement, replay, replay.cost_usd + said.cost_usd, said.paused, said.because or said.rationale
        )

    def _passes(self, answered: Answered) -> bool | None:
        if answered.agreement is None:
            return None
        return is_right(answered.agreement)

    def _passed_then(self, case: str) -> bool:
        return is_right(self._cases[case].agreement or 0.0)

    def _line(self, case: str, answered: Answered) -> dict[str, Any]:
        return {
            "id": case,
            "run_id": str(answered.replay.run_id),
            "before": self._cases[case].agreement,
            "now": answered.agreement,
            "output": answered.replay.output,
            "reference_output": self._cases[case].reference_output,
            "because": answered.because,
        }

    def _held(self) -> list[Divergence]:
        return [self._cases[one] for one in self.held_out if one in self._cases]

    def _common(self) -> dict[str, bytes]:
        """What the attempt saw, held-out cases or not: the present files and the inputs of the cases it was shown."""
        shown = [self._cases[one] for one in self.shown if one in self._cases]
        return {
            **versions.files_of(self.version),
            "shown": "\n".join(material.texts_of(shown)).encode("utf-8", "replace"),
        }

    def _secret_texts(self) -> dict[str, str]:
        """Held-out inputs as texts, without those of which eight words in a row stand in what the attempt saw."""
        common = self._common()
        texts = {str(one.pk): "\n".join(material.texts_of([one])) for one in self._held()}
        return {name: text for name, text in texts.items() if not gateinputs.quotes(common, text)}

    def _secret_inputs(self) -> dict[str, str]:
        """The longest text that only a held-out case has, as its canary."""
        seen = b"\n".join(self._common().values()).decode("utf-8", "replace")
        longest = {str(one.pk): max(material.texts_of([one]), key=len, default="") for one in self._held()}
        return {name: text for name, text in longest.items() if len(text) >= 20 and text not in seen}

    def _package(self) -> Package:
        package = self._given.package
        assert package is not None  # the static gate blocks what is none
        return package

    def _note(self, found: Sequence[CaseRun]) -> None:
        self.paused = self.paused or any(one.paused for one in found)
        self.incomplete = self.incomplete or any(one.passed is None for one in found)

    def _part(self, stage: int, what: str) -> Progress:
        return lambda number, total, message: self._tell(stage, f"{message}: {what}")

    def _tell(self, stage: int, message: str) -> None:
        if self.progress is not None:
            self.progress(stage, _STAGES, message)


def is_right(agreement: float) -> bool:
    """Whether one answer is as good as trust asks of the mean. A skill slips by answers that are half right, so half
    right is not mended."""
    return exact(agreement) >= exact(knobs().shadow_primary_promotion_agreement_rate)


def recent_successes(version: SkillVersion, *, now: datetime) -> list[SkillRun]:
    """The newest answers of the last days that nobody doubts: the reference's own, and those of this version that were
    compared with the reference and agreed; none that was corrected. What was never compared may be wrong already, and
    would hold the mistake up as the measure."""
    limits = knobs()
    agreed = Divergence.objects.judged().filter(
        run=OuterRef("pk"), agreement__gte=limits.shadow_primary_promotion_agreement_rate
    )
    corrected = Correction.objects.filter(run=OuterRef("pk"))
    own = Q(version=version, path__in=[RunPath.SKILL, RunPath.SANDBOX]) & Q(Exists(agreed))
    found = (
        SkillRun.objects.filter(
            own | Q(path=RunPath.NATIVE),
            ~Exists(corrected),
            capability_id=version.skill.capability_id,
            status=RunStatus.SUCCEEDED,
            outcome=RunStatus.SUCCEEDED,
            degraded=False,
            output__isnull=False,
            reported=False,
            created_at__gte=now - timedelta(days=limits.evolution_recent_success_window_days),
            created_at__lte=now,
        )
        .select_related("capability")
        .order_by("-id")
    )
    return list(found[: limits.evolution_recent_success_count])


def _passed(found: Sequence[CaseRun]) -> Mapping[str, bool | None]:
    return {one.name: one.passed for one in found}


def _cost(found: Collection[Answered]) -> Decimal:
    return sum((one.cost_usd for one in found), Decimal(0))


def _spent(found: Collection[CaseRun]) -> Decimal:
    return sum((one.cost_usd for one in found), Decimal(0))
