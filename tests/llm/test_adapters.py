"""The loop on which real calls run: shared by threads, begun anew after a fork, quick to give up."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from decimal import Decimal

import pytest

from donna_skills.llm import prices
from donna_skills.llm.adapters import loop
from donna_skills.llm.routing import Price, Route


async def _same(value: int) -> int:
    return value


def test_all_threads_of_a_process_share_one_loop() -> None:
    found: list[loop.Loop] = []
    threads = [threading.Thread(target=lambda: found.append(loop.current())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert found[0].run(_same(7), timeout_s=1) == 7


def test_a_forked_child_starts_a_loop_of_its_own() -> None:
    assert loop.current().run(_same(1), timeout_s=1) == 1
    child = os.fork()
    if child == 0:
        # Only os._exit: this process must not go on to run the other tests.
        try:
            os._exit(0 if loop.current().run(_same(2), timeout_s=5) == 2 else 1)
        except BaseException:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_work_is_cancelled_at_its_deadline() -> None:
    cancelled = threading.Event()

    async def for_ever() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    started = time.monotonic()
    with pytest.raises(TimeoutError):
        loop.current().run(for_ever(), timeout_s=0.05)
    assert time.monotonic() - started < 60
    assert cancelled.wait(1)


def a_route(provider: str, model: str, price: Price | None = None) -> Route:
    return Route(alias="parser", adapter="real", provider=provider, model=model, price=price)


def test_a_price_of_ones_own_comes_before_the_catalogue() -> None:
    route = a_route("openai", "gpt-4o", Price(Decimal(2), Decimal(8)))
    assert prices.cost(route, input_tokens=500_000, output_tokens=250_000) == (Decimal(3), "configured")


def test_the_catalogue_knows_the_providers_models() -> None:
    cost, source = prices.cost(a_route("openai", "gpt-4o"), input_tokens=1_000_000, output_tokens=0)
    assert (cost > 0, source) == (True, "catalogue")


def test_an_unknown_model_costs_the_conservative_default() -> None:
    cost, source = prices.cost(a_route("openai_compatible", "our-own-7b"), input_tokens=1_000_000, output_tokens=0)
    assert (cost, source) == (15, "unknown")


def test_ollama_costs_nothing() -> None:
    assert prices.cost(a_route("ollama", "qwen3"), input_tokens=10, output_tokens=10) == (0, "free")


def test_a_cost_is_rounded_up_to_a_millionth() -> None:
    route = a_route("openai", "x", Price(Decimal("0.1"), Decimal(0)))
    assert prices.cost(route, input_tokens=1, output_tokens=0)[0] == Decimal("0.000001")
