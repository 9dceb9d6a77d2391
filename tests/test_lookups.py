"""A prepared read gives the same instance as Django's own query."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from donna_skills.accounts.models import ApiToken
from donna_skills.lookups import UniqueLookup
from tests.accounts.people import make_bot_token, make_own_token, make_person


def test_the_instance_is_the_one_that_a_query_gives(db: None, django_assert_num_queries: Any) -> None:
    anna = make_person("anna")
    lookup = UniqueLookup(ApiToken, "digest")
    for token, _ in (
        make_bot_token("runs:read", "runs:write", owner=anna, expires_at=timezone.now() + timedelta(days=1)),
        make_own_token(anna),
    ):
        wanted = ApiToken.objects.get(pk=token.pk)
        with django_assert_num_queries(1):
            found = lookup.get(token.digest)
        assert found is not None
        fields = [field.attname for field in ApiToken._meta.concrete_fields]
        assert [getattr(found, name) for name in fields] == [getattr(wanted, name) for name in fields]
        assert [type(getattr(found, name)) for name in fields] == [type(getattr(wanted, name)) for name in fields]
        assert found == wanted and found.owner == anna and not found._state.adding
        found.revoked_at = timezone.now()
        found.save()
        assert ApiToken.objects.get(pk=token.pk).revoked_at == found.revoked_at
    assert lookup.get("nonsense") is None
