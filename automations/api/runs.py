"""Routes for the runs of automations, and for the events that start them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from ninja import Query, Router, Status

from automations import selectors
from automations.api import serialize, shapes
from automations.services import access, feed, settlement
from donna_skills.accounts.models import Scope
from donna_skills.rest import etags, pages
from donna_skills.rest.auth import ApiRequest, scope
from donna_skills.rest.idempotency import idempotent
from lifecycle.api.shapes import NothingIn

router = Router(tags=["automations"])
READ, WRITE = scope(Scope.AUTOMATIONS_READ), scope(Scope.AUTOMATIONS_WRITE)


@router.get(
    "/automations/{automation_id}/runs",
    auth=READ,
    operation_id="list_automation_runs",
    response=pages.Page[shapes.AutomationRunOut],
    summary="Every occurrence and every asking, skipped ones too, newest first",
)
def list_automation_runs(request: ApiRequest, automation_id: UUID, query: Query[shapes.AutomationRunFilters]) -> Any:
    automation = access.get(automation_id, actor=request.actor)
    return pages.page(
        selectors.run_list(automation, status=query.status or ""), query=query, serialize=serialize.run_out
    )


@router.get(
    "/automation-runs/{run_id}",
    auth=READ,
    operation_id="get_automation_run",
    response={200: shapes.AutomationRunDetailOut, 304: None},
    summary="One run: what it did, why it alerted or not, and the lifecycle's runs behind it",
)
def get_automation_run(request: ApiRequest, run_id: UUID, response: HttpResponse) -> Any:
    run = selectors.get_run(run_id, actor=request.actor)
    etag = etags.strong(run.pk, run.status, run.finished_at, run.lifecycle_run_id, run.alert)
    if same := etags.not_modified(request, etag):
        return same
    response["ETag"] = etag
    return serialize.run_detail_out(run)


@router.post(
    "/automation-runs/{run_id}/cancel",
    auth=WRITE,
    operation_id="cancel_automation_run",
    response=shapes.AutomationRunDetailOut,
    summary="End a run that waits or is on",
)
@idempotent
def cancel_automation_run(request: ApiRequest, run_id: UUID, body: NothingIn | None = None) -> Any:
    return serialize.run_detail_out(
        settlement.cancel(selectors.get_run(run_id, actor=request.actor), actor=request.actor)
    )


@router.post(
    "/events/{name}",
    auth=WRITE,
    operation_id="post_event",
    response={202: shapes.EventTakenOut},
    summary="Say that something happened: the automations that wait for it are started",
)
@idempotent
def post_event(request: ApiRequest, name: str, body: shapes.EventIn | None = None) -> Any:
    started = feed.post(name, body.payload if body else {}, actor=request.actor)
    return Status(202, {"run_ids": [run.pk for run in started]})
