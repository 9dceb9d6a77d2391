"""What the routes for automations take and give."""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field

from automations.models import RunStatus, Status, Trigger
from donna_skills.rest.pages import PageQuery

Money = Decimal
_Json = dict[str, Any]
_Seconds = Annotated[int, Field(ge=0, le=366 * 86_400)]
_Trigger = Literal["on_schedule", "on_manual", "on_event"]
_Overlap = Literal["skip", "buffer_one", "allow"]
_CatchUp = Literal["latest_once", "skip", "all"]
_Cost = Annotated[
    Decimal, Field(ge=0, le=Decimal(100_000), allow_inf_nan=False, max_digits=10, decimal_places=4, strict=False)
]
_Time = Annotated[time, Field(strict=False)]
_Id = Annotated[UUID, Field(strict=False)]


class In(Schema):
    """A request body: unknown fields are refused, and nothing is read as another type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class PatchIn(In):
    """What is left out stays; null clears what may be empty."""

    name: str | None = Field(None, max_length=120)
    description: str | None = Field(None, max_length=10_000)
    capability_name: str | None = Field(None, max_length=64)
    inputs: _Json | None = None
    trigger: _Trigger | None = None
    schedule: str | None = Field(None, max_length=500, description="Five cron fields, or a name such as @hourly.")
    timezone: str | None = Field(None, max_length=100, description="An IANA name.")
    spaced: bool | None = Field(
        None, description="The schedule may be denser than the floor: what comes too close is passed over."
    )
    min_interval_seconds: _Seconds | None = None
    preferred_from: _Time | None = None
    preferred_until: _Time | None = None
    jitter_seconds: _Seconds | None = None
    overlap_policy: _Overlap | None = None
    catch_up_policy: _CatchUp | None = None
    catch_up_window_seconds: _Seconds | None = None
    retry_interrupted: bool | None = None
    event_name: str | None = Field(None, max_length=80)
    event_filter: _Json | None = None
    alert_conditions: _Json | None = None
    alert_channels: list[str] | None = Field(None, max_length=20, description="Ids of the owner's channels; none: all.")
    repeat_every_seconds: _Seconds | None = None
    cool_down_seconds: _Seconds | None = None
    max_cost_per_run_usd: _Cost | None = None
    follow_ups: list[_Id] | None = Field(None, max_length=20, description="Automations that run when it succeeds.")


class AutomationIn(PatchIn):
    name: str = Field(min_length=1, max_length=120)
    capability_name: str = Field(min_length=1, max_length=64)
    trigger: _Trigger = "on_schedule"


class AutomationOut(Schema):
    id: UUID
    owner: str
    name: str
    description: str
    capability_name: str
    inputs: _Json
    trigger: str
    schedule: str | None
    schedule_in_words: str | None
    timezone: str
    spaced: bool
    min_interval_seconds: int
    preferred_from: time | None
    preferred_until: time | None
    jitter_seconds: int
    overlap_policy: str
    catch_up_policy: str
    catch_up_window_seconds: int
    retry_interrupted: bool
    event_name: str | None
    event_filter: _Json
    alert_conditions: _Json
    alert_channels: list[str]
    repeat_every_seconds: int | None
    cool_down_seconds: int
    max_cost_per_run_usd: Money
    follow_ups: list[UUID]
    status: str
    pause_reason: str | None
    pause_note: str
    created_via: str
    revision: int
    floor_seconds: int
    next_run_at: datetime | None
    last_run_at: datetime | None
    run_count: int
    failure_count: int
    alerting: bool
    kept_state: _Json
    created_at: datetime
    updated_at: datetime


class ShareShape(In):
    person: str | None = Field(None, max_length=150, description="A username.")
    group: str | None = Field(None, max_length=150, description="A role, by its name.")
    level: Literal["view", "run"]


class AutomationDetailOut(AutomationOut):
    floor_reason: str
    next_starts: list[datetime]
    shares: list[ShareShape]


class SharesIn(In):
    shares: list[ShareShape] = Field(max_length=100)


class AutomationNoteIn(In):
    note: str | None = Field(None, max_length=2000)


class QueuedOut(Schema):
    run_id: UUID
    status: str


class AttemptOut(Schema):
    run_id: str
    first_run_id: str
    path: str
    status: str
    error: str


class AutomationRunOut(Schema):
    id: UUID
    automation_id: UUID
    scheduled_for: datetime
    trigger: str
    requested_by: str
    status: str
    reason: str
    missed: int
    execution_path: str | None
    lifecycle_run_id: UUID | None
    attempt: int
    inputs: _Json | None
    output: Any
    error: str
    cost_usd: Money
    alert: str | None
    alert_reason: str
    alert_title: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class AutomationRunDetailOut(AutomationRunOut):
    attempts: list[AttemptOut]
    trace: list[_Json]
    alert_body: str
    payload: _Json | None
    depth: int


class AutomationFilters(PageQuery):
    status: Status | Literal["all"] = Status.ACTIVE
    capability_name: str | None = None
    trigger: Trigger | None = None
    owner: str | None = None
    text: str | None = Field(None, max_length=200)


class AutomationRunFilters(PageQuery):
    status: RunStatus | None = None


class PreviewIn(In):
    schedule: str = Field(max_length=500)
    timezone: str = Field("UTC", max_length=100)
    count: int = Field(10, ge=1, le=100)


class OccurrenceOut(Schema):
    local: datetime
    utc: datetime
    note: str


class PreviewOut(Schema):
    in_words: str
    occurrences: list[OccurrenceOut]
    smallest_gap_seconds: float


class RehearseIn(In):
    automation_id: _Id | None = None
    capability_name: str | None = Field(None, max_length=64)
    alert_conditions: _Json | None = None
    days: int = Field(90, ge=1, le=366)


class RehearsedOut(Schema):
    run_id: UUID
    at: datetime
    decision: str
    reason: str
    title: str
    body: str
    trace: list[_Json]


class RehearsalOut(Schema):
    looked_at: int
    alerts: int
    told: list[RehearsedOut] = Field(description="Newest first, at most 500.")


class TextIn(In):
    text: str = Field(min_length=1, max_length=2000)


class MissingOut(Schema):
    field: str
    question: str


class ProposalOut(Schema):
    automation: _Json = Field(description="Fields for POST automations, as far as the words say them.")
    schedule_in_words: str | None
    missing: list[MissingOut]
    band: str
    score: float


class EventIn(In):
    payload: _Json = Field(default_factory=dict)


class EventTakenOut(Schema):
    run_ids: list[UUID]
