"""The page of settings in force: every knob, where it comes from, what it may be, and no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from donna_skills import inforce
from lifecycle.configuration import Knobs
from tests import builders


@pytest.fixture
def own_folder(settings: Any, tmp_path: Path) -> Path:
    """A folder with configuration of one's own; a process reads each path once."""
    settings.CONFIG_DIR = tmp_path
    return tmp_path


def of(name: str) -> inforce.Setting:
    return next(one for group in inforce.groups() for one in group.settings if one.name == name)


def test_every_knob_is_there_with_its_range_and_once() -> None:
    names = [one.name for group in inforce.groups() for one in group.settings]
    assert len(names) == len(set(names))
    assert {name for name in Knobs.__dataclass_fields__ if name != "budget"} <= set(names)
    assert {"budget.live_reserve_pct", "purposes.judge", "aliases.parser", "retries.attempts"} <= set(names)
    assert of("evolution_daily_cap").allowed == "0 to 10,000"
    assert of("match_backend").allowed == "lexical, embeddings"
    assert of("unknown_price.input_per_mtok").allowed == "at least 0"
    assert not any(one.pending for group in inforce.groups() for one in group.settings)


def test_a_value_of_ones_own_says_so_and_what_is_left_out_is_the_default(own_folder: Path) -> None:
    (own_folder / "skills.yaml").write_text("auto_draft_daily_cap: 7\nbudget:\n  monthly_budget_usd: 55.5\n")
    cap, rate, month = of("auto_draft_daily_cap"), of("enabled"), of("budget.monthly_budget_usd")
    assert (cap.value, cap.source, cap.changed, cap.default) == ("7", "file", True, "50")
    assert (rate.value, rate.source, rate.changed) == ("true", "default", False)
    assert (month.value, month.source, month.changed) == ("55.5", "file", True)
    assert [group.own for group in inforce.groups() if group.file == "skills.yaml"] == [True, True]


def test_a_file_that_has_changed_waits_for_a_restart(own_folder: Path) -> None:
    file = own_folder / "skills.yaml"
    file.write_text("auto_draft_daily_cap: 7\n")
    assert of("auto_draft_daily_cap").pending == ""
    file.write_text("auto_draft_daily_cap: 9\n")
    assert (of("auto_draft_daily_cap").value, of("auto_draft_daily_cap").pending) == ("7", "9")
    file.write_text("auto_draft_daily_cap: many\n")
    group = next(group for group in inforce.groups() if group.file == "skills.yaml")
    assert "auto_draft_daily_cap" in group.problem
    assert of("auto_draft_daily_cap").value == "7"
    file.write_text("auto_draft_daily_cap: [\n")
    assert "not valid YAML" in next(group for group in inforce.groups() if group.file == "skills.yaml").problem


def test_no_key_and_no_password_is_shown(settings: Any, own_folder: Path) -> None:
    settings.ANTHROPIC_API_KEY = "sk-secret-key"
    settings.OLLAMA_BASE_URL = "http://me:secret-word@127.0.0.1:11434"
    shipped = (settings.SHIPPED_CONFIG_DIR / "models.yaml").read_text()
    own = shipped.replace(
        "{provider: anthropic, model: claude-haiku-5-5, timeout_s: 60}",
        "{provider: openai_compatible, model: tiny, base_url: 'http://me:secret-word@127.0.0.1/v1'}",
    )
    assert own != shipped
    (own_folder / "models.yaml").write_text(own)
    shown = [one.value for group in inforce.groups() for one in group.settings]
    shown += [one.value for one in inforce.environment()]
    assert not any("secret" in value for value in shown)
    assert "set" in shown and "http://…@127.0.0.1:11434" in shown
    assert any("http://…@127.0.0.1/v1" in value for value in shown)


@pytest.mark.django_db
def test_admins_open_it_and_nobody_else(client: Client) -> None:
    assert client.get("/settings/").url == "/login/?next=/settings/"
    client.force_login(builders.person("reviewer"))
    assert client.get("/settings/").status_code == 403
    assert 'href="/settings/"' not in client.get("/jobs/").content.decode()
    client.force_login(builders.person("admin"))
    page = client.get("/settings/").content.decode()
    assert "shadow_sample_rate_trusted" in page and "Share of trusted runs that are compared." in page
    assert "Who answers now" in page and "offline-parser" in page
