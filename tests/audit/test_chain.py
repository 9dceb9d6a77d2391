"""The audit log: appended to in order, refused any change, and provably whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from donna_skills.accounts.actors import Actor
from donna_skills.audit import append_only, services
from donna_skills.audit.models import AuditEvent
from donna_skills.entities import new_id
from tests.accounts.people import make_bot_token, make_own_token, make_person

SYSTEM = Actor.system("test")


def note(action: str = "thing.done", actor: Actor = SYSTEM, **data: Any) -> AuditEvent:
    return services.record(action, actor=actor, subject_type="thing", subject_id="1", data=data)


@contextmanager
def unprotected() -> Iterator[None]:
    """As somebody with the database's own tools, who takes the triggers away first."""
    with append_only.lifted():
        yield


def test_events_are_numbered_and_chained(db: None) -> None:
    first, second = note(), note()
    assert (first.seq, second.seq) == (1, 2)
    assert (first.previous_hash, second.previous_hash) == ("", first.hash)
    report = services.verify()
    assert report.intact and (report.events, report.head_seq, report.head_hash) == (2, 2, second.hash)


def test_an_event_says_who_for_each_kind_of_actor(db: None) -> None:
    anna = make_person("anna")
    bot, own = make_bot_token()[0], make_own_token(anna)[0]
    by_person, by_bot = note(actor=Actor.person(anna, own)), note(actor=Actor.bot(bot))
    assert (by_person.actor_user, by_person.actor_token, by_person.actor_label) == (anna, own, "anna")
    assert (by_bot.actor_user, by_bot.actor_token, by_bot.actor_label) == (None, bot, "planner")
    assert services.verify().intact


def test_an_empty_log_is_intact(db: None) -> None:
    assert services.verify().intact


@pytest.mark.django_db(transaction=True)
def test_recording_outside_of_a_transaction_is_refused() -> None:
    with pytest.raises(TransactionManagementError):
        note()


def test_an_event_goes_with_the_transaction_that_it_belongs_to(db: None) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        note()
        raise RuntimeError
    assert note().seq == 1


def test_the_database_refuses_to_change_or_delete_an_event(db: None) -> None:
    event = note()
    for attempt in (
        lambda: AuditEvent.objects.filter(pk=event.pk).update(action="other"),
        lambda: AuditEvent.objects.filter(pk=event.pk).delete(),
        lambda: event.save(),
    ):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            attempt()
    assert AuditEvent.objects.get() == event


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"action": "thing.undone"}, "was changed"),
        ({"data": {"n": 2}}, "was changed"),
        ({"actor_label": "somebody else"}, "was changed"),
        ({"previous_hash": "0" * 64}, "hash of the event before"),
        ({"hash": "0" * 64}, "was changed"),
    ],
)
def test_a_change_behind_the_databases_back_is_found(db: None, change: dict[str, Any], why: str) -> None:
    for number in range(3):
        note(n=number)
    with unprotected():
        AuditEvent.objects.filter(seq=2).update(**change)
    report = services.verify()
    assert (report.broken_seq, report.events) == (2, 1)
    assert why in report.why


def test_a_missing_event_is_found_at_the_start_and_in_the_middle(db: None) -> None:
    for _ in range(3):
        note()
    with unprotected():
        AuditEvent.objects.filter(seq=2).delete()
    assert services.verify().broken_seq == 2
    with unprotected():
        AuditEvent.objects.filter(seq=1).delete()
    assert services.verify().broken_seq == 1


def test_a_log_that_was_cut_off_is_found_by_a_head_noted_down_earlier(db: None) -> None:
    note()
    head = note().hash
    note()
    assert services.verify(expect_head=head).intact
    with unprotected():
        AuditEvent.objects.filter(seq__gte=2).delete()
    assert services.verify().intact
    report = services.verify(expect_head=head)
    assert not report.intact and "cut off" in report.why


def test_verifying_goes_in_chunks(db: None, monkeypatch: Any, django_assert_num_queries: Any) -> None:
    monkeypatch.setattr(services, "CHUNK", 2)
    for _ in range(5):
        note()
    with django_assert_num_queries(4):
        assert services.verify().events == 5


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.dictionaries(st.text(), json_values, max_size=3), label=st.text(max_size=20))
def test_whatever_the_data_both_databases_give_back_what_was_hashed(db: None, data: dict[str, Any], label: str) -> None:
    with transaction.atomic():
        services.record("x", actor=Actor.system(label), subject_type="thing", subject_id=label, data=data)
        report = services.verify()
        transaction.set_rollback(True)
    assert report.intact, report.why


def test_what_is_not_json_is_stored_readably(db: None) -> None:
    event = note(at=datetime(2026, 1, 2, tzinfo=UTC), cost=Decimal("0.10"), id=new_id(), huge=1e300, bad=float("nan"))
    event.refresh_from_db()
    assert event.data["at"] == "2026-01-02T00:00:00Z" and event.data["cost"] == "0.10"
    assert event.data["huge"] == int(1e300) and event.data["bad"] == "nan"


@pytest.mark.django_db(transaction=True)
def test_writers_at_the_same_time_make_one_chain() -> None:
    failures: list[Exception] = []

    def write() -> None:
        try:
            for _ in range(5):
                with transaction.atomic():
                    note()
        except Exception as exc:
            failures.append(exc)
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    report = services.verify()
    assert report.intact and report.events == 20


def test_the_command_prints_the_head(db: None, capsys: Any) -> None:
    head = note().hash
    call_command("verify_audit", "--expect-head", head)
    assert f"head 1 {head}" in capsys.readouterr().out


def test_the_command_fails_on_a_break_and_on_missing_triggers(db: None) -> None:
    note()
    note()
    with unprotected():
        AuditEvent.objects.filter(seq=1).update(action="other")
        with pytest.raises(CommandError, match=r"(?s)Broken at event 1.*lacks"):
            call_command("verify_audit")
    with pytest.raises(CommandError) as broken:
        call_command("verify_audit")
    assert "lacks" not in str(broken.value)
