"""Routes for automations: make, read, change, pause, run, share; and what to ask before any of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Status

from automations import selectors
from automations.api import serialize, shapes
from automations.models import Automation, CreatedVia
from automations.services import access, automations, proposals
from donna_skills.accounts.models import Scope
from donna_skills.errors import FieldError, Invalid, PreconditionFailed, PreconditionRequired
from donna_skills.rest import etags, openapi, pages
from donna_skills.rest.auth import ApiRequest, scope
from donna_skills.rest.idempotency import idempotent
from lifecycle.api.shapes import NothingIn

router = Router(tags=["automations"])
READ, WRITE = scope(Scope.AUTOMATIONS_READ), scope(Scope.AUTOMATIONS_WRITE)
_SHOWN_OF_A_REHEARSAL = 500
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "schema": {"type": "string"},
    "description": "The ETag of the automation as it was read.",
}


@router.get(
    "/automations",
    auth=READ,
    operation_id="list_automations",
    response=pages.Page[shapes.AutomationOut],
    summary="Automations that the token may look at, newest first",
)
def list_automations(request: ApiRequest, query: Query[shapes.AutomationFilters]) -> Any:
    found = selectors.automation_list(
        request.actor,
        status=query.status,
        capability=query.capability_name or "",
        trigger=query.trigger or "",
        owner=query.owner or "",
        text=query.text or "",
    )
    return pages.page(found, query=query, serialize=serialize.automation_out)


@router.post(
    "/automations",
    auth=WRITE,
    operation_id="create_automation",
    response={201: shapes.AutomationDetailOut},
    summary="A new automation of the token's owner",
)
@idempotent
def create_automation(request: ApiRequest, body: shapes.AutomationIn, response: HttpResponse) -> Any:
    wanted = {name: value for name, value in body.dict(exclude_unset=True).items() if value is not None}
    made = automations.create(wanted, actor=request.actor, via=CreatedVia.API)
    response["Location"] = f"/api/v1/automations/{made.pk}"
    response["ETag"] = _etag(made)
    return Status(201, _detail(made))


@router.post(
    "/automations/preview",
    auth=READ,
    operation_id="preview_schedule",
    response=shapes.PreviewOut,
    summary="What a schedule means: in words, and its next occurrences with what daylight saving does to them",
)
def preview_schedule(request: ApiRequest, body: shapes.PreviewIn) -> Any:
    found = proposals.preview(body.schedule, body.timezone, now=timezone.now(), count=body.count)
    return {
        "in_words": found.words,
        "occurrences": [{"local": one.local, "utc": one.utc, "note": one.note} for one in found.occurrences],
        "smallest_gap_seconds": found.smallest_gap.total_seconds(),
    }


@router.post(
    "/automations/rehearse",
    auth=READ,
    operation_id="rehearse_alert",
    response=shapes.RehearsalOut,
    summary="What an alert would have told over the past, of an automation or of all requests of a capability",
    openapi_extra=openapi.failing(404),
)
def rehearse_alert(request: ApiRequest, body: shapes.RehearseIn) -> Any:
    now = timezone.now()
    if body.automation_id is not None:
        automation = access.get(body.automation_id, actor=request.actor)
        if body.alert_conditions is not None:
            automation.alert_conditions = body.alert_conditions
        found = proposals.rehearse(automation, selectors.past_runs(automation, now, days=body.days))
    elif body.capability_name and body.alert_conditions is not None:
        automation = proposals.unsaved(body.capability_name, body.alert_conditions)
        found = proposals.rehearse(automation, proposals.past_of(automation.capability, now=now, days=body.days))
    else:
        sentence = "Name an automation, or a capability and conditions."
        raise Invalid(sentence, errors=[FieldError("automation_id", sentence)])
    told = [
        {
            "run_id": one.run.pk,
            "at": one.run.finished_at or one.run.created_at,
            "decision": one.notice.kind,
            "reason": one.notice.reason,
            "title": one.text.title,
            "body": one.text.body,
            "trace": list(one.evaluation.clauses),
        }
        for one in found.told[:_SHOWN_OF_A_REHEARSAL]
    ]
    return {"looked_at": found.looked_at, "alerts": found.alerts, "told": told}


@router.post(
    "/automations/from-text",
    auth=READ,
    operation_id="propose_automation",
    response=shapes.ProposalOut,
    summary="A form filled from words, to be looked at and sent as a new automation; nothing is saved",
)
def propose_automation(request: ApiRequest, body: shapes.TextIn) -> Any:
    found = proposals.from_text(body.text)
    fields = {name: value for name, value in found.fields.items() if name != "schedule_in_words"}
    return {
        "automation": fields,
        "schedule_in_words": found.fields.get("schedule_in_words"),
        "missing": [{"field": one.field, "question": one.question} for one in found.missing],
        "band": found.match.band,
        "score": found.match.score,
    }


@router.get(
    "/automations/{automation_id}",
    auth=READ,
    operation_id="get_automation",
    response={200: shapes.AutomationDetailOut, 304: None},
    summary="One automation, its floor and its next starts",
)
def get_automation(request: ApiRequest, automation_id: UUID, response: HttpResponse) -> Any:
    found = access.get(automation_id, actor=request.actor)
    etag = _etag(found)
    if same := etags.not_modified(request, etag):
        return same
    response["ETag"] = etag
    return _detail(found)


@router.patch(
    "/automations/{automation_id}",
    auth=WRITE,
    operation_id="update_automation",
    response=shapes.AutomationDetailOut,
    summary="Change what is named; null clears what may be empty",
    openapi_extra={"parameters": [_IF_MATCH], **openapi.failing(412, 428)},
)
def update_automation(request: ApiRequest, automation_id: UUID, body: shapes.PatchIn, response: HttpResponse) -> Any:
    found = access.get(automation_id, actor=request.actor)
    access.require_change(found, request.actor)
    _require_match(request, found)
    changed = automations.update(
        found, body.dict(exclude_unset=True), actor=request.actor, seen_revision=found.revision
    )
    response["ETag"] = _etag(changed)
    return _detail(changed)


@router.delete(
    "/automations/{automation_id}",
    auth=WRITE,
    operation_id="delete_automation",
    response=shapes.AutomationDetailOut,
    summary="Never run it again; its runs stay readable",
)
def delete_automation(request: ApiRequest, automation_id: UUID) -> Any:
    return _detail(automations.delete(access.get(automation_id, actor=request.actor), actor=request.actor))


@router.post(
    "/automations/{automation_id}/pause",
    auth=WRITE,
    operation_id="pause_automation",
    response=shapes.AutomationDetailOut,
    summary="Start nothing more until it is resumed",
)
@idempotent
def pause_automation(request: ApiRequest, automation_id: UUID, body: shapes.AutomationNoteIn | None = None) -> Any:
    found = access.get(automation_id, actor=request.actor)
    return _detail(automations.pause(found, actor=request.actor, note=(body.note or "") if body else ""))


@router.post(
    "/automations/{automation_id}/resume",
    auth=WRITE,
    operation_id="resume_automation",
    response=shapes.AutomationDetailOut,
    summary="Go on, with failures forgotten and the next start counted from now",
)
@idempotent
def resume_automation(request: ApiRequest, automation_id: UUID, body: NothingIn | None = None) -> Any:
    return _detail(automations.resume(access.get(automation_id, actor=request.actor), actor=request.actor))


@router.post(
    "/automations/{automation_id}/run-now",
    auth=WRITE,
    operation_id="run_automation",
    response={202: shapes.QueuedOut},
    summary="One run at once; no schedule moves",
)
@idempotent
def run_automation(
    request: ApiRequest, automation_id: UUID, response: HttpResponse, body: NothingIn | None = None
) -> Any:
    run = automations.run_now(access.get(automation_id, actor=request.actor), actor=request.actor)
    response["Location"] = f"/api/v1/automation-runs/{run.pk}"
    return Status(202, {"run_id": run.pk, "status": run.status})


@router.post(
    "/automations/{automation_id}/duplicate",
    auth=WRITE,
    operation_id="duplicate_automation",
    response={201: shapes.AutomationDetailOut},
    summary="A paused copy under another name",
)
@idempotent
def duplicate_automation(
    request: ApiRequest, automation_id: UUID, response: HttpResponse, body: NothingIn | None = None
) -> Any:
    made = automations.duplicate(access.get(automation_id, actor=request.actor), actor=request.actor)
    response["Location"] = f"/api/v1/automations/{made.pk}"
    return Status(201, _detail(made))


@router.put(
    "/automations/{automation_id}/shares",
    auth=WRITE,
    operation_id="share_automation",
    response=shapes.AutomationDetailOut,
    summary="Let these people and groups look, or look and run, and nobody else",
)
def share_automation(request: ApiRequest, automation_id: UUID, body: shapes.SharesIn) -> Any:
    wanted = [automations.Share(one.level, one.person or "", one.group or "") for one in body.shares]
    return _detail(automations.share(access.get(automation_id, actor=request.actor), wanted, actor=request.actor))


def _detail(automation: Automation) -> dict[str, Any]:
    return serialize.automation_detail_out(automation, timezone.now())


def _etag(automation: Automation) -> str:
    """Two parts: what somebody wrote, which alone a change is made against, and what runs have counted since."""
    counted = (automation.run_count, automation.failure_count, automation.next_run_at, automation.alert_open)
    written, lived = (
        etags.strong(automation.pk, automation.revision).strip('"'),
        etags.strong(automation.status, automation.floor_seconds, *counted).strip('"'),
    )
    return f'"{written}.{lived}"'


def _require_match(request: HttpRequest, automation: Automation) -> None:
    """A run that ended since is no reason to refuse a change; another change is."""
    given = request.headers.get("If-Match", "")
    if not given:
        raise PreconditionRequired("Send the ETag of the version that you are changing as If-Match.")
    written = _etag(automation).split(".")[0]
    tags = [tag.strip() for tag in given.split(",")]
    if "*" not in tags and not any(tag.startswith(written) for tag in tags):
        raise PreconditionFailed("It has changed since you read it: read it again and decide anew.")
