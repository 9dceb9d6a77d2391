"""Every page that the application has, found from its addresses: what a tour of all pages walks through.

A new page is found by itself. One whose address names a row of a new kind needs a line in ROWS, and the tour says so.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.db.models import Count, QuerySet
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from automations.models import Automation, AutomationRun
from donna_skills.accounts.models import ApiToken, User
from donna_skills.jobs.models import JobRun
from donna_skills.notifications.models import Channel, Delivery, Notification
from lifecycle.demo import mails
from lifecycle.models import (
    Candidate,
    Review,
    ReviewKind,
    ReviewState,
    RunPath,
    Skill,
    SkillRun,
    SkillVersion,
)
from lifecycle.services import nightly

ELSEWHERE = ("admin/", "api/", "demo/")
"""The admin and the API have tours of their own; the demo's shop is a page for tools."""
OF_EACH_KIND = {"skill_detail", "review_detail", "run_detail", "job_detail", "automation_detail"}
"""These pages look different for each kind of row; of the others one is like the next."""
ALSO: Mapping[str, tuple[str, ...]] = {
    "review_detail": ("?diff=side",),
    "review_queue": ("?kind=draft", "?q=nobody-has-this-name"),
    "skill_list": ("?q=nobody-has-this-name",),
    "run_list": ("?status=failed",),
    "try_skill": ("?capability=parse_task",),
}
"""The same page asked for in another way."""


@dataclass(frozen=True)
class Stop:
    name: str
    path: str


def stops(user: User) -> list[Stop]:
    """Every page that `user` may open, with the rows that there are: whatever answers a GET with a whole document.

    AssertionError when an address names a kind of row that ROWS does not know.
    """
    client = Client()
    client.force_login(user)
    found: list[Stop] = []
    for name, wanted in _addresses(get_resolver().url_patterns):
        pages = _pages(client, name, wanted)
        found += pages
        found += [Stop(f"{name} {query}", pages[0].path + query) for query in ALSO.get(name, ()) if pages]
    return found


def best() -> list[Stop]:
    """What a README shows of the demo world: the pages at which people decide and see why."""
    question = Review.objects.open().filter(kind=ReviewKind.DRAFT).latest("pk")
    learned = Skill.objects.get(capability__name=mails.CAPABILITY)
    night = JobRun.objects.filter(kind=nightly.KIND).latest("pk")
    watch = Automation.objects.latest("alert_open", "pk")
    return [
        Stop("home", reverse("home")),
        Stop("review-queue", reverse("review_queue")),
        Stop("review", reverse("review_detail", args=[question.pk])),
        Stop("skill", reverse("skill_detail", args=[learned.capability.name])),
        Stop("candidates", reverse("candidate_list")),
        Stop("automations", reverse("automation_list")),
        Stop("automation", reverse("automation_detail", args=[watch.pk])),
        Stop("night", reverse("job_detail", args=[night.pk])),
    ]


def _one_of_each(rows: QuerySet[Any], *fields: str) -> Iterable[Any]:
    """The ids of the first row of each kind; PostgreSQL knows no smallest UUID, so they are picked here."""
    firsts: dict[tuple[Any, ...], Any] = {}
    for *kind, pk in rows.order_by(*fields, "pk").values_list(*fields, "pk"):
        firsts.setdefault(tuple(kind), pk)
    return firsts.values()


def _skill_names() -> list[str]:
    """One of each state, and before them the one with the most versions."""
    richest = Skill.objects.annotate(count=Count("versions")).order_by("-count", "pk")[:1]
    firsts = Skill.objects.filter(pk__in=list(_one_of_each(Skill.objects.all(), "state")))
    return [skill.capability.name for skill in (*richest, *firsts)]


ROWS: Mapping[str, Callable[[], Iterable[Any]]] = {
    "name": _skill_names,
    "number": lambda: SkillVersion.objects.values_list("number", flat=True).distinct()[:2],
    "review_id": lambda: [
        *Review.objects.open().filter(kind=ReviewKind.DRAFT).order_by("-pk").values_list("pk", flat=True)[:1],
        *_one_of_each(Review.objects.open(), "kind"),
        *_one_of_each(Review.objects.exclude(state=ReviewState.OPEN), "state"),
        *_one_of_each(Review.objects.open(), "verdict"),
    ],
    "candidate_id": lambda: Candidate.objects.values_list("pk", flat=True)[:1],
    "run_id": lambda: [
        *_one_of_each(SkillRun.objects.filter(path=RunPath.SKILL), "status"),
        *_one_of_each(SkillRun.objects.exclude(path=RunPath.SKILL), "path"),
        *_one_of_each(AutomationRun.objects.all(), "status"),
    ],
    "job_id": lambda: _one_of_each(JobRun.objects.all(), "kind", "status"),
    "automation_id": lambda: _one_of_each(Automation.objects.all(), "status", "trigger"),
    "token_id": lambda: ApiToken.objects.values_list("pk", flat=True)[:1],
    "notification_id": lambda: Notification.objects.values_list("pk", flat=True)[:1],
    "channel_id": lambda: Channel.objects.values_list("pk", flat=True)[:1],
    "delivery_id": lambda: Delivery.objects.values_list("pk", flat=True)[:1],
}
"""What an address may name, and which rows stand for all of them."""
WORDS = {"act", "how"}
"""Parts of an address that name a deed: those are posted to, and no page."""


def _addresses(patterns: Iterable[URLPattern | URLResolver], prefix: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """Name and wanted parts of every address, outermost first."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if route.startswith(ELSEWHERE):
            continue
        if isinstance(pattern, URLResolver):
            yield from _addresses(pattern.url_patterns, route)
        elif pattern.name and not WORDS & set(pattern.pattern.converters):
            yield pattern.name, tuple(pattern.pattern.converters)


def _pages(client: Client, name: str, wanted: tuple[str, ...]) -> list[Stop]:
    """One page, or for those of OF_EACH_KIND all; none where the address does something else than to show a page."""
    found: list[Stop] = []
    for path in dict.fromkeys(_filled_in(name, wanted)):
        answer = client.get(path)
        if answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            break
        if answer.status_code == HTTPStatus.OK and answer.content[:15].lower() == b"<!doctype html>":
            found.append(Stop(f"{name} {len(found) + 1}" if wanted else name, path))
            if name not in OF_EACH_KIND:
                break
    return found


def _filled_in(name: str, wanted: tuple[str, ...]) -> Iterator[str]:
    unknown = set(wanted) - set(ROWS)
    assert not unknown, f"The address of {name} names {unknown}: say in tour.ROWS which rows stand for it."
    for rows in itertools.product(*(list(ROWS[part]()) for part in wanted)):
        yield reverse(name, kwargs=dict(zip(wanted, rows, strict=True)))
