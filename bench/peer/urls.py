"""The two endpoints: insert a row, and answer 304 for the newest one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path
from ninja import NinjaAPI, Schema

from bench.peer.models import Row

api = NinjaAPI()


class RowIn(Schema):
    capability: str
    status: str
    inputs: dict[str, Any]
    output: Any = None
    cost_usd: Decimal = Decimal(0)
    latency_ms: int | None = None
    external_id: str


class RowOut(Schema):
    id: int
    external_id: str


@api.post("/rows", response={201: RowOut})
def insert(request: HttpRequest, body: RowIn) -> Any:
    return 201, Row.objects.create(**body.dict())


@api.get("/rows/{capability}")
def newest(request: HttpRequest, capability: str) -> Any:
    row = Row.objects.order_by("-pk").first()
    etag = f'"{row.pk if row else 0}"'
    if request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=304, headers={"ETag": etag})
    return HttpResponse(b"{}", headers={"ETag": etag}, content_type="application/json")


urlpatterns = [path("api/", api.urls)]
