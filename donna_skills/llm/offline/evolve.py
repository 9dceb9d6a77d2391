"""The author's other part: a better version of a package, relearned from the cases in which it went wrong.

A package whose prompt begins with rules gets new ones: learned from the cases, the corrections and the fixtures
together, or where nothing explains them all, from what is newest. A package of another kind is written anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from donna_skills.llm.offline import author, learned, learning
from donna_skills.llm.offline.learned import Rule
from donna_skills.llm.offline.learning import Sample


def evolve(facts: Mapping[str, Any], blunt: bool) -> dict[str, Any] | None:
    """{"diagnosis", "files", "changelog", "targeted_cases"} for facts {"capability", "files", "cases", "fixtures",
    "corrections"}; None without a capability."""
    capability, files = facts.get("capability"), facts.get("files")
    if not isinstance(capability, Mapping) or not isinstance(files, Mapping):
        return None
    cases = [case for case in _listed(facts, "cases") if isinstance(case.get("inputs"), Mapping)]
    place, old = _rules_in(files)
    rules = _learn(facts, cases, old, capability)
    changed = [field for field in rules if rules.get(field) != old.get(field)]
    wrong = [case for case in cases if _answers(old, case) is not True] if old else cases
    mended = [str(case.get("id")) for case in wrong if _answers(rules, case)]
    said = ", ".join(changed) or "none"
    return {
        "diagnosis": f"{len(wrong)} of {len(cases)} cases are not answered as the reference does. Rules that no longer "
        f"fit: {said}.",
        "files": {place: author.prompt(rules)} if place else author.files(capability, rules),
        "changelog": f"Learned anew: {said}. It mends {len(mended)} of {len(wrong)} cases.",
        "targeted_cases": mended,
    }


def _learn(
    facts: Mapping[str, Any], cases: Sequence[Mapping[str, Any]], old: Mapping[str, Rule], capability: Mapping[str, Any]
) -> dict[str, Rule]:
    """A rule for each field: the one that explains everything, else the one that explains the cases, else the old."""
    schema = capability.get("output_schema")
    contract = schema if isinstance(schema, Mapping) else {}
    recent = [*_of_corrections(facts), *(Sample(case["inputs"], case.get("reference")) for case in cases)]
    recent = _without_contradictions(recent)
    both = learning.rules(_without_contradictions([*recent, *_of_fixtures(facts)]), contract)
    newest = learning.rules(recent, contract)
    found = {}
    for field in dict.fromkeys([*newest, *both]):
        choices = [rules[field] for rules in (both, newest, old) if field in rules]
        found[field] = next((rule for rule in choices if rule.get("take") != "nothing"), choices[0])
    return found


def _of_corrections(facts: Mapping[str, Any]) -> list[Sample]:
    """What a person made of an output: theirs is the last word."""
    found = []
    for item in _listed(facts, "corrections"):
        inputs, output, field = item.get("inputs"), item.get("output"), item.get("field")
        if isinstance(inputs, Mapping) and isinstance(output, Mapping) and field in output:
            found.append(Sample(inputs, {**output, str(field): item.get("corrected")}))
    return found


def _of_fixtures(facts: Mapping[str, Any]) -> list[Sample]:
    """Of the fixtures that expect one exact answer."""
    found = []
    for item in _listed(facts, "fixtures"):
        inputs, expected = item.get("inputs"), item.get("expected_output")
        if isinstance(inputs, Mapping) and isinstance(expected, Mapping) and "const" in expected:
            found.append(Sample(inputs, expected["const"]))
    return found


def _without_contradictions(samples: Sequence[Sample]) -> list[Sample]:
    """One answer for equal inputs, the first."""
    kept: dict[str, Sample] = {}
    for sample in samples:
        kept.setdefault(learned.key_of(sample.inputs), sample)
    return list(kept.values())


def _rules_in(files: Mapping[str, Any]) -> tuple[str, Mapping[str, Rule]]:
    """The prompt that begins with rules, and the rules; nothing where there is none."""
    for path, text in sorted(files.items()):
        if isinstance(text, str) and (rules := learned.rules_of(text)) is not None:
            return str(path), rules
    return "", {}


def _answers(rules: Mapping[str, Rule], case: Mapping[str, Any]) -> bool:
    """Whether the rules give the reference's answer."""
    return learned.key_of(learned.answer(rules, case["inputs"])) == learned.key_of(case.get("reference"))


def _listed(facts: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    given = facts.get(name)
    return [item for item in given if isinstance(item, Mapping)] if isinstance(given, list) else []
