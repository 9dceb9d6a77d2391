"""`manage.py verify_audit`: is the audit log as it was written?"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from donna_skills.audit import append_only, services


class Command(BaseCommand):
    help = "Check every event of the audit log against its hash, and that the database still refuses changes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--expect-head", metavar="HASH", help="a head noted down earlier, which must be in the log")

    def handle(self, *args: Any, **options: Any) -> None:
        report = services.verify(options["expect_head"])
        faults = append_only.missing_triggers()
        if not report.intact:
            faults.insert(0, f"Broken at event {report.broken_seq}. {report.why}")
        self.stdout.write(f"events {report.events}")
        self.stdout.write(f"head {report.head_seq} {report.head_hash or '-'}")
        if faults:
            raise CommandError("\n".join(faults))
        self.stdout.write("The log is intact.")
