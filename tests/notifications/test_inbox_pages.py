"""The inbox: the bell, reading one's own lines and nobody else's, and what one wants to hear."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from donna_skills.accounts.models import User
from donna_skills.notifications import inbox, selectors
from donna_skills.notifications.events import Notice, publish
from donna_skills.notifications.models import Notification, Preference, Way

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def rita(client: Client, reviewer: User) -> Client:
    client.force_login(reviewer)
    return client


def tell(*people: User, title: str = "A decision waits", url: str = "/skills/", kind: str = "review.opened") -> None:
    with transaction.atomic():
        publish(kind, subject_type="x", subject_id="1", notify=Notice(title=title, url=url, people=people))


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def line_of(person: User) -> Notification:
    return Notification.objects.get(person=person)


def test_an_empty_inbox_says_what_will_fill_it_and_the_bell_has_no_number(rita: Client) -> None:
    page = text(rita, "/inbox/")
    assert "No messages yet" in page and "Nothing unread." in page
    assert 'aria-label="Inbox"' in page and "unread-count" not in page
    assert "Mark all as read" not in page


def test_the_bell_counts_on_every_page_and_nobody_sees_anothers_lines(
    rita: Client, reviewer: User, viewer: User
) -> None:
    tell(reviewer)
    tell(viewer, title="For Vera's eyes")
    assert 'aria-label="Inbox, 1 unread"' in text(rita, "/jobs/")
    page = text(rita, "/inbox/")
    assert "A decision waits" in page and "Vera" not in page
    for act in ("read", "open"):
        assert rita.post(f"/inbox/{line_of(viewer).pk}/{act}/").status_code == 404
    assert line_of(viewer).read_at is None


def test_a_line_is_read_without_javascript_and_with_it(rita: Client, reviewer: User) -> None:
    tell(reviewer)
    path = f"/inbox/{line_of(reviewer).pk}/read/"
    assert rita.get(path).status_code == 405
    assert rita.post(path).url == "/inbox/"
    assert line_of(reviewer).read_at is not None
    read_at = line_of(reviewer).read_at

    fragment = rita.post(path, headers=HTMX).content.decode()
    assert fragment.count("<li") == 1 and "<html" not in fragment and "Mark as read" not in fragment
    assert fragment.count('hx-swap-oob="true"') == 2 and "Nothing unread." in fragment
    assert line_of(reviewer).read_at == read_at


def test_opening_a_line_reads_it_and_leads_to_its_page(rita: Client, reviewer: User) -> None:
    tell(reviewer, url="/skills/parse_task/")
    line = line_of(reviewer)
    assert rita.post(f"/inbox/{line.pk}/open/").url == "/skills/parse_task/"
    assert line_of(reviewer).read_at is not None


@pytest.mark.parametrize("url", ["https://elsewhere.example/", "//elsewhere.example/", "javascript:alert(1)", ""])
def test_a_line_never_leads_out_of_the_house(rita: Client, reviewer: User, url: str) -> None:
    tell(reviewer, url=url)
    assert rita.post(f"/inbox/{line_of(reviewer).pk}/open/").url == "/inbox/"


def test_all_is_marked_read_but_what_came_after_the_page_was_made(rita: Client, reviewer: User) -> None:
    tell(reviewer, title="Seen")
    seen_at = timezone.now()
    tell(reviewer, title="Came later")
    Notification.objects.filter(title="Came later").update(updated_at=seen_at + timedelta(seconds=1))
    answer = rita.post("/inbox/read/", {"seen_at": seen_at.isoformat()}, follow=True).content.decode()
    assert "1 message is marked as read." in answer
    assert list(selectors.inbox(reviewer, unread_only=True).values_list("title", flat=True)) == ["Came later"]

    Notification.objects.update(updated_at=seen_at)
    rita.post("/inbox/read/", {"seen_at": "nonsense"})
    assert selectors.unread(reviewer) == 0
    assert "All is read" in text(rita, "/inbox/?show=unread")


def test_the_number_of_queries_does_not_grow_with_the_lines(
    rita: Client, reviewer: User, django_assert_max_num_queries: Any
) -> None:
    def queries(more: int) -> int:
        for _ in range(more):
            tell(reviewer)
        with django_assert_max_num_queries(12) as counted:
            assert rita.get("/inbox/").status_code == 200
        return len(counted)

    assert queries(2) == queries(40)


def test_what_others_wrote_is_escaped_and_revealed(rita: Client, reviewer: User) -> None:
    tell(reviewer, title="<script>alert(1)</script>\u202e")
    page = text(rita, "/inbox/")
    assert "<script>alert" not in page and "U+202E" in page


def ticked(*kept: str, drop: str = "") -> dict[str, list[str]]:
    """The form as it is sent: every kind was shown, and all is ticked but what begins with `drop`."""
    kinds = [*kept, ""]
    want = [f"{kind}:{way}" for kind in kinds for way in Way.values]
    return {"kind": kinds, "want": [one for one in want if not drop or not one.startswith(drop)]}


def test_a_choice_is_kept_and_decides_what_is_told(rita: Client, reviewer: User) -> None:
    assert "A decision waits" in text(rita, "/inbox/preferences/")
    sent = ticked("review.opened", "budget.warning", drop="review.opened:inbox")
    assert rita.post("/inbox/preferences/", sent).url == "/inbox/preferences/"
    assert list(Preference.objects.exclude(kind="").values_list("kind", "way", "enabled")) == [
        ("review.opened", "inbox", False)
    ]
    tell(reviewer)
    tell(reviewer, kind="budget.warning", title="Nearly used up")
    assert selectors.unread(reviewer) == 1
    assert 'value="review.opened:inbox" aria-label="A decision waits: inbox">' in text(rita, "/inbox/preferences/")


def test_a_kind_that_was_not_shown_keeps_its_choice(rita: Client, reviewer: User) -> None:
    inbox.prefer(reviewer, way=Way.EMAIL, enabled=False, event_kind="candidate.found")
    rita.post("/inbox/preferences/", ticked("review.opened"))
    rita.post("/inbox/preferences/", {"kind": ["no.such.kind"], "want": ["no.such.kind:email"]})
    assert Preference.objects.get(kind="candidate.found").enabled is False
    assert not Preference.objects.filter(kind="no.such.kind").exists()


def test_what_is_as_everything_else_has_no_row_and_follows_it(reviewer: User) -> None:
    inbox.prefer(reviewer, way=Way.EMAIL, enabled=False, event_kind="review.opened")
    inbox.choose(reviewer, wanted={("review.opened", "email"): False, ("", "email"): False})
    assert list(Preference.objects.values_list("kind", "enabled")) == [("", False)]
    inbox.choose(reviewer, wanted={("review.opened", "email"): True, ("", "email"): False})
    assert inbox.unwilling([reviewer], event_kind="review.opened", way=Way.EMAIL) == set()
    assert inbox.unwilling([reviewer], event_kind="other.kind", way=Way.EMAIL) == {reviewer.pk}


def test_a_kind_that_no_list_names_can_be_switched_off_once_it_was_told(reviewer: User) -> None:
    tell(reviewer, kind="weather.changed")
    kinds = [choice.kind for choice in selectors.choices(reviewer)]
    assert "weather.changed" in kinds and kinds[-1] == ""
