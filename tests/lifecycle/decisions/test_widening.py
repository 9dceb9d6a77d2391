"""What a new version may do that the one before could not, in sentences."""

from __future__ import annotations

from lifecycle.decisions.widening import Abilities, changes


def test_new_tools_and_pinned_models_come_first_and_count_as_wider():
    old = Abilities(tools=["a", "b"], steps=["read"])
    new = Abilities(tools=["b", "carrier"], models={"read": "gpt"}, steps=["read", "answer"])
    found = changes(old, new)
    assert [(change.wider, change.message) for change in found] == [
        (True, "It may call the tool carrier, which no version in force may."),
        (True, "Its step read pins the model gpt instead of the one that serves skills."),
        (False, "It no longer calls the tool a."),
        (False, "It has a new step, answer."),
    ]


def test_a_first_version_is_told_for_what_it_can_reach_and_not_for_its_steps():
    found = changes(None, Abilities(tools=["a"], steps=["read", "answer"]))
    assert [change.message for change in found] == ["It may call the tool a, which no version in force may."]


def test_narrower_and_unchanged_versions_alarm_nobody():
    old = Abilities(tools=["a"], models={"read": "gpt"}, steps=["read", "answer"])
    assert changes(old, old) == ()
    narrower = changes(old, Abilities(steps=["read"]))
    assert [change.message for change in narrower] == [
        "It no longer calls the tool a.", "Its step read no longer pins a model.", "Its step answer is gone.",
    ]  # fmt: skip
    assert not any(change.wider for change in narrower)
