"""Lists: `{"items", "count", "next"}` by keyset, so that page 1 000 costs what page 1 costs.

    def list_runs(request, page: Query[PageQuery]):
        return pages.page(runs, query=page, order="-id", serialize=run_out)

The cursor is the last row's place. It names no secret and grants nothing, so it is encoded and not signed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone
from ninja import Schema
from pydantic import Field
from pydantic_core import to_json

from donna_skills.errors import FieldError, Invalid
from donna_skills.rest.parsing import parse_json

DEFAULT_LIMIT, MAX_LIMIT = 50, 500
T = TypeVar("T")


class PageQuery(Schema):
    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="How many items at most.")
    cursor: str | None = Field(None, max_length=1_000, description="`next` of the page before; nothing for the first.")


class Page(Schema, Generic[T]):
    items: list[T]
    count: int = Field(description="How many there are on all pages.")
    next: str | None = Field(description="The cursor of the next page, null on the last.")


def page(
    queryset: QuerySet[Any],
    *,
    query: PageQuery,
    order: str = "-id",
    serialize: Callable[[Any], Any] = lambda item: item,
) -> dict[str, Any]:
    """Two queries, whatever the size: the count and the page.

    `order` is a field that is never null, with `-` for descending; rows that are equal in it come in the order of
    their ids. The default is newest first, since ids are time-ordered.
    """
    name, descending = order.removeprefix("-"), order.startswith("-")
    field = _field(queryset.model, name)
    rows = queryset.order_by(order) if field.primary_key else queryset.order_by(order, "-pk" if descending else "pk")
    if query.cursor is not None:
        rows = rows.filter(_beyond(_decode(query.cursor, order=order, field=field), field, descending=descending))
    found = list(rows[: query.limit + 1])
    items, more = found[: query.limit], len(found) > query.limit
    return {
        "items": [serialize(item) for item in items],
        "count": queryset.count(),
        "next": _encode(items[-1], order=order, field=field) if more else None,
    }


def _field(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    field = model._meta.pk if name in {"pk", "id"} else model._meta.get_field(name)
    if not isinstance(field, models.Field) or field.null:
        raise FieldDoesNotExist(f"{model.__name__}.{name} cannot order a list: it must be a column that is never null.")
    return field


def _beyond(place: tuple[Any, Any], field: models.Field[Any, Any], *, descending: bool) -> Q:
    """Everything after this place. The outer condition lets an index on the field find where to start."""
    value, pk = place
    way = "lt" if descending else "gt"
    if field.primary_key:
        return Q(**{f"pk__{way}": pk})
    return Q(**{f"{field.name}__{way}e": value}) & (Q(**{f"{field.name}__{way}": value}) | Q(**{f"pk__{way}": pk}))


def _encode(item: models.Model, *, order: str, field: models.Field[Any, Any]) -> str:
    pk_field = item._meta.pk
    place = to_json([order, field.value_to_string(item), pk_field.value_to_string(item)])
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def _decode(cursor: str, *, order: str, field: models.Field[Any, Any]) -> tuple[Any, Any]:
    """The place a cursor names; whatever is not one of ours for this very list is refused."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        given_order, value, pk = parse_json(raw)
        if given_order != order or not isinstance(value, str) or not isinstance(pk, str):
            raise ValueError("of another list")
        return _stored(field, value), _stored(field.model._meta.pk, pk)
    except (binascii.Error, ValueError, TypeError, OverflowError, ValidationError, Invalid):
        sentence = "The cursor is not one of this list: take `next` of the page before, or leave it out."
        raise Invalid(sentence, code="bad_cursor", errors=[FieldError("cursor", sentence, "bad_cursor")]) from None


def _stored(field: models.Field[Any, Any], text: str) -> Any:
    """A value that the database takes for this column, or ValueError."""
    value = field.to_python(text)
    if value is None:
        raise ValueError("nothing")
    if isinstance(field, models.DateTimeField) and timezone.is_naive(value):
        raise ValueError("a time without its zone")
    if isinstance(field, models.DecimalField) and not value.is_finite():
        raise ValueError("not a number")
    return value
