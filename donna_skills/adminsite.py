"""The admin in our own look: unfold's settings, with the colours of static/css/tokens.css and the one menu."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static

TOKENS = Path(__file__).resolve().parent.parent / "static" / "css" / "tokens.css"
_SHADE = re.compile(r"--(grey|indigo)-(\d+): (#[0-9a-f]{6});")


def unfold_settings() -> dict[str, Any]:
    """settings.UNFOLD. Callables are named by their path: this is read before the applications are loaded."""
    greys, indigos = _scale("grey"), _scale("indigo")
    return {
        "SITE_TITLE": "Donna Skills",
        "SITE_HEADER": "Donna Skills",
        "SITE_SUBHEADER": "Administration",
        "SITE_URL": "/",
        "SITE_ICON": "donna_skills.adminsite.mark",
        "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": mark}],
        "SHOW_BACK_BUTTON": True,
        "ENVIRONMENT": "donna_skills.adminsite.environment",
        "BORDER_RADIUS": "8px",
        "COLORS": {
            "base": greys,
            "primary": indigos,
            "font": {
                # The theme's own choice is too faint for small print on its grey grounds.
                "subtle-light": greys["600"],
                "subtle-dark": greys["400"],
                "default-light": greys["700"],
                "default-dark": greys["300"],
                "important-light": greys["900"],
                "important-dark": greys["100"],
            },
        },
        "STYLES": [lambda request: static("css/tokens.css"), lambda request: static("css/admin.css")],
        "SCRIPTS": [lambda request: static("js/admin-theme.js")],
        "SIDEBAR": {
            "show_search": True,
            "show_all_applications": False,
            "navigation": "donna_skills.menu.admin_sidebar",
        },
    }


def mark(request: HttpRequest) -> str:
    return static("mark.svg")


def environment(request: HttpRequest) -> list[str]:
    """Word and tone of the badge that says which installation this is, so that nobody edits the wrong one."""
    name = settings.ENVIRONMENT
    return [name.capitalize(), "danger" if name == "production" else "info"]


def _scale(name: str) -> dict[str, str]:
    return {weight: value for scale, weight, value in _SHADE.findall(TOKENS.read_text()) if scale == name}
