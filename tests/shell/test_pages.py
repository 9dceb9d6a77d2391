"""Every template renders with full and with empty contexts, under our own policy, and readable without a mouse."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.shell.conftest import ERRORS, PAGES, read

POLICY = {
    "default-src 'self'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'self'",
    "frame-ancestors 'none'",
    "form-action 'self'",
}
ALL = [(path, 200) for path in PAGES.values()] + list(ERRORS.items())


@pytest.mark.parametrize(("path", "status"), ALL)
def test_a_page_renders_under_the_strict_policy_with_nothing_inline(get: Any, path: str, status: int) -> None:
    response = get(path)
    page = read(response)

    assert response.status_code == status
    assert set(response["Content-Security-Policy"].split("; ")) == POLICY
    assert page.unbalanced == []
    assert all(script.get("src") for script in page.all("script"))
    assert "".join(page.scripts) == ""
    assert page.all("style") == []
    handlers = [name for _, attributes in page.tags for name in attributes if name == "style" or name.startswith("on")]
    assert handlers == []


@pytest.mark.parametrize(("path", "status"), ALL)
def test_every_control_has_a_name_and_every_reference_its_target(get: Any, path: str, status: int) -> None:
    page = read(get(path))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    labelled = {label["for"] for label in page.all("label")}

    assert len(ids) == len(set(ids))
    assert labelled <= set(ids)
    for tag in ("input", "select", "textarea"):
        for control in page.all(tag):
            assert control.get("type") == "hidden" or control.get("aria-label") or control.get("id") in labelled
    for _, attributes in page.tags:
        for reference in ("aria-labelledby", "aria-describedby", "popovertarget"):
            assert set((attributes.get(reference) or "").split()) <= set(ids)
    assert len(page.all("main")) == 1
    assert len(page.all("h1")) == 1


@pytest.mark.parametrize("path", ["/skills/parse_task/", "/answered/", "/runs/0198c0de-0000-7000-8000-000000000000/"])
def test_what_others_wrote_is_escaped_and_its_hidden_characters_are_spelt_out(get: Any, path: str) -> None:
    body = get(path).content.decode()

    assert "<script>alert" not in body
    assert "&lt;script&gt;alert" in body
    assert "\u202e" not in body
    assert "\u200b" not in body
    assert "U+202E" in body


def test_htmx_may_not_evaluate_nor_leave_the_site_and_shows_conflicts(get: Any) -> None:
    metas = {meta.get("name"): meta.get("content") for meta in read(get("/")).all("meta")}
    config = json.loads(metas["htmx-config"] or "")

    assert config["allowEval"] is False
    assert config["selfRequestsOnly"] is True
    assert config["includeIndicatorStyles"] is False
    assert {"code": "409|422", "swap": True} in config["responseHandling"]


def test_filters_stay_in_the_address_of_the_next_page(get: Any) -> None:
    links = {link.get("rel"): link["href"] for link in read(get("/runs/?status=failed")).all("a") if link.get("rel")}

    assert links == {"next": "?status=failed&page=2"}


def test_the_form_keeps_what_was_typed_and_ties_the_error_to_its_field(get: Any) -> None:
    field = next(control for control in read(get("/answered/")).all("input") if control.get("name") == "limit")

    assert field["value"] == "many"
    assert field["aria-invalid"] == "true"
    assert "field-limit-error" in (field["aria-describedby"] or "")


def test_messages_are_spoken_and_carry_a_shape_beside_their_colour(get: Any) -> None:
    page = read(get("/talking/"))
    region = next(attributes for _, attributes in page.tags if attributes.get("id") == "messages")

    assert region["role"] == "status"
    assert region["aria-live"] == "polite"
    for shape in "●◆▲■":
        assert f"{shape}The run succeeded." in page.text


def test_a_newcomer_is_told_where_to_start_and_what_will_fill_the_page(get: Any) -> None:
    text = read(get("/new/")).text

    for sentence in (
        "Where to start",
        "Try a skill",
        "Look at its run",
        "Connect a bot",
        "No runs yet today",
        "No skills yet",
        "No skill has moved yet",
    ):
        assert sentence in text


def test_the_fault_page_needs_no_context_at_all(get: Any) -> None:
    from django.template.loader import get_template

    assert "Something went wrong" in get_template("500.html").render()


def test_css_stays_small() -> None:
    from django.conf import settings

    sheets = list((settings.BASE_DIR / "static" / "css").glob("*.css"))
    assert len(sheets) == 5
    assert sum(sheet.stat().st_size for sheet in sheets) < 40_000
