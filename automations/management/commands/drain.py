"""`manage.py drain`: carry out the runs that wait, in this process, until none is left."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from automations.services import dispatch


class Command(BaseCommand):
    help = "Carry out queued runs of automations here; prints how many there were."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seconds", type=float, help="begin no further run after this long")

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(str(dispatch.drain(seconds=options["seconds"])))
