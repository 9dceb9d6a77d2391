"""Which model answers: the file, the environment, and the checks that run before anything starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from donna_skills.llm import checks, gateway, routing
from donna_skills.llm.models import ModelCall
from donna_skills.llm.port import ModelRequest, Purpose


@pytest.fixture
def shipped(settings: Any) -> Any:
    """The shipped file, with no provider set up."""
    settings.CONFIG_DIR = settings.SHIPPED_CONFIG_DIR
    settings.MODEL_ADAPTER = ""
    settings.ANTHROPIC_API_KEY = settings.OPENAI_API_KEY = settings.OPENAI_BASE_URL = settings.OLLAMA_BASE_URL = ""
    return settings


SET_UPS = {
    "nothing": {},
    "anthropic": {"ANTHROPIC_API_KEY": "key-a"},
    "openai": {"OPENAI_API_KEY": "key-o"},
    "openai's protocol elsewhere": {"OPENAI_BASE_URL": "http://localhost:8000/v1"},
    "ollama": {"OLLAMA_BASE_URL": "http://localhost:11434"},
    "all": {"ANTHROPIC_API_KEY": "key-a", "OPENAI_API_KEY": "key-o", "OLLAMA_BASE_URL": "http://localhost:11434"},
}


@pytest.mark.parametrize("environment", SET_UPS.values(), ids=SET_UPS)
def test_the_shipped_file_passes_its_checks_with_any_provider(shipped: Any, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        setattr(shipped, name, value)
    assert checks.check_models() == []
    assert checks.check_budget() == []
    assert routing.route_of("parser").identity != routing.route_of("reasoner").identity


def test_with_nothing_set_up_plain_rules_answer_and_the_status_says_so(shipped: Any) -> None:
    assert routing.status() == {
        "adapter": "offline",
        "aliases": {
            "parser": {"provider": "offline", "model": "offline-parser"},
            "reasoner": {"provider": "offline", "model": "offline-reasoner"},
        },
    }
    assert routing.embedding_route() is None


def test_offline_can_be_forced_although_a_provider_is_set_up(shipped: Any) -> None:
    shipped.OPENAI_API_KEY = "key-o"
    shipped.MODEL_ADAPTER = "offline"
    assert routing.status()["adapter"] == "offline"
    assert routing.embedding_route() is None


def test_the_first_option_that_is_set_up_is_taken(shipped: Any) -> None:
    shipped.OLLAMA_BASE_URL = "http://localhost:11434"
    assert routing.route_of("parser").provider == "ollama"
    shipped.OPENAI_API_KEY = "key-o"
    assert routing.route_of("parser").provider == "openai"
    shipped.ANTHROPIC_API_KEY = "key-a"
    assert routing.route_of("parser").provider == "anthropic"


def test_ollama_named_by_host_alone_is_asked_where_it_speaks_openais_protocol(shipped: Any) -> None:
    shipped.OLLAMA_BASE_URL = "http://localhost:11434/"
    assert routing.route_of("parser").base_url == "http://localhost:11434/v1"
    shipped.OLLAMA_BASE_URL = "http://proxy/ollama/v1"
    assert routing.route_of("parser").base_url == "http://proxy/ollama/v1"


def test_the_accounts_key_goes_to_its_own_address_and_is_never_shown(
    shipped: Any, configure: Callable[..., None]
) -> None:
    shipped.OPENAI_API_KEY = "key-o"
    configure(
        parser=[{"provider": "openai", "model": "a"}],
        reasoner=[{"provider": "openai", "model": "b", "base_url": "http://elsewhere/v1"}],
    )
    shipped.OPENAI_API_KEY = "key-o"
    assert routing.route_of("parser").api_key == "key-o"
    assert routing.route_of("reasoner").api_key is None
    assert "key-o" not in repr(routing.route_of("parser"))


def test_an_option_that_names_its_key_waits_for_it(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"provider": "openai_compatible", "base_url": "http://own/v1", "api_key_env": "OWN_KEY"}
    configure(parser=[{**own, "model": "a"}], reasoner=[{**own, "model": "b"}])
    assert routing.route_of("parser").adapter == "offline"
    monkeypatch.setenv("OWN_KEY", "key-own")
    assert (routing.route_of("parser").adapter, routing.route_of("parser").api_key) == ("real", "key-own")


@pytest.mark.parametrize(
    ("purpose", "task_type", "alias"),
    [
        (Purpose.NATIVE, "parse_task", "reasoner"),
        (Purpose.SHADOW, "parse_task", "reasoner"),
        (Purpose.JUDGE, "judge", "reasoner"),
        (Purpose.DRAFT, "draft", "reasoner"),
        (Purpose.EVOLUTION, "evolution", "reasoner"),
        (Purpose.SKILL_STEP, "parse_task", "parser"),
        (Purpose.VALIDATION, "parse_task", "parser"),
        (Purpose.SKILL_STEP, "triage", "parser"),
        (Purpose.NATIVE, "triage", "parser"),
    ],
)
def test_the_shipped_routes(shipped: Any, purpose: Purpose, task_type: str, alias: str) -> None:
    assert routing.alias_of(purpose, task_type) == alias


def test_a_task_type_may_be_moved_for_one_purpose_alone(configure: Callable[..., None]) -> None:
    configure(task_types={"skill_step/parse_task": "reasoner"})
    assert routing.alias_of(Purpose.SKILL_STEP, "parse_task") == "reasoner"
    assert routing.alias_of(Purpose.VALIDATION, "parse_task") == "parser"


def test_one_model_behind_both_aliases_stops_the_start(configure: Callable[..., None]) -> None:
    same = [{"provider": "openai_compatible", "base_url": "http://own/v1", "model": "a"}]
    configure(parser=same, reasoner=same)
    assert [(error.id, "neither savings" in error.msg) for error in checks.check_models()] == [("llm.E004", True)]


def test_one_alias_without_a_provider_beside_one_with_stops_the_start(configure: Callable[..., None]) -> None:
    configure(parser=[{"provider": "openai_compatible", "base_url": "http://own/v1", "model": "a"}])
    assert [error.id for error in checks.check_models()] == ["llm.E005"]
    assert routing.status()["adapter"] == "mixed"


@pytest.mark.parametrize("name", ["ofline", "tests.llm.nowhere.Adapter", "tests.llm.scripted.Nobody"])
def test_an_adapter_that_does_not_exist_stops_the_start(shipped: Any, name: str) -> None:
    shipped.MODEL_ADAPTER = name
    assert [error.id for error in checks.check_models()] == ["llm.E003"]


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"task_types": {"triage": "wizard"}}, "names the alias 'wizard'"),
        ({"purposes": {"native": "reasoner"}}, "`purposes.skill_step` is missing."),
        ({"retries": {"attempts": 0}}, "`retries.attempts` is 0"),
        ({"reasoner": [{"provider": "openai_compatible", "model": "a"}]}, "needs a `base_url`"),
        ({"reasoner": [{"provider": "oracle", "model": "a"}]}, "must be one of anthropic, openai"),
        ({"reasoner": [{"provider": "openai", "model": ""}]}, "1 to 128 characters"),
        ({"unknown_price": {"input_per_mtok": -1}}, "`unknown_price.input_per_mtok` is -1"),
    ],
)
def test_a_wrong_file_is_reported_in_a_sentence(
    configure: Callable[..., None], other: dict[str, Any], sentence: str
) -> None:
    configure(**other)
    found = checks.check_models()
    assert [error.id for error in found] == ["llm.E001"]
    assert sentence in found[0].msg


def test_a_wrong_budget_is_reported_in_a_sentence(configure: Callable[..., None]) -> None:
    configure(daily=-1)
    assert [error.msg for error in checks.check_budget()] == [
        "`budget.daily_pause_threshold_usd` is -1, and must be at least 0."
    ]


@pytest.mark.django_db
def test_an_adapter_of_ones_own_answers_in_the_place_of_a_provider(shipped: Any) -> None:
    shipped.MODEL_ADAPTER = "tests.llm.scripted.Parrot"
    reply = gateway.complete(ModelRequest(purpose=Purpose.NATIVE, task_type="echo", prompt="hello"))
    assert (reply.text, reply.model, reply.cost_usd) == ("hello", "custom-reasoner", 0)
    assert ModelCall.objects.get().price_source == "free"
