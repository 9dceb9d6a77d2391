"""People, roles, tokens and channels in the admin: nobody gives themselves or others more than they may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.contrib.messages import get_messages
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from donna_skills.accounts import tokens
from donna_skills.accounts.models import ApiToken, User
from donna_skills.audit.models import AuditEvent
from donna_skills.notifications.models import Channel
from tests import builders
from tests.admin import addresses, rows

AsRole = Callable[..., Client]
ADD_PERSON = "admin:accounts_user_add"
ADD_TOKEN = "admin:accounts_apitoken_add"
ADD_CHANNEL = "admin:notifications_channel_add"
PASSWORD = "a horse, a battery"


def secret_of(response: HttpResponse) -> str:
    """The one word of the message that is meant to be copied."""
    (message,) = get_messages(response.wsgi_request)
    return strip_tags(str(message)).split()[-1]


def person_form(person: User, **changed: Any) -> dict[str, Any]:
    sent = {
        "username": person.username, "email": person.email, "first_name": person.first_name,
        "last_name": person.last_name, "is_active": "on", "is_staff": "on",
        "groups": list(person.groups.values_list("pk", flat=True)), **changed,
    }  # fmt: skip
    return {name: value for name, value in sent.items() if value is not None}


def test_an_admin_adds_a_person_with_a_role_and_it_is_audited(as_role: AsRole) -> None:
    author = Group.objects.get(name="author")
    sent = {
        "username": "nora", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD, "is_staff": "on",
        "groups": [author.pk],
    }  # fmt: skip
    assert as_role("admin").post(reverse(ADD_PERSON), sent).status_code == 302
    nora = User.objects.get(username="nora")
    assert (nora.check_password(PASSWORD), list(nora.groups.all())) == (True, [author])
    event = AuditEvent.objects.get(action="user.created")
    assert (event.subject_id, event.data["roles"], event.data["is_superuser"]) == (str(nora.pk), ["author"], False)


@pytest.mark.parametrize("role", ["viewer", "operator", "author", "reviewer"])
def test_nobody_else_adds_or_changes_people(as_role: AsRole, role: str) -> None:
    client, someone = as_role(role), builders.person("viewer")
    assert client.get(reverse(ADD_PERSON)).status_code == 403
    assert client.post(addresses.change(someone), person_form(someone, username="taken")).status_code == 403
    password = reverse("admin:auth_user_password_change", args=[someone.pk])
    assert client.post(password, {"password1": PASSWORD, "password2": PASSWORD}).status_code == 403


def test_changing_a_role_is_audited(as_role: AsRole) -> None:
    someone = builders.person("viewer")
    reviewer = Group.objects.get(name="reviewer")
    admin = as_role("admin")
    assert admin.post(addresses.change(someone), person_form(someone, groups=[reviewer.pk])).status_code == 302
    assert list(someone.groups.all()) == [reviewer]
    assert AuditEvent.objects.get(action="user.changed").data["roles"] == ["reviewer"]


def test_deactivating_a_person_keeps_them(as_role: AsRole) -> None:
    someone = builders.person("viewer")
    as_role("admin").post(addresses.change(someone), person_form(someone, is_active=None))
    assert not User.objects.get(pk=someone.pk).is_active


def test_an_admin_makes_nobody_a_superuser(as_role: AsRole) -> None:
    admin, someone = as_role("admin"), builders.person("viewer")
    sent = person_form(someone, is_superuser="on", user_permissions=["1"])
    assert admin.post(addresses.change(someone), sent).status_code == 302
    someone.refresh_from_db()
    assert (someone.is_superuser, someone.user_permissions.count()) == (False, 0)


def test_an_admin_changes_no_superuser(as_role: AsRole) -> None:
    admin, chief = as_role("admin"), builders.person(is_superuser=True)
    assert admin.post(addresses.change(chief), person_form(chief, is_active=None)).status_code == 403
    password = reverse("admin:auth_user_password_change", args=[chief.pk])
    assert admin.post(password, {"password1": PASSWORD, "password2": PASSWORD}).status_code == 403
    assert not User.objects.get(pk=chief.pk).check_password(PASSWORD)


def test_a_password_set_by_an_admin_is_audited(as_role: AsRole) -> None:
    someone = builders.person("viewer")
    url = reverse("admin:auth_user_password_change", args=[someone.pk])
    assert (
        as_role("admin")
        .post(url, {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD})
        .status_code
        == 302
    )
    assert User.objects.get(pk=someone.pk).check_password(PASSWORD)
    event = AuditEvent.objects.get(action="user.changed")
    assert PASSWORD not in str(event.data)


def test_only_a_superuser_changes_what_a_role_grants(as_role: AsRole, chief: Client) -> None:
    viewer = Group.objects.get(name="viewer")
    granted = list(viewer.permissions.values_list("pk", flat=True))
    sent = {"permissions": granted[1:], "name": "renamed"}
    assert as_role("admin").post(addresses.change(viewer), sent).status_code == 403
    assert chief.post(addresses.change(viewer), sent).status_code == 302
    viewer.refresh_from_db()
    assert (viewer.name, viewer.permissions.count()) == ("viewer", len(granted) - 1)
    assert AuditEvent.objects.get(action="role.changed").data["name"] == "viewer"


def test_a_token_is_made_by_the_service_and_shown_once(as_role: AsRole) -> None:
    admin, owner = as_role("admin"), builders.person("operator")
    sent = {"name": "planner", "kind": "bot", "owner": str(owner.pk), "scopes": ["runs:write"], "expires_in_days": "30"}
    made = admin.post(reverse(ADD_TOKEN), sent)
    raw = secret_of(made)
    token = tokens.authenticate(raw)
    assert token is not None
    assert (token.owner, token.scopes, made["Location"]) == (owner, ["runs:write"], addresses.change(token))
    assert (token.expires_at - token.created_at).days in {29, 30}
    first, second = (admin.get(made["Location"]).content.decode() for _ in range(2))
    assert raw in first
    assert raw not in second
    assert token.digest not in first
    assert AuditEvent.objects.filter(action="token.created", subject_id=str(token.pk)).exists()


def test_a_bots_token_that_could_decide_is_refused_with_the_form(as_role: AsRole) -> None:
    sent = {"name": "judge", "kind": "bot", "owner": str(builders.person().pk), "scopes": ["reviews:decide"]}
    answer = as_role("admin").post(reverse(ADD_TOKEN), sent)
    assert answer.status_code == 422
    assert "can never decide" in answer.content.decode()
    assert not ApiToken.objects.filter(name="judge").exists()


@pytest.mark.parametrize("role", ["viewer", "operator", "author", "reviewer"])
def test_nobody_else_makes_tokens_here(as_role: AsRole, role: str) -> None:
    client, token = as_role(role), rows.token()
    assert client.get(reverse(ADD_TOKEN)).status_code == 403
    assert client.post(addresses.act(token, "revoke")).status_code == 403
    assert ApiToken.objects.get(pk=token.pk).revoked_at is None


def test_rotating_shows_the_successor_and_the_old_one_lives_on_for_a_while(as_role: AsRole) -> None:
    admin = as_role("admin")
    token, raw = builders.bot_token()
    turned = admin.post(addresses.act(token, "rotate"), {"overlap_hours": "1"})
    successor = tokens.authenticate(secret_of(turned))
    assert successor is not None and successor.pk != token.pk
    assert turned["Location"] == addresses.change(successor)
    assert tokens.authenticate(raw) == token
    assert admin.post(addresses.act(token, "rotate"), {"overlap_hours": "1"}).status_code == 409


def test_revoking_asks_first_and_ends_the_token(as_role: AsRole) -> None:
    admin = as_role("admin")
    token, raw = builders.bot_token()
    assert "shut out at once" in admin.get(addresses.act(token, "revoke")).content.decode()
    assert tokens.authenticate(raw) == token
    assert admin.post(addresses.act(token, "revoke")).status_code == 302
    assert tokens.authenticate(raw) is None


def test_a_channel_is_made_by_the_service_and_hides_its_target_and_secrets(as_role: AsRole) -> None:
    admin = as_role("admin")
    sent = {"name": "On call", "kind": "email", "target": "ops@example.org", "role": "operator", "zone": "UTC"}
    made = admin.post(reverse(ADD_CHANNEL), sent)
    channel = Channel.objects.get(kind="email")
    assert (made["Location"], channel.role) == (addresses.change(channel), "operator")
    hook = rows.channel()
    page = admin.get(addresses.change(hook)).content.decode()
    assert "https://hooks.example.org/…" in page
    assert "sesame" not in page and "whsec_" not in page


def test_a_wrong_target_is_an_error_on_its_field(as_role: AsRole) -> None:
    sent = {"name": "x", "kind": "email", "target": "nobody", "role": "operator", "zone": "UTC"}
    answer = as_role("admin").post(reverse(ADD_CHANNEL), sent)
    assert answer.status_code == 422
    assert answer.context["form"].errors["target"] == ["This is not an e-mail address."]
    assert not Channel.objects.exists()


def test_a_webhooks_secret_is_rotated_and_shown_once(as_role: AsRole) -> None:
    admin, hook = as_role("admin"), rows.channel()
    begun = admin.post(addresses.act(hook, "begin-rotation"))
    secret = secret_of(begun)
    hook.refresh_from_db()
    assert hook.secrets == [secret, "whsec_topsecret"]
    assert secret in admin.get(addresses.change(hook)).content.decode()
    assert secret not in admin.get(addresses.change(hook)).content.decode()
    assert admin.post(addresses.act(hook, "begin-rotation")).status_code == 409
    admin.post(addresses.act(hook, "end-rotation"))
    hook.refresh_from_db()
    assert hook.secrets == [secret]


def test_a_channel_is_switched_off_with_a_reason_and_on_again(as_role: AsRole) -> None:
    admin, hook = as_role("admin"), rows.channel()
    assert admin.post(addresses.act(hook, "disable"), {"reason": ""}).status_code == 422
    admin.post(addresses.act(hook, "disable"), {"reason": "Moved away."})
    hook.refresh_from_db()
    assert (hook.enabled, hook.disabled_reason) == (False, "Moved away.")
    admin.post(addresses.act(hook, "enable"))
    hook.refresh_from_db()
    assert hook.enabled
