"""What django-ninja's description does not say by itself: scopes, conditional requests, and how the routes fail."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from donna_skills.rest.problems import CONTENT_TYPE, Problem

_REFERENCE = "#/components/schemas/{model}"
_REFERENCED = re.compile(r'"\$ref": "#/components/schemas/([^"]+)"')
_FAILURES = {
    "401": "No token, or one that is unknown, expired or revoked",
    "403": "The token lacks the scope, or a rule forbids it",
    "404": "There is no such thing",
    "409": "It conflicts with the present state",
    "410": "It was to be had once, and is no longer",
    "412": "It has changed since it was read",
    "413": "The body is larger than one megabyte",
    "422": "What was sent is not valid",
    "428": "If-Match is missing",
    "429": "The rate limit or the budget is used up; Retry-After says how long to wait",
    "503": "The database is busy, or no model answers; nothing was changed, so try again",
    "default": "Any other failure",
}
_TEXT = {"type": "string"}
_SECONDS = {"type": "integer", "minimum": 1}
_ETAG = {"ETag": {"description": "Names this very state of it: give it as If-None-Match next time.", "schema": _TEXT}}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait before the next attempt.", "schema": _SECONDS}}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": _TEXT,
    "description": "The ETag of the answer that the caller has: 304 without a body if it still holds.",
}


def failing(*statuses: int) -> dict[str, Any]:
    """For a route's `openapi_extra`: failures that its address and method do not give away."""
    return {"responses": {str(status): _failure(str(status)) for status in statuses}}


def body(*, content: Mapping[str, type[BaseModel] | Mapping[str, Any]]) -> dict[str, Any]:
    """For a route's `openapi_extra`: a body that the route reads itself, by content type: a model or a JSON Schema."""
    described = {
        kind: {"schema": dict(form) if isinstance(form, Mapping) else form.model_json_schema(ref_template=_REFERENCE)}
        for kind, form in content.items()
    }
    return {"requestBody": {"required": True, "content": described}}


def complete(schema: dict[str, Any], *, scopes: Mapping[str, Sequence[str]]) -> None:
    """Add what is common to the routes; `scopes` are those of each operation. Changes `schema`.

    1. Every model is a named component, and every component is used.
    2. Each operation names its scopes, its conditional request, and the failures that it can answer with.
    """
    components = schema["components"]
    schemas = components.setdefault("schemas", {})
    for form in components.get("securitySchemes", {}).values():
        form.pop("name", None)  # OpenAPI gives only keys in a header a name
    _add_model(schemas, Problem.model_json_schema(ref_template=_REFERENCE))
    for path, method, operation in _operations(schema):
        _name_bodies(operation, schemas)
        _name_scopes(operation, scopes.get(operation["operationId"], ()))
        if any(str(status) == "304" for status in operation["responses"]):
            _describe_condition(operation)
        for status in _possible(path, method, operation):
            operation["responses"].setdefault(status, _failure(status))
        operation["responses"] = {str(status): answer for status, answer in operation["responses"].items()}
    _drop_unused(schema)


def _operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _possible(path: str, method: str, operation: dict[str, Any]) -> list[str]:
    found = ["default"]
    if operation.get("security"):
        found += ["401", "403", "429", "503"]
    if "{" in path:
        found.append("404")
    if operation.get("parameters") or "requestBody" in operation:
        found.append("422")
    if method != "get":
        found += ["409", "413"]
    if method == "patch":
        found += ["412", "428"]
    return sorted(found)


def _failure(status: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": _FAILURES[status],
        "content": {CONTENT_TYPE: {"schema": {"$ref": _REFERENCE.format(model="Problem")}}},
    }
    return {**described, "headers": _RETRY_AFTER} if status in {"429", "503"} else described


def _name_scopes(operation: dict[str, Any], scopes: Sequence[str]) -> None:
    if not scopes:
        return
    for requirement in operation.get("security", []):
        for name in requirement:
            requirement[name] = list(scopes)
    needed = f"Scope: {', '.join(f'`{scope}`' for scope in scopes)}."
    operation["description"] = "\n\n".join(filter(None, [operation.get("description"), needed]))


def _describe_condition(operation: dict[str, Any]) -> None:
    operation["parameters"] = [*operation.get("parameters", []), _IF_NONE_MATCH]
    for status, answer in operation["responses"].items():
        if str(status) in {"200", "304"}:
            answer["headers"] = {**answer.get("headers", {}), **_ETAG}


def _name_bodies(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Bodies that `body` describes hold whole models: make components of them."""
    if "requestBody" in operation:
        # It is the route's own, and a second description begins with it again.
        operation["requestBody"] = copy.deepcopy(operation["requestBody"])
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if "title" in content["schema"] and "properties" in content["schema"]:
            content["schema"] = {"$ref": _REFERENCE.format(model=_add_model(schemas, content["schema"]))}


def _add_model(schemas: dict[str, Any], model: dict[str, Any]) -> str:
    schemas |= {**model.get("$defs", {}), model["title"]: {k: v for k, v in model.items() if k != "$defs"}}
    return str(model["title"])


def _drop_unused(schema: dict[str, Any]) -> None:
    """django-ninja makes a component of each model of query parameters, which nothing refers to."""
    schemas = schema["components"]["schemas"]
    used: set[str] = set()
    waiting = set(_REFERENCED.findall(json.dumps(schema["paths"], default=str)))
    while waiting:
        name = waiting.pop()
        used.add(name)
        waiting |= set(_REFERENCED.findall(json.dumps(schemas[name], default=str))) - used
    schema["components"]["schemas"] = {name: schemas[name] for name in schemas if name in used}
