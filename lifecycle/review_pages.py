"""What the page of one review reads: what changes, why we believe it, and where the skill stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date
from functools import lru_cache
from typing import Any
from uuid import UUID

from donna_skills import shortening
from donna_skills.charts import Chart, Level, Series
from lifecycle.configuration import knobs
from lifecycle.decisions import hiddentext, textdiff, widening
from lifecycle.decisions.statistics import exact
from lifecycle.models import (
    Candidate,
    Fixture,
    GateDecision,
    Review,
    ReviewKind,
    Skill,
    SkillRun,
    SkillVersion,
    StateTransition,
)
from lifecycle.models.attempt import DraftAttempt, Evolution
from lifecycle.packages.model import FixtureCase, Package
from lifecycle.selectors import Rate
from lifecycle.services import subjects, versions, windows

SHOWN = 20
"""Rows of a table of the past; the skill's page has them all."""
MOST_CASES = 60
MOST_OF_DIFFS = 70_000
"""Bytes of the page that the changes of all files take; whoever wants the rest reads the files."""
MOST_OF_TEXTS = 20_000
"""The same of whole files, for those that fit."""
_ROW = 160
"""Bytes of a row besides its text."""
_ABOUT_TRUST = frozenset({ReviewKind.FLAG, ReviewKind.PROMOTION, ReviewKind.ROLLBACK})


@dataclass(frozen=True)
class FileShown:
    """A file with its change. `hidden` counts characters that nobody would see, were they not spelt out.

    `text` is None where it is no text, and where it is too long for this page: `elsewhere`, on a page of its own.
    """

    change: textdiff.FileChange
    anchor: str
    text: str | None
    hidden: int
    elsewhere: bool = False


@dataclass(frozen=True)
class Changes:
    """The version against the one that it would replace; `base` is None where there is nothing to compare with."""

    version: SkillVersion
    base: SkillVersion | None
    files: tuple[FileShown, ...]
    wider: tuple[widening.Change, ...]

    @property
    def changed(self) -> list[FileShown]:
        return [file for file in self.files if file.change.kind != "same"]

    @property
    def same(self) -> list[FileShown]:
        return [file for file in self.files if file.change.kind == "same"]


@dataclass(frozen=True)
class Case:
    """One example: what went in, what was expected, what came out. `passed` is None where there was no answer."""

    name: str
    split: str
    passed: bool | None
    tried: bool
    input: Any
    expected: Any
    assertions: Sequence[Any]
    output: Any
    problems: Sequence[str]


def changes(review: Review) -> Changes | None:
    """What a version changes, file by file; None where the question is not about files."""
    version = review.version
    if version is None:
        return None
    base = subjects.base_of(version) if review.kind in subjects.WITH_BASIS else version
    return compare(base, version)


def compare(base: SkillVersion | None, version: SkillVersion, *, unlike: str = widening.IN_FORCE) -> Changes:
    """One version against another, or against nothing. `unlike` is widening's: what the other one may not do."""
    shown = _shown(base.pk if base else None, version.pk)
    before = abilities(versions.package_of(base)) if base else None
    after = abilities(versions.package_of(version))
    wider = widening.changes(before, after, unlike=unlike) if base != version else ()
    return Changes(version, base if base != version else None, shown, wider)


def abilities(package: Package) -> widening.Abilities:
    tools = {tool for step in package.steps for tool in step.tools}
    tools |= {call.tool for step in package.steps for call in step.tool_invocations}
    return widening.Abilities(
        tools=sorted(tools),
        models={step.name: step.model for step in package.steps if step.model},
        steps=[step.name for step in package.steps],
    )


def decision_of(review: Review) -> GateDecision | None:
    """The newest word of the gates on the very files that are asked about."""
    version = review.version
    if version is None:
        return None
    return GateDecision.objects.filter(skill_id=version.skill_id, digest=version.digest).order_by("-id").first()


def gates(decision: GateDecision | None) -> list[dict[str, Any]]:
    """One line for each gate: its status, why, and what it measured."""
    if decision is None:
        return []
    return [{**gate, "words": _figures(str(gate.get("gate")), gate.get("figures") or {})} for gate in decision.gates]


def cases(review: Review, decision: GateDecision | None) -> list[Case]:
    """Every example that the version is held against, tried or not; the ones that failed first."""
    version = review.version
    if version is None:
        return []
    known: dict[str, FixtureCase | Fixture] = {case.name: case for case in versions.package_of(version).fixtures}
    known |= {fixture.name: fixture for fixture in Fixture.objects.filter(skill_id=version.skill_id)[:MOST_CASES]}
    tried = {str(case.get("name")): case for case in _listed(decision, "cases")}
    found = [_case(name, known.get(name), tried.get(name)) for name in list({**tried, **known})[:MOST_CASES]]
    rank = {False: 0, None: 1, True: 2}
    return sorted(found, key=lambda case: (rank[case.passed], case.name))


def replays(decision: GateDecision | None) -> list[Mapping[str, Any]]:
    return _listed(decision, "replays")[:MOST_CASES]


def learned_from(review: Review) -> DraftAttempt | Evolution | None:
    """The attempt that wrote the version, with the samples that it was shown."""
    if review.version_id is None:
        return None
    if review.kind == ReviewKind.EVOLUTION:
        return Evolution.objects.filter(to_version_id=review.version_id).select_related("from_version").first()
    return DraftAttempt.objects.filter(version_id=review.version_id).select_related("candidate").first()


def samples(attempt: DraftAttempt | Evolution | None) -> list[dict[str, Any]]:
    """The recorded runs that the prompt was given: by their ids, or as they stand in the attempt itself."""
    if attempt is None:
        return []
    shown = [_sample(one) for one in attempt.samples[:SHOWN]]
    runs = SkillRun.objects.in_bulk([sample["run_id"] for sample in shown if sample["run_id"]])
    for sample in shown:
        run = runs.get(sample["run_id"])
        if run is not None:
            sample |= {"input": run.inputs, "output": run.output, "status": run.get_status_display()}
    return shown


def candidate_of(review: Review) -> Candidate | None:
    """The finding that the draft came from, with its arithmetic; the newest where there were several."""
    if review.kind != ReviewKind.DRAFT:
        return None
    return Candidate.objects.for_page().filter(capability_id=review.capability_id).order_by("-id").first()


def moves(skill: Skill | None) -> list[StateTransition]:
    return list(skill.transitions.select_related("person", "version")[:SHOWN]) if skill else []


def history(review: Review) -> list[Review]:
    """What was asked about the capability before."""
    asked = Review.objects.for_page().filter(capability_id=review.capability_id).exclude(pk=review.pk)
    return list(asked.defer("evidence", "basis").order_by("-id")[:SHOWN])


def agreement(review: Review) -> Chart | None:
    """How the version agreed with the reference, day by day, beside what it is held against; for questions about trust.

    Each value is the share of judged comparisons that agree, with its 95 % Wilson interval, as the flag's rule counts.
    """
    skill, version = review.skill, review.version
    if skill is None or version is None or review.kind not in _ABOUT_TRUST:
        return None
    limits = knobs()
    threshold = exact(limits.degradation_agreement_threshold)
    newest = max(limits.degradation_rolling_window, limits.shadow_primary_promotion_min_runs)
    days: dict[date, list[bool]] = {}
    for one in reversed(windows.judged([version.pk], newest=newest).get(version.pk, [])):
        days.setdefault(one.at.astimezone(UTC).date(), []).append(exact(one.agreement) >= threshold)
    if not days:
        return None
    rates = [Rate.of(sum(agreed), len(agreed)) for agreed in days.values()]
    held = skill.baseline_success_rate if skill.baseline_version_id == version.pk else None
    return Chart(
        id="agreement",
        title=f"Agreement of version {version.number} with the reference model",
        summary=f"Share of comparisons that agree, over {len(days)} days; the numbers stand below.",
        labels=[f"{day:%-d %b}" for day in days],
        series=[
            Series(
                "Agrees",
                [rate.value for rate in rates],
                lower=[rate.lower for rate in rates],
                upper=[rate.upper for rate in rates],
                n=[rate.n for rate in rates],
            )
        ],
        unit="rate",
        levels=[Level("Baseline", held)] if held is not None else [],
    )


def targeted(decision: GateDecision | None) -> list[Mapping[str, Any]]:
    """The cases that went wrong and that an evolved version was aimed at, before and now."""
    return _listed(decision, "targeted")[:MOST_CASES]


def sentence(review: Review, decision: GateDecision | None) -> str:
    """What the evidence comes to, in plain words: "Fixes 7 cases, breaks 1." """
    fixes, breaks = review.evidence.get("fixes"), review.evidence.get("breaks")
    if review.kind == ReviewKind.EVOLUTION and isinstance(fixes, int) and isinstance(breaks, int):
        return f"Fixes {fixes} {'case' if fixes == 1 else 'cases'}, breaks {breaks}."
    replayed = replays(decision)
    examples = _listed(decision, "cases")
    parts = []
    if examples:
        passed = sum(1 for case in examples if case.get("passed") is True)
        silent = sum(1 for case in examples if case.get("passed") is None)
        parts.append(f"{passed} of {len(examples)} examples pass" + (f", {silent} gave no answer" if silent else ""))
    if replayed:
        well = sum(1 for run in replayed if run.get("status") == "succeeded" and not run.get("degraded"))
        parts.append(f"{well} of {len(replayed)} recorded runs succeed again")
    return f"{'; '.join(parts)}." if parts else ""


@lru_cache(maxsize=16)
def _files(version_id: UUID) -> dict[str, bytes]:
    """Versions never change, so that their files are read once by each process."""
    return versions.files_of(SkillVersion(pk=version_id))


@lru_cache(maxsize=16)
def _shown(base_id: UUID | None, version_id: UUID) -> tuple[FileShown, ...]:
    """Every file in the order of paths, with as much of it as there is room for: small files are shown whole before
    large ones take what is left."""
    new = _files(version_id)
    left_for_rows, left_for_texts = MOST_OF_DIFFS, MOST_OF_TEXTS
    found: dict[int, FileShown] = {}
    compared = enumerate(textdiff.files(_files(base_id) if base_id else {}, new))
    for number, whole in sorted(compared, key=lambda one: one[1].old_bytes + one[1].new_bytes):
        change, taken = _fitting(whole, left_for_rows)
        left_for_rows -= taken
        text = _text(new.get(change.path))
        hidden = sum(1 for _ in hiddentext.hidden(text)) if text else 0
        wanted = change.cut or change.kind in {"changed", "same"}
        takes = shortening.weight(text, most=left_for_texts) if text and wanted else 0
        elsewhere = takes > left_for_texts
        left_for_texts -= 0 if elsewhere else takes
        found[number] = FileShown(change, f"file-{number}", None if elsewhere else text, hidden, elsewhere)
    return tuple(found[number] for number in sorted(found))


def _fitting(change: textdiff.FileChange, most: int) -> tuple[textdiff.FileChange, int]:
    """The change with as many of its rows as fit, and what they take."""
    taken = 0
    for place, row in enumerate(change.rows or ()):
        pieces = [piece.text for side in (row.old, row.new) if side for piece in side.pieces]
        weighs = _ROW + sum(10 + shortening.weight(text, most=most) for text in pieces)
        if taken + weighs > most:
            return replace(change, rows=(change.rows or ())[:place], cut=True), taken
        taken += weighs
    return change, taken


def _text(content: bytes | None) -> str | None:
    try:
        return (content or b"").decode("utf-8")
    except UnicodeDecodeError:
        return None


def _case(name: str, known: FixtureCase | Fixture | None, tried: Mapping[str, Any] | None) -> Case:
    found = tried or {}
    return Case(
        name=name,
        split=str(found.get("split") or getattr(known, "split", "")),
        passed=found.get("passed"),
        tried=tried is not None,
        input=found.get("input", known.input if known else None),
        expected=known.expected_output if known else None,
        assertions=list(known.assertions) if known else [],
        output=found.get("output"),
        problems=found.get("problems") or (),
    )


def _listed(decision: GateDecision | None, key: str) -> list[Mapping[str, Any]]:
    found = decision.evidence.get(key) if decision else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _sample(one: Any) -> dict[str, Any]:
    """A sample is a run's id, or an object with what the prompt showed of it."""
    shown = one if isinstance(one, dict) else {"run_id": one}
    given = str(shown.get("run_id") or shown.get("id") or "")
    try:
        run_id: UUID | None = UUID(given)
    except ValueError:
        run_id = None
    return {"run_id": run_id, "input": shown.get("input"), "output": shown.get("output"), "status": ""}


def _figures(gate: str, figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a gate measured as label and value; a share comes with its n and its interval."""
    shown = dict(figures)
    found: list[dict[str, Any]] = []
    pairs = {
        "fixtures": [("passed", "total", "Passed")],
        "baseline": [("with", "cases", "With it"), ("without", "cases", "Without it")],
    }
    for part, whole, label in pairs.get(gate, []):
        passed, total = figures.get(part), figures.get(whole)
        if isinstance(passed, int) and isinstance(total, int) and total:
            rate = Rate.of(passed, total)
            found.append({"label": f"{label}: {passed} of {total}", "rate": asdict(rate)})
            shown.pop(part)
    for _, whole, _ in pairs.get(gate, []):
        shown.pop(whole, None)
    found += [{"label": _label(key), "value": value} for key, value in shown.items() if value not in (None, [], {}, "")]
    return found


def _label(key: str) -> str:
    return key.replace("_", " ").capitalize()
