"""The same key and body get the first answer; nothing is made twice."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from donna_skills import errors
from donna_skills.accounts.models import IdempotencyRecord, IdempotencyStatus
from donna_skills.rest import idempotency
from tests.accounts.people import make_bot_token
from tests.rest import urls
from tests.rest.conftest import Caller

BODY = {"name": "one"}


def test_the_same_request_again_gets_the_first_answer(bot: Caller) -> None:
    first = bot.post("/things", BODY, Idempotency_Key="k1")
    again = bot.post("/things", BODY, Idempotency_Key="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content and again["Location"] == first["Location"]
    assert again["Content-Type"] == first["Content-Type"]
    assert "Idempotency-Replayed" not in first and again["Idempotency-Replayed"] == "true"


def test_without_the_header_each_request_makes_something_and_costs_no_query(
    bot: Caller, django_assert_num_queries: Any
) -> None:
    bot.get("/whoami")
    with django_assert_num_queries(1):
        first = bot.post("/things", BODY)
    assert bot.post("/things", BODY).json() != first.json()
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.parametrize("other", [{"name": "two"}, {"name": "one", "inputs": {"a": 1}}])
def test_the_same_key_with_another_body_is_refused(bot: Caller, other: dict[str, Any]) -> None:
    bot.post("/things", BODY, Idempotency_Key="k1")
    answer = bot.post("/things", other, Idempotency_Key="k1")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")


def test_the_same_key_at_another_address_is_refused(bot: Caller) -> None:
    bot.post("/things", BODY, Idempotency_Key="k1")
    assert bot.post("/things?x=1", BODY, Idempotency_Key="k1").json()["code"] == "idempotency_mismatch"


def test_keys_of_different_tokens_have_nothing_to_do_with_each_other(bot: Caller) -> None:
    other = Caller(*make_bot_token("runs:write"))
    first = bot.post("/things", BODY, Idempotency_Key="k1")
    assert other.post("/things", BODY, Idempotency_Key="k1").json() != first.json()


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "ä", "\t"])
def test_a_key_that_is_none_is_refused(bot: Caller, key: str) -> None:
    answer = bot.post("/things", BODY, Idempotency_Key=key)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_invalid")


def test_a_refusal_is_an_answer_too(bot: Caller) -> None:
    urls.fails.append(errors.Conflict("Not now."))
    first = bot.post("/things", BODY, Idempotency_Key="k1")
    again = bot.post("/things", BODY, Idempotency_Key="k1")
    assert (first.status_code, again.status_code) == (409, 409)
    assert again.json() == first.json() and again["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "failure",
    [
        RuntimeError("bug"),
        errors.ModelUnavailable("The model did not answer."),
        errors.BudgetPaused("The budget is used up.", retry_after_s=9),
    ],
)
def test_an_answer_that_says_try_again_is_not_kept(bot: Caller, failure: Exception) -> None:
    urls.fails.append(failure)
    assert bot.post("/things", BODY, Idempotency_Key="k1").status_code in {429, 500, 503}
    again = bot.post("/things", BODY, Idempotency_Key="k1")
    assert again.status_code == 201 and "Idempotency-Replayed" not in again


def test_a_body_that_is_refused_at_the_door_leaves_the_key_free(bot: Caller) -> None:
    assert bot.post("/things", {}, Idempotency_Key="k1").status_code == 422
    assert bot.post("/things", BODY, Idempotency_Key="k1").status_code == 201


def left_running(bot: Caller, *, age: timedelta) -> IdempotencyRecord:
    bot.post("/things", BODY, Idempotency_Key="k1")
    IdempotencyRecord.objects.update(
        status=IdempotencyStatus.RUNNING, response_status=None, created_at=timezone.now() - age
    )
    return IdempotencyRecord.objects.get()


def test_while_the_first_runs_the_second_is_told_so(bot: Caller) -> None:
    left_running(bot, age=timedelta(minutes=9))
    answer = bot.post("/things", BODY, Idempotency_Key="k1")
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_running")


def test_what_a_killed_process_left_running_is_taken_over(bot: Caller) -> None:
    before = left_running(bot, age=timedelta(minutes=11))
    assert bot.post("/things", BODY, Idempotency_Key="k1").status_code == 201
    assert bot.post("/things", BODY, Idempotency_Key="k1")["Idempotency-Replayed"] == "true"
    after = IdempotencyRecord.objects.get()
    assert after.pk == before.pk and after.claim != before.claim


def test_only_one_takes_an_abandoned_record_over(bot: Caller) -> None:
    record = left_running(bot, age=timedelta(minutes=11))
    fresh = [IdempotencyRecord(claim=uuid.uuid4(), created_at=timezone.now(), body_digest="x") for _ in range(2)]
    stale = IdempotencyRecord.objects.get(pk=record.pk)
    assert [idempotency._take_over(record, fresh[0]), idempotency._take_over(stale, fresh[1])] == [True, False]


def test_after_a_day_a_key_is_free_again(bot: Caller) -> None:
    first = bot.post("/things", BODY, Idempotency_Key="k1")
    IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(hours=25))
    again = bot.post("/things", {"name": "two"}, Idempotency_Key="k1")
    assert again.status_code == 201 and again.json() != first.json()


def test_answers_older_than_a_day_are_purged(bot: Caller) -> None:
    for key in ("old", "new"):
        bot.post("/things", BODY, Idempotency_Key=key)
    IdempotencyRecord.objects.filter(key="old").update(created_at=timezone.now() - timedelta(hours=25))
    assert idempotency.purge(timezone.now()) == 1
    assert list(IdempotencyRecord.objects.values_list("key", flat=True)) == ["new"]
    assert idempotency.purge(timezone.now()) == 0


@pytest.mark.django_db(transaction=True)
def test_of_many_at_the_same_time_one_makes_it() -> None:
    bot = Caller(*make_bot_token("runs:read", "runs:write"))
    bot.get("/whoami")
    answers: list[Any] = []
    together = threading.Barrier(6)

    def send() -> None:
        together.wait()
        answers.append(Caller(bot.token, bot.raw).post("/things", BODY, Idempotency_Key="k1"))
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fresh = [answer for answer in answers if answer.status_code == 201 and "Idempotency-Replayed" not in answer]
    assert len(answers) == 6 and len(fresh) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
