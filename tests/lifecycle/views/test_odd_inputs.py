"""A form made from a schema: what no database keeps is refused at its field, and nothing is run."""

from __future__ import annotations

import pytest
from django.test import Client

from lifecycle.models import SkillRun
from tests import builders

pytestmark = pytest.mark.django_db
ANY_IN = {"type": "object", "properties": {"text": {"type": "string"}, "more": {"type": "object"}}}


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("in_text", "a\x00b", "a character that cannot be kept"),
        ("in_more", '{"a": "\\ud800"}', "a character that cannot be kept"),
        ("in_more", '{"a": ' * 200 + "1" + "}" * 200, "nested more than 100 levels"),
        ("in_more", "[" * 100_000, "not valid JSON"),
    ],
)
def test_what_cannot_be_kept_is_refused_at_its_field(client: Client, field: str, value: str, sentence: str):
    client.force_login(builders.person("operator"))
    name = builders.capability(input_schema=ANY_IN).name
    answer = client.post("/try/", {"capability": name, field: value})
    assert answer.status_code == 422 and sentence in answer.content.decode()
    assert not SkillRun.objects.exists()
