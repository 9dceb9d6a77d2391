"""`manage.py scheduler`: the process that sees to whatever is due. Run as many as you like; one is enough."""

from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from donna_skills.jobs.scheduler import Scheduler


class Command(BaseCommand):
    help = "Runs the scheduler's duties every poll interval until it is told to stop."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="One round, then end.")

    def handle(self, *args: Any, **options: Any) -> None:
        scheduler = Scheduler()
        if options["once"]:
            if not scheduler.poll():
                raise CommandError("The database could not be reached.")
            return

        def stop(number: int, frame: object) -> None:
            # The second signal is meant: without our handler it ends the process in the middle of a duty.
            signal.signal(number, signal.SIG_DFL)
            scheduler.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        self.stdout.write("The scheduler is running.")
        scheduler.run()
        self.stdout.write("The scheduler has stopped.")
