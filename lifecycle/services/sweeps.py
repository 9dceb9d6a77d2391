"""What a pass over many skills found: one line a skill, with its reason. One skill's failure never stops the pass."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from donna_skills.errors import DonnaError, StaleState
from lifecycle.models import Skill

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Line:
    """What came of one skill: a word the pass defines, a sentence, and codes of reasons. Every pass also has `error`,
    and `overtaken` where somebody else was faster."""

    skill_id: str
    capability: str
    outcome: str
    detail: str = ""
    reasons: tuple[str, ...] = ()

    @classmethod
    def of(cls, skill: Skill, outcome: str, detail: str = "", *, reasons: Iterable[str] = ()) -> Line:
        return cls(str(skill.pk), skill.capability.name, outcome, detail, tuple(reasons))

    def as_dict(self) -> dict[str, Any]:
        return {
            "skill_id": self.skill_id,
            "capability": self.capability,
            "outcome": self.outcome,
            "detail": self.detail,
            "reasons": list(self.reasons),
        }


@dataclass
class Swept:
    """The lines of one pass, in the order in which skills were looked at, and what it paid for model calls."""

    lines: list[Line] = field(default_factory=list)
    cost_usd: Decimal = Decimal(0)

    @property
    def counts(self) -> dict[str, int]:
        return dict(Counter(line.outcome for line in self.lines))

    def add(self, skill: Skill, decide: Callable[[], Line]) -> None:
        """Decide about one skill; whatever goes wrong is its line, and the next skill's turn comes."""
        try:
            line = decide()
        except StaleState as error:
            line = Line.of(skill, "overtaken", error.message, reasons=[error.code])
        except DonnaError as error:
            logger.info("A skill was left as it is.", extra={"skill_id": str(skill.pk), "why": error.message})
            line = Line.of(skill, "error", error.message, reasons=[error.code])
        except Exception as error:
            logger.exception("A skill could not be looked at.", extra={"skill_id": str(skill.pk)})
            line = Line.of(skill, "error", f"An unexpected error ({type(error).__name__}).", reasons=["unexpected"])
        self.lines.append(line)
