"""Hand in a package from a folder or a zip, as a named person: the same service, the same rules, the same review."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.errors import DonnaError, Invalid
from lifecycle.models import Skill
from lifecycle.packages import archive
from lifecycle.packages.model import Files, PackageInvalid
from lifecycle.services import skills


class Command(BaseCommand):
    help = "Import a skill's package as a draft version that waits for a reviewer."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="The capability's name.")
        parser.add_argument("path", type=Path, help="A folder, or a zip.")
        parser.add_argument("--by", required=True, metavar="USER", help="Who hands it in; never its only approver.")
        parser.add_argument("--changelog", default="", help="What changed, in a sentence.")

    def handle(self, *args: Any, **options: Any) -> None:
        skill = Skill.objects.for_page().filter(capability__name=options["name"]).first()
        person = User.objects.filter(username=options["by"], is_active=True).first()
        if skill is None:
            raise CommandError(f"There is no capability {options['name']!r}.")
        if person is None:
            raise CommandError(f"There is no active user {options['by']!r}.")
        files = _read(options["path"])
        try:
            version, review = skills.submit_version(
                skill, files=files, actor=Actor.person(person), changelog=options["changelog"]
            )
        except DonnaError as error:
            raise CommandError("\n".join([error.message, *_findings(error)])) from error
        self.stdout.write(f"Version {version.number} waits for a decision (review {review.pk}).\n{version.digest}")


def _read(path: Path) -> Files:
    try:
        return archive.read_folder(path) if path.is_dir() else archive.from_zip(path.read_bytes())
    except PackageInvalid as error:
        raise CommandError("\n".join(f"{f.path}: {f.message}" for f in error.findings)) from error
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from error


def _findings(error: DonnaError) -> list[str]:
    if not isinstance(error, Invalid):
        return []
    return [f"  {e.path}{f':{e.line}' if e.line else ''}: {e.message}" for e in error.errors]
