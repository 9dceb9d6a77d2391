"""Runs that bots carried out themselves and report: one or many, in any order, as often as they like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from donna_skills.accounts.models import ApiToken
from donna_skills.errors import FieldError, Invalid
from donna_skills.inserts import PreparedInsert
from donna_skills.lookups import ANY_ID, PreparedRow
from lifecycle.execution import schemas
from lifecycle.models import Capability, RunPath, RunStatus, Skill, SkillRun, SkillVersion
from lifecycle.services import shadows

_FUTURE_ALLOWED = timedelta(minutes=5)
MAX_LATENCY_MS = 2_147_483_647


@dataclass(frozen=True)
class Report:
    """What a bot says of one run; `outcome` defaults to the status, `version` is a number of the skill's versions."""

    capability: str
    status: str
    inputs: dict[str, Any]
    external_id: str
    output: Any = None
    outcome: str = ""
    version: int | None = None
    cost_usd: Decimal = field(default_factory=Decimal)
    latency_ms: int | None = None
    started_at: datetime | None = None
    error: str = ""
    user_id: str = ""


@dataclass(frozen=True)
class Stored:
    run_id: Any
    external_id: str
    created: bool


def record(report: Report, *, token: ApiToken) -> Stored:
    """Store one reported run. The same external id again is answered with the first run, whatever it says now."""
    if report.version is None:
        # Nothing of it is compared, so nobody but the row needs to know the skill's state: the insert reads it.
        run, insert = _run_of(report, _contract_of(report.capability), state="", token=token), _natives.insert
    else:
        run, insert = _Known.of([report]).run_of(report, token=token), _runs.insert
    if insert(run):
        return Stored(run.pk, report.external_id, created=True)
    first = SkillRun.objects.only("pk").get(token=token, external_id=report.external_id, reported=True)
    return Stored(first.pk, report.external_id, created=False)


def record_batch(reports: Sequence[Report], *, token: ApiToken) -> list[Stored]:
    """Store many in one transaction: all of them, or none and Invalid naming each line that is wrong (from 1).

    A handful of queries whatever the number: what the reports speak of, the insert, and what is there now.
    """
    known = _Known.of(reports)
    runs, errors = [], []
    for line, report in enumerate(reports, start=1):
        try:
            runs.append(known.run_of(report, token=token))
        except Invalid as error:
            errors += [FieldError(f"/{line}{e.path}", e.message, code=e.code, line=line) for e in error.errors]
    if errors:
        raise Invalid(
            f"{len(errors)} problems were found; nothing was stored.", code="batch_invalid", errors=errors[:100]
        )

    first_of = {run.external_id: run for run in reversed(runs)}
    reported = SkillRun.objects.filter(token=token, reported=True, external_id__in=list(first_of))
    with transaction.atomic():
        _runs.insert_many(first_of.values())
        stored = dict(reported.values_list("external_id", "pk"))
    ours = {external_id: run.pk for external_id, run in first_of.items()}
    return [
        Stored(
            stored[report.external_id],
            report.external_id,
            created=ours.pop(report.external_id, None) == stored[report.external_id],
        )
        for report in reports
    ]


@dataclass(frozen=True)
class _Contract:
    """What is needed of a capability to take a report of it. Schemas never change once registered (the database refuses
    it), and neither do versions, so what was read once is true for good."""

    capability_id: UUID
    skill_id: UUID
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any]


_runs = PreparedInsert(SkillRun)
_natives = PreparedInsert(
    SkillRun, computed={"state_at_run": ("(SELECT state FROM lifecycle_skill WHERE id = %s)", "skill")}
)
_state_of = PreparedRow(lambda skill_id: Skill.objects.filter(pk=skill_id).values_list("state"), mark=ANY_ID)


@lru_cache(maxsize=1024)
def _contract(name: str) -> _Contract:
    """Raises Capability.DoesNotExist, which is not remembered: the capability may come."""
    found = Capability.objects.values_list("pk", "skill__pk", "input_schema", "output_schema").get(name=name)
    return _Contract(*found)


@lru_cache(maxsize=4096)
def _version_id(skill_id: UUID, number: int) -> UUID:
    """Raises SkillVersion.DoesNotExist, which is not remembered: the version may come."""
    return SkillVersion.objects.values_list("pk", flat=True).get(skill_id=skill_id, number=number)


class _Known:
    """The capabilities that some reports speak of: each with its skill's state, read now, and its contract, kept."""

    def __init__(self, found: dict[str, tuple[_Contract, str]]) -> None:
        self._found = found

    @classmethod
    def of(cls, reports: Sequence[Report]) -> _Known:
        return cls({name: found for name in {r.capability for r in reports} if (found := cls._read(name))})

    @staticmethod
    def _read(name: str) -> tuple[_Contract, str] | None:
        try:
            contract = _contract(name)
            row = _state_of.get(contract.skill_id)
            if row is None:  # what was kept is of another database, restored or emptied under this process
                _contract.cache_clear()
                contract = _contract(name)
                row = _state_of.get(contract.skill_id)
        except Capability.DoesNotExist:
            return None
        return None if row is None else (contract, str(row[0]))

    def run_of(self, report: Report, *, token: ApiToken) -> SkillRun:
        """The unsaved run, or Invalid with a path and a sentence for each thing wrong."""
        if report.capability not in self._found:
            raise _no_capability(report.capability)
        contract, state = self._found[report.capability]
        return _run_of(report, contract, state=state, token=token)


def _contract_of(name: str) -> _Contract:
    try:
        return _contract(name)
    except Capability.DoesNotExist:
        raise _no_capability(name) from None


def _no_capability(name: str) -> Invalid:
    return _invalid(FieldError("/capability", f"there is no capability {name[:80]!r}"))


def _run_of(report: Report, contract: _Contract, *, state: str, token: ApiToken) -> SkillRun:
    errors = [
        FieldError(f"/inputs{path}", message)
        for path, message in schemas.problems(report.inputs, contract.input_schema)
    ]
    version_id = None
    if report.version is not None:
        try:
            version_id = _version_id(contract.skill_id, report.version)
        except SkillVersion.DoesNotExist:
            errors.append(FieldError("/version", f"{report.capability} has no version {report.version}"))
    started, finished = _times(report)
    if started > timezone.now() + _FUTURE_ALLOWED:
        errors.append(FieldError("/started_at", "lies in the future"))
    if errors:
        raise _invalid(*errors)
    mismatch = _output_problem(report, contract)
    run = SkillRun(
        capability_id=contract.capability_id,
        skill_id=contract.skill_id,
        version_id=version_id,
        path=RunPath.SKILL if version_id else RunPath.NATIVE,
        state_at_run=state,
        status=report.status,
        outcome=report.outcome or report.status,
        degraded=bool(mismatch),
        inputs=report.inputs,
        output=report.output,
        error=report.error or mismatch,
        cost_usd=report.cost_usd,
        latency_ms=report.latency_ms,
        reported=True,
        token_id=token.pk,
        user_id=report.user_id,
        external_id=report.external_id,
        created_at=started,
        started_at=started,
        finished_at=finished,
    )
    now = timezone.now()
    run.compare_at = now if shadows.is_wanted_of_report(run, now) else None
    return run


def _times(report: Report) -> tuple[datetime, datetime]:
    """When it began and ended: what the bot says, or now minus what it says it took."""
    took = timedelta(milliseconds=report.latency_ms or 0)
    started = report.started_at or timezone.now() - took
    try:
        return started, started + took
    except OverflowError:
        return started, started


def _output_problem(report: Report, contract: _Contract) -> str:
    """A success whose output breaks the contract is kept, and counts as degraded."""
    if report.status != RunStatus.SUCCEEDED:
        return ""
    problems = schemas.problems(report.output, contract.output_schema)
    return f"The reported output does not match the schema: {problems[0][0]} {problems[0][1]}" if problems else ""


def _invalid(*errors: FieldError) -> Invalid:
    return Invalid("The reported run is not valid; nothing was stored.", code="report_invalid", errors=errors)
