"""Who acts in the demo world: its users, the assistant that reports its work, and the keys that are handed out."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from donna_skills.accounts import people, tokens
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import PERSON_ONLY_SCOPES, ApiToken, Scope, TokenKind, User
from donna_skills.accounts.roles import Role

DEMO = Actor.system("demo")
BOT, REVIEWER = "demo bot", "demo reviewer"
_ASSISTANT = "demo assistant"
_FOR_BOTS = [scope for scope in Scope if scope not in PERSON_ONLY_SCOPES]
_FOR_REVIEWERS = [Scope.RUNS_READ, Scope.SKILLS_READ, Scope.EVENTS_READ, Scope.REVIEWS_DECIDE]


@dataclass(frozen=True)
class Cast:
    """The actors, and the names of the users that are new."""

    author: User
    reviewer: User
    operator: User
    assistant: ApiToken
    new: tuple[str, ...]

    @property
    def bot(self) -> Actor:
        return Actor.bot(self.assistant)


def gather(*, password: str) -> Cast:
    """One user a role and the assistant; those that are there already stay as they are."""
    made = people.create_demo_users(password=password, by=DEMO)
    by_role = {user.username: user for user, _ in made}
    author = by_role[Role.AUTHOR]
    return Cast(
        author=author,
        reviewer=by_role[Role.REVIEWER],
        operator=by_role[Role.OPERATOR],
        assistant=_assistant(owner=author),
        new=tuple(user.username for user, created in made if created),
    )


def have_keys() -> bool:
    """The keys are made last, so where they are the world is complete."""
    return ApiToken.objects.filter(name=BOT, kind=TokenKind.BOT).exists()


def hand_out_keys(cast: Cast) -> dict[str, str]:
    """A bot's token and a reviewer's own, by name: both or, when this is cut off, none."""
    with transaction.atomic():
        _, bot = tokens.create(name=BOT, owner=cast.operator, scopes=_FOR_BOTS, kind=TokenKind.BOT, by=DEMO)
        _, reviewer = tokens.create(
            name=REVIEWER,
            owner=cast.reviewer,
            person=cast.reviewer,
            scopes=_FOR_REVIEWERS,
            kind=TokenKind.PERSON,
            by=DEMO,
        )
    return {BOT: bot, REVIEWER: reviewer}


def _assistant(*, owner: User) -> ApiToken:
    """Whose runs these are. Nobody ever learns its secret, because nobody has to call in its name."""
    present = ApiToken.objects.filter(name=_ASSISTANT, kind=TokenKind.BOT, owner=owner).first()
    if present:
        return present
    token, _ = tokens.create(name=_ASSISTANT, owner=owner, scopes=_FOR_BOTS, kind=TokenKind.BOT, by=DEMO)
    return token
