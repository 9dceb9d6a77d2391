"""A package leaves and comes back as the same bytes, by hand of a named person."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from lifecycle.models import Review, Skill
from lifecycle.services import seeds
from lifecycle.states import State
from tests import builders

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("place", ["parse_task.zip", "parse_task"])
def test_an_exported_package_is_imported_as_the_same_version(tmp_path: Path, place: str):
    seeds.load()
    call_command("export_skill", "parse_task", str(tmp_path / place))
    with pytest.raises(CommandError, match="version 1 already"):
        call_command("import_skill", "parse_task", str(tmp_path / place), by=builders.person("author").username)


def test_a_changed_package_becomes_a_draft_that_waits_for_somebody_else(tmp_path: Path):
    seeds.load()
    author = builders.person("author")
    folder = tmp_path / "package"
    call_command("export_skill", "email_triage", str(folder))
    step = next((folder / "steps").iterdir())
    step.write_text(step.read_text() + "\nBe brief.\n")

    call_command("import_skill", "email_triage", str(folder), by=author.username, changelog="Shorter answers.")

    review = Review.objects.select_related("version").get()
    assert (review.version.number, review.version.author, review.summary) == (2, author, "Shorter answers.")
    assert Skill.objects.get(capability__name="email_triage").state == State.SANDBOX


def test_what_cannot_be_imported_says_why_and_stores_nothing(tmp_path: Path):
    seeds.load()
    author = builders.person("author").username
    (tmp_path / "skill.yaml").write_text("steps: []\n")
    for name, path, by in (
        ("no_such", tmp_path, author),
        ("parse_task", tmp_path, "nobody"),
        ("parse_task", tmp_path, author),
        ("parse_task", tmp_path / "missing", author),
        ("parse_task", tmp_path, builders.person("viewer").username),
    ):
        with pytest.raises(CommandError):
            call_command("import_skill", name, str(path), by=by)
    with pytest.raises(CommandError, match="exists already"):
        call_command("export_skill", "parse_task", str(tmp_path))
    with pytest.raises(CommandError, match="no version 9"):
        call_command("export_skill", "parse_task", str(tmp_path / "x"), number=9)
    assert not Review.objects.exists()
