from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group

from donna_skills.accounts.models import User
from donna_skills.notifications import channels
from donna_skills.notifications.models import Channel, ChannelKind
from tests.jobs.conftest import at_once  # noqa: F401 (a fixture)
from tests.notifications.servers import HookServer, MailServer


@pytest.fixture
def reviewer(db: None) -> User:
    person = User.objects.create_user("rita", "rita@example.org")
    person.groups.add(Group.objects.get_or_create(name="reviewer")[0])
    return User.objects.get(pk=person.pk)


@pytest.fixture
def viewer(db: None) -> User:
    person = User.objects.create_user("vera", "vera@example.org")
    person.groups.add(Group.objects.get_or_create(name="viewer")[0])
    return User.objects.get(pk=person.pk)


@pytest.fixture
def admin(db: None) -> User:
    person = User.objects.create_user("ada", "ada@example.org")
    person.groups.add(Group.objects.get_or_create(name="admin")[0])
    return User.objects.get(pk=person.pk)


@pytest.fixture
def hooks() -> Iterator[HookServer]:
    with HookServer() as server:
        yield server


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def allow(settings: Any) -> Callable[[str], None]:
    """Let messages go to one local server."""

    def add(host: str) -> None:
        settings.WEBHOOK_ALLOW_HOSTS = [*getattr(settings, "WEBHOOK_ALLOW_HOSTS", ()), host]

    return add


@pytest.fixture
def email(reviewer: User) -> Channel:
    return Channel.objects.create(name="Rita's mail", person=reviewer, kind=ChannelKind.EMAIL, target=reviewer.email)


@pytest.fixture
def hook(reviewer: User, hooks: HookServer, allow: Any) -> Channel:
    allow(hooks.host)
    return Channel.objects.create(
        name="Rita's hook", person=reviewer, kind=ChannelKind.WEBHOOK, target=hooks.url, secrets=[channels.new_secret()]
    )


@pytest.fixture
def smtp(settings: Any, mails: MailServer) -> MailServer:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mails.port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    return mails
