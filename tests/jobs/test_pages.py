"""The pages of jobs: the list, live progress that ends, a report to read, and who may cancel."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from donna_skills.accounts.actors import Actor
from donna_skills.audit.models import AuditEvent
from donna_skills.errors import NotPermitted
from donna_skills.jobs import services
from donna_skills.jobs.models import JobRun, JobStatus
from tests import builders

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
POLLING = 'hx-trigger="every 2s"'


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(builders.person("operator"))
    return client


def text(client: Client, path: str, **options: Any) -> str:
    answer = client.get(path, **options)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def page_of(job: JobRun) -> str:
    return f"/jobs/{job.pk}/"


def test_the_list_is_in_the_menu_and_says_what_will_fill_it(client: Client) -> None:
    assert client.get("/jobs/").url == "/login/?next=/jobs/"
    client.force_login(builders.person("viewer"))
    page = text(client, "/jobs/")
    assert "No jobs yet" in page
    assert 'href="/jobs/" aria-current="page"' in page


def test_the_list_filters_by_status_and_kind_and_ignores_nonsense(operator: Client, by: Actor) -> None:
    services.run(services.enqueue("count", by=by).pk)
    services.run(services.enqueue("refuse", by=by).pk)
    assert text(operator, "/jobs/?status=nonsense&kind=").count("<tr>") == 3
    failed = text(operator, "/jobs/?status=failed")
    assert "There is nothing to count today." in failed
    assert ">count <" not in failed
    assert "No job matches" in text(operator, "/jobs/?status=failed&kind=count")


def test_the_number_of_queries_does_not_grow_with_the_jobs(
    operator: Client, by: Actor, django_assert_max_num_queries: Any
) -> None:
    def queries(more: int) -> int:
        for _ in range(more):
            services.run(services.enqueue("count", by=by).pk)
        with django_assert_max_num_queries(12) as counted:
            assert operator.get("/jobs/").status_code == 200
        return len(counted)

    assert queries(2) == queries(5)


def test_an_open_job_asks_for_itself_again_and_one_that_is_over_does_not(operator: Client, by: Actor) -> None:
    job = services.enqueue("count", by=by)
    waiting = text(operator, page_of(job), headers=HTMX)
    assert POLLING in waiting and "It waits for a worker." in waiting
    assert "<html" not in waiting and 'id="messages"' not in waiting

    services.run(job.pk)
    over = text(operator, page_of(job), headers=HTMX)
    assert POLLING not in over
    assert 'hx-swap-oob="true"' in over and "The job is over: succeeded." in over
    assert "Counted to 3" in over


def test_page_and_fragment_are_kept_apart_by_caches_and_history(operator: Client, by: Actor) -> None:
    job = services.enqueue("count", by=by)
    assert "HX-Request" in operator.get(page_of(job))["Vary"]
    restored = operator.get(page_of(job), headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert "<html" in restored.content.decode()


def test_the_report_is_told_in_words_and_the_fault_with_its_code(operator: Client, by: Actor) -> None:
    done = services.run(services.enqueue("count", by=by, arguments={"to": 4}).pk)
    assert done is not None
    assert "<dt>Counted</dt><dd>4" in text(operator, page_of(done))
    crashed = services.run(services.enqueue("crash", by=by).pk)
    assert crashed is not None
    page = text(operator, page_of(crashed))
    assert "ZeroDivisionError: division by zero <code>unexpected</code>" in page
    assert "It did not come to a report." in page


def test_what_a_report_says_is_escaped_and_revealed(operator: Client, by: Actor) -> None:
    job = services.enqueue("count", by=by)
    hostile = {"<b>key": "<script>alert(1)</script>\u202e", "rows": [{"<i>": "<u>"}]}
    JobRun.objects.filter(pk=job.pk).update(status=JobStatus.SUCCEEDED, report=hostile)
    page = text(operator, page_of(job))
    assert not any(raw in page for raw in ("<script>alert", "<b>key", "<i>", "<u>", "\u202e"))
    assert "U+202E" in page


def test_a_job_that_is_not_there_is_not_found(operator: Client) -> None:
    assert operator.get("/jobs/0198c0de-0000-7000-8000-000000000000/").status_code == 404


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
def test_a_job_is_cancelled_once(operator: Client, by: Actor, headers: dict[str, str]) -> None:
    job = services.enqueue("count", by=by)
    assert operator.get(f"{page_of(job)}cancel/").status_code == 405
    first = operator.post(f"{page_of(job)}cancel/", headers=headers)
    assert first.status_code == (200 if headers else 302)
    job.refresh_from_db()
    assert job.status == JobStatus.CANCELLED
    assert AuditEvent.objects.get(action="job.cancelled").subject_id == str(job.pk)

    second = operator.post(f"{page_of(job)}cancel/", headers=headers)
    assert second.status_code == 409
    assert "The job is over already: it is cancelled." in second.content.decode()
    assert AuditEvent.objects.filter(action="job.cancelled").count() == 1


def test_only_who_asked_and_operators_are_offered_to_cancel(client: Client, by: Actor) -> None:
    author = builders.person("author")
    theirs, others = services.enqueue("count", by=Actor.person(author)), services.enqueue("count", by=by)
    client.force_login(author)
    assert f"{page_of(theirs)}cancel/" in text(client, page_of(theirs))
    assert f"{page_of(others)}cancel/" not in text(client, page_of(others))
    assert client.post(f"{page_of(others)}cancel/").status_code == 403
    others.refresh_from_db()
    assert others.status == JobStatus.QUEUED


def test_the_service_itself_refuses_bots_and_strangers(by: Actor) -> None:
    job = services.enqueue("count", by=by)
    token, _ = builders.bot_token()
    for stranger in (Actor.bot(token), Actor.person(builders.person("viewer"))):
        with pytest.raises(NotPermitted, match="Only who asked for a job"):
            services.cancel(job, by=stranger)
    job.refresh_from_db()
    assert job.status == JobStatus.QUEUED
    assert not AuditEvent.objects.filter(action="job.cancelled").exists()
