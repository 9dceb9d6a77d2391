"""The one menu: it feeds our own pages and the admin's sidebar. An entry shows as soon as its page exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.module_loading import import_string

from donna_skills.accounts.roles import Permission, may

if TYPE_CHECKING:
    from donna_skills.accounts.models import User


@dataclass(frozen=True)
class Entry:
    """A page of the menu. `icon` is its picture in static/icons.svg, `symbol` the one in the admin's icon font."""

    label: str
    url_name: str
    icon: str
    symbol: str
    permission: Permission | None = None
    staff_only: bool = False


ENTRIES = (
    Entry("Home", "home", "home", "home"),
    Entry("Review", "review_queue", "review", "task_alt"),
    Entry("Skills", "skill_list", "skills", "deployed_code"),
    Entry("Candidates", "candidate_list", "candidates", "lightbulb"),
    Entry("Runs", "run_list", "runs", "play_arrow"),
    Entry("Automations", "automation_list", "automations", "schedule"),
    Entry("Jobs", "job_list", "jobs", "pending_actions"),
    Entry("Budget", "budget", "budget", "savings"),
    Entry("Audit", "audit_log", "audit", "receipt_long", permission=Permission.VIEW_AUDIT),
    Entry("Settings in force", "settings_in_force", "settings", "tune", permission=Permission.MANAGE_SETTINGS),
    Entry("Admin", "admin:index", "admin", "table_chart", staff_only=True),
)


@dataclass(frozen=True)
class Item:
    """An entry as one person sees it on one page."""

    label: str
    url: str
    icon: str
    symbol: str
    active: bool
    url_name: str = ""

    @cached_property
    def waiting(self) -> int:
        """How much waits there for a person; none is asked for where settings.MENU_COUNTS names nobody."""
        counter = settings.MENU_COUNTS.get(self.url_name)
        return import_string(counter)(timezone.now()) if counter else 0


def items(user: User | AnonymousUser, *, path: str) -> list[Item]:
    """What `user` may open, with the entry that `path` lies under marked as the active one."""
    found = [(entry, url) for entry in ENTRIES if _may_open(user, entry) and (url := address(entry.url_name))]
    active = _deepest([url for _, url in found], path)
    return [Item(entry.label, url, entry.icon, entry.symbol, url == active, entry.url_name) for entry, url in found]


def address(url_name: str) -> str | None:
    """Where a page without parameters lives, or None while there is no such page."""
    try:
        return reverse(url_name)
    except NoReverseMatch:
        return None


def admin_sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The same menu for the admin's theme, and below it the tables that this person may see, by application."""
    shell = [
        {"title": item.label, "icon": item.symbol, "link": item.url, "active": item.active}
        for item in items(request.user, path=request.path)
    ]
    tables = [_admin_group(app, path=request.path) for app in admin.site.get_app_list(request)]
    return [{"title": None, "items": shell}, *tables]


def _may_open(user: User | AnonymousUser, entry: Entry) -> bool:
    if not user.is_authenticated:
        return False
    if entry.staff_only:
        return user.is_staff
    return entry.permission is None or may(user, entry.permission)


def _deepest(urls: list[str], path: str) -> str | None:
    """The longest address that `path` lies under; the home page matches itself alone."""
    under = [url for url in urls if path == url or (url != "/" and path.startswith(url))]
    return max(under, key=len, default=None)


def _admin_group(app: Mapping[str, Any], *, path: str) -> dict[str, Any]:
    entries = [
        {"title": str(model["name"]), "link": model["admin_url"], "active": path.startswith(model["admin_url"])}
        for model in app["models"]
        if model["admin_url"]
    ]
    return {"title": str(app["name"]), "collapsible": True, "separator": True, "items": entries}
