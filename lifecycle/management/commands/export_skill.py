"""Write a version's files to a folder or a zip; importing them gives the same digest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lifecycle.models import Skill, SkillVersion
from lifecycle.packages import archive
from lifecycle.packages.model import PackageInvalid
from lifecycle.services import versions


class Command(BaseCommand):
    help = "Export a skill's package: into a zip when PATH ends in .zip, into a new folder otherwise."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="The capability's name.")
        parser.add_argument("path", type=Path, help="A file ending in .zip, or a folder that does not exist yet.")
        parser.add_argument("--number", type=int, help="Number of the version; the current one when left out.")

    def handle(self, *args: Any, **options: Any) -> None:
        version = _version(options["name"], options["number"])
        path: Path = options["path"]
        if path.exists():
            raise CommandError(f"{path} exists already; nothing was written.")
        files = versions.files_of(version)
        try:
            if path.suffix == ".zip":
                path.write_bytes(archive.to_zip(files))
            else:
                archive.write_folder(files, path)
        except (OSError, PackageInvalid) as error:
            raise CommandError(f"The package could not be written: {error}") from error
        self.stdout.write(f"Version {version.number} ({len(files)} files) is in {path}.\n{version.digest}")


def _version(name: str, number: int | None) -> SkillVersion:
    skill = Skill.objects.for_page().filter(capability__name=name).first()
    if skill is None:
        raise CommandError(f"There is no capability {name!r}.")
    if number is None:
        if skill.current_version is None:
            raise CommandError(f"{name} has no version in force; name one with --number.")
        return skill.current_version
    found: SkillVersion | None = skill.versions.filter(number=number).first()
    if found is None:
        raise CommandError(f"{name} has no version {number}.")
    return found
