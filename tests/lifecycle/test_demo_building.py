"""Building the demo world: cut off and gone on with, with a real provider set up, and the plan that it follows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from donna_skills.accounts import people
from donna_skills.audit import services as audit
from donna_skills.llm.models import ModelCall
from lifecycle.demo import history, world
from lifecycle.demo.courses import COMPARED, COURSES
from lifecycle.models import RunPath, SkillRun
from tests.lifecycle.test_demo import TODAY, demo, midnight, rows
from tests.llm.conftest import configure, openai_stub, server
from tests.stubs.model_server import ModelServer

__all__ = ["configure", "openai_stub", "server"]

pytestmark = pytest.mark.django_db


class _CutOffError(Exception):
    """Stands for the moment at which somebody pulls the plug."""


@pytest.mark.parametrize("sentences", [6, 17])
def test_a_demo_that_is_cut_off_is_completed_by_the_next(sentences: int) -> None:
    with pytest.raises(_CutOffError):
        world.build(today=TODAY, password="x", say=_cut_off_after(sentences))
    unfinished = rows()
    built = world.build(today=TODAY + timedelta(days=1), password="x", say=lambda _: None)
    whole = rows()
    assert not built.was_complete
    references = sum(sum(counts) for counts in COMPARED.values()) + 8
    assert whole["lifecycle.skillrun"] == sum(course.runs for course in COURSES) + 16 + references
    assert whole["lifecycle.divergence"] == sum(sum(counts) for counts in COMPARED.values()) + 11
    assert whole["lifecycle.review"] == 6
    assert whole["lifecycle.correction"] == 12
    assert whole["accounts.apitoken"] == 3
    assert whole != unfinished
    assert audit.verify().intact


def test_with_a_real_provider_nothing_is_asked_and_it_says_so(
    openai_stub: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DONNA_DEMO", "yes")
    printed = demo()
    assert f"password of each: {people.DEMO_PASSWORD})" in printed
    assert "a demo never spends money" in printed
    assert openai_stub.seen == []
    assert not ModelCall.objects.exists()
    assert SkillRun.objects.exclude(path=RunPath.SHADOW).count() == sum(course.runs for course in COURSES)


def test_the_plan_is_the_same_each_time_and_in_order() -> None:
    planned = history.plan(COURSES, today=TODAY)
    assert planned == history.plan(COURSES, today=TODAY)
    started = [one.report.started_at for one in planned]
    assert started == sorted(started)
    assert min(started) >= midnight(TODAY - timedelta(days=history.DAYS))
    assert max(started) < midnight(TODAY)


def test_the_plan_of_another_day_has_the_same_ids() -> None:
    ids = [{one.report.external_id for one in history.plan(COURSES, today=day)} for day in (TODAY, date(2027, 1, 1))]
    assert ids[0] == ids[1]
    assert len(ids[0]) == sum(course.runs for course in COURSES)


def _cut_off_after(sentences: int) -> Callable[[str], None]:
    said: list[str] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        if len(said) == sentences:
            raise _CutOffError(sentence)

    return say
