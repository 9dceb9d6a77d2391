"""docs/api.md is true: each example answers as it says, and each operation has one."""

from __future__ import annotations

import doctest
import http
import http.client
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from donna_skills import errors
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import Scope
from donna_skills.api import api
from donna_skills.jobs import services as jobs
from lifecycle.models import Candidate, GateDecision, ReviewKind, RunPath, Skill, SkillRun
from lifecycle.services import evidence, reviews, seeds, transitions, versions
from lifecycle.states import Reason, State
from tests import builders
from tests.contract import page

EXAMPLES = page.examples()
# Where failures that the API answers with are raised.
SPEAKING = [
    settings.BASE_DIR / folder
    for folder in (
        "donna_skills/rest",
        "lifecycle/api",
        "lifecycle/services",
        "automations/api",
        "automations/services",
    )
]
SPEAKING_MODULES = {"donna_skills.errors", "donna_skills.rest.problems"}
# These stand in `errors`, beside a field.
OF_ONE_FIELD = {
    *("unknown_state", "unknown_reason", "changed", "invalid_schedule", "invalid_condition", "cycle", "depth"),
}
CODE = re.compile(r'\bcode="([a-z_]+)"')
HEADING = re.compile(r"^### (GET|POST|PATCH|PUT|DELETE) (\S+)$", re.MULTILINE)


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in api.get_openapi_schema()["paths"].items()
        for method, operation in methods.items()
    }


@pytest.mark.django_db(transaction=True)
def test_every_example_answers_as_the_page_says(live_server: LiveServer):
    seeds.load()
    known = {
        "token": builders.bot_token()[1],
        "reviewers_token": builders.person_token(builders.person("reviewer"))[1],
        "compared_run_id": str(compared_run().pk),
        "candidate_id": str(proposed().pk),
        **asked(),
        "decision_id": str(decided().pk),
        "withdrawn_skill_id": str(withdrawn().pk),
        "job_id": str(jobs.enqueue("notifications.deliver", by=builders.SYSTEM).pk),
    }
    wrong: list[str] = []
    for example in EXAMPLES:
        status, headers, body = ask(live_server.url, example, known)
        found = [f"the status is {status}: {body}"] if status != example.status else []
        found += page.differences(lowered(example.answer.headers), lowered(headers), known, "header ")
        found += page.differences(page.body_of(example.answer), body, known)
        wrong += [f"docs/api.md:{example.request.line} {example.request.first}: {one}" for one in found]
    assert not wrong, "\n".join(wrong)


def compared_run() -> SkillRun:
    """An unseen run of a seed that the judge has compared."""
    said, beside = ({"title": "Call the mechanic", "priority": word} for word in ("urgent", "high"))
    skill = Skill.objects.get(capability__name="parse_task")
    run = builders.run(skill, path=RunPath.SANDBOX, output=said)
    builders.divergence(skill, 0.75, of_run=run, rationale="They differ in priority.", reference_output=beside)
    return run


def proposed() -> Candidate:
    """An open candidate for a capability that ships and is back with the reference, as the detection leaves it."""
    now, admin = timezone.now(), Actor.person(builders.person("admin"))
    skill = Skill.objects.for_page().get(capability__name="email_triage")
    transitions.move(skill, State.CLAUDE_NATIVE, reason=Reason.MANUAL_OVERRIDE, actor=admin)
    return Candidate.objects.create(
        capability=skill.capability, fingerprint="0" * 32, expected_savings_usd=17,
        volume=200, mean_cost_usd="0.10", repetitiveness=0.995, first_seen=now, last_seen=now,
        evidence={"window_days": 30, "volume": 200, "shapes": 1, "skill_cost_percent": 15},
    )  # fmt: skip


def decided() -> GateDecision:
    """What the gates say to a seed that has not been run yet."""
    skill = Skill.objects.for_page().get(capability__name="parse_task")
    assert skill.current_version is not None
    return evidence.evaluate(skill, versions.files_of(skill.current_version), actor=builders.SYSTEM)


def withdrawn() -> Skill:
    """A seed that served, and was taken out of service by a person."""
    skill = Skill.objects.for_page().get(capability__name="dedup_check")
    admin = Actor.person(builders.person("admin"))
    transitions.move(skill, State.CLAUDE_NATIVE, reason=Reason.MANUAL_OVERRIDE, actor=admin)
    return skill


def asked() -> dict[str, str]:
    """Drafts of seeds that wait for a reviewer, one of them an administrator's own."""
    admin = builders.person("admin")
    authors = {"review_id": None, "rejected_review_id": None, "returned_review_id": None, "own_review_id": admin}
    capabilities = ("dedup_check", "news_check", "product_watch", "fetch_and_summarize")
    found = {"admins_token": builders.person_token(admin)[1]}
    for (name, author), capability in zip(authors.items(), capabilities, strict=True):
        skill = Skill.objects.for_page().get(capability__name=capability)
        version = builders.version(skill, author=author, current=False)
        actor = Actor.person(author) if author else builders.SYSTEM
        review = reviews.open_review(ReviewKind.DRAFT, capability=skill.capability, version=version, actor=actor)
        found[name] = str(review.pk)
    return {**found, "own_digest": version.digest}


def ask(address: str, example: page.Example, known: dict[str, str]) -> tuple[int, dict[str, str], Any]:
    usual = {"Authorization": f"Bearer {known['token']}", "Content-Type": "application/json"}
    given = {name: page.filled(value, known) for name, value in example.request.headers.items()}
    link = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    link.request(
        example.method,
        page.filled(example.path, known),
        body=page.filled(example.request.body, known).encode() or None,
        headers={**usual, **given, "Connection": "close"},
    )
    answer = link.getresponse()
    raw = answer.read()
    return answer.status, dict(answer.getheaders()), json.loads(raw) if raw else None


def lowered(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def test_every_operation_has_an_example_that_succeeds_and_every_example_an_operation():
    shown: dict[tuple[str, str], list[int]] = {key: [] for key in operations()}
    for example in EXAMPLES:
        key = matching(example)
        assert key, f"docs/api.md:{example.request.line} {example.request.first} is no operation of the API."
        shown[key].append(example.status)
    may_fail = {("GET", "/api/v1/ready")}
    without = [key for key, statuses in shown.items() if not any(s < 400 for s in statuses) and key not in may_fail]
    assert not without, f"docs/api.md has no example of {without}."
    assert shown[("GET", "/api/v1/ready")]


def matching(example: page.Example) -> tuple[str, str] | None:
    """The operation that an example calls; a literal address wins over one with parameters."""
    path = example.path.split("?")[0]
    fitting = [
        (method, template)
        for method, template in operations()
        if method == example.method and re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path)
    ]
    return min(fitting, key=lambda key: key[1].count("{"), default=None)


def test_every_operation_has_a_heading_with_the_scope_that_it_asks_for():
    text = page.text()
    sections = HEADING.split(text)[1:]
    found = {(m, f"/api/v1/{path}"): words for m, path, words in zip(*[iter(sections)] * 3, strict=True)}
    described = operations()
    assert set(found) == set(described)
    for key, operation in described.items():
        for requirement in operation.get("security", []):
            for scope in requirement["BearerToken"]:
                section = found[key]
                assert f"`{scope}`" in section, f"{key} does not say that it asks for {scope}."


def test_every_status_line_has_the_words_that_belong_to_it():
    for example in EXAMPLES:
        number, _, phrase = example.answer.first.partition(" ")
        usual = {422: "Unprocessable Content"}.get(int(number), http.HTTPStatus(int(number)).phrase)
        assert phrase == usual, f"docs/api.md:{example.answer.line}"


def test_every_scope_is_explained():
    text = page.text()
    assert all(f"`{scope}`" in text for scope in Scope.values)


def test_every_code_that_a_failure_can_have_is_in_the_table():
    table = {
        code
        for row in re.findall(r"^\| \d{3} \|(.*)\|", page.text(), re.MULTILINE)
        for code in re.findall(r"`(\w+)`", row)
    }
    raised = {code for folder in SPEAKING for file in folder.rglob("*.py") for code in CODE.findall(file.read_text())}
    assert raised - table == OF_ONE_FIELD
    of_classes = {cls.code for cls in [*subclasses(errors.DonnaError)] if cls.__module__ in SPEAKING_MODULES}
    assert of_classes <= table


def subclasses(cls: type) -> Iterator[type]:
    for below in cls.__subclasses__():
        yield below
        yield from subclasses(below)


def test_the_python_examples_are_true():
    tests = list(page.blocks("pycon"))
    assert len(tests) == 3
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    for line, block in tests:
        runner.run(parser.get_doctest(block, {}, f"docs/api.md:{line}", "docs/api.md", line))
    assert runner.summarize(verbose=False).failed == 0
