"""A small API with one route for each rule, mounted where the real one is."""

from __future__ import annotations

import itertools
from typing import Any
from uuid import UUID

from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from ninja import Body, File, Query, Router, Schema, Status
from ninja.files import UploadedFile

from donna_skills import errors, health
from donna_skills.accounts.models import User
from donna_skills.rest import etags, pages
from donna_skills.rest.application import Api
from donna_skills.rest.auth import ApiRequest, scope
from donna_skills.rest.idempotency import idempotent
from donna_skills.rest.pages import Page, PageQuery
from donna_skills.rest.parsing import parse_json

router = Router()
made = itertools.count(1)
fails: list[Exception] = []


class ThingIn(Schema):
    name: str
    inputs: dict[str, Any] = {}


class ThingOut(Schema):
    id: int
    name: str


class PersonOut(Schema):
    id: UUID
    username: str


@router.get("/whoami", auth=scope("runs:read"), operation_id="whoami")
def whoami(request: ApiRequest) -> dict[str, str]:
    return {"actor": request.actor.describe(), "token": str(request.token.pk)}


@router.post("/decide", auth=scope("reviews:decide"), operation_id="decide")
def decide(request: ApiRequest) -> dict[str, str]:
    return {}


@router.post("/things", auth=scope("runs:write"), response={201: ThingOut}, operation_id="create_thing")
@idempotent
def create_thing(request: ApiRequest, payload: ThingIn, response: HttpResponse) -> Any:
    if fails:
        raise fails.pop()
    response["Location"] = "/api/v1/things/1"
    return Status(201, {"id": next(made), "name": payload.name})


@router.post("/echo", auth=scope("runs:write"), operation_id="echo")
def echo(request: ApiRequest, payload: Body[dict[str, Any]], flavour: str = "") -> Any:
    return {"payload": payload, "flavour": flavour}


@router.post("/lines", auth=scope("runs:write"), operation_id="lines")
def lines(request: ApiRequest) -> Any:
    return [parse_json(line) for line in request.body.splitlines()]


@router.post("/files", auth=scope("runs:write"), operation_id="files")
def files(request: ApiRequest, file: File[UploadedFile]) -> Any:
    return {"size": file.size}


@router.get("/people", auth=scope("runs:read"), response=Page[PersonOut], operation_id="list_people")
def people(request: ApiRequest, query: Query[PageQuery], order: str = "-id") -> Any:
    return pages.page(User.objects.all(), query=query, order=order)


@router.get("/named/{name}", auth=scope(), operation_id="get_named")
def named(request: ApiRequest, name: str) -> Any:
    return {"found": User.objects.filter(username=name).exists()}


@router.get("/documents/{number}", auth=scope("runs:read"), operation_id="get_document")
def document(request: ApiRequest, number: int, response: HttpResponse) -> Any:
    etag = etags.strong("document", number)
    if same := etags.not_modified(request, etag):
        return same
    response["ETag"] = etag
    return {"number": number}


@router.patch("/documents/{number}", auth=scope("runs:write"), operation_id="change_document")
def change_document(request: ApiRequest, number: int) -> Any:
    etags.require_match(request, etags.strong("document", number))
    return {"number": number}


def _sqlite(message: str) -> OperationalError:
    import sqlite3

    error = OperationalError(message)
    error.__cause__ = sqlite3.OperationalError(message)
    return error


FAILURES: dict[str, Exception] = {
    "conflict": errors.AlreadyDecided("It was decided by Anna."),
    "gate": errors.HumanGateRequired("A person has to approve this."),
    "budget": errors.BudgetPaused("Today's budget is used up.", retry_after_s=90),
    "model": errors.ModelUnavailable("The model did not answer."),
    "gone": errors.Gone("It was revoked."),
    "fields": errors.Invalid("Two things.", errors=[errors.FieldError("a.b", "It is wrong.", "wrong", line=3)]),
    "missing": Http404("secret detail"),
    "locked": _sqlite("database is locked"),
    "bug": _sqlite("no such column: x"),
    "lost": InterfaceError("connection already closed"),
    "value": DataError("integer out of range"),
    "unforeseen": RuntimeError("secret detail"),
}


@router.get("/fails/{how}", auth=None, operation_id="fail", include_in_schema=False)
def fail(request: HttpRequest, how: str) -> Any:
    raise FAILURES[how]


api = Api(title="Test", version="1", urls_namespace="api", openapi_url="/openapi.json", docs_url="/docs")
api.add_router("", health.router)
api.add_router("", router)
urlpatterns = [path("api/v1/", api.urls)]
