"""What the API takes and gives: one schema a thing, built from rows by one function each."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeVar
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field, ValidationError

from donna_skills.errors import FieldError, Invalid
from donna_skills.rest.fields import Moment
from donna_skills.rest.parsing import parse_json


class In(Schema):
    """A request body. What is not known is refused, so that a typing error does not pass for a default, and nothing is
    read as another type: "off" is no boolean and "3" no number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class NothingIn(In):
    """The body of a request that its address says in full: none, or an empty object."""


Money = Decimal
"""US dollars, as a decimal string."""

_Json = dict[str, Any]


class RunIn(In):
    capability: str = Field(max_length=64)
    inputs: _Json
    user_id: str | None = Field(None, max_length=200)
    external_id: str | None = Field(None, max_length=200)
    wait: bool | float = Field(
        True, description="Wait for the answer: true (up to 60 s), seconds from 0 to 60, or false."
    )


_Typed = Literal["succeeded", "failed", "escalated", "timed_out", "permission_blocked", "cancelled"]


class ReportIn(In):
    capability: str = Field(max_length=64)
    version: int | None = Field(
        None, ge=1, le=2_147_483_647, description="Number of the version that the bot executed."
    )
    status: _Typed
    outcome: _Typed | Literal[""] | None = None
    inputs: _Json
    output: Any = None
    cost_usd: Decimal = Field(
        Decimal(0), ge=0, le=Decimal(1_000_000), allow_inf_nan=False, max_digits=14, decimal_places=6, strict=False
    )
    latency_ms: float | None = Field(None, ge=0, le=2_147_483_647, allow_inf_nan=False, description="Kept in whole ms.")
    started_at: Moment | None = Field(None, strict=False)
    external_id: str = Field(min_length=1, max_length=200, description="The bot's own id: reporting twice stores once.")
    error: str | None = Field(None, max_length=10_000)
    user_id: str | None = Field(None, max_length=200)


class StoredOut(Schema):
    id: UUID
    external_id: str
    created: bool


class BatchOut(Schema):
    items: list[StoredOut]
    created: int
    repeated: int


class StepOut(Schema):
    name: str
    index: int
    kind: str
    status: str
    output: Any
    error: str
    input_tokens: int
    output_tokens: int
    cost_usd: Money
    latency_ms: int


class RunOut(Schema):
    id: UUID
    capability: str
    skill_id: UUID | None
    version: int | None
    version_digest: str | None
    path: str
    state_at_run: str
    status: str
    outcome: str | None
    degraded: bool
    inputs: _Json
    output: Any
    error: str
    escalation_reason: str
    cost_usd: Money
    latency_ms: int | None
    shadow: bool
    fallback_of: UUID | None
    automation_run_id: UUID | None
    external_id: str
    user_id: str
    started_at: datetime | None
    finished_at: datetime | None
    created_at: datetime


class RunDetailOut(RunOut):
    state: _Json
    tool_calls: list[Any]
    triage: list[Any]
    steps: list[StepOut]
    fallbacks: list[UUID]
    shadows: list[UUID]
    shadow_of: UUID | None
    corrections: list[CorrectionOut]


class DivergenceOut(Schema):
    id: UUID
    run_id: UUID
    version: int
    status: Literal["judged", "abstained"]
    agreement: float | None
    rationale: str
    abstained_because: str
    reference_run_id: UUID | None
    output: Any
    reference_output: Any
    at: datetime


class CorrectionIn(In):
    field: str = Field(min_length=1, max_length=200, description="A dotted path into the output, as in items.0.title.")
    corrected: Any
    original: Any = None
    note: str | None = Field(None, max_length=10_000)


class CorrectionOut(Schema):
    id: UUID
    field: str
    original: Any
    corrected: Any
    note: str
    at: datetime


class CaptureIn(In):
    name: str | None = Field(None, max_length=200)


class CaptureOut(Schema):
    fixture_id: UUID


class CapabilityIn(In):
    name: str = Field(max_length=64)
    description: str = Field(max_length=10_000)
    input_schema: _Json
    output_schema: _Json
    examples: list[str] = Field(default_factory=list, max_length=50)
    granted_tools: list[str] = Field(default_factory=list, max_length=50)
    trigger_type: Literal["on_demand", "on_schedule", "on_event"] = "on_demand"


class CapabilityOut(Schema):
    id: UUID
    name: str
    description: str
    examples: list[Any]
    input_schema: _Json
    output_schema: _Json
    trigger_type: str
    status: str
    granted_tools: list[Any]
    skill_id: UUID
    skill_state: str


class MatchIn(In):
    text: str = Field(min_length=1, max_length=10_000)


class CandidateMatchOut(Schema):
    capability: str
    score: float


class MatchOut(Schema):
    best: str | None
    score: float
    band: Literal["HIGH", "MEDIUM", "LOW"]
    candidates: list[CandidateMatchOut]


class VersionOut(Schema):
    id: UUID
    number: int
    digest: str
    status: str
    parent: int | None
    author_kind: str
    author: str | None
    changelog: str
    created_at: datetime
    released_at: datetime | None


class BaselineOut(Schema):
    mean: float
    success_rate: float | None
    lower: float | None
    n: int
    version: int | None


class ReasonOut(Schema):
    code: str
    message: str


class WhyNotOut(Schema):
    next_state: str | None
    progress: str
    unmet: list[ReasonOut]


class SkillOut(Schema):
    id: UUID
    capability: str
    state: str
    state_label: str
    state_entered_at: datetime
    version: int | None
    version_digest: str | None
    requires_human_gate: bool
    paused: bool
    flagged_from: str | None


class ReadinessOut(Schema):
    version: int
    step: str
    sentence: str
    action: str
    verdict: Literal["PASS", "HOLD", "BLOCK"] | None = Field(description="null where no gate has looked yet.")
    decision_id: UUID | None


class SkillDetailOut(SkillOut):
    current_version: VersionOut | None
    baseline: BaselineOut | None
    why_not: WhyNotOut
    readiness: ReadinessOut | None


class StateIn(In):
    to_state: str = Field(max_length=64)
    reason: str = Field(max_length=64)
    notes: str | None = Field(None, max_length=10_000)


class StateOut(Schema):
    skill_id: UUID
    from_state: str
    to_state: str
    transition_id: UUID


class FlagIn(In):
    value: bool


class NoteIn(In):
    note: str | None = Field(None, max_length=10_000)


class FileIn(In):
    path: str = Field(max_length=255)
    text: str | None = None
    base64: str | None = Field(None, description="For a file that is no UTF-8 text.")


class VersionIn(In):
    files: list[FileIn] = Field(max_length=200)
    changelog: str | None = Field(None, max_length=10_000)


class SubmittedOut(Schema):
    version: VersionOut
    review_id: UUID
    state: str


class TransitionOut(Schema):
    id: UUID
    version: int | None
    from_state: str
    to_state: str
    reason: str
    actor_kind: str
    actor: str
    note: str
    evidence: _Json
    at: datetime


class PackageOut(Schema):
    capability: str
    version: int
    digest: str
    state: str
    files: list[FileIn]


class EdgeOut(Schema):
    from_state: str
    to_state: str
    reasons: list[str]


class StateTableOut(Schema):
    states: list[_Json]
    reasons: list[_Json]
    transitions: list[EdgeOut]
    conditions: list[_Json]


class FixtureOut(Schema):
    id: UUID
    name: str
    input: _Json
    expected_output: Any
    assertions: list[Any]
    tool_mocks: list[Any]
    source: str
    created_at: datetime


Body = TypeVar("Body", bound=In)


def parsed(cls: type[Body], raw: bytes) -> Body:
    """A JSON body that the route reads itself, with the same refusals as django-ninja's own."""
    try:
        return cls.model_validate(parse_json(raw))
    except ValidationError as error:
        found = [FieldError(".".join(map(str, e["loc"])), f"{e['msg']}.", str(e["type"])) for e in error.errors()]
        raise Invalid("The body is not valid.", errors=found) from None


RunDetailOut.model_rebuild()
