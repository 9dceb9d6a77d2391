"""What the API says of comparisons with the reference, and of how far a skill is."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.states import State
from tests import builders

pytestmark = pytest.mark.django_db


def test_a_runs_comparison_is_there_once_it_is_made(api: Any):
    skill = builders.skill(State.SHADOW_PRIMARY)
    run = builders.run(skill)
    missing = api.get(f"skill-runs/{run.pk}/divergence")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")

    builders.divergence(skill, 0.75, of_run=run, reference_output={"label": "welcome"})

    found = api.get(f"skill-runs/{run.pk}/divergence").json()
    assert (found["status"], found["agreement"], found["version"]) == ("judged", 0.75, 1)
    assert (found["output"], found["reference_output"]) == ({"label": "greeting"}, {"label": "welcome"})
    assert api.get(f"skill-runs/{builders.SYSTEM.kind}/divergence").status_code == 422


def test_a_skills_comparisons_come_newest_first_a_page_at_a_time(api: Any, django_assert_max_num_queries: Any):
    skill = builders.skill(State.SHADOW_PRIMARY)
    made = [builders.divergence(skill, agreement) for agreement in (0.1, None, 0.9)]
    builders.divergence(builders.skill(State.SHADOW_PRIMARY), 0.5)
    with django_assert_max_num_queries(10):
        first = api.get(f"skills/{skill.pk}/divergences?limit=2").json()
    assert [item["id"] for item in first["items"]] == [str(made[2].pk), str(made[1].pk)]
    assert (first["count"], first["items"][1]["status"], first["items"][1]["agreement"]) == (3, "abstained", None)
    rest = api.get(f"skills/{skill.pk}/divergences?limit=2&cursor={first['next']}").json()
    assert [item["agreement"] for item in rest["items"]] == [0.1]


def test_a_skill_says_in_words_how_far_it_is(api: Any):
    skill = builders.skill(State.SHADOW_PRIMARY)
    for _ in range(63):
        builders.divergence(skill, 0.91)
    said = api.get(f"skills/{skill.pk}").json()["why_not"]
    assert said["progress"] == "63 of 100, mean 0.91, needs 0.85"
    assert {one["code"] for one in said["unmet"]} == {"too_few_divergences", "human_gate_required"}
