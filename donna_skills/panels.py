"""Lines that an app puts on the home page without the page's app knowing it: settings.HOME_PANELS names the functions.

Each takes the person and the time, and answers with a line or, where there is nothing to say, with None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils.module_loading import import_string

from donna_skills.accounts.models import User
from donna_skills.templatetags.ui import SHAPES


@dataclass(frozen=True)
class Line:
    """`Automations: 14 active, 1 paused after 5 failures [see why]`: heading, text, address and words of the link.

    `tone` is amber or red where somebody should look, with its shape; else it stays grey and shows none.
    """

    heading: str
    text: str
    url: str
    link: str
    tone: str = "grey"

    @property
    def shape(self) -> str:
        return "" if self.tone == "grey" else SHAPES[self.tone]


Panel = Callable[[User, datetime], Line | None]


def lines(user: User, now: datetime) -> list[Line]:
    """In the order of the setting; each panel owes a constant number of queries."""
    panels: list[Panel] = [import_string(name) for name in settings.HOME_PANELS]
    return [line for panel in panels if (line := panel(user, now)) is not None]
