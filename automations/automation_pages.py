"""What the pages of automations show beyond plain rows: the outlook of a schedule, why it did or did not run or alert,
the chart of a value, and which acts are this person's."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from automations import selectors, words
from automations.configuration import knobs
from automations.decisions import cadence, clocks, schedule
from automations.decisions.schedule import InvalidSchedule, Occurrence
from automations.models import Automation, AutomationRun, PauseReason, RunStatus, Status, Trigger
from automations.services import access, proposals, rhythms
from donna_skills import charts, panels
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.audit.models import AuditEvent
from donna_skills.errors import DonnaError
from donna_skills.jobs import heartbeat
from donna_skills.notifications.models import Channel

_LATE = timedelta(minutes=2)
_FOLLOW_UPS = 50
_CHANGES_READ = 200
_CHANGES = tuple(f"automation.{verb}" for verb in ("updated", "paused", "resumed", "shared", "deleted"))
_LEAF_LEVELS = ("<", "<=", ">", ">=", "==")


@dataclass(frozen=True)
class Allowed:
    """What the person at the page may do with an automation; the services ask the same of `access`."""

    change: bool
    run: bool
    create: bool


def allowed(automation: Automation, actor: Actor) -> Allowed:
    kept = automation.status != Status.DELETED
    return Allowed(
        change=kept and access.may_change(automation, actor),
        run=kept and access.may_run(automation, actor),
        create=access.may_create(actor),
    )


@dataclass(frozen=True)
class Row:
    """One row of the list."""

    automation: Automation
    words: str
    runs: Sequence[AutomationRun]

    @property
    def last(self) -> AutomationRun | None:
        return self.runs[0] if self.runs else None


def rows(automations: Sequence[Automation]) -> list[Row]:
    """The rows of a list's page; one query for the runs of all."""
    strips = selectors.strips(automations)
    return [Row(one, when(one), strips[one.pk]) for one in automations]


def owners(actor: Actor) -> list[str]:
    """Whose automations the person may look at."""
    found = access.visible(actor).order_by().values_list("owner__username", flat=True)
    return sorted(set(found.distinct()))


def when(automation: Automation) -> str:
    """When it runs, in words."""
    if automation.trigger == Trigger.ON_EVENT:
        return f"on the event {automation.event_name}"
    if automation.trigger == Trigger.ON_MANUAL:
        return "by hand"
    try:
        return schedule.in_words(automation.schedule, automation.timezone)
    except InvalidSchedule:
        return f"{automation.schedule} ({automation.timezone})"


def home_panel(user: User, now: datetime) -> panels.Line | None:
    """The home page's line (settings.HOME_PANELS); None for somebody who has none to look at."""
    found = selectors.attention(Actor.person(user))
    if not (found.active or found.paused_after_failures or found.in_error):
        return None
    said, query, link = [f"{found.active:,} active"], "", "See all"
    if found.alerting:
        said.append(f"{found.alerting:,} alerting")
    if found.in_error:
        said.append(f"{found.in_error:,} cannot be scheduled")
        query, link = f"?status={Status.ERROR}", "See why"
    if found.paused_after_failures:
        failures = knobs().automation_failure_pause_threshold
        said.append(f"{found.paused_after_failures:,} paused after {failures} failures")
        query, link = f"?status={Status.PAUSED}", "See why"
    tone = "red" if found.in_error else "amber" if query or found.alerting else "grey"
    return panels.Line("Automations", ", ".join(said), reverse("automation_list") + query, link, tone)


@dataclass(frozen=True)
class Outlook:
    """What a schedule would come to: in words, the next starts, what the floor does to it, and what a month costs."""

    words: str = ""
    occurrences: Sequence[Occurrence] = ()
    warning: str = ""
    error: str = ""
    cost: selectors.Cost | None = None


def outlook(automation: Automation, *, now: datetime) -> Outlook:
    """For an automation in memory, as a form has it at the moment; a schedule that cannot be used says why."""
    if not automation.schedule.strip():
        return Outlook()
    try:
        found = proposals.preview(automation.schedule, automation.timezone, now=now)
    except DonnaError as error:
        return Outlook(error=error.message)
    state = automation.capability.skill.state
    for name, value in rhythms.floor_columns(automation, state).items():
        setattr(automation, name, value)
    floor = timedelta(seconds=automation.floor_seconds)
    try:
        cadence.check_density(automation.schedule, automation.timezone, now, floor, spaced=automation.spaced)
        warning = ""
        if found.smallest_gap < floor:
            warning = f"What comes closer than {words.span(automation.floor_seconds)} is passed over."
    except InvalidSchedule as error:
        warning = error.message
    mean = selectors.mean_cost(automation.capability_id, now)
    starts = selectors.starts_in(automation, now)
    monthly = None if mean is None or starts is None else (mean * starts).quantize(Decimal("0.01"))
    cost = selectors.Cost(0, Decimal(0), mean, starts, monthly)
    return Outlook(found.words, found.occurrences, warning, "", cost)


def why_run(automation: Automation, *, last: AutomationRun | None, now: datetime) -> list[str]:
    """Why it runs, does not run, or runs less often than the schedule says."""
    said = [_standing(automation, now)]
    if automation.status == Status.ACTIVE and automation.is_scheduled:
        floor = selectors.floor_of(automation)
        said.append(f"Two starts are at least {words.span(floor.seconds)} apart: {_floor_reason(automation, floor)}")
        said += _passed_over(automation, now)
    if automation.failure_count and automation.status == Status.ACTIVE:
        said.append(f"It has failed {automation.failure_count} times in a row.")
    if last is not None and last.status not in {RunStatus.SUCCEEDED, RunStatus.QUEUED, RunStatus.RUNNING}:
        why = (last.reason or last.error or "").strip()
        said.append(f"The last one: {last.get_status_display().lower()}.{f' {why[:500]}' if why else ''}")
    return said


def why_alert(automation: Automation, *, judged: AutomationRun | None) -> list[str]:
    """Why it alerted, or did not, the last time that a run was judged."""
    if not automation.alert_conditions:
        return ["No alert is set, so it never tells anything but failures that pause it."]
    said = [f"It alerts when {words.condition(automation.alert_conditions)}."]
    if automation.alert_open:
        said.append("It is alerting now: what it reported has not cleared.")
    if judged is None:
        return [*said, "No run has been judged by it yet."]
    return [*said, f"The last judgement: {judged.alert_reason or judged.get_alert_display()}"]


def judged_last(automation: Automation) -> AutomationRun | None:
    return automation.runs.exclude(alert="").order_by("-id").first()


def chart_of(automation: Automation, *, field: str = "") -> charts.Chart | None:
    """A number of the output over time with the lines that it alerts at; None while there is nothing to draw."""
    fields = chart_fields(automation)
    chosen = field if field in fields else next(iter(fields), "")
    points = selectors.field_series(automation, chosen) if chosen else []
    if not points:
        return None
    shown = chosen.replace("_", " ")
    first, last = points[0][1], points[-1][1]
    return charts.Chart(
        id="over-time",
        title=f"{shown}, run by run",
        summary=f"{shown} in {len(points)} runs: from {first:g} to {last:g}.",
        labels=[f"{at.astimezone(_zone(automation)):%d %b %H:%M}" for at, _ in points],
        series=[charts.Series(shown, [value for _, value in points])],
        levels=[
            charts.Level(f"alert: {words.leaf(leaf)}", value)
            for leaf, value in alert_levels(automation.alert_conditions, chosen)
        ],
        row_heading="When",
    )


def chart_fields(automation: Automation) -> list[str]:
    """What can be drawn: first what an alert is about."""
    numbers = selectors.number_fields(automation.capability.output_schema)
    about = [str(leaf.get("field")) for leaf in _leaves(automation.alert_conditions)]
    return [*(name for name in dict.fromkeys(about) if name in numbers), *(n for n in numbers if n not in about)]


def alert_levels(conditions: Any, field: str) -> list[tuple[Mapping[str, Any], float]]:
    """The numbers that a field is held against."""
    found = []
    for leaf in _leaves(conditions):
        if leaf.get("field") != field:
            continue
        value = leaf.get("value")
        ends = value if leaf.get("op") == "between" and isinstance(value, list) else [value]
        if leaf.get("op") in (*_LEAF_LEVELS, "between"):
            found += [(leaf, float(end)) for end in ends if isinstance(end, int | float) and not isinstance(end, bool)]
    return found


def traces(automation: Automation, runs: Sequence[AutomationRun]) -> list[list[words.Clause]]:
    """The clauses of each run in words; what they were held against only where the conditions are still those that
    judged it. One query for all."""
    since = conditions_since(automation)
    return [_trace(run, automation, since) for run in runs]


def conditions_since(automation: Automation) -> datetime:
    """Since when its conditions have been what they are; from the audit log, for no row of ours says it."""
    changes = _changes(automation).filter(action="automation.updated").values_list("at", "data")
    about = {"alert_conditions", "capability"}
    changed = (at for at, data in changes[:_CHANGES_READ] if about & set(data.get("changed", ())))
    return next(changed, automation.created_at)


def last_change(automation: Automation) -> AuditEvent | None:
    """Who changed it last, and when."""
    return _changes(automation).filter(action__in=_CHANGES).first()


def channels_of(owner: User) -> list[Channel]:
    return list(Channel.objects.filter(person=owner).order_by("name", "id"))


def possible_follow_ups(automation: Automation | None, actor: Actor) -> list[Automation]:
    """What may run after it: what the person may look at, its present ones first."""
    present = set() if automation is None else set(automation.follow_ups.values_list("then_id", flat=True))
    found = access.visible(actor).kept()  # type: ignore[attr-defined]
    if automation is not None:
        found = found.exclude(pk=automation.pk)
    kept = list(found.filter(pk__in=present))
    return sorted([*kept, *found.exclude(pk__in=present)[:_FOLLOW_UPS]], key=operator.attrgetter("name"))


def _zone(automation: Automation) -> tzinfo:
    """Its own zone; UTC where this machine no longer knows it."""
    try:
        return clocks.zone(automation.timezone)
    except ValueError:
        return UTC


def _changes(automation: Automation) -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(subject_type="automation", subject_id=str(automation.pk)).order_by("-seq")


def _trace(run: AutomationRun, automation: Automation, since: datetime) -> list[words.Clause]:
    known = run.finished_at is not None and since <= run.finished_at
    return words.trace(run.trace, automation.alert_conditions if known else None)


def _standing(automation: Automation, now: datetime) -> str:
    if automation.status == Status.DELETED:
        return "It is deleted and never runs again."
    if automation.status == Status.ERROR:
        return f"It cannot be scheduled: {automation.pause_note} Change its schedule or time zone, and it goes on."
    if automation.status == Status.PAUSED:
        return _paused(automation)
    if automation.trigger == Trigger.ON_MANUAL:
        return "It runs when somebody presses “Run now”, or after another automation."
    if automation.trigger == Trigger.ON_EVENT:
        only = f", and only when {words.condition(automation.event_filter)}" if automation.event_filter else ""
        return f"It runs on each event {automation.event_name}{only}."
    late = automation.next_run_at is not None and now - automation.next_run_at > _LATE
    if late:
        seen = heartbeat.last(heartbeat.SCHEDULER)
        alive = seen is not None and now - seen < _LATE
        return (
            "It is due and waits for its turn." if alive else "It is due, and no scheduler process has called lately."
        )
    return f"It is active and runs {when(automation)}."


def _paused(automation: Automation) -> str:
    note = f" {automation.pause_note}" if automation.pause_note else ""
    if automation.pause_reason == PauseReason.POLICY:
        return f"It is paused by policy until its skill's review is over, and then goes on by itself.{note}"
    if automation.pause_reason == PauseReason.FAILURES:
        return f"It is paused.{note} Resume it when the cause is mended."
    return f"It is paused until somebody resumes it.{note}"


def _floor_reason(automation: Automation, floor: selectors.Floor) -> str:
    if floor.state_seconds is not None and floor.state_seconds > floor.own_seconds:
        label = automation.capability.skill.get_state_display().lower()
        return f"while its skill is “{label}”, nothing may start more often."
    return "that is its own smallest interval."


def _passed_over(automation: Automation, now: datetime) -> list[str]:
    try:
        gap = cadence.minimum_gap(automation.schedule, automation.timezone, now, days=14)
    except (InvalidSchedule, ValueError, OverflowError):
        return []
    if gap >= timedelta(seconds=automation.floor_seconds):
        return []
    return [
        f"Its schedule comes as often as every {words.span(int(gap.total_seconds()))}; what is closer is passed over."
    ]


def _leaves(conditions: Any) -> list[Mapping[str, Any]]:
    if isinstance(conditions, list):
        return [leaf for one in conditions for leaf in _leaves(one)]
    if not isinstance(conditions, Mapping):
        return []
    if "field" in conditions:
        return [conditions]
    return [leaf for key in ("all_of", "any_of", "not") for leaf in _leaves(conditions.get(key))]
