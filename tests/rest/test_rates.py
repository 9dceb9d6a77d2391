"""The counter behind the rate limit, where it cannot count."""

from __future__ import annotations

import uuid

import pytest
from django.conf import LazySettings
from django.http import HttpRequest

from donna_skills.errors import RateLimited
from donna_skills.rest import rates


@pytest.mark.parametrize("used", [0, 1, 5])
def test_each_request_is_counted_once(settings: LazySettings, used: int) -> None:
    settings.API_RATE_PER_MINUTE = 5
    token, request = uuid.uuid4(), HttpRequest()
    allowances = [rates.spend(request, token, now=90.0) for _ in range(used)]
    assert [allowance.remaining for allowance in allowances] == [4, 3, 2, 1, 0][:used]
    assert all((allowance.limit, allowance.reset_s) == (5, 30) for allowance in allowances)


def test_beyond_the_limit_is_refused_until_the_minute_turns(settings: LazySettings) -> None:
    settings.API_RATE_PER_MINUTE = 1
    token = uuid.uuid4()
    rates.spend(HttpRequest(), token, now=119.5)
    with pytest.raises(RateLimited) as refused:
        rates.spend(HttpRequest(), token, now=119.9)
    assert refused.value.retry_after_s == 1
    rates.spend(HttpRequest(), token, now=120.0)


def test_without_its_counter_the_api_goes_on(settings: LazySettings, caplog: pytest.LogCaptureFixture) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
    settings.API_RATE_PER_MINUTE = 1
    token = uuid.uuid4()
    for _ in range(3):
        assert rates.spend(HttpRequest(), token).remaining == 1
    assert "not being counted" in caplog.text
