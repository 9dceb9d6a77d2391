"""`manage.py prepare`: everything between a fresh checkout and a running application. `make run` calls it each time.

Each step looks first whether there is anything to do, so a second start takes seconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import socket
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Q

from donna_skills import env
from donna_skills.accounts import people, tokens
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import PERSON_ONLY_SCOPES, Scope, TokenKind, User
from donna_skills.accounts.roles import Role

TOKEN_FILE = settings.VAR_DIR / "bot_token"
TRY_IT = {"capability": "parse_task", "inputs": {"text": "call the mechanic monday about the brakes, urgent"}}
_HINT = f"Log in as {', '.join(Role.values)}; the password of each is {people.DEMO_PASSWORD}."
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Command(BaseCommand):
    help = (
        "Brings database, static files, seed skills, demo users and a bot's token up to date, and says what to do next."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--serve", action="store_true", help="then become the supervisor of the Procfile's processes"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        bind, port = env.text("BIND") or "127.0.0.1", env.integer("PORT", 8000, at_least=1)
        _demand_free_port(bind, port)
        new = not MigrationRecorder(connection).applied_migrations()
        self._say("Database …")
        call_command("migrate", interactive=False, verbosity=0)
        if _static_files_changed():
            self._say("Static files …")
            call_command("collectstatic", interactive=False, verbosity=0)
            _note_static_files()
        self._say("Seed skills …")
        call_command("load_seed_skills", verbosity=0)
        # Their password is in the README: never on an address that others reach, unless somebody asks for it.
        with_demo_users = bind in _LOOPBACK or env.flag("DONNA_DEMO")
        if with_demo_users:
            people.create_demo_users(password=people.DEMO_PASSWORD, by=Actor.system("prepare"))
        token = _bot_token()
        if new:
            self._offer_demo_world()
        self._welcome(bind, port, token=token, with_demo_users=with_demo_users)
        if options["serve"]:
            connection.close()
            if with_demo_users:
                os.environ.setdefault("DONNA_DEMO_HINT", _HINT)
            else:
                os.environ.pop("DONNA_DEMO_SITE", None)  # no shop, and no way for tools into this machine
            os.execv(sys.executable, [sys.executable, "-m", "donna_skills.supervisor"])  # noqa: S606 -- our own module

    def _offer_demo_world(self) -> None:
        """Once, on an empty database: DONNA_DEMO answers, or the person at the terminal, or nobody."""
        answer = env.text("DONNA_DEMO")
        if answer:
            wanted = env.flag("DONNA_DEMO")
        elif sys.stdin.isatty():
            wanted = _answered_yes("Load the demo world now? [Y/n] ")
        else:
            wanted = False
        if wanted:
            self._say("Demo world …")
            call_command("demo", stdout=self.stdout)
        else:
            self._say("No demo world was loaded; `make demo` does it at any time.")

    def _welcome(self, bind: str, port: int, *, token: str, with_demo_users: bool) -> None:
        address = f"http://{'127.0.0.1' if bind in _LOOPBACK else bind}:{port}"
        lines = ["", f"Donna Skills  {address}/"]
        if with_demo_users:
            lines.append(f"Users         {', '.join(Role.values)} (password of each: {people.DEMO_PASSWORD})")
        else:
            lines.append("Users         none made, since others reach this address: `manage.py createsuperuser`")
        lines += [
            f"Bot token     {token}",
            "",
            "Try it:",
            f"  curl -s {address}/api/v1/runs \\",
            f"    -H 'Authorization: Bearer {token}' \\",
            "    -H 'Content-Type: application/json' \\",
            f"    -d {shlex.quote(json.dumps(TRY_IT))}",
            "",
        ]
        self.stdout.write("\n".join(lines))

    def _say(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()


def _answered_yes(question: str) -> bool:
    try:
        return input(question).strip().lower() in {"", "y", "yes"}
    except EOFError:
        return False


def _demand_free_port(bind: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As gunicorn opens it: connections of the last run that still linger do not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind.strip("[]"), port))
        except OSError as error:
            raise CommandError(
                f"Port {port} on {bind} is not to be had ({error.strerror}). Stop the program that uses it, or choose "
                f"another port: PORT={port + 1} make run"
            ) from error


def _bot_token() -> str:
    """The token kept in var/, or a new one where there is none or the database no longer knows it."""
    if TOKEN_FILE.exists() and tokens.authenticate(raw := TOKEN_FILE.read_text().strip()):
        return raw
    administrators = Q(is_superuser=True) | Q(groups__name=Role.ADMIN)
    _, raw = tokens.create(
        name="first bot",
        owner=User.objects.filter(administrators, is_active=True).order_by("date_joined").first(),
        scopes=[scope for scope in Scope if scope not in PERSON_ONLY_SCOPES],
        kind=TokenKind.BOT,
        by=Actor.system("prepare"),
    )
    descriptor = os.open(TOKEN_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(raw + "\n")
    return raw


def _static_files_changed() -> bool:
    noted = _static_files_note()
    return not noted.exists() or noted.read_text() != _static_files_fingerprint()


def _note_static_files() -> None:
    _static_files_note().write_text(_static_files_fingerprint())


def _static_files_note() -> Path:
    return Path(settings.STATIC_ROOT) / ".collected"


def _static_files_fingerprint() -> str:
    """Which files there are to collect, by path, size and time of change, and how they would be stored."""
    found = [repr(settings.STORAGES["staticfiles"])]
    for finder in get_finders():
        for path, storage in finder.list([]):
            about = os.stat(storage.path(path))
            found.append(f"{path} {about.st_size} {about.st_mtime_ns}")
    return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()
