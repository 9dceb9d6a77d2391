"""`manage.py prepare`: what `make run` does before it serves."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from donna_skills.accounts import tokens
from donna_skills.accounts.management.commands import prepare
from donna_skills.accounts.models import ApiToken, User
from donna_skills.accounts.roles import Role

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.STATIC_ROOT = tmp_path / "static"
    monkeypatch.setattr(prepare, "TOKEN_FILE", tmp_path / "bot_token")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    monkeypatch.setenv("PORT", str(port))
    yield


def test_it_prints_address_users_a_working_token_and_a_line_to_paste(tmp_path: Path) -> None:
    printed = _prepare()
    raw = (tmp_path / "bot_token").read_text().strip()
    assert tokens.authenticate(raw) is not None
    assert f"Bearer {raw}" in printed
    assert "call the mechanic monday about the brakes, urgent" in printed
    assert all(User.objects.filter(username=role.value).exists() for role in Role)


def test_the_token_is_made_once_and_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    _prepare()
    first = (tmp_path / "bot_token").read_text()
    _prepare()
    assert (tmp_path / "bot_token").read_text() == first
    assert ApiToken.objects.count() == 1
    assert (tmp_path / "bot_token").stat().st_mode & 0o077 == 0


def test_a_token_that_the_database_does_not_know_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "bot_token").write_text("dsk_00000000_" + "0" * 48)
    _prepare()
    assert tokens.authenticate((tmp_path / "bot_token").read_text().strip()) is not None


def test_static_files_are_collected_only_when_they_have_changed(tmp_path: Path) -> None:
    assert "Static files" in _prepare()
    assert (tmp_path / "static" / "css" / "tokens.css").exists()
    assert "Static files" not in _prepare()


def test_a_port_that_is_taken_is_refused_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        with pytest.raises(CommandError, match=f"PORT={port + 1} make run"):
            _prepare()


def test_known_passwords_are_never_made_where_others_reach_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIND", "0.0.0.0")
    assert "createsuperuser" in _prepare()
    assert not User.objects.exists()


def _prepare() -> str:
    printed = io.StringIO()
    call_command("prepare", stdout=printed)
    return printed.getvalue()
