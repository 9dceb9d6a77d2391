"""`manage.py tick`: claim what is due, once; `--now` does it as if another instant had come."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from automations.services import tick


class Command(BaseCommand):
    help = "Queue the automations that are due and ring for workers; prints what was done as one JSON line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--now", metavar="ISO", help="an instant with its offset, in place of now")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        if options["now"]:
            try:
                given = parse_datetime(options["now"])
            except ValueError:
                given = None
            if given is None or given.tzinfo is None:
                raise CommandError("--now is an instant such as 2026-11-21T09:00:00Z, with its offset.")
            now = given
        self.stdout.write(json.dumps(dataclasses.asdict(tick.run(now))))
