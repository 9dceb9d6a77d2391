"""One menu for the shell and the admin: only what exists, only what this person may open, and where one is."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory
from django.urls import path

from donna_skills import menu
from donna_skills.accounts.models import User
from tests.shell import pages, samples


@pytest.fixture(autouse=True)
def _sample_pages(settings):
    settings.ROOT_URLCONF = "tests.shell.pages"


class _WithAudit:
    """The sample pages and one more, which asks for a permission."""

    urlpatterns = [*pages.urlpatterns, path("audit/", pages.broken, name="audit_log")]


def _labels(user, path="/"):
    return [item.label for item in menu.items(user, path=path)]


def test_an_entry_without_a_page_is_not_shown():
    assert _labels(samples.person()) == ["Home", "Review", "Skills", "Runs", "Budget", "Admin"]


def test_the_admin_is_for_staff_only():
    assert "Admin" not in _labels(samples.person(is_staff=False))


def test_an_anonymous_visitor_has_no_menu():
    assert _labels(AnonymousUser()) == []


@pytest.mark.django_db
def test_an_entry_shows_only_to_those_who_may_open_it(settings):
    settings.ROOT_URLCONF = _WithAudit
    viewer = User.objects.create_user("vera")

    assert "Audit" in _labels(samples.person())
    assert "Audit" not in _labels(viewer)


@pytest.mark.parametrize(
    ("path", "active"),
    [
        ("/", "Home"),
        ("/skills/", "Skills"),
        ("/skills/parse_task/", "Skills"),
        ("/try/", None),
        ("/admin/auth/", "Admin"),
    ],
)
def test_the_entry_that_a_page_lies_under_is_the_active_one(path, active):
    found = [item.label for item in menu.items(samples.person(), path=path) if item.active]

    assert found == ([active] if active else [])


def test_the_admin_shows_the_same_entries_first():
    request = RequestFactory().get("/admin/")
    request.user = samples.person()
    first = menu.admin_sidebar(request)[0]["items"]

    assert [entry["title"] for entry in first] == ["Home", "Review", "Skills", "Runs", "Budget", "Admin"]
    assert [entry["title"] for entry in first if entry["active"]] == ["Admin"]


def test_every_entry_has_its_picture_in_the_sprite(settings):
    sprite = (settings.BASE_DIR / "static" / "icons.svg").read_text()

    for entry in menu.ENTRIES:
        assert f'id="{entry.icon}"' in sprite


def test_the_menu_says_how_much_waits_where_somebody_counts_it(settings):
    settings.MENU_COUNTS = {"review_queue": f"{__name__}.seven"}
    waiting = {item.label: item.waiting for item in menu.items(samples.person(), path="/")}

    assert waiting["Review"] == 7
    assert waiting["Skills"] == 0


def seven(now):
    return 7
