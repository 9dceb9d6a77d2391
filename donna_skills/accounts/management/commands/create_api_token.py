"""`manage.py create_api_token NAME --scope runs:write`: a token for a bot, or with --person for somebody's own use."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q
from django.utils import timezone

from donna_skills.accounts import tokens
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import Scope, TokenKind, User
from donna_skills.accounts.roles import Role
from donna_skills.errors import DonnaError


class Command(BaseCommand):
    help = "Create an API token and print it, alone, on the last line. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what it is for, as in `mail assistant`")
        parser.add_argument(
            "--scope", nargs="+", action="extend", required=True, metavar="SCOPE", help=f"of: {', '.join(Scope.values)}"
        )
        parser.add_argument("--person", metavar="USER", help="make it this person's own token instead of a bot's")
        parser.add_argument(
            "--owner", metavar="USER", help="who answers for the bot (default: the first administrator)"
        )
        parser.add_argument("--expires-days", type=int, metavar="N", help="days until it expires (default: never)")

    def handle(self, *args: Any, **options: Any) -> None:
        person = _user(options["person"])
        owner = person or _user(options["owner"]) or _first_administrator()
        days = options["expires_days"]
        try:
            token, raw = tokens.create(
                name=options["name"],
                owner=owner,
                scopes=options["scope"],
                kind=TokenKind.PERSON if person else TokenKind.BOT,
                person=person,
                expires_at=None if days is None else timezone.now() + timedelta(days=days),
                by=Actor.system("create_api_token"),
            )
        except (DonnaError, OverflowError) as refused:
            raise CommandError(str(refused)) from refused
        answers = f", owned by {owner.get_username()}" if owner else ", owned by nobody: there is no administrator yet"
        self.stderr.write(f"{token.get_kind_display()} token {token.name!r} for {', '.join(token.scopes)}{answers}")
        self.stdout.write(raw)


def _user(username: str | None) -> User | None:
    if username is None:
        return None
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active user {username!r}.")
    return user


def _first_administrator() -> User | None:
    administrators = Q(is_superuser=True) | Q(groups__name=Role.ADMIN)
    return User.objects.filter(administrators, is_active=True).order_by("date_joined", "pk").first()
