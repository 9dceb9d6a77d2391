"""The risk of a review, from the versions that it is about."""

from __future__ import annotations

import pytest

from lifecycle.decisions.risk import Risk
from lifecycle.models import ReviewKind, Skill
from lifecycle.services import risks
from lifecycle.states import State
from tests import builders

pytestmark = pytest.mark.django_db
TOOL = "web_fetch"


def assessed(kind: ReviewKind, skill: Skill, **files: bytes) -> tuple[str, list[str]]:
    """The tier and codes for a further version of the skill, with these files changed; its current one without any."""
    version = Skill.objects.for_page().get(pk=skill.pk).current_version
    if files:
        changed = {**builders.step_package(skill.capability.name, changelog="More."), **files}
        version = builders.version(skill, files=changed, current=False)
    found: Risk = risks.assess(kind, capability=skill.capability, version=version)
    return found.tier, [reason.code for reason in found.reasons]


def with_tool(skill: Skill) -> bytes:
    plain = builders.step_package(skill.capability.name, changelog="With a tool.")["skill.yaml"].decode()
    call = f"    tool_invocations:\n      - {{tool: {TOOL}, args: {{url: 'https://example.org'}}, store_as: page}}\n"
    return plain.replace("    kind: llm\n", f"    kind: mixed\n    tools: [{TOOL}]\n{call}").encode()


def test_the_first_version_of_a_skill_is_a_first_release():
    assert assessed(ReviewKind.DRAFT, builders.skill(State.DRAFT)) == ("medium", ["FIRST_RELEASE"])


def test_a_small_change_of_a_skill_that_serves_is_low():
    skill = builders.skill(State.SHADOW_PRIMARY)
    assert assessed(ReviewKind.DRAFT, skill, **{"notes.md": b"One more line.\n"}) == ("low", [])


def test_a_tool_that_no_version_in_force_uses_is_high():
    skill = builders.skill(State.TRUSTED, granted_tools=[TOOL])
    assert assessed(ReviewKind.DRAFT, skill, **{"skill.yaml": with_tool(skill)}) == ("high", ["TOOLS_ADDED"])


def test_an_input_that_was_not_read_before_is_a_wider_one():
    skill = builders.skill(State.TRUSTED)
    prompt = b"Label this: {{ inputs.text }} of {{ inputs['sender'] }}\nAnswer as JSON with the key label.\n"
    assert assessed(ReviewKind.EVOLUTION, skill, **{"steps/answer.md": prompt}) == ("medium", ["INPUTS_WIDENED"])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (ReviewKind.PROMOTION, ("low", [])),
        (ReviewKind.FLAG, ("medium", ["PUT_BACK"])),
        (ReviewKind.ROLLBACK, ("medium", ["PUT_BACK"])),
        (ReviewKind.FOLLOW_UP, ("high", ["GLASS_BROKEN"])),
    ],
)
def test_a_version_that_served_brings_nothing_new_but_the_question_itself(kind, expected):
    assert assessed(kind, builders.skill(State.SHADOW_PRIMARY)) == expected


def test_a_capability_is_as_risky_as_the_tools_that_it_grants():
    plain, granted = builders.capability(), builders.capability(granted_tools=[TOOL])
    tiers = [risks.assess(ReviewKind.CAPABILITY, capability=one, version=None).tier for one in (plain, granted)]
    assert tiers == ["low", "high"]
