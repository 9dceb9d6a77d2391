"""What one attempt to evolve a skill is given to learn from, and what is kept from it to judge the answer.

Cases are judged comparisons of the version that slipped. About a fifth is held out by a hash of the inputs; nothing
with such inputs, and no fixture of the holdout split, is in what `for_prompt` and `facts` give away.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from donna_skills.errors import DonnaError
from lifecycle.configuration import knobs
from lifecycle.decisions import evolution
from lifecycle.decisions.evolution import Case, Split
from lifecycle.execution import canonical
from lifecycle.models import AttemptStatus, Correction, Divergence, Evolution, Fixture, FixtureSplit, SkillVersion
from lifecycle.packages.layout import FIXTURES
from lifecycle.services import gateinputs, reviews, versions

_NEWEST = 300
"""Judged comparisons among which the cases are chosen."""
_MOST_FIXTURES, _MOST_CORRECTIONS, _MOST_EARLIER = 20, 20, 3
_LONGEST_VALUE, _LONGEST_TEXT, _LONGEST_WORDS = 1_000, 300, 2_000
_DISTINCTIVE = 12
"""Characters from which on a text of a held-out input is looked for elsewhere."""


class NothingToLearn(DonnaError):
    status, code, title = 409, "too_few_cases", "There is nothing to learn from"


@dataclass(frozen=True)
class Material:
    """`train` and `holdout` hold the comparisons with their runs; the rest has nothing of the holdout in it."""

    version: SkillVersion
    train: tuple[Divergence, ...]
    holdout: tuple[Divergence, ...]
    fixtures: tuple[Fixture, ...]
    corrections: tuple[Correction, ...]
    earlier: tuple[Evolution, ...]
    said: tuple[reviews.Said, ...]
    files: Mapping[str, str]
    statistics: Mapping[str, Any]

    def for_prompt(self) -> dict[str, Any]:
        """JSON values, each shortened, so that many long cases make a long prompt and not an endless one."""
        return {
            "files": dict(self.files),
            "cases": [_case(one) for one in self.train],
            "corrections": [_correction(one) for one in self.corrections],
            "fixtures": [_fixture(one) for one in self.fixtures],
            "earlier_attempts": [_attempt(one) for one in self.earlier],
            "reviewers_said": [
                {"version": one.version, "decision": one.decision, "words": one.words[:_LONGEST_WORDS]}
                for one in self.said
            ],
            "statistics": dict(self.statistics),
        }

    def facts(self) -> dict[str, Any]:
        """The same in full, for an author that goes by rules."""
        capability = self.version.skill.capability
        return {
            "capability": {
                "name": capability.name,
                "description": capability.description,
                "output_schema": capability.output_schema,
            },
            "files": dict(self.files),
            "cases": [
                {"id": str(one.pk), "inputs": one.run.inputs, "output": one.output, "reference": one.reference_output}
                for one in self.train
            ],
            "fixtures": [{"inputs": one.input, "expected_output": one.expected_output} for one in self.fixtures],
            "corrections": [
                {"inputs": one.run.inputs, "output": one.run.output, "field": one.field, "corrected": one.corrected}
                for one in self.corrections
            ],
        }

    def samples(self) -> list[dict[str, Any]]:
        """What the attempt's row keeps of the cases that the prompt showed."""
        return [
            {"id": str(one.pk), "run_id": str(one.run_id), "agreement": one.agreement, "kind": kind_of(one)}
            for one in self.train
        ]


def gather(version: SkillVersion) -> Material:
    """Everything there is about a version; a handful of queries, nothing is written. NothingToLearn without a case."""
    found = list(_judged(version)[:_NEWEST])
    if not found:
        raise NothingToLearn("No comparison of this version with the reference has been judged; run it first.")
    by_id = {str(one.pk): one for one in found}
    fixtures = list(Fixture.objects.filter(skill=version.skill).order_by("name"))
    kept_aside = {inputs_key(one.input) for one in fixtures if one.split == FixtureSplit.HOLDOUT}
    chosen = evolution.spread(
        [Case(str(one.pk), one.agreement or 0.0, kind_of(one), inputs_key(one.run.inputs)) for one in found],
        most=knobs().evolution_max_divergence_cases,
    )
    parts = _apart(evolution.split(chosen), kept_aside)
    held = {case.inputs_key for case in parts.holdout} | kept_aside
    train = tuple(by_id[case.id] for case in parts.train)
    holdout = tuple(by_id[case.id] for case in parts.holdout)
    secrets = _secrets(holdout, [one for one in fixtures if one.split == FixtureSplit.HOLDOUT], train)
    corrections = Correction.objects.filter(run__version=version).select_related("run")
    earlier = Evolution.objects.filter(skill=version.skill, status=AttemptStatus.REFUSED).select_related("decision")
    return Material(
        version=version,
        train=train,
        holdout=holdout,
        fixtures=tuple(
            one for one in fixtures if one.split != FixtureSplit.HOLDOUT and inputs_key(one.input) not in held
        )[:_MOST_FIXTURES],
        corrections=tuple(one for one in corrections[:_MOST_CORRECTIONS] if inputs_key(one.run.inputs) not in held),
        earlier=tuple(one for one in earlier[:_MOST_EARLIER] if not tells(canonical.dumps(_attempt(one)), secrets)),
        said=tuple(one for one in reviews.said_about(version.skill) if not tells(one.words, secrets)),
        files=_readable(version),
        statistics=_statistics(version, found),
    )


def judged_count(version: SkillVersion) -> int:
    return Divergence.objects.judged().filter(version=version).count()


def cases(ids: Collection[str], version: SkillVersion) -> dict[str, Divergence]:
    """Judged comparisons of a version by id, with their runs; ids that are none are left out."""
    known = [found for one in ids if (found := _uuid(one))]
    return {str(one.pk): one for one in _judged(version).filter(pk__in=known)}


def kind_of(divergence: Divergence) -> str:
    """In which way the answers differ: the fields, the shape or the value, and `same` where they do not."""
    mine, other = divergence.output, divergence.reference_output
    if isinstance(mine, Mapping) and isinstance(other, Mapping):
        fields = sorted(
            name
            for name in {*mine, *other}
            if name not in mine or name not in other or canonical.dumps(mine[name]) != canonical.dumps(other[name])
        )
        return ", ".join(fields)[:200] or "same"
    if type(mine) is not type(other):
        return "shape"
    return "same" if canonical.dumps(mine) == canonical.dumps(other) else "value"


def inputs_key(inputs: Any) -> str:
    return hashlib.sha256(canonical.dumps(inputs).encode(errors="surrogatepass")).hexdigest()


def texts_of(divergences: Iterable[Divergence]) -> list[str]:
    """All texts in the inputs of some cases."""
    return [text for one in divergences for text in gateinputs.texts_in(one.run.inputs)]


def tells(text: str, secrets: Iterable[str]) -> bool:
    folded = text.casefold()
    return any(secret.casefold() in folded for secret in secrets)


def _judged(version: SkillVersion) -> Any:
    related = ("run__capability",)
    return Divergence.objects.judged().filter(version=version).select_related(*related).order_by("-id")


def _apart(parts: Split, kept_aside: Collection[str]) -> Split:
    """A case with the inputs of a held-out fixture is held out too."""
    moved = tuple(case for case in parts.train if case.inputs_key in kept_aside)
    return Split(tuple(case for case in parts.train if case not in moved), parts.holdout + moved)


def _secrets(holdout: Sequence[Divergence], fixtures: Sequence[Fixture], train: Sequence[Divergence]) -> set[str]:
    """Texts that only what is held out says."""
    said = set(texts_of(train))
    held = [*texts_of(holdout), *(text for one in fixtures for text in gateinputs.texts_in(one.input))]
    return {text for text in held if len(text) >= _DISTINCTIVE and text not in said}


def _readable(version: SkillVersion) -> dict[str, str]:
    """The files that instruct, as text. Fixtures are given apart, without those that are held out."""
    found = {}
    for path, content in sorted(versions.files_of(version).items()):
        if path.startswith(FIXTURES):
            continue
        try:
            found[path] = content.decode("utf-8")
        except UnicodeDecodeError:
            continue
    return found


def _statistics(version: SkillVersion, found: Sequence[Divergence]) -> dict[str, Any]:
    limits, skill = knobs(), version.skill
    agreements = [one.agreement or 0.0 for one in found]
    return {
        "judged": len(found),
        "mean_agreement": round(sum(agreements) / len(agreements), 4),
        "successes": sum(one >= limits.degradation_agreement_threshold for one in agreements),
        "kinds": dict(Counter(map(kind_of, found)).most_common(10)),
        "baseline_mean": skill.baseline_mean if skill.baseline_version_id == version.pk else None,
    }


def _case(one: Divergence) -> dict[str, Any]:
    return {
        "id": str(one.pk),
        "agreement": one.agreement,
        "inputs": _short(one.run.inputs),
        "skill_answered": _short(one.output),
        "reference_answered": _short(one.reference_output),
        "judge": one.rationale[:_LONGEST_TEXT],
    }


def _correction(one: Correction) -> dict[str, Any]:
    return {
        "inputs": _short(one.run.inputs),
        "field": one.field,
        "was": _short(one.original),
        "should_be": _short(one.corrected),
        "note": one.note[:_LONGEST_TEXT],
    }


def _fixture(one: Fixture) -> dict[str, Any]:
    return {
        "name": one.name,
        "input": _short(one.input),
        "expected_output": _short(one.expected_output),
        "assertions": _short(one.assertions),
    }


def _attempt(one: Evolution) -> dict[str, Any]:
    gates = one.decision.gates if one.decision else []
    return {
        "diagnosis": one.diagnosis[:_LONGEST_VALUE],
        "changelog": one.changelog[:_LONGEST_VALUE],
        "refused_because": [str(reason.get("message", ""))[:_LONGEST_TEXT] for reason in one.reasons[:10]],
        "gates": [{"gate": gate["gate"], "status": gate["status"]} for gate in gates],
    }


def _short(value: Any) -> Any:
    """The value, or the beginning of its JSON where that is long."""
    spelled = canonical.dumps(value)
    return value if len(spelled) <= _LONGEST_VALUE else {"shortened": spelled[:_LONGEST_VALUE]}


def _uuid(text: Any) -> UUID | None:
    try:
        return UUID(text)
    except (ValueError, TypeError, AttributeError):
        return None
