"""docs/openapi.json is what is served, it is valid OpenAPI 3.1, and it says what the author of a bot needs to know.

An intended change of the API is written down with `manage.py write_docs`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from django.conf import settings
from django.test import Client
from schemathesis.specs.openapi.definitions import OPENAPI_31

from donna_skills.rest.problems import CONTENT_TYPE

HOW_TO_UPDATE = "Is the change of the API intended? Then run `manage.py write_docs` and commit docs/openapi.json."


@pytest.fixture(scope="module")
def schema() -> Any:
    return Client().get("/api/v1/openapi.json").json()


def operations(schema: Any) -> Iterator[tuple[str, Any]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_the_snapshot_is_what_is_served(schema: Any):
    kept = json.loads((settings.BASE_DIR / "docs" / "openapi.json").read_text(encoding="utf-8"))
    assert dict(operations(kept)).keys() == dict(operations(schema)).keys(), HOW_TO_UPDATE
    for name, operation in operations(schema):
        assert dict(operations(kept))[name] == operation, f"{name}. {HOW_TO_UPDATE}"
    assert kept == schema, HOW_TO_UPDATE


def test_it_is_valid_openapi(schema: Any):
    assert schema["openapi"].startswith("3.1.")
    wrong = [
        f"{error.instance_path}: {error.message}"
        for error in jsonschema_rs.Draft202012Validator(OPENAPI_31).iter_errors(schema)
    ]
    assert not wrong


def test_every_schema_in_it_is_a_json_schema(schema: Any):
    for name, model in schema["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid({"$schema": "https://json-schema.org/draft/2020-12/schema", **model}), name


def test_every_reference_leads_to_a_component_and_every_component_is_used(schema: Any):
    used = set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(schema)))
    assert used == set(schema["components"]["schemas"])


def test_every_operation_says_what_it_is_takes_and_gives(schema: Any):
    ids = [operation["operationId"] for _, operation in operations(schema)]
    assert len(ids) == len(set(ids))
    for name, operation in operations(schema):
        assert operation["summary"] and operation["tags"] and re.fullmatch(r"[a-z_]+", operation["operationId"]), name
        assert "requestBody" in operation or not name.startswith("POST"), name
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert content["schema"], name
        for status, answer in operation["responses"].items():
            assert answer["description"] and (status == "304" or answer["content"]), (name, status)
            if status.startswith("2"):
                assert {"$ref", "title"} & answer["content"]["application/json"]["schema"].keys(), (name, status)


def test_every_failure_is_a_problem_and_each_says_when_to_come_back(schema: Any):
    for name, operation in operations(schema):
        for status, answer in operation["responses"].items():
            if status < "400" or (status == "503" and "security" not in operation):
                continue
            assert answer["content"] == {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}, name
            assert ("Retry-After" in answer.get("headers", {})) == (status in {"429", "503"}), (name, status)


def test_every_operation_but_health_asks_for_a_token_with_a_scope(schema: Any):
    for name, operation in operations(schema):
        if operation["tags"] == ["health"]:
            assert "security" not in operation
            continue
        (requirement,) = operation["security"]
        assert [f"`{scope}`" in operation["description"] for scope in requirement["BearerToken"]] == [True], name


def test_what_can_be_unchanged_says_how_to_ask(schema: Any):
    for name, operation in operations(schema):
        asks = any(parameter["name"] == "If-None-Match" for parameter in operation["parameters"])
        tells = "ETag" in operation["responses"].get("200", {}).get("headers", {})
        assert asks == tells == ("304" in operation["responses"]), name


def test_what_a_route_reads_itself_is_described_by_components(schema: Any):
    paths = schema["paths"]
    version = paths["/api/v1/skills/{skill_id}/versions"]["post"]["requestBody"]["content"]
    assert version["application/json"]["schema"] == {"$ref": "#/components/schemas/VersionIn"}
    assert version["application/zip"]["schema"] == {"type": "string", "format": "binary"}
    assert list(paths["/api/v1/runs/batch"]["post"]["requestBody"]["content"]) == ["application/x-ndjson"]
    package = paths["/api/v1/packages/{capability}"]["get"]["responses"]
    assert {"application/json", "application/zip"} == set(package["200"]["content"]) and "410" in package
