"""The choke point against a real HTTP server, in both protocols: answers, every failure, and what the ledger says."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from donna_skills.errors import BudgetPaused, ModelUnavailable
from donna_skills.llm import gateway
from donna_skills.llm.models import BudgetPeriod, CallStatus, ModelCall
from donna_skills.llm.port import (
    ModelBusy,
    ModelErrored,
    ModelFailed,
    ModelRefused,
    ModelReplyBroken,
    ModelRequest,
    ModelTimeout,
    ModelUnreachable,
    Purpose,
)
from tests.stubs.model_server import (
    MALFORMED_JSON,
    NO_CHOICES,
    Answer,
    Behaviour,
    Cut,
    Drip,
    Endless,
    Fail,
    ModelServer,
    Raw,
    Silent,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["openai", "anthropic"])
def stub(request: pytest.FixtureRequest) -> ModelServer:
    """The same tests in both protocols."""
    found: ModelServer = request.getfixturevalue(f"{request.param}_stub")
    return found


def ask(**changes: Any) -> ModelRequest:
    given: dict[str, Any] = {"purpose": Purpose.SKILL_STEP, "task_type": "parse_task", "prompt": "Call the mechanic."}
    return ModelRequest(**{**given, "deadline_s": 10.0, "max_output_tokens": 500, **changes})


def spent_and_reserved() -> tuple[Decimal, Decimal]:
    rows = list(BudgetPeriod.objects.all())
    assert len({(row.spent_micros, row.reserved_micros) for row in rows}) == 1, "day and month say the same"
    return rows[0].spent_usd, rows[0].reserved_usd


def test_an_answer_comes_back_with_its_tokens_and_cost_and_leaves_one_row(stub: ModelServer) -> None:
    stub.will(Answer('{"title": "Call"}', input_tokens=2000, output_tokens=300))
    reply = gateway.complete(ask(system="You parse."))
    assert reply.text == '{"title": "Call"}'
    assert (reply.alias, reply.input_tokens, reply.output_tokens) == ("parser", 2000, 300)
    assert reply.cost_usd == Decimal("0.005")
    row = ModelCall.objects.get()
    assert (row.call_id, row.status, row.attempt) == (reply.call_id, CallStatus.SUCCEEDED, 1)
    assert (row.system, row.prompt, row.output) == ("You parse.", "Call the mechanic.", reply.text)
    assert (row.cost_usd, row.price_source) == (Decimal("0.005"), "configured")
    assert row.latency_ms is not None and row.finished_at is not None
    assert spent_and_reserved() == (Decimal("0.005"), 0)


def test_the_schema_and_the_system_text_reach_the_model(stub: ModelServer) -> None:
    gateway.complete(ask(system="You parse.", schema={"type": "object", "required": ["title"]}))
    sent = str(stub.seen[0].body)
    assert "You parse." in sent and "'required'" not in sent and '"required": ["title"]' in sent


def test_the_purpose_decides_the_model_and_the_request_may_name_another(stub: ModelServer) -> None:
    assert gateway.complete(ask(purpose=Purpose.NATIVE)).alias == "reasoner"
    assert gateway.complete(ask(purpose=Purpose.NATIVE, alias="parser")).alias == "parser"
    assert stub.seen[0].body["model"] != stub.seen[1].body["model"]


def test_three_failures_and_then_an_answer_are_four_rows_of_one_call(stub: ModelServer) -> None:
    stub.will(Fail(500), Fail(503), Fail(500))
    reply = gateway.complete(ask())
    rows = list(ModelCall.objects.order_by("attempt"))
    assert [row.status for row in rows] == ["failed", "failed", "failed", "succeeded"]
    assert [row.attempt for row in rows] == [1, 2, 3, 4]
    assert {row.call_id for row in rows} == {reply.call_id}
    assert {row.error_code for row in rows[:3]} == {"model_error"}
    assert spent_and_reserved() == (reply.cost_usd, 0)


def test_after_the_last_attempt_the_failure_is_the_callers(stub: ModelServer) -> None:
    stub.otherwise(Fail(500, "the disk is full"))
    with pytest.raises(ModelErrored, match="the disk is full"):
        gateway.complete(ask())
    assert len(stub.seen) == ModelCall.objects.count() == 4
    assert spent_and_reserved() == (0, 0)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_is_not_tried_again(stub: ModelServer, status: int) -> None:
    stub.otherwise(Fail(status, "no such model"))
    with pytest.raises(ModelRefused, match="no such model"):
        gateway.complete(ask())
    assert len(stub.seen) == 1
    assert ModelCall.objects.get().error_code == "model_refused"


def test_a_busy_provider_is_given_the_time_that_it_asks_for(stub: ModelServer) -> None:
    stub.will(Fail(429, headers={"Retry-After": "1"}))
    started = time.monotonic()
    gateway.complete(ask())
    assert time.monotonic() - started >= 1
    assert len(stub.seen) == 2


def test_a_wait_beyond_the_deadline_is_not_begun(stub: ModelServer) -> None:
    stub.will(Fail(429, headers={"Retry-After": "3600"}))
    started = time.monotonic()
    with pytest.raises(ModelBusy):
        gateway.complete(ask())
    assert time.monotonic() - started < 60
    assert ModelCall.objects.get().error_code == "model_rate_limited"


@pytest.mark.parametrize("behaviour", [Silent(), Drip(), Answer(after_s=30)], ids=["silent", "drip", "slow"])
def test_a_call_ends_at_its_deadline_whatever_the_server_does(stub: ModelServer, behaviour: Behaviour) -> None:
    stub.otherwise(behaviour)
    started = time.monotonic()
    with pytest.raises(ModelTimeout):
        gateway.complete(ask(deadline_s=0.4))
    assert time.monotonic() - started < 25
    assert set(ModelCall.objects.values_list("status", "error_code")) == {("failed", "model_timeout")}
    assert spent_and_reserved() == (0, 0)


@pytest.mark.parametrize(
    "behaviour",
    [
        MALFORMED_JSON,
        NO_CHOICES,
        Raw(b"[]"),
        Raw(b"null"),
        Raw(b'{"choices": 5, "content": 5}'),
        Raw(b"<html>gateway</html>", "text/html"),
        Raw(b""),
        Raw(b"\xff\xfe\x00"),
        Answer(""),
        Answer("  \n"),
    ],
    ids=["cut json", "no choices", "list", "null", "wrong types", "html", "empty body", "bytes", "empty text", "blank"],
)
def test_an_answer_that_is_none_is_tried_again_and_then_reported(stub: ModelServer, behaviour: Behaviour) -> None:
    stub.otherwise(behaviour)
    with pytest.raises(ModelReplyBroken):
        gateway.complete(ask())
    assert len(stub.seen) == 4
    assert set(ModelCall.objects.values_list("error_code", flat=True)) == {"model_reply_broken"}


def test_an_answer_that_breaks_off_is_tried_again(stub: ModelServer) -> None:
    stub.will(Cut())
    gateway.complete(ask())
    assert list(ModelCall.objects.order_by("attempt").values_list("error_code", flat=True)) == ["model_unreachable", ""]


def test_an_endless_answer_is_stopped(stub: ModelServer) -> None:
    stub.otherwise(Endless(20 * 1024 * 1024))
    with pytest.raises(ModelReplyBroken, match="larger than"):
        gateway.complete(ask())
    assert len(stub.seen) == 1


def test_an_answer_cut_at_its_longest_length_is_paid_for_and_not_asked_for_again(stub: ModelServer) -> None:
    stub.otherwise(Answer('{"tit', input_tokens=1000, output_tokens=500, finish="length"))
    with pytest.raises(ModelReplyBroken) as caught:
        gateway.complete(ask())
    row = ModelCall.objects.get()
    assert (caught.value.code, row.error_code) == ("model_reply_cut", "model_reply_cut")
    assert (row.cost_usd, row.output) == (Decimal("0.006"), '{"tit')
    assert spent_and_reserved() == (Decimal("0.006"), 0)


def test_a_server_that_is_not_there_is_a_failure_of_its_own_kind(configure: Any) -> None:
    nowhere = {"provider": "openai_compatible", "base_url": "http://127.0.0.1:9/v1"}
    configure(parser=[{**nowhere, "model": "a"}], reasoner=[{**nowhere, "model": "b"}])
    with pytest.raises(ModelUnreachable) as caught:
        gateway.complete(ask())
    assert (caught.value.status, caught.value.code) == (503, "model_unreachable")


def test_a_budget_that_does_not_allow_the_call_stops_it_before_the_model_is_asked(
    openai_stub: ModelServer, settings: Any
) -> None:
    (settings.CONFIG_DIR / "skills.yaml").write_text("budget: {daily_pause_threshold_usd: 0.004}")
    with pytest.raises(BudgetPaused) as caught:
        gateway.complete(ask())
    assert 0 < caught.value.retry_after_s <= 86_400
    assert openai_stub.seen == []
    assert not ModelCall.objects.exists()


def test_the_budget_may_run_out_between_two_attempts(openai_stub: ModelServer, settings: Any) -> None:
    (settings.CONFIG_DIR / "skills.yaml").write_text("budget: {daily_pause_threshold_usd: 0.006}")
    openai_stub.otherwise(Answer("", input_tokens=3000, output_tokens=0))
    with pytest.raises(BudgetPaused):
        gateway.complete(ask())
    assert ModelCall.objects.get().cost_usd == Decimal("0.003")


def test_a_call_inside_a_transaction_is_refused_loudly(openai_stub: ModelServer) -> None:
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        gateway.complete(ask())
    assert openai_stub.seen == []


def test_text_that_no_database_can_hold_is_made_harmless(openai_stub: ModelServer) -> None:
    openai_stub.will(Answer("an\x00swer \ud800"))
    reply = gateway.complete(ask(prompt="null \x00 and half \udfff a pair"))
    row = ModelCall.objects.get()
    assert reply.text == row.output == "an\ufffdswer ?"
    assert row.prompt == "null \ufffd and half ? a pair"


def test_an_error_of_our_own_gives_the_reservation_back(openai_stub: ModelServer, settings: Any) -> None:
    settings.MODEL_ADAPTER = "tests.llm.scripted.Exploding"
    with pytest.raises(ZeroDivisionError):
        gateway.complete(ask())
    assert ModelCall.objects.get().error_code == "interrupted"
    assert spent_and_reserved() == (0, 0)


def test_an_unknown_alias_is_refused_with_the_names_that_there_are(openai_stub: ModelServer) -> None:
    with pytest.raises(ModelRefused, match="parser, reasoner") as caught:
        gateway.complete(ask(alias="wizard"))
    assert caught.value.code == "unknown_alias"


def test_openai_base_url_alone_is_enough_and_the_catalogue_knows_the_price(
    settings: Any, configure: Any, server: ModelServer
) -> None:
    settings.CONFIG_DIR = settings.SHIPPED_CONFIG_DIR
    settings.OPENAI_BASE_URL = server.openai_url
    reply = gateway.complete(ask())
    assert server.seen[0].path == "/v1/chat/completions"
    assert reply.cost_usd > 0
    assert ModelCall.objects.get().price_source == "catalogue"


def test_embeddings_come_in_the_order_of_their_texts_and_are_paid_for(openai_stub: ModelServer) -> None:
    texts = [f"text number {number}" for number in range(130)]
    vectors = gateway.embed(texts)
    assert [vector[0] for vector in vectors] == [float(len(text)) for text in texts]
    assert set(ModelCall.objects.values_list("purpose", "alias", "status")) == {("match", "embeddings", "succeeded")}
    assert len(openai_stub.seen) == 2
    assert spent_and_reserved()[0] == sum(row.cost_usd for row in ModelCall.objects.all()) > 0


def test_embeddings_that_are_too_few_are_no_answer(openai_stub: ModelServer) -> None:
    openai_stub.otherwise(Raw(b'{"object": "list", "model": "m", "data": [], "usage": null}'))
    with pytest.raises(ModelFailed):
        gateway.embed(["one"])


def test_without_an_endpoint_for_embeddings_the_error_says_how_to_get_one(configure: Any) -> None:
    configure()
    with pytest.raises(ModelUnavailable, match="OPENAI_API_KEY") as caught:
        gateway.embed(["one"])
    assert caught.value.code == "embeddings_not_set_up"
