"""Every model is there, every page opens, and a list costs the same whatever it lists."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.admin import addresses, rows

OURS = ("accounts", "audit", "llm", "jobs", "notifications", "lifecycle", "automations")
REGISTERED = sorted(admin.site._registry, key=lambda model: model._meta.label)
EDITABLE = {"accounts.User", "auth.Group"}


def each(models_: list[type[models.Model]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("model", models_, ids=lambda model: model._meta.label)


every_model = each(REGISTERED)


def queries(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def test_every_model_of_ours_is_registered_and_searchable() -> None:
    ours = {model for config in apps.get_app_configs() if config.label in OURS for model in config.get_models()}
    assert ours <= set(REGISTERED)
    assert [model._meta.label for model in REGISTERED if not admin.site._registry[model].search_fields] == []


def test_the_queues_own_tables_are_shown_too() -> None:
    assert {"Schedule", "Task", "Success", "Failure", "OrmQ"} <= {model.__name__ for model in REGISTERED}


@every_model
def test_a_list_takes_as_many_queries_for_thirty_rows_as_for_three(chief: Client, model: type[models.Model]) -> None:
    url = addresses.listing(model)
    rows.rows(model._meta.label, 3)
    queries(chief, url)
    few = queries(chief, url)
    rows.rows(model._meta.label, 27)
    assert queries(chief, url) == few
    assert few <= 12


@every_model
def test_a_search_finds_nothing_without_failing(chief: Client, model: type[models.Model]) -> None:
    rows.row(model._meta.label)
    for term in ("nothing like it", "0198c0de-0000-7000-8000-000000000000", "a\x00b", "'\"%_\\", "²"):
        assert chief.get(addresses.listing(model), {"q": term}).status_code == 200


@each([model for model in REGISTERED if isinstance(model._meta.pk, models.UUIDField)])
def test_a_row_is_found_by_its_id(chief: Client, model: type[models.Model]) -> None:
    wanted = rows.row(model._meta.label)
    page = chief.get(addresses.listing(model), {"q": str(wanted.pk)})
    assert wanted in page.context["cl"].result_list


@every_model
def test_the_page_of_a_row_opens(chief: Client, model: type[models.Model]) -> None:
    page = chief.get(addresses.change(rows.row(model._meta.label)))
    assert page.status_code == 200
    assert ('name="_save"' in page.content.decode()) == (model._meta.label in EDITABLE)


@every_model
def test_nothing_can_be_deleted(chief: Client, model: type[models.Model]) -> None:
    kept = rows.row(model._meta.label)
    assert chief.post(addresses.of(kept, "delete"), {"post": "yes"}).status_code == 403
    chief.post(addresses.listing(model), {"action": "delete_selected", "_selected_action": str(kept.pk), "post": "yes"})
    assert model._default_manager.filter(pk=kept.pk).exists()
    assert admin.site._registry[model].get_actions(chief.get(addresses.listing(model)).wsgi_request) == {}


@each([model for model in REGISTERED if model._meta.label not in EDITABLE])
def test_a_form_that_is_sent_to_a_read_only_page_is_refused(chief: Client, model: type[models.Model]) -> None:
    before = model._default_manager.filter(pk=rows.row(model._meta.label).pk).values().get()
    everything = dict.fromkeys(before, "x")
    row = model._default_manager.get(pk=before[model._meta.pk.attname])
    assert chief.post(addresses.change(row), everything).status_code == 403
    assert model._default_manager.filter(pk=row.pk).values().get() == before


@every_model
def test_rows_are_made_here_only_where_a_service_makes_them(chief: Client, model: type[models.Model]) -> None:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_add"
    may_add = model._meta.label in {"accounts.User", "accounts.ApiToken", "notifications.Channel"}
    assert chief.get(reverse(name)).status_code == (200 if may_add else 403)
    before = model._default_manager.count()
    chief.post(reverse(name), {})
    assert model._default_manager.count() == before


@pytest.mark.parametrize("role", ["viewer", "operator", "author", "reviewer", "admin"])
def test_every_role_sees_the_lifecycle(as_role: Callable[..., Client], role: str) -> None:
    client = as_role(role)
    assert client.get(reverse("admin:index")).status_code == 200
    for label in ("Skill", "SkillRun", "Review", "Capability", "StateTransition"):
        assert client.get(addresses.listing(apps.get_model("lifecycle", label))).status_code == 200


def test_a_viewer_sees_neither_tokens_nor_channels_nor_the_audit_log_nor_the_queue(
    as_role: Callable[..., Client],
) -> None:
    viewer = as_role("viewer")
    for label in ("accounts.ApiToken", "notifications.Channel", "audit.AuditEvent", "django_q.Task", "jobs.Heartbeat"):
        assert viewer.get(addresses.listing(apps.get_model(label))).status_code == 403


def test_who_is_no_staff_stays_outside(as_role: Callable[..., Client]) -> None:
    assert as_role("admin", is_staff=False).get(reverse("admin:index")).status_code == 302


def test_a_long_table_is_counted_no_further_than_anybody_reads(chief: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    model = apps.get_model("llm.ModelCall")
    rows.rows("llm.ModelCall", 5)
    monkeypatch.setattr(admin.site._registry[model].paginator, "MOST", 3)
    page = chief.get(addresses.listing(model))
    assert page.context["cl"].result_count == 3


def test_large_columns_stay_in_the_database_while_rows_are_listed(chief: Client) -> None:
    rows.row("lifecycle.SkillRun")
    with CaptureQueriesContext(connection) as captured:
        chief.get(addresses.listing(apps.get_model("lifecycle.SkillRun")))
    listed = [query["sql"] for query in captured if '"tool_calls"' in query["sql"] or '"input_schema"' in query["sql"]]
    assert listed == []
