"""The page of the audit log: who may read it, filters, and the check of the chain as a job."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from donna_skills.accounts.actors import Actor
from donna_skills.audit import append_only, services, verification
from donna_skills.audit.models import AuditEvent
from donna_skills.errors import Invalid, NotPermitted
from donna_skills.jobs import services as jobs
from donna_skills.jobs.models import JobRun, JobStatus
from tests import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def reviewer(client: Client) -> Client:
    client.force_login(builders.person("reviewer", name="rita"))
    return client


@pytest.fixture
def some_events() -> None:
    rita = Actor.person(builders.person("reviewer", name="ruth"))
    services.record("skill.moved", actor=rita, subject_type="skill", subject_id="s-1", data={"note": "<b>\u202e"})
    services.record("skill.paused", actor=Actor.system("nightly"), subject_type="skill", subject_id="s-2")
    services.record("token.created", actor=rita, subject_type="token", subject_id="t-1")


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_only_who_may_read_it_sees_it_in_the_menu_and_opens_it(client: Client) -> None:
    assert client.get("/audit/").url == "/login/?next=/audit/"
    for role, status in (("viewer", 403), ("operator", 403), ("author", 403), ("reviewer", 200), ("admin", 200)):
        client.force_login(builders.person(role))
        assert client.get("/audit/").status_code == status, role
        assert ('href="/audit/"' in client.get("/jobs/").content.decode()) == (status == 200)
    client.force_login(builders.person("author"))
    assert client.post("/audit/verify/").status_code == 403
    assert not JobRun.objects.exists()


def test_an_empty_log_says_what_will_fill_it(reviewer: Client) -> None:
    page = text(reviewer, "/audit/")
    assert "No events yet" in page and "Nobody has had it checked yet." in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["token.created", "skill.paused", "skill.moved"]),
        ("text=skill", ["skill.paused", "skill.moved"]),
        ("text=SKILL.P", ["skill.paused"]),
        ("text=s-1", ["skill.moved"]),
        ("text=ruth", ["token.created", "skill.moved"]),
        ("actor_kind=system", ["skill.paused"]),
        ("subject_type=token", ["token.created"]),
        ("subject_type=nonsense&actor_kind=nobody", ["token.created", "skill.paused", "skill.moved"]),
        ("since=2000-01-01&until=9999-12-31", ["token.created", "skill.paused", "skill.moved"]),
        ("until=2000-01-01", []),
        ("since=yesterday", ["token.created", "skill.paused", "skill.moved"]),
        ("text=%00", ["token.created", "skill.paused", "skill.moved"]),
    ],
)
def test_filters_narrow_the_log_and_nonsense_filters_nothing(
    reviewer: Client, some_events: None, query: str, found: list[str]
) -> None:
    page = text(reviewer, f"/audit/?{query}")
    shown = [part.split("</code>")[0] for part in page.split('<th scope="row"><code>')[1:]]
    assert shown == found
    assert ("No event matches" in page) == (not found)


def test_facts_are_escaped_and_revealed(reviewer: Client, some_events: None) -> None:
    page = text(reviewer, "/audit/?text=s-1")
    assert "&lt;b&gt;" in page and "U+202E" in page and "\u202e" not in page


def test_the_number_of_queries_does_not_grow_with_the_events(
    reviewer: Client, django_assert_max_num_queries: Any
) -> None:
    def queries(more: int) -> int:
        for number in range(more):
            services.record("skill.moved", actor=builders.SYSTEM, subject_type="skill", subject_id=number)
        with django_assert_max_num_queries(14) as counted:
            assert reviewer.get("/audit/?page=nine").status_code == 200
        return len(counted)

    assert queries(2) == queries(60)


def test_the_check_is_a_job_and_its_answer_stands_on_the_page(reviewer: Client, some_events: None) -> None:
    assert reviewer.get("/audit/verify/").status_code == 405
    answer = reviewer.post("/audit/verify/")
    job = JobRun.objects.get(kind=verification.JOB_KIND)
    assert (answer.status_code, answer.url) == (302, f"/jobs/{job.pk}/")
    assert reviewer.post("/audit/verify/").url == answer.url
    assert "A check is under way." in text(reviewer, "/audit/")

    done = jobs.run(job.pk)
    assert done is not None
    head = AuditEvent.objects.latest("seq")
    assert done.report == {"intact": True, "events": head.seq, "head_event": head.seq, "head_hash": head.hash}
    page = text(reviewer, "/audit/")
    assert "Intact" in page and head.hash in page


def test_a_change_in_the_log_fails_the_check_and_says_where(reviewer: Client, some_events: None) -> None:
    with append_only.lifted():
        AuditEvent.objects.filter(action="skill.paused").update(action="skill.resumed")
    reviewer.post("/audit/verify/")
    done = jobs.run(JobRun.objects.get(kind=verification.JOB_KIND).pk)
    assert done is not None
    assert (done.status, done.error_code) == (JobStatus.FAILED, verification.BROKEN)
    assert "was changed: its contents no longer have its hash." in text(reviewer, "/audit/")


def test_a_head_noted_down_is_looked_for(reviewer: Client, some_events: None) -> None:
    head = AuditEvent.objects.latest("seq").hash
    by = Actor.person(builders.person("reviewer"))
    known, unknown = verification.ask(by=by, expect_head=head), verification.ask(by=by, expect_head="0" * 64)
    assert known.pk != unknown.pk
    assert [jobs.run(job.pk).status for job in (known, unknown)] == [JobStatus.SUCCEEDED, JobStatus.FAILED]

    refused = reviewer.post("/audit/verify/", {"expect_head": "<b>no head"})
    assert refused.status_code == 422
    assert "A head is the hash of an event" in refused.content.decode()
    assert 'value="&lt;b&gt;no head"' in refused.content.decode()


def test_a_check_that_was_stopped_is_no_clean_bill(reviewer: Client) -> None:
    reviewer.post("/audit/verify/")
    jobs.cancel(JobRun.objects.get(kind=verification.JOB_KIND), by=builders.SYSTEM)
    assert "The last check came to no answer" in text(reviewer, "/audit/")
    assert verification.latest().verdict == "unknown"


def test_the_service_asks_who_it_is() -> None:
    with pytest.raises(NotPermitted):
        verification.ask(by=Actor.person(builders.person("author")))
    with pytest.raises(Invalid):
        verification.ask(by=Actor.person(builders.person("admin")), expect_head="abc")
    assert not JobRun.objects.exists()
