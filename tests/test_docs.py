"""The generated pages say what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from lifecycle.management.commands import write_docs
from lifecycle.states import TABLE, Reason, State


def test_the_generated_pages_are_what_the_code_says() -> None:
    call_command("write_docs", "--check")


def test_the_page_names_every_state_reason_and_move() -> None:
    page = write_docs.states_page()
    for word in (*State.values, *Reason.values):
        assert f"`{word}`" in page
    for source, target in TABLE:
        assert f"| `{source.value}` | `{target.value}` |" in page


@pytest.mark.parametrize("page", ["states.md", "openapi.json"])
def test_a_page_that_differs_is_refused(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_docs, "STATES_PAGE", tmp_path / "states.md")
    monkeypatch.setattr(write_docs, "OPENAPI_PAGE", tmp_path / "openapi.json")
    call_command("write_docs")
    call_command("write_docs", "--check")
    (tmp_path / page).write_text("Something else.")
    with pytest.raises(CommandError, match=page):
        call_command("write_docs", "--check")
