"""Routes for capabilities: what can be asked for, and which one a text asks for."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status

from donna_skills.accounts.models import Scope
from donna_skills.rest import etags, pages
from donna_skills.rest.auth import ApiRequest, scope
from donna_skills.rest.idempotency import idempotent
from lifecycle.api import serialize, shapes
from lifecycle.models import Capability
from lifecycle.services import capabilities

router = Router(tags=["capabilities"])
READ, WRITE = scope(Scope.SKILLS_READ), scope(Scope.SKILLS_WRITE)


@router.get(
    "/capabilities",
    auth=READ,
    operation_id="list_capabilities",
    response=pages.Page[shapes.CapabilityOut],
    summary="Capabilities by name",
)
def list_capabilities(request: HttpRequest, query: Query[pages.PageQuery]) -> Any:
    found = Capability.objects.select_related("skill")
    return pages.page(found, query=query, order="name", serialize=serialize.capability_out)


@router.post(
    "/capabilities",
    auth=WRITE,
    operation_id="create_capability",
    response={201: shapes.CapabilityOut},
    summary="Register a capability; one that resembles another waits for a person",
)
@idempotent
def create_capability(request: ApiRequest, body: shapes.CapabilityIn) -> Any:
    capability = capabilities.register(
        body.name,
        description=body.description,
        input_schema=body.input_schema,
        output_schema=body.output_schema,
        examples=body.examples,
        granted_tools=body.granted_tools,
        trigger_type=body.trigger_type,
        actor=request.actor,
    )
    return Status(201, serialize.capability_out(capability))


@router.post(
    "/capabilities/match",
    auth=READ,
    operation_id="match_capability",
    response=shapes.MatchOut,
    summary="Which capability a text asks for",
)
def match_capability(request: HttpRequest, body: shapes.MatchIn) -> Any:
    found = capabilities.match(body.text)
    return {
        "best": found.best.name if found.best else None,
        "score": found.score,
        "band": found.band,
        "candidates": [{"capability": match.name, "score": match.score} for match in found.candidates[:50]],
    }


@router.get(
    "/capabilities/{name}",
    auth=READ,
    operation_id="get_capability",
    response={200: shapes.CapabilityOut, 304: None},
    summary="One capability with its schemas",
)
def get_capability(request: HttpRequest, name: str, response: HttpResponse) -> Any:
    capability = capabilities.get(name)
    etag = etags.strong(capability.pk, capability.updated_at, capability.status, capability.skill.state)
    if same := etags.not_modified(request, etag):
        return same
    response["ETag"] = etag
    return serialize.capability_out(capability)
