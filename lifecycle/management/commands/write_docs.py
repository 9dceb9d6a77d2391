"""`manage.py write_docs`: the pages that the code can write itself, so that the two cannot differ.

docs/states.md comes from the table in lifecycle/states.py, and docs/openapi.json from the routes of the JSON API.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from donna_skills.accounts.actors import ActorKind
from donna_skills.api import api
from lifecycle.states import CONDITIONS, GATED, REASON_ACTORS, SERVING, STATES, TABLE, Reason, State

STATES_PAGE = settings.BASE_DIR / "docs" / "states.md"
OPENAPI_PAGE = settings.BASE_DIR / "docs" / "openapi.json"

_HEAD = """\
# States and moves

Written by `manage.py write_docs` from `lifecycle/states.py`; a test compares the two. Change the table there, then run
the command.
"""

_ORDER = """\
## Order of the checks

`lifecycle.services.transitions.move` is the only writer of a skill's state. It checks in this order, and the first
failure wins:

1. the skill exists;
2. the state asked for is another than the present one;
3. the pair is in the table below;
4. the reason is allowed for the pair;
5. the actor may give the reason;
6. the human gate: `requires_human_gate` keeps the system, and only the system, from moving a skill into {gated};
7. the state is still the one that the caller saw.

A refused move writes no transition, but an audit event says who tried.
"""

_ACTORS = {
    ActorKind.SYSTEM: "the system alone",
    ActorKind.PERSON: "a person with the permission",
    ActorKind.BOT: "a bot",
}


class Command(BaseCommand):
    help = "Writes docs/states.md and docs/openapi.json; with --check it only says whether they are up to date."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing, and fail where a page differs")

    def handle(self, *args: Any, **options: Any) -> None:
        for page, text in ((STATES_PAGE, states_page()), (OPENAPI_PAGE, openapi_page())):
            if not options["check"]:
                page.write_text(text, encoding="utf-8")
            elif not page.exists() or page.read_text(encoding="utf-8") != text:
                raise CommandError(f"docs/{page.name} is not what the code says: run `manage.py write_docs`.")


def openapi_page() -> str:
    """The description of the API as it is served, one value a line, so that a change reads as one in a diff."""
    return json.dumps(api.get_openapi_schema(), indent=2, ensure_ascii=False) + "\n"


def states_page() -> str:
    """The whole page, as Markdown."""
    gated = ", ".join(f"`{state.value}`" for state in State if state in GATED)
    return "\n".join([_HEAD, _states(), _reasons(), _moves(), _ORDER.format(gated=gated)])


def _states() -> str:
    rows = [
        (
            f"`{state.value}`",
            f"{look.shape} {look.label}",
            look.meaning,
            "the skill" if state in SERVING else "the reference",
        )
        for state, look in STATES.items()
    ]
    return "## States\n\n" + _table(("state", "shown as", "what it means", "who answers the caller"), rows)


def _reasons() -> str:
    rows = [(f"`{reason.value}`", reason.label, _ACTORS[REASON_ACTORS[reason]]) for reason in Reason]
    return (
        "## Reasons\n\n"
        + _table(("reason", "in words", "who may give it"), rows)
        + "\nA bot may give none of them: it reports and proposes, and never moves a skill.\n"
    )


def _moves() -> str:
    rows = []
    for (source, target), reasons in TABLE.items():
        allowed = [reason for reason in Reason if reason in reasons]
        conditions = [
            f"{reason.value}: {condition}"
            for reason in allowed
            if (condition := CONDITIONS.get((source, target, reason)))
        ]
        rows.append(
            (
                f"`{source.value}`",
                f"`{target.value}`",
                ", ".join(f"`{reason.value}`" for reason in allowed),
                "; ".join(conditions),
            )
        )
    return "## Moves\n\nA pair that is not here is no move.\n\n" + _table(("from", "to", "reasons", "condition"), rows)


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
