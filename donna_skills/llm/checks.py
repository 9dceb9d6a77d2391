"""What must be right about models before anything starts: said as sentences by `manage.py check`."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from donna_skills import configuration
from donna_skills.llm import budget, routing


def check_models(**_: Any) -> list[checks.CheckMessage]:
    """config/models.yaml, the adapter's name, and that skills and reference are answered by different models."""
    found = configuration.check(routing.Routes, "models.yaml", id="llm.E001") or _adapter_problems()
    return found or _route_problems()


def check_budget(**_: Any) -> list[checks.CheckMessage]:
    return configuration.check(budget.Limits, "skills.yaml", section="budget", id="llm.E002")


def _adapter_problems() -> list[checks.CheckMessage]:
    name = settings.MODEL_ADAPTER
    if name in ("", "offline"):
        return []
    if "." not in name:
        return [
            checks.Error(
                f"DONNA_MODEL_ADAPTER={name} is unknown.", hint="Leave it empty, or write `offline`.", id="llm.E003"
            )
        ]
    try:
        import_string(name)
    except ImportError as error:
        return [checks.Error(f"The model adapter {name} cannot be imported: {error}.", id="llm.E003")]
    return []


def _route_problems() -> list[checks.CheckMessage]:
    parser, reasoner = routing.route_of(routing.PARSER), routing.route_of(routing.REASONER)
    if parser.identity == reasoner.identity:
        return [
            checks.Error(
                f"The aliases parser and reasoner both lead to {parser.model} of {parser.provider}, so neither savings "
                "nor agreement with the reference would mean anything.",
                hint="Name two different models in config/models.yaml.",
                id="llm.E004",
            )
        ]
    if "offline" in (parser.adapter, reasoner.adapter) and parser.adapter != reasoner.adapter:
        alone = parser if parser.adapter == "offline" else reasoner
        return [
            checks.Error(
                f"The alias {alone.alias} has no option whose provider is set up, while the other alias has one.",
                hint=f"Add an option for the provider in use under aliases.{alone.alias} in config/models.yaml.",
                id="llm.E005",
            )
        ]
    return []
