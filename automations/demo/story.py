"""Four automations with a fortnight of real runs: a price that fell today, a digest, a summary, and one that gave up.

Each run goes the way of every other, through the skills, their tools and the offline rules. `manage.py demo` calls
`tell` by its name in settings.DEMO_PARTS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings

from automations.demo import site, stand
from automations.models import Automation, CreatedVia, ShareLevel, Trigger
from automations.services import automations, dispatch, past
from automations.services.automations import Share
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Role
from lifecycle.demo import live, world
from lifecycle.demo.people import DEMO, Cast

JACKET = "Rain jacket under 120 euros"
DIGEST = "News of the city"
BOARD = "What is on the board"
AIR = "Air by the bridge"
TARGET = 120
MEASURED = "air_quality"
"""A capability without a skill, whose stations have codes that the offline rules cannot know: its runs fail."""
_FAILURES = 5
_MOST_USD = Decimal("0.05")


@dataclass(frozen=True)
class Watch:
    """One automation, and on how many days before today it ran."""

    name: str
    description: str
    capability: str
    inputs: Mapping[str, Any]
    minute: int
    days: int
    alert_conditions: Mapping[str, Any] = field(default_factory=dict)
    today: bool = True


def tell(cast: Cast, *, today: date, say: Callable[[str], None]) -> None:
    """Make the automations that are not there and let them live through their days, the oldest first.

    1. Before the first start the demo's own stand shows each day's pages.
    2. Where the application is up already, it serves them as they are today: each runs once, by its workers.
    """
    if not settings.DEMO_SITE:
        say("The demo's shop has no address (DONNA_DEMO_SITE), so there are no automations: `make demo` gives it one.")
        return
    if not live.costs_nothing():
        say("A real model provider is set up, so there are no automations: a demo never spends money.")
        return
    world.register(MEASURED, actor=DEMO)
    made = [(watch, _made(watch, cast)) for watch in watches(settings.DEMO_SITE, today)]
    with stand.opened(settings.DEMO_SITE, day=today) as shop:
        if shop is None:
            _run_by_workers(made, cast)
            say("Four automations; the application that is running carries out their first runs.")
            return
        _live_through(made, cast, shop=shop, today=today)
    say("Four automations with a fortnight of runs: an alert today, and one that is paused after failures.")


def watches(address: str, today: date) -> tuple[Watch, ...]:
    base = f"http://{address}{stand.PREFIX}"
    season = today - timedelta(days=site.SEASON_DAYS)
    return (
        Watch(
            JACKET,
            "Looks at the shop each morning and speaks up when the jacket costs no more than 120 euros.",
            "product_watch",
            {"url": base + site.jacket(season), "target_price": TARGET},
            minute=0,
            days=site.SEASON_DAYS,
            alert_conditions={"field": "price", "op": "<=", "value": TARGET},
        ),
        Watch(
            DIGEST,
            "What the feed says about trains, the bridge and the library.",
            "news_check",
            {"feed_url": base + site.FEED, "topics": ["trains", "bridge", "library"]},
            minute=10,
            days=4,
        ),
        Watch(
            BOARD,
            "The notice board of the office in a few sentences, once a day.",
            "fetch_and_summarize",
            {"url": base + site.BOARD},
            minute=20,
            days=5,
        ),
        Watch(
            AIR,
            "How good the air is by the bridge. No skill does this yet, and the reference model cannot measure.",
            MEASURED,
            {"station": "the bridge"},
            minute=30,
            days=_FAILURES,
            today=False,
        ),
    )


def _made(watch: Watch, cast: Cast) -> Automation:
    present = Automation.objects.filter(owner=cast.operator, name=watch.name).first()
    if present:
        return present
    operator = Actor.person(cast.operator)
    made = automations.create(
        {
            "name": watch.name,
            "description": watch.description,
            "capability_name": watch.capability,
            "inputs": dict(watch.inputs),
            "trigger": Trigger.ON_SCHEDULE,
            "schedule": f"{watch.minute} 7 * * *",
            "alert_conditions": dict(watch.alert_conditions),
            "max_cost_per_run_usd": _MOST_USD,
        },
        actor=operator,
        via=CreatedVia.SEED,
    )
    return automations.share(made, [Share(ShareLevel.RUN, group=Role.REVIEWER)], actor=operator)


def _live_through(made: list[tuple[Watch, Automation]], cast: Cast, *, shop: stand.Stand, today: date) -> None:
    """Day by day, so that what was cut off goes on behind the runs that it has."""
    done = {watch.name: automation.runs.count() for watch, automation in made}
    for ago in range(site.SEASON_DAYS, 0, -1):
        shop.day = today - timedelta(days=ago)
        for watch, automation in made:
            if watch.days - ago >= done[watch.name]:
                past.live_through(automation, at=datetime.combine(shop.day, time(7, watch.minute), UTC))
    shop.day = today
    for watch, automation in made:
        if watch.today and done[watch.name] <= watch.days:
            automations.run_now(automation, actor=Actor.person(cast.operator))
            dispatch.drain()


def _run_by_workers(made: list[tuple[Watch, Automation]], cast: Cast) -> None:
    for watch, automation in made:
        if not automation.runs.exists():
            for _ in range(1 if watch.today else _FAILURES):
                automations.run_now(automation, actor=Actor.person(cast.operator))
