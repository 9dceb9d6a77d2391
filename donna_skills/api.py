"""The JSON API at /api/v1/. The apps' routers are named in settings.API_ROUTERS, since the platform imports no app."""

from __future__ import annotations

from django.conf import settings
from ninja import Swagger

from donna_skills import health
from donna_skills.rest.application import Api

DESCRIPTION = """\
Run skills, report what a bot did by itself, and read what the skills learned from it.

**Authentication**: `Authorization: Bearer dsk_…`, made with `manage.py create_api_token`.
**Lists** answer `{"items": […], "count": …, "next": cursor or null}`.
**Failures** are `application/problem+json` with a stable `code`.
**Idempotency-Key** on a POST that creates makes it safe to send again.
"""


def build(routers: list[tuple[str, str]]) -> Api:
    """The API with these routers, each a prefix and the dotted name of a django-ninja Router."""
    made = Api(
        title="Donna Skills",
        version=settings.VERSION,
        description=DESCRIPTION,
        urls_namespace="api",
        openapi_url="/openapi.json",
        docs_url="/docs",
        # Swagger's files come from django-ninja's package, and without a validator badge from elsewhere.
        docs=Swagger(settings={"persistAuthorization": False, "validatorUrl": None}),
        servers=[{"url": "/", "description": "This installation"}],
    )
    made.add_router("", health.router)
    for prefix, router in routers:
        made.add_router(prefix, router)
    return made


api = build(settings.API_ROUTERS)
