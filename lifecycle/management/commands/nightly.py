"""The night by hand: `manage.py nightly [--dry-run] [--as-of 2026-11-21T03:00:00+00:00]`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_date, parse_datetime

from donna_skills.accounts.actors import Actor
from donna_skills.jobs import services as jobs
from donna_skills.jobs.models import JobRun, JobStatus
from lifecycle.services import nightly

_POLL_S = 0.5


class Command(BaseCommand):
    help = "Carry the night's work out now and print its report. A dry run changes nothing and spends nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Say what would be, and change nothing.")
        parser.add_argument("--as-of", metavar="ISO", help="Look from this time (UTC unless it says otherwise).")

    def handle(self, *args: Any, **options: Any) -> None:
        as_of = _moment(options["as_of"]) if options["as_of"] else None
        if options["dry_run"]:
            self._print(nightly.work(watch=_Terminal(self), as_of=as_of, dry_run=True))
            return
        job = self._carried_out(nightly.request(by=Actor.system("the command nightly"), as_of=as_of))
        self._print(job.report)
        if job.status != JobStatus.SUCCEEDED:
            raise CommandError(f"The night ended as {job.get_status_display().lower()}. {job.error}")

    def _carried_out(self, job: JobRun) -> JobRun:
        """Done in this process, or waited for where a worker has taken it up."""
        if done := jobs.run(job.pk):
            return done
        self.stdout.write(f"A worker is on it: job {job.pk}.")
        told = ""
        while job.is_open:
            if job.progress_message != told:
                told = job.progress_message
                self.stdout.write(told)
            time.sleep(_POLL_S)
            job.refresh_from_db()
        return job

    def _print(self, report: Mapping[str, Any]) -> None:
        if not report:
            return
        for step in report["steps"]:
            self.stdout.write(f"\n{step['label']}: {step.get('says') or step['status']}")
            for line in step.get("lines", []):
                self.stdout.write(f"  {line['outcome']:<18} {line['skill']}  {line['says']}".rstrip())
            if step.get("more"):
                self.stdout.write(f"  and {step['more']:,} more")
        kind = "What would be" if report["dry_run"] else "The night"
        self.stdout.write(f"\n{kind}: {report['says']} {report['cost_usd']} USD, {report['seconds']} s.")


class _Terminal:
    """Tells nobody in between: the report says it all at the end."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._told = ""

    def __call__(self, done: int, total: int, message: str = "") -> None:
        if message != self._told and self._command.stdout.isatty():
            self._command.stdout.write(message)
        self._told = message

    def keep(self, report: Mapping[str, Any]) -> None:
        """Nothing is kept of a dry run."""


def _moment(text: str) -> datetime:
    """A time or a date of ISO 8601."""
    try:
        found = parse_datetime(text)
        if found is None and (day := parse_date(text)):
            found = datetime(day.year, day.month, day.day, tzinfo=UTC)
    except ValueError as error:
        raise CommandError(f"--as-of {text!r} is no time: {error}.") from error
    if found is None:
        raise CommandError(f"--as-of {text!r} is no time; write it as 2026-11-21T03:00:00+00:00.")
    return found if found.tzinfo else found.replace(tzinfo=UTC)
