"""The list of skills, and the page of one: what is next for it, how to call it, its tabs and what may be done to it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from lifecycle.decisions.degradation import baseline
from lifecycle.models import Evolution, Fixture, FixtureSplit, GateDecision, Skill
from lifecycle.services import baselines
from lifecycle.services import skills as service
from lifecycle.states import State
from tests import builders
from tests.shell.conftest import Html

pytestmark = pytest.mark.django_db


@pytest.fixture
def reviewer(client: Client) -> Client:
    client.force_login(builders.person("reviewer"))
    return client


def shown(client: Client, path: str) -> str:
    page = client.get(path).content.decode().split("<main", 1)[1]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def page_of(skill: Skill) -> str:
    return f"/skills/{skill.capability.name}/"


def row_of(client: Client, skill: Skill) -> str:
    page = client.get("/skills/").content.decode()
    row = page.split(f">{skill.capability.name}</a>", 1)[1].split("</tr>", 1)[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", row)).split())


def attempt(skill: Skill, **fields: Any) -> Evolution:
    now = timezone.now()
    given = {"status": "refused", "started_at": now, "finished_at": now, "diagnosis": "It forgets the year."}
    return Evolution.objects.create(skill=skill, from_version=skill.current_version, **{**given, **fields})


def decision(skill: Skill) -> GateDecision:
    gate = {"gate": "holdout", "status": "HOLD", "reasons": [{"code": "worse", "message": "Two got worse."}]}
    return GateDecision.objects.create(
        skill=skill,
        digest="d" * 64,
        inputs_digest="i" * 64,
        verdict="HOLD",
        gates=[gate],
        cost_usd=0,
        at=timezone.now(),
    )


def test_a_row_has_state_version_runs_agreement_and_the_last_move(reviewer: Client):
    skill = builders.skill(State.TRUSTED)
    for number in range(4):
        builders.divergence(skill, 0.5 if number else 1.0)
    row = row_of(reviewer, skill)
    assert re.match(
        r"v1 ● Trusted 1\.00 \(0\.51–1\.00, n 4\) 0\.6\d \(0\.\d\d–0\.\d\d, n 4\) .*a person approved$", row
    )
    spark = next(svg for svg in Html(reviewer.get("/skills/").content.decode()).all("svg") if svg.get("role") == "img")
    assert spark["aria-label"] == "Mean agreement, 2 comparisons a point, oldest first: 0.75, 0.50"


def test_a_row_without_runs_and_comparisons_says_so(reviewer: Client):
    assert row_of(reviewer, builders.skill()) == "○ Reference model not run not compared has not moved"


def test_comparisons_of_an_earlier_version_say_nothing_about_the_one_in_force(reviewer: Client):
    skill = builders.skill(State.TRUSTED)
    builders.divergence(skill, 0.2)
    builders.version(skill)
    assert "not compared" in row_of(reviewer, skill)


def test_skills_are_narrowed_down_by_state_and_text_and_nonsense_is_no_filter(reviewer: Client):
    trusted = builders.skill(State.TRUSTED, name="sort_letters")
    builders.skill(State.SANDBOX, name="label_photos")

    def names(query: str) -> list[str]:
        return [row.skill.capability.name for row in reviewer.get(f"/skills/?{query}").context["rows"]]

    assert names("") == names("state=splendid&page=nine") == ["label_photos", "sort_letters"]
    assert names("state=trusted") == names("q=LETTERS") == [trusted.capability.name]
    assert names("state=sandbox&q=letters") == []
    assert "No skill matches" in shown(reviewer, "/skills/?q=nothing%00at+all")


def test_the_list_takes_the_same_queries_for_many(reviewer: Client, django_assert_max_num_queries: Any):
    def fill(n: int) -> None:
        for _ in range(n):
            skill = builders.skill(State.TRUSTED)
            builders.divergence(skill, 1.0)
            builders.divergence(skill, 0.5)

    def queries(path: str) -> int:
        with django_assert_max_num_queries(35) as counted:
            assert reviewer.get(path).status_code == 200
        return len(counted)

    fill(1)
    few = queries("/skills/")
    fill(4)
    assert queries("/skills/") == few


def test_a_trusted_skill_needs_nothing_and_says_what_would_flag_it(reviewer: Client):
    skill = builders.skill(State.TRUSTED)
    earned = baseline([0.9] * 100)
    assert earned is not None
    baselines.store(skill, earned)
    said = shown(reviewer, page_of(skill))
    assert "Next: nothing needed." in said
    assert "Would be flagged below a mean agreement of 0.79 or with fewer than 30 agreeing in its newest 30" in said
    assert "(its baseline is 0.90, n 100)" in said


def test_without_a_baseline_of_its_own_version_nothing_is_promised(reviewer: Client):
    skill = builders.skill(State.TRUSTED)
    earned = baseline([0.9] * 100)
    assert earned is not None
    baselines.store(skill, earned)
    builders.version(skill)
    assert "It has earned no baseline yet" in shown(reviewer, page_of(skill))


def test_a_skill_on_its_way_says_what_is_missing(reviewer: Client):
    said = shown(reviewer, page_of(builders.skill(State.SANDBOX)))
    assert re.search(r"Next: ● Live, shadowed \(0 of 20 finished runs.*\), but first:", said)
    assert "Would be flagged" not in said


def test_a_paused_skill_waits_to_be_resumed(reviewer: Client):
    skill = builders.skill(State.TRUSTED)
    service.pause(skill, actor=Actor.person(builders.person("reviewer")), note="")
    said = shown(reviewer, page_of(skill))
    assert "Next: somebody resumes it" in said
    assert f"Resume {skill.capability.name}" in said and f"Pause {skill.capability.name}" not in said


def test_the_overview_has_the_line_that_calls_it_with_an_example_that_no_prompt_must_be_kept_from(reviewer: Client):
    skill = builders.skill(State.TRUSTED)
    Fixture.objects.filter(skill=skill).update(split=FixtureSplit.HOLDOUT)
    assert '{"text": "…"}' in shown(reviewer, page_of(skill))
    Fixture.objects.filter(skill=skill).update(split=FixtureSplit.TRAIN)
    said = shown(reviewer, page_of(skill))
    assert "/api/v1/runs" in said and "$DONNA_TOKEN" in said and '"inputs": {"text": "hello"}' in said


def test_every_tab_leads_to_a_part_of_the_page_and_old_links_still_do(reviewer: Client):
    page = Html(reviewer.get(page_of(builders.skill(State.TRUSTED))).content.decode())
    sections = [part["id"] for part in page.all("section") if "id" in part]
    assert sections == ["overview", "versions", "runs", "comparisons", "fixtures", "timeline", "evolution"]
    tabs = [link["href"] for link in page.all("a") if (link.get("href") or "").startswith("#")]
    assert tabs == ["#content", *(f"#{section}" for section in sections)]
    assert any(attributes.get("id") == "files" for _, attributes in page.tags)


def test_comparisons_show_what_the_judge_said_and_where_it_abstained(reviewer: Client):
    skill = builders.skill(State.SHADOW_PRIMARY)
    builders.divergence(skill, 0.25, rationale="They differ in label.")
    builders.divergence(skill, None, abstained_because="It gave no number.")
    said = shown(reviewer, page_of(skill))
    assert "0.25 They differ in label." in said and "Abstained It gave no number." in said


def test_an_attempt_to_evolve_shows_its_diagnosis_and_what_each_gate_said(reviewer: Client):
    skill = builders.skill(State.DEGRADED)
    attempt(skill, decision=decision(skill), reasons=[{"code": "held", "message": "The gates hold it."}])
    said = shown(reviewer, page_of(skill))
    assert "It forgets the year." in said and "The gates hold it." in said
    assert "Cases it never saw: HOLD Two got worse." in said


def test_an_accepted_attempt_leads_to_its_review_and_to_what_changed(reviewer: Client):
    from lifecycle.models import ReviewKind
    from lifecycle.services import reviews

    skill = builders.skill(State.DEGRADED)
    better = builders.version(skill, current=False)
    asked = reviews.open_review(
        ReviewKind.EVOLUTION, capability=skill.capability, version=better, actor=builders.SYSTEM, summary="Better."
    )
    attempt(skill, status="accepted", to_version=better, review=asked, decision=decision(skill))
    page = reviewer.get(page_of(skill)).content.decode()
    assert f'href="/review/{asked.pk}/#evidence"' in page
    assert f'href="{page_of(skill)}diff/?from=1&amp;to=2"' in page


@pytest.mark.parametrize("role", ["viewer", "operator", "author"])
def test_only_those_who_may_are_offered_pause_and_rollback(client: Client, role: str):
    skill = builders.skill(State.DEGRADED)
    person = builders.person(role)
    client.force_login(person)
    page = Html(client.get(page_of(skill)).content.decode())
    offered = {button.get("value") for button in page.all("button")} & {"pause", "lift_gate", "close_gate"}
    assert offered == ({"pause"} if role == "operator" else set())
    assert not [button for button in page.all("button") if "rollback" in (button.get("formaction") or "")]


def test_each_version_that_served_has_its_own_button_under_roll_back(reviewer: Client):
    skill = builders.skill(State.DEGRADED)
    page = Html(reviewer.get(page_of(skill)).content.decode())
    wanted = f"{page_of(skill)}rollback/1/"
    assert [button["formaction"] for button in page.all("button") if button.get("formaction")] == [wanted]
    reviewer.post(wanted, {"note": "The old one."})
    assert Skill.objects.get(pk=skill.pk).state == State.SHADOW_PRIMARY


def test_the_page_of_a_skill_takes_the_same_queries_for_many(reviewer: Client, django_assert_max_num_queries: Any):
    skill = builders.skill(State.DEGRADED)

    def fill(n: int) -> None:
        for _ in range(n):
            builders.divergence(skill, 1.0)
            attempt(skill)
            builders.version(skill, current=False)

    def queries() -> int:
        with django_assert_max_num_queries(45) as counted:
            assert reviewer.get(page_of(skill)).status_code == 200
        return len(counted)

    fill(1)
    few = queries()
    fill(4)
    assert queries() == few
