"""Routes for runs: ask for one, report one, read them, correct them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status
from pydantic import TypeAdapter, ValidationError

from donna_skills.accounts.models import Scope
from donna_skills.errors import FieldError, Invalid, NotFound, TooLarge
from donna_skills.rest import etags, openapi, pages
from donna_skills.rest.auth import ApiRequest, scope
from donna_skills.rest.fields import Moment
from donna_skills.rest.idempotency import idempotent
from donna_skills.rest.parsing import parse_json, whole_body
from lifecycle import selectors
from lifecycle.api import serialize, shapes
from lifecycle.models import Divergence, RunPath, RunStatus, SkillRun
from lifecycle.services import corrections, fixtures, reports, runs, waiting

router = Router(tags=["runs"])
READ, WRITE = scope(Scope.RUNS_READ), scope(Scope.RUNS_WRITE)
NDJSON = "application/x-ndjson"
MAX_BATCH_LINES = 1_000


class RunFilters(pages.PageQuery):
    status: RunStatus | None = None
    capability: str | None = None
    skill_id: UUID | None = None
    path: RunPath | None = None
    since: Moment | None = None


@router.post(
    "/runs",
    auth=WRITE,
    operation_id="execute_run",
    response={201: shapes.RunOut, 202: shapes.RunOut},
    summary="Have work done, by whoever serves the capability now",
    openapi_extra=openapi.failing(404),
)
@idempotent
def execute_run(request: ApiRequest, body: shapes.RunIn, response: HttpResponse) -> Any:
    run = waiting.answer(
        body.capability,
        inputs=body.inputs,
        request=runs.Request(actor=request.actor, user_id=body.user_id or "", external_id=body.external_id or ""),
        wait_s=_patience(body.wait),
    )
    response["Location"] = f"/api/v1/skill-runs/{run.pk}"
    return Status(202 if run.is_open else 201, serialize.run_out(run))


@router.post(
    "/runs/report",
    auth=WRITE,
    operation_id="report_run",
    response={201: shapes.StoredOut},
    summary="Report a run that the bot carried out itself",
)
@idempotent
def report_run(request: ApiRequest, body: shapes.ReportIn) -> Any:
    stored = reports.record(_report(body), token=request.token)
    return Status(201, {"id": stored.run_id, "external_id": stored.external_id, "created": stored.created})


@router.post(
    "/runs/batch",
    auth=WRITE,
    operation_id="report_runs",
    response={201: shapes.BatchOut},
    summary="Report up to 1 000 runs, one JSON object a line (NDJSON): all are stored, or none",
    openapi_extra=openapi.body(
        content={NDJSON: {"type": "string", "description": "A report as of report_run a line."}}
    ),
)
@idempotent
def report_runs(request: ApiRequest) -> Any:
    stored = reports.record_batch(_lines(request), token=request.token)
    created = sum(1 for one in stored if one.created)
    items = [{"id": one.run_id, "external_id": one.external_id, "created": one.created} for one in stored]
    return Status(201, {"items": items, "created": created, "repeated": len(items) - created})


@router.get(
    "/skill-runs", auth=READ, operation_id="list_runs", response=pages.Page[shapes.RunOut], summary="Runs, newest first"
)
def list_runs(request: HttpRequest, query: Query[RunFilters]) -> Any:
    found = selectors.run_list(
        status=query.status or "",
        capability=query.capability or "",
        skill_id=query.skill_id,
        path=query.path or "",
        since=query.since,
    )
    return pages.page(found, query=query, serialize=serialize.run_out)


@router.get(
    "/skill-runs/{run_id}",
    auth=READ,
    operation_id="get_run",
    response={200: shapes.RunDetailOut, 304: None},
    summary="One run with its steps, state and links",
)
def get_run(request: HttpRequest, run_id: UUID, response: HttpResponse) -> Any:
    run = _run(run_id)
    found = serialize.run_detail_out(run)
    etag = etags.strong(
        run.pk,
        run.status,
        run.finished_at,
        len(found["steps"]),
        found["fallbacks"],
        found["shadows"],
        len(found["corrections"]),
    )
    if same := etags.not_modified(request, etag):
        return same
    response["ETag"] = etag
    return found


@router.get(
    "/skill-runs/{run_id}/divergence",
    auth=READ,
    operation_id="get_divergence",
    response=shapes.DivergenceOut,
    summary="How far the run's answer agreed with the reference's, once that is known",
)
def get_divergence(request: HttpRequest, run_id: UUID) -> Any:
    found = Divergence.objects.select_related("version").filter(run_id=_run(run_id).pk).first()
    if found is None:
        raise NotFound("This run has not been compared with the reference.")
    return serialize.divergence_out(found)


@router.post(
    "/skill-runs/{run_id}/corrections",
    auth=WRITE,
    operation_id="correct_run",
    response={201: shapes.CorrectionOut},
    summary="Say what one field of the output should have been",
)
@idempotent
def correct_run(request: ApiRequest, run_id: UUID, body: shapes.CorrectionIn) -> Any:
    correction = corrections.add(
        _run(run_id),
        field=body.field,
        corrected=body.corrected,
        original=body.original,
        note=body.note or "",
        actor=request.actor,
    )
    return Status(201, serialize.correction_out(correction))


@router.post(
    "/skill-runs/{run_id}/capture-fixture",
    auth=WRITE,
    operation_id="capture_fixture",
    response={201: shapes.CaptureOut},
    summary="Make a fixture of a run that succeeded",
)
@idempotent
def capture_fixture(request: ApiRequest, run_id: UUID, body: shapes.CaptureIn | None = None) -> Any:
    name = (body.name or "") if body else ""
    return Status(201, {"fixture_id": fixtures.capture(_run(run_id), name=name, actor=request.actor).pk})


def _run(run_id: UUID) -> SkillRun:
    found = SkillRun.objects.select_related("capability__skill", "version", "skill").filter(pk=run_id).first()
    if found is None:
        raise NotFound("There is no such run.")
    return found


def _patience(wait: bool | float) -> float:
    if wait is True or wait is False:
        return waiting.MAX_WAIT_S if wait else 0.0
    if not 0 <= wait <= waiting.MAX_WAIT_S:
        raise Invalid(
            "A run can be waited for up to 60 s.", errors=[FieldError("wait", "true, false, or 0 to 60 seconds")]
        )
    return float(wait)


_report_in = TypeAdapter(shapes.ReportIn)


def _lines(request: HttpRequest) -> list[reports.Report]:
    """The NDJSON body as reports; Invalid names the lines that cannot be read."""
    raw = [line for line in whole_body(request).split(b"\n") if line.strip()]
    if not raw:
        raise Invalid("The body is empty: send one JSON object a line.", code="malformed_json")
    if len(raw) > MAX_BATCH_LINES:
        raise TooLarge(f"A batch holds up to {MAX_BATCH_LINES} runs; this one has {len(raw)} lines.")
    found, errors = [], []
    for number, line in enumerate(raw, start=1):
        try:
            found.append(_report(_report_in.validate_python(parse_json(line))))
        except Invalid as error:
            errors.append(FieldError(f"/{number}", error.message, code=error.code, line=number))
        except ValidationError as error:
            errors += [
                FieldError("/".join(["", str(number), *map(str, e["loc"])]), e["msg"], code=e["type"], line=number)
                for e in error.errors()
            ]
    if errors:
        raise Invalid(
            f"{len(errors)} problems were found; nothing was stored.", code="batch_invalid", errors=errors[:100]
        )
    return found


def _report(body: shapes.ReportIn) -> reports.Report:
    """What is null was left out."""
    said = {name: value for name in shapes.ReportIn.model_fields if (value := getattr(body, name)) is not None}
    if body.latency_ms is not None:
        said["latency_ms"] = round(body.latency_ms)
    return reports.Report(**said)
