"""Any two versions of a skill, laid side by side."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from lifecycle.models import Skill
from lifecycle.states import State
from tests import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(builders.person("viewer"))
    return client


@pytest.fixture
def skill() -> Skill:
    """Three versions, each with another prompt."""
    made = builders.skill(State.TRUSTED)
    for prompt in ("Label {{ inputs.text }} with care", "Label {{ inputs.text }} with <b>care\u202e</b>"):
        files = builders.step_package(made.capability.name, prompt=prompt, changelog="Number 1.")
        builders.version(made, files=files, current=False)
    return made


def address(skill: Skill, query: str = "") -> str:
    return f"/skills/{skill.capability.name}/diff/{query}"


def shown(response: Any) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def test_the_newest_is_held_against_the_one_before_unless_the_address_says_otherwise(viewer: Client, skill: Skill):
    assert "Version 3 against version 2." in shown(viewer.get(address(skill)))
    assert "Version 2 against version 1." in shown(viewer.get(address(skill, "?from=1&to=2")))
    assert "Version 1 against version 3." in shown(viewer.get(address(skill, "?from=3&to=1")))
    assert "Version 1 against version 3." in shown(viewer.get(address(skill, "?to=1")))


def test_each_changed_file_is_told_line_by_line_and_nothing_in_it_runs(viewer: Client, skill: Skill):
    page = viewer.get(address(skill, "?from=2&to=3"))
    assert "steps/answer.md" in shown(page) and "4 files that stay the same" not in shown(page)
    assert b"<b>care" not in page.content and "U+202E" in shown(page) and "\u202e" not in page.content.decode()


def test_it_is_shown_in_one_column_or_side_by_side_as_a_page_or_as_its_part(viewer: Client, skill: Skill):
    assert "diff-sides" not in viewer.get(address(skill)).content.decode()
    side = viewer.get(address(skill, "?diff=side"))
    assert "diff-sides" in side.content.decode() and "<html" in side.content.decode()
    part = viewer.get(address(skill, "?diff=side"), headers={"HX-Request": "true"})
    assert "diff-sides" in part.content.decode() and "<html" not in part.content.decode()
    assert "HX-Request" in part["Vary"]


def test_a_tool_more_stands_out_in_words_and_names_the_other_version(viewer: Client):
    skill = builders.skill(State.TRUSTED, granted_tools=["web_fetch"])
    files = builders.step_package(skill.capability.name)
    files["skill.yaml"] = files["skill.yaml"].replace(
        b"    prompt: steps/answer.md\n", b"    prompt: steps/answer.md\n    tools: [web_fetch]\n"
    )
    builders.version(skill, files=files, current=False)
    assert "It may call the tool web_fetch, which version 1 may not." in shown(viewer.get(address(skill)))
    assert "It no longer calls the tool web_fetch." in shown(viewer.get(address(skill, "?from=2&to=1")))


def test_one_version_twice_and_a_single_version_say_what_to_do(viewer: Client, skill: Skill):
    assert "Choose two different versions" in shown(viewer.get(address(skill, "?from=2&to=2")))
    assert "Nothing to compare yet" in shown(viewer.get(address(builders.skill(State.SANDBOX))))
    assert "Nothing to compare yet" in shown(viewer.get(address(builders.skill())))


@pytest.mark.parametrize("query", ["?from=9", "?to=0", "?from=-1", "?to=two", "?to=²", "?from=99999999999999"])
def test_a_version_that_is_not_there_is_not_found(viewer: Client, skill: Skill, query: str):
    assert viewer.get(address(skill, query)).status_code == 404


def test_a_stranger_has_to_log_in_and_an_unknown_skill_is_not_found(client: Client, skill: Skill):
    assert client.get(address(skill)).url.startswith("/login/")
    client.force_login(builders.person("viewer"))
    assert client.get("/skills/nobody/diff/").status_code == 404


def test_the_page_takes_the_same_queries_for_many_versions(
    viewer: Client, skill: Skill, django_assert_max_num_queries: Any
):
    def queries() -> int:
        with django_assert_max_num_queries(20) as counted:
            assert viewer.get(address(skill, "?from=1&to=2")).status_code == 200
        return len(counted)

    queries()  # the files of a version are read once by each process
    few = queries()
    for number in range(5):
        files = builders.step_package(skill.capability.name, changelog=f"And {number}.")
        builders.version(skill, files=files, current=False)
    assert queries() == few
