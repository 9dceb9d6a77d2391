"""The demo's small web, as the application serves it, and when the demo has automations at all."""

from __future__ import annotations

import socket
from datetime import date, timedelta

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, override_settings
from django.utils import timezone

from automations.demo import site, stand, story
from automations.models import Automation, AutomationRun, RunStatus
from donna_skills import env
from tests.automations.test_demo_story import free_address, gather
from tests.llm.conftest import configure, openai_stub, server
from tests.stubs.model_server import ModelServer

__all__ = ["configure", "openai_stub", "server"]

pytestmark = pytest.mark.django_db

SEASON = date(2026, 3, 1)


def address_of(listening: socket.socket) -> str:
    return f"127.0.0.1:{listening.getsockname()[1]}"


def test_where_the_application_is_up_already_its_workers_are_asked() -> None:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken, override_settings(DEMO_SITE=address_of(taken)):
        story.tell(gather(), today=timezone.now().date(), say=said.append)
    assert AutomationRun.objects.filter(status=RunStatus.QUEUED).count() == AutomationRun.objects.count() == 3 + 5
    assert "carries out their first runs" in said[0]


def test_without_an_address_there_are_no_automations() -> None:
    said: list[str] = []
    story.tell(gather(), today=SEASON, say=said.append)
    assert settings.DEMO_SITE == ""
    assert not Automation.objects.exists()
    assert "no address" in said[0]


def test_with_a_real_provider_there_are_none_either(openai_stub: ModelServer) -> None:
    with override_settings(DEMO_SITE=free_address()):
        story.tell(gather(), today=SEASON, say=lambda _: None)
    assert not Automation.objects.exists()
    assert openai_stub.seen == []


@override_settings(DEMO_SITE="127.0.0.1:8000")
def test_the_application_serves_the_shop_the_feed_and_the_board(client: Client) -> None:
    today = timezone.now().date()
    jacket = client.get(f"/demo/{site.jacket(today)}")
    feed = client.get(f"/demo/{site.FEED}")
    assert (jacket.status_code, jacket["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert 'content="149.00"' in jacket.content.decode()
    assert (feed.status_code, feed["Content-Type"]) == (200, "application/rss+xml; charset=utf-8")
    assert client.get(f"/demo/{site.BOARD}").status_code == 200


@pytest.mark.parametrize("path", ["", "shop/", "shop/2026-13-01/rain-jacket/", "shop/2026-03-01/tent/", "office/"])
@override_settings(DEMO_SITE="127.0.0.1:8000")
def test_there_is_nothing_else(client: Client, path: str) -> None:
    assert client.get(f"/demo/{path}").status_code == 404


def test_without_a_demo_nothing_is_served(client: Client) -> None:
    assert client.get(f"/demo/{site.BOARD}").status_code == 404


def test_the_price_falls_on_the_fifteenth_day_for_five_days() -> None:
    prices = [float(site.price(SEASON, day=SEASON + timedelta(days=day))) for day in range(-1, 21)]
    assert [price <= story.TARGET for price in prices] == [False] * 15 + [True] * 5 + [False] * 2


def test_a_stand_says_so_where_somebody_else_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, stand.opened(address_of(taken), day=SEASON) as shop:
        assert shop is None


@pytest.mark.parametrize(
    "site_address", ["10.0.0.7:8000", "shop.example:80", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:x"]
)
def test_an_address_that_others_have_is_no_demos(monkeypatch: pytest.MonkeyPatch, site_address: str) -> None:
    monkeypatch.setenv("DONNA_DEMO_SITE", site_address)
    with pytest.raises(ImproperlyConfigured, match="no address of this machine"):
        env.loopback("DONNA_DEMO_SITE")
