"""Text that a model, a bot or a file wrote in order to do harm, on every page that shows it: it is read and does
nothing, and no page becomes heavy by it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.audit import services as audit
from donna_skills.jobs.models import JobRun, JobStatus
from donna_skills.notifications.events import Notice, publish
from lifecycle.models import Candidate, Review, StepResult
from lifecycle.models.attempt import AttemptStatus, DraftAttempt
from lifecycle.services import versions
from lifecycle.states import State
from tests import builders
from tests.lifecycle.views import reviewing

pytestmark = pytest.mark.django_db

HIDDEN = "\u202e\u2066\u200b\u2060\ufeff"
SENTENCE = "<script>alert(1)</script><img src=x onerror=alert(1)>' \" " + HIDDEN
HEAVIEST = 200_000


def short() -> str:
    return SENTENCE


def wide() -> str:
    """One line of 15 000 characters."""
    return SENTENCE + "wide " * 2_985


def invisible() -> str:
    """As many that nobody sees: each is spelt out, and takes the most room."""
    return SENTENCE + HIDDEN * 2_985


@pytest.fixture(params=[short, wide, invisible])
def text(request: pytest.FixtureRequest) -> str:
    make: Callable[[], str] = request.param
    return make()


@pytest.fixture
def pages(text: str) -> list[str]:
    """Everything that somebody else writes holds the text, and these are the pages that show it."""
    skill = builders.skill(State.TRUSTED, description=text)
    name = skill.capability.name
    review = reviewing.draft(
        skill,
        files=builders.step_package(name, prompt=f"{text} {{{{ inputs.text }}}}") | {"notes/long.md": text.encode()},
        changelog=text,
    )
    reason = {"code": "X", "message": text, "status": "BLOCK"}
    case = {"name": text, "split": "train", "passed": False, "problems": [text], "input": text, "output": {text: text}}
    ran = builders.run(skill, inputs={"text": text}, output={text: text}, error=text, tool_calls=[{"tool": text}])
    replay = {
        "run_id": str(ran.pk),
        "cost_usd": "0",
        "status": "failed",
        "error": text,
        "output": text,
        "output_then": {"x": text},
    }
    gate = {
        "gate": "fixtures",
        "cost_usd": "0",
        "status": "HOLD",
        "reasons": [reason],
        "figures": {"newly_failing": [text]},
    }
    cases = [{**case, "name": f"{number} {text}"} for number in range(10)]
    decision = reviewing.said(review, "HOLD", gates=[gate], cases=cases, replays=[replay] * 10)
    Review.objects.filter(pk=review.pk).update(summary=text, risk_reasons=[reason], evidence={"x": text})
    StepResult.objects.create(run=ran, name=text[:200], index=0, kind="llm", status="failed", output=text, error=text)
    builders.divergence(skill, 0.2, of_run=ran, rationale=text, reference_output={"label": text})
    other = builders.run(skill)
    builders.divergence(skill, None, of_run=other, abstained_because=text, reference_output=text)
    now = timezone.now()
    candidate = builders.candidate(builders.capability(description=text).skill)
    ended = {"status": AttemptStatus.REFUSED, "started_at": now, "finished_at": now, "decision": decision}
    DraftAttempt.objects.create(candidate=candidate, skill=candidate.capability.skill, reasons=[reason], **ended)
    DraftAttempt.objects.create(
        candidate=candidate, skill=skill, version=review.version, samples=[str(ran.pk), {"input": text}] * 8, **ended
    )
    Candidate.objects.filter(pk=candidate.pk).update(reason=text)
    job = JobRun.objects.create(
        kind="audit.verify", status=JobStatus.FAILED, error=text, arguments={text: text}, finished_at=now,
        report={text: text, "rows": [{text: text}], "parts": [{"name": text, "inner": {text: [text]}}]},
    )  # fmt: skip
    with transaction.atomic():
        audit.record("x.y", actor=builders.SYSTEM, subject_type="x", subject_id=text[:80], data={text: text})
        notice = Notice(title=text, body=text, url="/skills/", permission="decide_reviews")
        publish("review.opened", subject_type="x", subject_id="1", payload={"x": text}, notify=notice)
    return [
        f"/review/{review.pk}/", f"/review/{review.pk}/?diff=side", "/review/", f"/review/{review.pk}/looking/",
        f"/skills/{name}/", f"/skills/{name}/diff/?from=1&to=2", f"/skills/{name}/comparisons/", "/skills/",
        f"/skills/{name}/versions/2/file/?path=notes/long.md", f"/runs/{ran.pk}/", f"/runs/{other.pk}/", "/runs/",
        "/candidates/", "/capabilities/", f"/capabilities/{name}/", f"/try/?capability={name}", f"/jobs/{job.pk}/",
        "/jobs/", "/audit/", "/inbox/", "/",
    ]  # fmt: skip


def test_it_is_shown_and_does_nothing(client: Client, pages: list[str]):
    client.force_login(builders.person("admin"))
    for path in pages:
        answer = client.get(path)
        # What a person edits stands in its field as it is.
        page = re.sub(r"<textarea.*?</textarea>", "", answer.content.decode(), flags=re.DOTALL)
        assert answer.status_code == 200, path
        assert "<script>alert" not in page and "<img src=x" not in page, path
        assert [f"U+{ord(one):04X}" for one in HIDDEN if one in page] == [], path
        assert len(answer.content) < HEAVIEST, path


def test_a_file_of_a_megabyte_is_read_part_by_part_and_the_page_of_its_review_stays_light(client: Client):
    client.force_login(builders.person("reviewer"))
    skill = builders.skill(State.TRUSTED)
    name = skill.capability.name
    lines = "".join(f"{number} {'word ' * 20}\n" for number in range(9_000))
    files = builders.step_package(name, changelog="Long.") | {
        "notes/a.md": lines.encode(),
        "notes/b.md": b"b" * 900_000,
    }
    review = reviewing.draft(skill, files=files)
    for query in ("", "?diff=side"):
        page = client.get(f"/review/{review.pk}/{query}")
        assert len(page.content) < HEAVIEST
        assert page.content.decode().count("There is more than is shown here") == 2
        assert f"/skills/{name}/versions/2/file/?path=notes/a.md" in page.content.decode()
    address, read = f"/skills/{name}/versions/2/file/?path=notes/a.md", ""
    for number in range(1, 20):
        part = client.get(f"{address}&page={number}")
        assert len(part.content) < HEAVIEST
        read += part.context["page"].object_list[0]
        if not part.context["page"].has_next():
            break
    assert read == lines


def test_the_editor_stays_light_and_keeps_what_was_typed_into_it(client: Client):
    client.force_login(builders.person("author"))
    skill = builders.skill(State.TRUSTED)
    long = {"notes/a.md": b"a" * 900_000}
    review = reviewing.draft(skill, files=builders.step_package(skill.capability.name, changelog="2.") | long)
    address = f"/review/{review.pk}/edit/"
    page = client.get(address)
    assert len(page.content) < HEAVIEST
    assert 'name="file:skill.yaml"' in page.content.decode() and 'name="file:notes/a.md"' not in page.content.decode()
    grown = {"file:skill.yaml": "steps: ]", "file:steps/answer.md": "typed " * 25_000}
    back = client.post(address, grown)
    assert back.status_code == 422
    assert "typed " * 25_000 in back.content.decode() and 'name="file:notes/a.md"' not in back.content.decode()


@pytest.mark.parametrize("query", ["", "?path=nowhere.md", "?path=../secret"])
def test_a_file_that_a_version_does_not_have_is_not_found(client: Client, query: str):
    client.force_login(builders.person("viewer"))
    name = builders.skill(State.TRUSTED).capability.name
    assert client.get(f"/skills/{name}/versions/1/file/{query}").status_code == 404
    assert client.get(f"/skills/{name}/versions/9/file/?path=skill.yaml").status_code == 404


def test_a_file_is_for_who_is_logged_in_and_one_that_is_no_text_is_said_to_be_none(client: Client):
    skill = builders.skill(State.TRUSTED)
    name = skill.capability.name
    path = f"/skills/{name}/versions/2/file/?path=assets/mark.png"
    versions.add(
        skill,
        files=builders.step_package(name, changelog="2.") | {"assets/mark.png": b"\x89PNG\xff\x00"},
        actor=Actor.system("test"),
        author_kind="auto_draft",  # type: ignore[arg-type]
    )
    assert client.get(path).status_code == 302
    client.force_login(builders.person("viewer"))
    assert "It is no text" in client.get(path).content.decode()
