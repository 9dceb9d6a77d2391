"""Automations and their runs for tests, made through the services; each call names only what its test is about."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from automations.models import Automation, AutomationRun, CreatedVia, RunStatus, RunTrigger
from automations.services import automations, dispatch, queue
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from lifecycle.execution.tools import registry
from lifecycle.states import State
from tests import builders

_numbers = itertools.count(1)
NUMBER_OUT = {
    "type": "object",
    "required": ["price", "seen"],
    "properties": {
        "price": {"type": ["number", "null"]},
        "note": {"type": "string"},
        "seen": {"type": "string", "pattern": "^page [0-9]{3} of q{4}$"},
    },
}
"""The pattern is one that the offline model does not hit: without the tool there is no answer."""
PRICES: list[Any] = []
"""What the tool `test_price` says next; an exception is raised. Empty: 100."""


def at(text: str) -> datetime:
    """`2026-11-21 09:00` in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def quiet_rhythm(automation: Automation, *, due: datetime) -> Automation:
    """Make it due at an instant, as if it had been made long before."""
    Automation.objects.filter(pk=automation.pk).update(next_occurrence=due, next_run_at=due, last_start=None)
    automation.refresh_from_db()
    return automation


def automation(
    *, owner: User | None = None, state: State = State.TRUSTED, due: datetime | None = None, **fields: Any
) -> Automation:
    """Hourly on a trusted skill unless told otherwise; `due` sets when it is due."""
    owner = owner or builders.person("operator")
    if "capability_name" not in fields:
        fields["capability_name"] = builders.skill(state).capability.name
    wanted: dict[str, Any] = {
        "name": f"automation {next(_numbers)}",
        "inputs": {"text": "hello"},
        "trigger": "on_schedule",
        **fields,
    }
    if wanted["trigger"] == "on_schedule":
        wanted.setdefault("schedule", "0 * * * *")
    made = automations.create(wanted, actor=Actor.person(owner), via=CreatedVia.API)
    return quiet_rhythm(made, due=due) if due else made


def price_capability() -> str:
    """A trusted skill of one tool step, whose price is what PRICES say: no model is asked."""
    if "test_price" not in registry.names():
        registry.register("test_price")(_price)
    name = f"price_{next(_numbers)}"
    builders.skill(
        State.TRUSTED,
        name=name,
        files=price_package(name),
        output_schema=NUMBER_OUT,
        granted_tools=["test_price"],
    )
    return name


def price_package(name: str) -> Mapping[str, bytes]:
    return {
        "skill.yaml": (
            f"capability_name: {name}\nversion: '1'\ndescription: Says what it costs.\nstate_write: [look]\n"
            "steps:\n  - name: look\n    kind: tool\n    tools: [test_price]\n    tool_invocations:\n"
            "      - tool: test_price\n        args: {}\n        store_as: found\n        on_failure: fail_skill\n"
            "final_output: state.look.found\n"
        ).encode(),
        "fixtures/one.json": b'{"input": {"text": "hello"}, "tool_mocks": [{"tool": "test_price", "args": {}, '
        b'"result": {"price": 1}}], "assertions": [{"path": "price", "op": "exists"}]}',
    }


def run_once(made: Automation) -> AutomationRun:
    """Ask for a run by hand and carry out what waits."""
    run = automations.run_now(made, actor=Actor.person(made.owner))
    dispatch.drain()
    run.refresh_from_db()
    return run


def waiting(made: Automation, *, now: datetime, trigger: RunTrigger = RunTrigger.MANUAL) -> AutomationRun:
    run = queue.add(made, trigger=trigger, now=now)
    assert run is not None
    return run


def ended(
    made: Automation,
    *,
    status: RunStatus = RunStatus.SUCCEEDED,
    output: Any = None,
    ago: timedelta = timedelta(0),
    now: datetime,
) -> AutomationRun:
    """A run of the past as a row."""
    when = now - ago
    return AutomationRun.objects.create(
        automation=made,
        scheduled_for=when,
        trigger=RunTrigger.SCHEDULE,
        status=status,
        output=output,
        not_before=when,
        created_at=when,
        started_at=when,
        finished_at=when,
    )


def _price(context: object) -> dict[str, Any]:
    said = PRICES.pop(0) if PRICES else 100
    if isinstance(said, BaseException):
        raise said
    return {"seen": "page 123 of qqqq", **(said if isinstance(said, dict) else {"price": said})}
