"""The home page: what needs me, how the skills do, today's figures, the last night, other apps' lines, newest moves."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from donna_skills import panels
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.jobs.models import JobRun, JobStatus
from lifecycle.models import Review, RiskTier, RunPath, RunStatus
from lifecycle.services import claims, nightly, transitions
from lifecycle.services import skills as skill_service
from lifecycle.states import Reason, State
from tests import builders
from tests.lifecycle.views import reviewing

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _savings_are_worked_out_anew() -> None:
    cache.clear()


@pytest.fixture
def reviewer(client: Client) -> Client:
    client.force_login(builders.person("reviewer"))
    return client


def words(client: Client, heading: str = "") -> str:
    """The page's text, or that of the part below one heading."""
    page = client.get("/").content.decode().split("<main", 1)[1]
    if heading:
        page = page.split(f">{heading}</h2>", 1)[1].split("</section>", 1)[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def compared(state: State, *, before: float, newest: float) -> Any:
    """A skill with two windows of comparisons."""
    skill = builders.skill(state)
    for agreement in [before] * 30 + [newest] * 30:
        builders.divergence(skill, agreement)
    return skill


def a_night(**fields: Any) -> JobRun:
    now = timezone.now()
    given = {
        "kind": nightly.KIND,
        "key": "night 2026-11-20",
        "status": JobStatus.SUCCEEDED,
        "arguments": {"night": "2026-11-20", "dry_run": False},
        "started_at": now,
        "finished_at": now,
    }
    return JobRun.objects.create(**{**given, **fields})


def step(name: str, **counts: int) -> dict[str, Any]:
    return {"step": name, "label": name, "status": "done", "counts": counts}


def test_what_waits_is_counted_by_kind_with_the_age_of_the_oldest(reviewer: Client):
    oldest = reviewing.draft()
    reviewing.draft()
    reviewing.promotion()
    Review.objects.filter(pk=oldest.pk).update(opened_at=timezone.now() - timedelta(days=2))
    said = words(reviewer, "Needs you")
    assert "2 drafts , oldest 2 d ago" in said and "1 promotion ," in said
    assert 'href="/review/?kind=draft"' in reviewer.get("/").content.decode()


def test_review_next_opens_the_riskiest_that_nobody_else_is_looking_at(reviewer: Client):
    reviewing.promotion(risk=RiskTier.LOW)
    riskiest, next_one = reviewing.promotion(risk=RiskTier.HIGH), reviewing.promotion(risk=RiskTier.MEDIUM)
    assert f'href="/review/{riskiest.pk}/"' in reviewer.get("/").content.decode()
    claims.claim(riskiest, by=builders.person("reviewer"))
    assert f'href="/review/{next_one.pk}/"' in reviewer.get("/").content.decode()


def test_what_a_colleague_looks_at_alone_is_said_to_be_in_good_hands(reviewer: Client):
    claims.claim(reviewing.promotion(), by=builders.person("reviewer"))
    said = words(reviewer, "Needs you")
    assert "Colleagues are looking at all of them" in said and "Review next" not in said


def test_what_is_blocked_or_set_aside_does_not_wait(reviewer: Client):
    reviewing.said(reviewing.draft(), "BLOCK")
    aside = reviewing.draft()
    Review.objects.filter(pk=aside.pk).update(set_aside_until=timezone.now() + timedelta(days=1))
    said = words(reviewer, "Needs you")
    assert "Nothing waits for a decision" in said and "1 more needs a fix" in said and "Review next" not in said


def test_who_may_not_decide_is_told_that_nothing_needs_them(client: Client):
    client.force_login(builders.person("viewer"))
    reviewing.draft()
    said = words(client, "Needs you")
    assert "Nothing here needs you. 1 review waits for a reviewer." in said and "Review next" not in said


def test_a_skill_whose_agreement_goes_down_is_named_with_its_figures(reviewer: Client):
    slipping = compared(State.TRUSTED, before=1.0, newest=0.7)
    compared(State.TRUSTED, before=0.9, newest=0.9)
    said = words(reviewer, "Live skills")
    assert "2 trusted" in said
    assert re.search(rf"▲ {slipping.capability.name} agreement 0\.70 \(0\.\d\d–0\.\d\d, n 30\) ↓ going down", said)
    assert "All others steady." in said


def test_too_few_comparisons_are_no_word_of_praise(reviewer: Client):
    builders.divergence(builders.skill(State.SHADOW_PRIMARY), 1.0)
    said = words(reviewer, "Live skills")
    assert "1 with too few comparisons to tell." in said and "steady" not in said


def test_flagged_degraded_and_paused_skills_are_named(reviewer: Client):
    flagged = builders.skill(State.FLAGGED_FOR_REVIEW)
    degraded = builders.skill(State.DEGRADED)
    paused = builders.skill(State.TRUSTED)
    skill_service.pause(paused, actor=Actor.person(builders.person("reviewer")), note="")
    said = words(reviewer, "Live skills")
    assert f"▲ {flagged.capability.name} flagged" in said
    assert f"▲ {paused.capability.name} paused" in said
    assert f"■ {degraded.capability.name} degraded" in said
    assert said.index(flagged.capability.name) < said.index(paused.capability.name)


def test_today_counts_what_was_asked_for_and_not_what_ran_beside_it(reviewer: Client):
    skill = builders.skill(State.TRUSTED)
    for _ in range(3):
        builders.run(skill)
    builders.run(skill, status=RunStatus.FAILED)
    builders.run(skill, path=RunPath.SHADOW)
    builders.run(skill, created_at=timezone.now() - timedelta(days=2))
    assert "4 runs , answered well: 0.75 (0.30–0.95, n 4)" in words(reviewer, "Today")


def test_a_day_without_runs_says_what_will_count_there(reviewer: Client):
    assert "No runs yet today." in words(reviewer, "Today")


def test_what_skills_saved_is_told_and_nothing_known_is_not_shown_as_zero(reviewer: Client):
    assert "What skills save is worked out once one has answered." in words(reviewer, "Today")
    skill = builders.skill(State.TRUSTED)
    builders.run(skill, path=RunPath.NATIVE, cost_usd="1.50")
    builders.run(skill, cost_usd="0.25")
    assert "worked out" in words(reviewer, "Today")  # what was found is kept for five minutes
    cache.clear()
    assert "Saved $1.25 in 30 days" in words(reviewer, "Today")
    builders.run(skill, status=RunStatus.FAILED, cost_usd="2.00")
    cache.clear()
    assert "Learning cost more than skills saved in 30 days: −$0.75" in words(reviewer, "Today")


def test_the_last_night_stands_in_one_line_with_its_report(reviewer: Client):
    report = {
        "seconds": 41,
        "cost_usd": "1.22",
        "steps": [
            step("detect", found=2, too_little=9),
            step("draft", drafted=1),
            step("degradation", flagged=1),
            step("corrections", flagged=2, error=1),
        ],
    }
    job = a_night(report=report)
    a_night(key="rehearsal", arguments={"night": "2026-11-21", "dry_run": True})
    said = words(reviewer)
    assert re.search(r"Last night \(.* UTC, 41\.0 s\) : 2 candidates, 1 draft, 3 flags, \$1\.22; 1 skill could", said)
    assert f'href="/jobs/{job.pk}/"' in reviewer.get("/").content.decode()


def test_a_night_that_failed_says_so_and_an_old_one_is_not_called_last(reviewer: Client):
    old = timezone.now() - timedelta(days=3)
    failed = {**step("detect"), "status": "failed"}
    a_night(status=JobStatus.FAILED, finished_at=old, created_at=old, report={"steps": [failed]})
    said = words(reviewer)
    assert "The last night" in said and "1 step failed" in said


def test_a_night_without_a_report_is_no_success(reviewer: Client):
    a_night(status=JobStatus.INTERRUPTED, report={})
    assert "ended as interrupted" in words(reviewer)


def test_a_night_under_way_says_how_far_it_is(reviewer: Client):
    a_night(status=JobStatus.RUNNING, finished_at=None, progress_message="Draft skills", lease_owner="somebody")
    assert "Tonight" in words(reviewer) and "the work is under way: Draft skills" in words(reviewer)


def test_before_the_first_night_the_page_says_when_it_comes(reviewer: Client):
    assert "The first begins at 03:00 UTC" in words(reviewer)


def a_line(user: User, now: datetime) -> panels.Line | None:
    return panels.Line("Robots", f"14 active for {user.username}", "/robots/", "see why", tone="amber")


def no_line(user: User, now: datetime) -> None:
    return None


def test_other_apps_put_their_lines_on_the_page_without_being_known_here(client: Client, settings: Any):
    settings.HOME_PANELS = [f"{__name__}.a_line", f"{__name__}.no_line"]
    client.force_login(builders.person("viewer", name="ada"))
    assert "▲ Robots : 14 active for ada see why" in words(client)


def test_the_newest_moves_are_told_in_words(reviewer: Client):
    ada = builders.person("reviewer", name="ada")
    skill = builders.skill(State.TRUSTED)
    transitions.move(skill, State.FLAGGED_FOR_REVIEW, reason=Reason.MANUAL_OVERRIDE, actor=Actor.person(ada))
    said = words(reviewer, "Activity")
    assert f"{skill.capability.name} moved to ▲ Flagged v1 : a person overrode, by ada" in said
    assert said.count("moved to") == 6


def test_only_those_who_may_read_the_log_are_led_to_it(client: Client):
    client.force_login(builders.person("viewer"))
    assert "/audit/" not in client.get("/").content.decode()


def test_the_number_of_queries_is_the_same_for_many_of_everything(reviewer: Client, django_assert_max_num_queries: Any):
    def fill(n: int) -> None:
        for _ in range(n):
            reviewing.draft(compared(State.TRUSTED, before=1.0, newest=0.5))
            builders.skill(State.FLAGGED_FOR_REVIEW)

    def queries() -> int:
        cache.clear()
        with django_assert_max_num_queries(35) as counted:
            assert reviewer.get("/").status_code == 200
        return len(counted)

    fill(1)
    few = queries()
    fill(3)
    assert queries() == few
