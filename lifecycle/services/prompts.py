"""The application's own prompts, as the files in templates/prompts/ say them."""

from __future__ import annotations

from functools import cache

from django.conf import settings


@cache
def read(name: str) -> str:
    """The text of templates/prompts/<name>.txt, a template for `lifecycle.execution.templates` where it has braces."""
    return (settings.BASE_DIR / "templates" / "prompts" / f"{name}.txt").read_text(encoding="utf-8")
