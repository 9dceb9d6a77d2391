"""A stub provider and a configuration of its own for each test that talks to a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stubs.model_server import ModelServer

QUICK_RETRIES = {"attempts": 4, "first_wait_s": 0.01, "longest_wait_s": 0.02}
PURPOSES = {
    **dict.fromkeys(["native", "shadow", "judge", "draft", "evolution"], "reasoner"),
    **dict.fromkeys(["skill_step", "validation", "match"], "parser"),
}


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def configure(settings: Any, tmp_path: Path) -> Callable[..., None]:
    """Write models.yaml and skills.yaml (its budget only) into a folder of their own, and use them."""
    settings.MODEL_ADAPTER = ""
    settings.ANTHROPIC_API_KEY = settings.OPENAI_API_KEY = settings.OPENAI_BASE_URL = settings.OLLAMA_BASE_URL = ""
    settings.CONFIG_DIR = tmp_path

    def write(
        *,
        parser: list[dict[str, Any]] | None = None,
        reasoner: list[dict[str, Any]] | None = None,
        daily: float = 20,
        monthly: float = 100,
        warning: float = 0.9,
        reserve: float = 0.3,
        **other: Any,
    ) -> None:
        models = {
            "aliases": {"parser": parser or [], "reasoner": reasoner or []},
            "purposes": PURPOSES,
            "retries": QUICK_RETRIES,
            **other,
        }
        (tmp_path / "models.yaml").write_text(yaml.safe_dump(models))
        budget = {
            "daily_pause_threshold_usd": daily,
            "monthly_budget_usd": monthly,
            "monthly_warning_pct": warning,
            "live_reserve_pct": reserve,
        }
        (tmp_path / "skills.yaml").write_text(yaml.safe_dump({"budget": budget}))

    return write


@pytest.fixture
def openai_stub(configure: Callable[..., None], server: ModelServer) -> ModelServer:
    """Both aliases lead to the stub, as OpenAI-compatible servers with a price: 1 USD in, 10 USD out for a million."""
    price = {"input_per_mtok": 1, "output_per_mtok": 10}
    option = {"provider": "openai_compatible", "base_url": server.openai_url, "price": price, "timeout_s": 5}
    configure(
        parser=[{**option, "model": "small"}],
        reasoner=[{**option, "model": "large"}],
        embeddings=[{**option, "model": "vectors"}],
    )
    return server


@pytest.fixture
def anthropic_stub(configure: Callable[..., None], server: ModelServer) -> ModelServer:
    price = {"input_per_mtok": 1, "output_per_mtok": 10}
    option = {"provider": "anthropic", "base_url": server.url, "price": price, "timeout_s": 5}
    configure(parser=[{**option, "model": "claude-small"}], reasoner=[{**option, "model": "claude-large"}])
    return server
