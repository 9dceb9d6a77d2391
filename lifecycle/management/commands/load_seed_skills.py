"""Load the skills that ship with the application; as often as one likes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from lifecycle.services import seeds


class Command(BaseCommand):
    help = "Load the seed skills with their capabilities. What is loaded already stays as it is."

    def handle(self, *args: Any, **options: Any) -> None:
        report = seeds.load()
        for words, names in (
            ("loaded", report.loaded),
            ("handed in as a draft", report.handed_in),
            ("unchanged", report.unchanged),
        ):
            if names:
                self.stdout.write(f"{len(names)} {words}: {', '.join(names)}")
