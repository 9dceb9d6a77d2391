"""Who is behind an action: the system itself, a person, or a bot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import models

from donna_skills.accounts import roles

if TYPE_CHECKING:
    from donna_skills.accounts.models import ApiToken, User


class ActorKind(models.TextChoices):
    SYSTEM = "system", "System"
    PERSON = "person", "Person"
    BOT = "bot", "Bot"


@dataclass(frozen=True)
class Actor:
    """Passed to every service that changes something, and written into the audit log with it."""

    kind: ActorKind
    user: User | None = None
    token: ApiToken | None = None
    label: str = ""
    in_emergency: bool = False
    """Breaks the glass: may do what takes a second person. Only `reviews.break_glass` makes such an actor."""

    @classmethod
    def system(cls, label: str) -> Actor:
        """A scheduled job, a command or a rule of the application; the label names it, as in `nightly`."""
        return cls(kind=ActorKind.SYSTEM, label=label)

    @classmethod
    def person(cls, user: User, token: ApiToken | None = None) -> Actor:
        """Somebody at a page, or behind a token of their own."""
        return cls(kind=ActorKind.PERSON, user=user, token=token, label=user.get_username())

    @classmethod
    def bot(cls, token: ApiToken) -> Actor:
        return cls(kind=ActorKind.BOT, token=token, label=token.name)

    @property
    def is_person(self) -> bool:
        return self.kind == ActorKind.PERSON

    def may(self, permission: roles.Permission) -> bool:
        """Permissions are people's. A bot has scopes instead, and the system acts by the rules alone."""
        return self.is_person and roles.may(self.user, permission)

    def describe(self) -> str:
        """For logs and messages: `person anna`, `bot planner (dsk_1f2e3d4c)`, `system nightly`."""
        through = f" (dsk_{self.token.prefix})" if self.token else ""
        return f"{self.kind.value} {self.label}{through}"
