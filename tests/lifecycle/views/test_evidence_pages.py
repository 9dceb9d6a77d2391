"""What a run's and a skill's page let people do: correct, capture, compare, pause and switch the gate."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from donna_skills.charts import Chart
from lifecycle import agreement
from lifecycle.models import Correction, Fixture, RunStatus
from lifecycle.states import State
from tests import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def author(client: Client) -> Client:
    client.force_login(builders.person("author"))
    return client


@pytest.fixture
def reviewer(client: Client) -> Client:
    client.force_login(builders.person("reviewer"))
    return client


def test_a_person_corrects_a_field_with_text_or_with_json(author: Client):
    run = builders.run(builders.skill(State.SANDBOX), output={"label": "greeting", "score": 1})
    answer = author.post(f"/runs/{run.pk}/correct/", {"field": "label", "corrected": "question", "note": "It asks."})
    author.post(f"/runs/{run.pk}/correct/", {"field": "score", "corrected": "2"})

    assert (answer.status_code, answer.url) == (302, f"/runs/{run.pk}/")
    assert {c.field: (c.original, c.corrected, c.note) for c in Correction.objects.all()} == {
        "label": ("greeting", "question", "It asks."),
        "score": (1, 2, ""),
    }


def test_a_correction_that_corrects_nothing_comes_back_with_what_was_typed(author: Client):
    run = builders.run(builders.skill(State.SANDBOX))
    answer = author.post(f"/runs/{run.pk}/correct/", {"field": "label", "corrected": "greeting", "note": "Hm."})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Nothing is corrected." in page and 'value="Hm."' in page
    assert not Correction.objects.exists()


def test_a_run_becomes_a_fixture_once(author: Client):
    run = builders.run(builders.skill(State.SANDBOX))
    author.post(f"/runs/{run.pk}/capture/", {"name": "a greeting"})
    again = author.post(f"/runs/{run.pk}/capture/", {"name": "a greeting"})
    assert again.status_code == 409 and "has a fixture named" in again.content.decode()
    assert Fixture.objects.get(name="a greeting").captured_from == run
    assert "It is the fixture" in author.get(f"/runs/{run.pk}/").content.decode()


@pytest.mark.parametrize("act", ["correct", "capture"])
def test_a_viewer_is_offered_neither_and_may_do_neither(client: Client, act: str):
    run = builders.run(builders.skill(State.SANDBOX))
    client.force_login(builders.person("viewer"))
    assert b"Capture it" not in client.get(f"/runs/{run.pk}/").content
    answer = client.post(f"/runs/{run.pk}/{act}/", {"field": "label", "corrected": "x"})
    assert answer.status_code == 403
    assert not Correction.objects.exists() and not Fixture.objects.filter(captured_from=run).exists()


def test_a_failed_run_cannot_be_captured(author: Client):
    run = builders.run(builders.skill(State.SANDBOX), status=RunStatus.FAILED, error="It broke.")
    assert b"Capture it" not in author.get(f"/runs/{run.pk}/").content
    assert author.post(f"/runs/{run.pk}/capture/", {}).status_code == 409


def test_a_run_shows_its_comparison_with_both_answers(author: Client):
    skill = builders.skill(State.SHADOW_PRIMARY)
    judged = builders.divergence(skill, 0.25, reference_output={"label": "farewell"}, rationale="They differ in label.")
    page = author.get(f"/runs/{judged.run_id}/").content.decode()
    assert "They differ in label." in page and "farewell" in page and "0.25" in page


def test_comparisons_are_listed_and_narrowed_down(author: Client, django_assert_num_queries: Any):
    skill = builders.skill(State.SHADOW_PRIMARY)
    address = f"/skills/{skill.capability.name}/comparisons/"
    assert 'class="empty"' in author.get(address).content.decode()
    for score in (1.0, 0.25, None):
        builders.divergence(skill, score, rationale=f"It is {score}.", abstained_because="It said nothing.")

    def said(kind: str = "") -> set[str]:
        page = author.get(address, {"kind": kind}).content.decode()
        return {word for word in ("It is 1.0.", "It is 0.25.", "It said nothing.") if word in page}

    assert said() == {"It is 1.0.", "It is 0.25.", "It said nothing."}
    assert said("disagreed") == {"It is 0.25."}
    assert said("agreed") == {"It is 1.0."}
    assert said("abstained") == {"It said nothing."}


def test_the_list_of_comparisons_takes_the_same_queries_for_many(author: Client, django_assert_max_num_queries: Any):
    skill = builders.skill(State.SHADOW_PRIMARY)

    def queries() -> int:
        with django_assert_max_num_queries(20) as counted:
            author.get(f"/skills/{skill.capability.name}/comparisons/")
        return len(counted)

    builders.divergence(skill, 1.0)
    few = queries()
    for _ in range(8):
        builders.divergence(skill, 1.0)
    assert queries() == few


def test_the_chart_counts_windows_back_from_the_newest_and_never_across_versions():
    skill = builders.skill(State.SHADOW_PRIMARY)
    for number in range(35):
        builders.divergence(skill, 0.5 if number < 5 else 1.0)
    builders.version(skill)
    for _ in range(2):
        builders.divergence(skill, 0.25)

    drawn = agreement.chart(skill)

    assert isinstance(drawn, Chart)
    assert [list(series.n) for series in drawn.series] == [[5, 30, 2]]
    assert list(drawn.series[0].values) == [0.5, 1.0, 0.25]
    assert [(mark.at, mark.label) for mark in drawn.marks] == [(0, "v1"), (2, "v2")]
    assert drawn.levels == []


def test_without_comparisons_there_is_no_chart():
    assert agreement.chart(builders.skill(State.SANDBOX)) is None


def test_a_reviewer_pauses_resumes_and_switches_the_gate(reviewer: Client):
    skill = builders.skill(State.SHADOW_PRIMARY)
    address = f"/skills/{skill.capability.name}/"

    def switch(**data: str) -> str:
        answer = reviewer.post(f"{address}switch/", data)
        assert (answer.status_code, answer.url) == (302, address)
        skill.refresh_from_db()
        return " ".join(reviewer.get(address).content.decode().split())

    assert "It is paused" in switch(switch="pause", note="The feed moves.") and skill.paused
    assert "paused already" in switch(switch="pause")
    switch(switch="resume")
    assert not skill.paused
    switch(switch="lift_gate")
    assert not skill.requires_human_gate
    switch(switch="close_gate")
    assert skill.requires_human_gate
    switch(switch="explode")


def test_who_may_not_switch_is_told_and_nothing_changes(author: Client):
    skill = builders.skill(State.SHADOW_PRIMARY)
    address = f"/skills/{skill.capability.name}/"
    assert b"Pause" not in author.get(address).content
    page = author.post(f"{address}switch/", {"switch": "pause"}, follow=True).content.decode()
    skill.refresh_from_db()
    assert "Only a person who may pause" in page and not skill.paused
