"""`manage.py create_demo_users`: one person per role, so that a newcomer can look from every side.

Known passwords are for a laptop. Outside of DEBUG it takes DONNA_DEMO=1 (which `make run` sets) or --force.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from donna_skills import env
from donna_skills.accounts import people
from donna_skills.accounts.actors import Actor


class Command(BaseCommand):
    help = "Create the users viewer, operator, author, reviewer and admin, and print their password."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--force", action="store_true", help="on an installation that others can reach, too")
        parser.add_argument("--password", help=f"for the new ones (default: {people.DEMO_PASSWORD})")

    def handle(self, *args: Any, **options: Any) -> None:
        if not (settings.DEBUG or env.flag("DONNA_DEMO") or options["force"]):
            raise CommandError("Demo users have a known password. Set DONNA_DEMO=1 or give --force to make them here.")
        password = options["password"] or people.DEMO_PASSWORD
        made = people.create_demo_users(password=password, by=Actor.system("create_demo_users"))
        for user, created in made:
            outcome = f"password {password}" if created else "was there already, its password is unchanged"
            self.stdout.write(f"{user.get_username()}: {outcome}")
