"""django-ninja with our rules: strict parsing, problem+json for every failure, and guarded addresses."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, re_path
from ninja import NinjaAPI
from ninja.errors import ValidationError, ValidationErrorContext

from donna_skills.rest import openapi, problems
from donna_skills.rest.guard import guarded
from donna_skills.rest.parsing import StrictParser


class Api(NinjaAPI):
    def __init__(self, **options: Any) -> None:
        super().__init__(parser=StrictParser(), **options)
        self._described: dict[str, Any] = {}

    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        """django-ninja's addresses, each guarded, and a problem+json 404 for all others below them."""
        patterns, app_name, namespace = super().urls
        for pattern in patterns:
            if pattern.callback is not None:
                pattern.callback = guarded(pattern.callback)
        return [*patterns, re_path("", guarded(problems.not_found))], app_name, namespace

    def on_exception(self, request: HttpRequest, exc: Any) -> HttpResponse:
        return problems.answer(exc)

    def validation_error_from_error_contexts(
        self, error_contexts: list[ValidationErrorContext[Any]]
    ) -> ValidationError:
        """Paths as the caller wrote them: a body that is one object has no name of its own."""
        found: list[dict[str, Any]] = []
        for context in error_contexts:
            body_name = getattr(context.model, "__read_from_single_attr__", None)
            for each in super().validation_error_from_error_contexts([context]).errors:
                source, *where = each["loc"]
                if body_name and where[:1] == [body_name]:
                    where = where[1:]
                found.append({**each, "loc": (source, *where)})
        return ValidationError(found)

    def get_openapi_schema(self, *, path_prefix: str | None = None, path_params: Any = None) -> Any:
        """Made once per process: the routes are fixed once the addresses are."""
        prefix = self.get_root_path(path_params or {}) if path_prefix is None else path_prefix
        if prefix not in self._described:
            schema = super().get_openapi_schema(path_prefix=prefix)
            openapi.complete(schema, scopes=self._scopes())
            self._described[prefix] = schema
        return self._described[prefix]

    def _scopes(self) -> dict[str, list[str]]:
        """The scopes that each operation asks for, by the operation's id."""
        found: dict[str, list[str]] = {}
        for bound in self._get_bound_routers():
            for view in bound.path_operations.values():
                for operation in view.operations:
                    asked = {scope for auth in operation.auth_callbacks for scope in getattr(auth, "scopes", ())}
                    found[operation.operation_id or ""] = sorted(asked)
        return found
