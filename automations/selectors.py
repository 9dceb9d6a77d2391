"""What pages and routes read of automations: one function a page, a constant number of queries each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Avg, Count, F, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from automations.configuration import knobs
from automations.decisions import paths, planning, schedule
from automations.decisions.schedule import InvalidSchedule, Occurrence
from automations.models import Automation, AutomationRun, FollowUp, RunStatus, Status
from automations.services import access, rhythms
from donna_skills.accounts.actors import Actor
from donna_skills.errors import NotFound
from lifecycle.models import SkillRun

STRIP = 20
"""Runs of a row's success strip."""
_MONTH = timedelta(days=30)
_COUNTED_AT_MOST = 3000
_CHART_POINTS = 200


def automation_list(
    actor: Actor,
    *,
    status: str = Status.ACTIVE,
    capability: str = "",
    trigger: str = "",
    owner: str = "",
    text: str = "",
) -> QuerySet[Automation]:
    """What the actor may look at, newest first; `status` may be `all`, which leaves the deleted ones out."""
    found = access.visible(actor).select_related("capability__skill", "owner").prefetch_related("follow_ups")
    found = found.exclude(status=Status.DELETED) if status in {"", "all"} else found.filter(status=status)
    if capability:
        found = found.filter(capability__name=capability)
    if trigger:
        found = found.filter(trigger=trigger)
    if owner:
        found = found.filter(owner__username=owner)
    if text:
        found = found.filter(Q(name__icontains=text) | Q(description__icontains=text))
    return found.order_by("-id")


def strips(automations: Sequence[Automation], *, length: int = STRIP) -> Mapping[UUID, list[AutomationRun]]:
    """The newest runs of each, newest first, for the strips of a list; one query for all of them."""
    numbered = AutomationRun.objects.filter(automation__in=[one.pk for one in automations]).annotate(
        place=Window(RowNumber(), partition_by=[F("automation")], order_by=F("id").desc())
    )
    found: dict[UUID, list[AutomationRun]] = {one.pk: [] for one in automations}
    wanted = ("id", "automation_id", "status", "scheduled_for", "finished_at", "alert", "cost_usd")
    for run in numbered.filter(place__lte=length).only(*wanted).order_by("-id"):
        found[run.automation_id].append(run)
    return found


def run_list(automation: Automation, *, status: str = "") -> QuerySet[AutomationRun]:
    found = automation.runs.select_related("automation__capability", "requested_by").order_by("-id")
    return found.filter(status=status) if status else found


def get_run(run_id: UUID, *, actor: Actor) -> AutomationRun:
    """One run of an automation that the actor may look at; NotFound for any other."""
    found = (
        AutomationRun.objects.for_page()
        .filter(pk=run_id, automation__in=access.visible(actor).order_by().values("pk"))
        .first()
    )
    if found is None:
        raise NotFound("There is no such run of an automation.")
    return found


def lifecycle_runs(run: AutomationRun) -> list[SkillRun]:
    """The lifecycle's runs that carried it out, each try with its fallback, in their order; one query."""
    ids = {str(attempt[key]) for attempt in run.attempts for key in ("run_id", "first_run_id")}
    if run.lifecycle_run_id:
        ids.add(str(run.lifecycle_run_id))
    return list(SkillRun.objects.for_page().filter(pk__in=ids).order_by("id"))


@dataclass(frozen=True)
class Floor:
    """How close two scheduled starts may be, and why."""

    seconds: int
    own_seconds: int
    state: str
    state_seconds: int | None

    @property
    def reason(self) -> str:
        if self.state_seconds is None:
            return "Its skill waits for a person's review, and scheduled automations pause until that is over."
        if self.state_seconds > self.own_seconds:
            return f"Its skill is in the state {self.state}, whose automations start every {self.seconds} s at most."
        return "Its own smallest interval."


def floor_of(automation: Automation) -> Floor:
    of_state = knobs().state_floor(automation.capability.name, automation.floor_state)
    return Floor(automation.floor_seconds, automation.min_interval_seconds, automation.floor_state, of_state)


def next_starts(automation: Automation, now: datetime, *, count: int = 10) -> list[Occurrence]:
    """When an active automation starts next: with floor, window and its own shift; none when it is not due."""
    if automation.next_run_at is None or automation.next_occurrence is None:
        return []
    rhythm, found = rhythms.rhythm(automation), list[Occurrence]()
    where = schedule.place(automation.timezone)
    due = planning.Due(automation.next_occurrence, automation.next_run_at)
    while len(found) < count:
        noted = schedule.preview(automation.schedule, automation.timezone, due.occurrence - timedelta(minutes=1), 1)
        found.append(Occurrence(due.start.astimezone(where), due.start, noted[0].note))
        due = planning.next_start(rhythm, after=due.start, last_start=due.start)
    return found


@dataclass(frozen=True)
class Cost:
    """What the automation cost lately and what a month of it would; `monthly_usd` is None where nothing is known."""

    runs: int
    total_usd: Decimal
    mean_usd: Decimal | None
    starts_a_month: int | None
    monthly_usd: Decimal | None


def cost_of(automation: Automation, now: datetime) -> Cost:
    """From the runs of the last 30 days, and where there are none from the capability's own."""
    ended = automation.runs.filter(created_at__gte=now - _MONTH, started_at__isnull=False)
    found = ended.aggregate(runs=Count("id"), mean=Avg("cost_usd"))
    mean = None if found["mean"] is None else Decimal(str(found["mean"]))
    if mean is None:
        mean = mean_cost(automation.capability_id, now)
    starts = starts_in(automation, now)
    monthly = None if mean is None or starts is None else (mean * starts).quantize(Decimal("0.01"))
    return Cost(found["runs"], (mean or Decimal(0)) * found["runs"], mean, starts, monthly)


def mean_cost(capability_id: UUID, now: datetime) -> Decimal | None:
    """What an answer of the capability has cost in the last 30 days."""
    runs = SkillRun.objects.filter(
        capability_id=capability_id, created_at__gte=now - _MONTH, path__in=["skill", "native"]
    )
    found = runs.aggregate(mean=Avg("cost_usd"))["mean"]
    return None if found is None else Decimal(str(found))


def starts_in(automation: Automation, now: datetime) -> int | None:
    """How often it starts in the next 30 days, floor and window in force; None without a schedule."""
    if not automation.is_scheduled:
        return None
    try:
        rhythm, count, start = rhythms.rhythm(automation), 0, automation.last_start
        due = planning.next_start(rhythm, after=now, last_start=start)
        while due.start <= now + _MONTH and count < _COUNTED_AT_MOST:
            count += 1
            due = planning.next_start(rhythm, after=due.start, last_start=due.start)
    except (InvalidSchedule, ValueError):
        return None
    return count


def field_series(automation: Automation, field: str, *, points: int = _CHART_POINTS) -> list[tuple[datetime, float]]:
    """A number of the output over time, oldest first; runs without one are left out, and an invalid path gives none."""
    try:
        steps = paths.segments(field)
    except ValueError:
        return []
    rows = automation.runs.filter(status=RunStatus.SUCCEEDED).order_by("-id").values_list("scheduled_for", "output")
    found = []
    for at, output in rows[:points]:
        value = next(iter(paths.find(output, steps).values.values()), None)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found.append((at, float(value)))
    return found[::-1]


def number_fields(output_schema: Any) -> list[str]:
    """Fields of an output that a chart can show: numbers at the top, and one level down."""

    def is_number(one: Any) -> bool:
        kinds = one.get("type", ()) if isinstance(one, dict) else ()
        return bool({"number", "integer"} & set([kinds] if isinstance(kinds, str) else kinds))

    top = output_schema.get("properties", {}) if isinstance(output_schema, dict) else {}
    found = [name for name, one in top.items() if is_number(one)]
    for name, one in top.items():
        inner = one.get("properties", {}) if isinstance(one, dict) else {}
        found += [f"{name}.{key}" for key, below in inner.items() if is_number(below)]
    return found


def past_runs(automation: Automation, now: datetime, *, days: int = 90) -> list[AutomationRun]:
    """What a rehearsal looks at: newest first, without what it does not need."""
    wanted = ("id", "automation_id", "status", "output", "error", "finished_at", "created_at", "scheduled_for")
    rows = automation.runs.filter(created_at__gte=now - timedelta(days=days)).exclude(finished_at=None)
    return list(rows.order_by("-id").only(*wanted)[:5000])


def follow_ups(automation: Automation) -> list[Automation]:
    rows = FollowUp.objects.filter(automation=automation).select_related("then").order_by("then__name")
    return [one.then for one in rows]


@dataclass(frozen=True)
class Attention:
    """What somebody's home page says about automations."""

    active: int
    paused_after_failures: int
    in_error: int
    alerting: int


def attention(actor: Actor) -> Attention:
    """One query."""
    found = (
        access.visible(actor)
        .order_by()
        .aggregate(
            active=Count("id", filter=Q(status=Status.ACTIVE)),
            paused_after_failures=Count("id", filter=Q(status=Status.PAUSED, pause_reason="failures")),
            in_error=Count("id", filter=Q(status=Status.ERROR)),
            alerting=Count("id", filter=Q(alert_open=True) & ~Q(status=Status.DELETED)),
        )
    )
    return Attention(**found)
