"""Who calls: a token with the scope that the route asks for. Sessions never open the API.

    @router.get("/runs", auth=scope("runs:read"))

After it, `request.actor` is the Actor and `request.token` the ApiToken. A bot's token costs one query.
"""

from __future__ import annotations

from functools import lru_cache

from django.http import HttpRequest
from ninja.security import HttpBearer

from donna_skills.accounts import tokens
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import PERSON_ONLY_SCOPES, ApiToken, Scope
from donna_skills.errors import NotPermitted
from donna_skills.rest import rates
from donna_skills.rest.problems import Unauthenticated


class ApiRequest(HttpRequest):
    """For signatures: a request that has passed `scope`."""

    actor: Actor
    token: ApiToken


class BearerToken(HttpBearer):
    """django-ninja calls it before the route; the scopes are those of which the token needs every one."""

    openapi_name = "BearerToken"
    openapi_description = "A token as `manage.py create_api_token` prints it: `Authorization: Bearer dsk_…`."

    def __init__(self, *scopes: Scope) -> None:
        super().__init__()
        self.scopes = scopes

    def __call__(self, request: HttpRequest) -> ApiToken:
        kind, _, raw = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not raw:
            raise Unauthenticated("Send a token as `Authorization: Bearer dsk_…`; a session does not open the API.")
        return self.authenticate(request, raw.strip())

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken:
        found = tokens.authenticate(token)
        if found is None:
            raise Unauthenticated("The token is unknown, expired or revoked.", code="invalid_token")
        rates.spend(request, found.pk)
        request.token = found  # type: ignore[attr-defined]
        request.actor = Actor.person(found.person, found) if found.person else Actor.bot(found)  # type: ignore[attr-defined]
        for wanted in self.scopes:
            require(found, wanted)
        return found


@lru_cache
def scope(*scopes: str) -> BearerToken:
    """What a route gives as `auth=`; an unknown scope fails at import, and `scope()` asks for any live token."""
    return BearerToken(*(Scope(wanted) for wanted in scopes))


def require(token: ApiToken, wanted: Scope | str) -> None:
    """For a route whose scope depends on what was sent."""
    held = wanted in token.scopes
    # Whatever a row says, a bot never decides.
    if not held or (token.person is None and wanted in PERSON_ONLY_SCOPES):
        raise NotPermitted(f"The token lacks the scope {Scope(wanted).value}.", code="missing_scope")
