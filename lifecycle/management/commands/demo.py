"""`manage.py demo`: a small world with six weeks of history, so that every page has something to show.

Twice is harmless: a world that was cut off is completed, a complete one stays as it is. With `--loop` it tells another
story instead, in front of your eyes: one skill's way through the whole loop, with a worker of its own.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from donna_skills import env
from donna_skills.accounts import people
from donna_skills.accounts.roles import Role
from donna_skills.errors import DonnaError
from lifecycle.demo import loop, world
from lifecycle.demo import people as cast_of
from lifecycle.demo.courses import DRIFTING


class Command(BaseCommand):
    help = "Load a made-up world: users, tokens, skills with weeks of runs, good and drifting, and open questions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--password",
            help="for demo users that do not exist yet "
            f"(default: one made up now; {people.DEMO_PASSWORD} with DEBUG or DONNA_DEMO set)",
        )
        parser.add_argument(
            "--loop",
            action="store_true",
            help="tell how one skill is found, drafted, approved, trusted, flagged, degraded and evolved (offline)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not MigrationRecorder(connection).applied_migrations():
            raise CommandError("The database is empty: `make run` sets it up, and offers the demo world then.")
        password = options["password"] or _password()
        started = time.monotonic()
        if options["loop"]:
            self._tell_the_loop(password, started)
            return
        try:
            built = world.build(today=timezone.now().date(), password=password, say=self._say)
        except DonnaError as refused:
            details = "".join(f"\n  {error.path}: {error.message}" for error in refused.errors[:5])
            raise CommandError(f"The demo world was not completed. {refused.message}{details}") from refused
        if built.was_complete:
            self._say("The demo world is there already; nothing was added. `manage.py create_api_token` makes a token.")
        else:
            self._say(f"The demo world is complete: {built.runs:,} runs, in {time.monotonic() - started:.0f} seconds.")
            self._hand_over(built, password)
        self._say(
            f"Open next: Home as {Role.REVIEWER} (open questions: {built.questions}), then {DRIFTING} under Skills, "
            "which has drifted for two weeks, and Automations."
        )

    def _tell_the_loop(self, password: str, started: float) -> None:
        logging.getLogger("django-q").setLevel(logging.WARNING)  # a line for each comparison would drown the story
        try:
            cast = cast_of.gather(password=password)
            skill = loop.tell(cast, today=timezone.now().date(), say=self._say)
        except DonnaError as refused:
            raise CommandError(refused.message) from refused
        self._say("")
        for move in loop.rows(skill):
            who = move.person or move.actor_label
            version = f"v{move.version.number}" if move.version else "–"
            self._say(
                f"{move.at:%H:%M:%S}  {version:3} {move.from_state:>18} → {move.to_state:18} {move.reason}, by {who}"
            )
            if move.evidence:
                self._say(f"              {_in_short(move.evidence)}")
        self._say("")
        self._say(
            f"The story took {time.monotonic() - started:.0f} seconds. Its pages: /skills/{skill.capability.name}/"
        )

    def _hand_over(self, built: world.World, password: str) -> None:
        """Names, password and tokens, shown this once."""
        self._say("")
        if built.new_users:
            self._say(f"Log in as     {', '.join(built.new_users)} (password of each: {password})")
        if old := [role.value for role in Role if role.value not in built.new_users]:
            self._say(f"Log in as     {', '.join(old)} (there before; the password of each is as it was)")
        for name, raw in built.keys.items():
            self._say(f"{name:13} {raw} (shown this once)")
        self._say("")

    def _say(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()


def _in_short(evidence: Mapping[str, Any], longest: int = 160) -> str:
    text = json.dumps(evidence, default=str)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _password() -> str:
    """The one that everybody knows belongs on a laptop; elsewhere nobody knows it beforehand."""
    if settings.DEBUG or env.flag("DONNA_DEMO"):
        return people.DEMO_PASSWORD
    return secrets.token_urlsafe(12)
