"""The queue: its order, its filters, its size; several approved at one go; a version edited into a new one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from donna_skills.accounts.models import User
from donna_skills.audit.models import AuditEvent
from lifecycle.models import Capability, Review, ReviewKind, ReviewState, RiskTier, SkillVersion
from lifecycle.services import claims, versions
from tests import builders
from tests.lifecycle.views import reviewing

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def person() -> User:
    return builders.person("reviewer", name="vera")


@pytest.fixture
def reviewer(client: Client, person: User) -> Client:
    client.force_login(person)
    return client


def listed(client: Client, query: str = "") -> list[str]:
    return [review.capability.name for review in client.get(f"/review/{query}").context["page"]]


def asked(name: str, **fields: Any) -> Review:
    """A question about a capability, as a row."""
    capability = Capability.objects.create(
        name=name, description=name, input_schema={"type": "object"}, output_schema={}
    )
    given = {"kind": ReviewKind.CAPABILITY, "subject_digest": "0" * 64, "risk": RiskTier.LOW}
    return Review.objects.create(capability=capability, **{**given, **fields})


def test_it_is_in_the_menu_and_its_empty_state_says_what_will_fill_it(client: Client):
    assert client.get("/review/").url == "/login/?next=/review/"
    client.force_login(builders.person("viewer"))
    page = client.get("/review/").content.decode()
    assert 'href="/review/" aria-current="page"' in page and "Nothing waits for you" in page
    for shown in ("fix", "aside", "decided"):
        assert 'class="empty"' in client.get(f"/review/?shown={shown}").content.decode()
    assert "No review matches" in client.get("/review/?kind=flag").content.decode()


def test_the_riskiest_come_first_and_then_the_oldest(reviewer: Client):
    for name, risk in (("a", RiskTier.LOW), ("b", RiskTier.HIGH), ("c", RiskTier.MEDIUM), ("d", RiskTier.HIGH)):
        asked(name, risk=risk)
    assert listed(reviewer) == ["b", "d", "c", "a"]


def test_filters_are_in_the_address_and_nonsense_is_no_filter(reviewer: Client, person: User):
    now = timezone.now()
    other = builders.person("reviewer")
    mine = asked("mine", summary="About parcels.")
    claims.claim(mine, by=person)
    claims.claim(asked("taken"), by=other)
    old = asked("old", kind=ReviewKind.ROLLBACK, verdict="HOLD", risk=RiskTier.HIGH)
    Review.objects.filter(pk=old.pk).update(opened_at=now - timedelta(days=8))
    asked("blocked", verdict="BLOCK")
    asked("later", set_aside_until=now + timedelta(days=1))
    asked("woken", set_aside_until=now - timedelta(days=1))
    found = {
        "": {"mine", "taken", "old", "woken"},
        "?shown=fix": {"blocked"},
        "?shown=aside": {"later"},
        "?whose=mine": {"mine"},
        "?whose=unassigned": {"old", "woken"},
        "?age=7": {"old"},
        "?verdict=HOLD": {"old"},
        "?verdict=none&kind=capability": {"mine", "taken", "woken"},
        "?risk=high": {"old"},
        "?capability=old": {"old"},
        "?q=PARCEL": {"mine"},
        "?q=%00&risk=huge&kind=x&age=-1&page=nine&shown=all": {"mine", "taken", "old", "woken"},
    }
    assert {query: {*listed(reviewer, query)} for query in found} == found
    page = reviewer.get("/review/").content.decode()
    assert "4 waiting, 1 needs a fix, 1 set aside" in page and "you are looking" in page


def test_the_way_on_keeps_the_filters_and_leaves_out_what_others_look_at(reviewer: Client, person: User):
    first, second, third = asked("a"), asked("b"), asked("c")
    asked("x", kind=ReviewKind.ROLLBACK)
    page = reviewer.get(f"/review/{second.pk}/?kind=capability").content.decode()
    assert f'href="/review/{first.pk}/?kind=capability" aria-keyshortcuts="k"' in page
    assert f'href="/review/{third.pk}/?kind=capability" aria-keyshortcuts="j"' in page
    claims.claim(third, by=builders.person("reviewer"))
    answer = reviewer.post(f"/review/{second.pk}/reject/?kind=capability", {"reason": "No.", "seen_digest": "0" * 64})
    assert answer.status_code == 409  # a row of the test is bound to no contract
    until = (timezone.now() + timedelta(days=2)).date().isoformat()
    answer = reviewer.post(f"/review/{second.pk}/aside/?kind=capability", {"until": until})
    assert answer.url == f"/review/{first.pk}/?kind=capability&after={second.pk}"


def test_five_thousand_open_reviews_take_a_small_page_and_few_queries(
    reviewer: Client, django_assert_max_num_queries: Any
):
    def queries() -> int:
        with django_assert_max_num_queries(20) as counted:
            assert len(reviewer.get("/review/").content) <= 60_000
        return len(counted)

    def fill(first: int, end: int) -> None:
        made = Capability.objects.bulk_create(
            Capability(name=f"capability_{n}", description="x", input_schema={"type": "object"}, output_schema={})
            for n in range(first, end)
        )
        Review.objects.bulk_create(
            Review(
                kind=ReviewKind.CAPABILITY,
                capability=one,
                subject_digest="0" * 64,
                summary="A long summary of what is asked here. " * 8,
                risk=RiskTier.LOW,
                risk_reasons=[{"code": "FIRST_RELEASE", "message": "No version has served anybody yet."}],
            )
            for one in made
        )

    fill(0, 3)
    few = queries()
    fill(3, 5_000)
    assert queries() == few
    page = reviewer.get("/review/?page=200").context["page"]
    assert (page.paginator.count, len(page)) == (5_000, 25)


def test_several_of_low_risk_are_previewed_and_each_is_decided_by_itself(reviewer: Client):
    low, gone, high = reviewing.promotion("low"), reviewing.promotion("gone"), reviewing.promotion(risk=RiskTier.HIGH)
    page = reviewer.get("/review/").content.decode()
    assert f'value="{low.pk}"' in page and f'value="{high.pk}"' not in page
    preview = reviewer.get("/review/bulk/", {"id": [low.pk, gone.pk, high.pk, "nonsense"]})
    assert "low becomes live, shadowed." in preview.content.decode()
    assert "1 of the marked ones is" in " ".join(preview.content.decode().split())
    assert Review.objects.open().count() == 3
    reviewer.post(f"/review/{gone.pk}/reject/", {"reason": "No.", "seen_digest": gone.subject_digest})
    sent = {f"seen-{one.pk}": one.subject_digest for one in (low, gone, high)}
    answer = reviewer.post("/review/bulk/", {"id": [low.pk, gone.pk, high.pk], "comment": "All good.", **sent})
    page = answer.content.decode()
    assert "It is rejected already by vera." in page and "It is not of low risk" in page
    states = dict(Review.objects.values_list("pk", "state"))
    assert states == {low.pk: "approved", gone.pk: "rejected", high.pk: "open"}
    assert AuditEvent.objects.filter(action="review.approved", subject_id=low.pk).count() == 1


def test_only_who_decides_approves_several(client: Client):
    low = reviewing.promotion()
    client.force_login(builders.person("author"))
    assert client.get("/review/bulk/").status_code == 403
    assert client.post("/review/bulk/", {"id": low.pk, f"seen-{low.pk}": low.subject_digest}).status_code == 403
    assert Review.objects.get().state == ReviewState.OPEN
    client.force_login(builders.person("reviewer"))
    assert "Nothing is marked" in client.get("/review/bulk/").content.decode()


def test_an_edited_version_asks_in_the_place_of_the_old_one(client: Client):
    author = builders.person("author")
    client.force_login(author)
    review = reviewing.draft()
    assert review.version is not None
    page = client.get(f"/review/{review.pk}/edit/").content.decode()
    assert 'name="file:steps/answer.md"' in page
    files = {f"file:{path}": text.decode() for path, text in versions.files_of(review.version).items()}
    changed = {**files, "file:steps/answer.md": "Label it better: {{ inputs.text }}\r\nAs JSON.\r\n"}
    sent = {**changed, "new_path": "references/notes.md", "new_text": "Short.\r\n", "changelog": "Better words."}

    answer = client.post(f"/review/{review.pk}/edit/", sent)

    asked = Review.objects.open().get()
    assert answer.url == f"/review/{asked.pk}/"
    made = versions.files_of(SkillVersion.objects.get(pk=asked.version_id))
    assert made["steps/answer.md"] == b"Label it better: {{ inputs.text }}\nAs JSON.\n"
    assert made["references/notes.md"] == b"Short.\n"
    assert made["fixtures/one.json"] == versions.files_of(review.version)["fixtures/one.json"]
    assert Review.objects.get(pk=review.pk).state == ReviewState.SUPERSEDED
    assert asked.version and asked.version.author == author


def test_findings_are_told_while_somebody_types_and_nothing_is_stored(client: Client):
    client.force_login(builders.person("author"))
    review = reviewing.draft()
    assert review.version is not None
    files = {f"file:{path}": text.decode() for path, text in versions.files_of(review.version).items()}
    check = f"/review/{review.pk}/edit/check/"
    assert "A valid package." in client.post(check, files, headers=HTMX).content.decode()
    broken = {**files, "file:skill.yaml": "steps: ]", "drop:fixtures/one.json": "true"}
    found = client.post(check, broken, headers=HTMX).content.decode()
    assert "in the way" in found and "skill.yaml" in found
    before = SkillVersion.objects.count()
    refused = client.post(f"/review/{review.pk}/edit/", broken)
    assert refused.status_code == 422 and "steps: ]" in refused.content.decode()
    same = client.post(f"/review/{review.pk}/edit/", files)
    assert same.status_code == 409 and "These files are version 2 already." in same.content.decode()
    assert SkillVersion.objects.count() == before


def test_only_authors_edit_and_only_what_has_files(client: Client):
    review = reviewing.draft()
    client.force_login(builders.person("reviewer"))
    assert client.get(f"/review/{review.pk}/edit/").status_code == 403
    assert client.post(f"/review/{review.pk}/edit/check/").status_code == 403
    client.force_login(builders.person("author"))
    assert client.get(f"/review/{asked('bare').pk}/edit/").status_code == 404
    assert client.get("/review/0198c0de-0000-7000-8000-000000000000/").status_code == 404


def test_a_hidden_character_is_named_in_the_editor(client: Client):
    client.force_login(builders.person("author"))
    skill = builders.skill()
    review = reviewing.draft(skill, files=builders.step_package(skill.capability.name, prompt="One\n\u202eTwo"))
    page = " ".join(client.get(f"/review/{review.pk}/edit/").content.decode().split())
    assert "Line 2 holds a hidden character: U+202E right-to-left override." in page
