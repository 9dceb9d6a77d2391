"""Alerts: is a run worth a notice, what does it say, what has the owner been told. Rehearsal is the same, unsent."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from automations.decisions import alerts as decisions
from automations.decisions import conditions as trees
from automations.decisions.alerts import Evaluation, Notice, Run, Told
from automations.decisions.conditions import InvalidAlertCondition
from automations.decisions.conditions import Status as RunKind
from automations.models import AlertDecision, Automation, AutomationRun, RunStatus
from automations.services import owners, texts
from donna_skills.audit import services as audit
from donna_skills.notifications import events
from donna_skills.notifications.models import Level

logger = logging.getLogger(__name__)

KINDS: Mapping[str, RunKind] = {
    RunStatus.SUCCEEDED: "success",
    RunStatus.FAILED: "failure",
    RunStatus.ESCALATED: "failure",
    RunStatus.COST_EXCEEDED: "failure",
    RunStatus.BLOCKED_MISSING_TOOL: "failure",
    RunStatus.INTERRUPTED: "no_data",
    RunStatus.SKIPPED_BUDGET: "no_data",
}
"""How conditions see a run. What is not here is not judged: nothing was asked, or nothing of it is known."""
_LEVEL = {
    "opened": Level.WARNING,
    "changed": Level.WARNING,
    "repeated": Level.WARNING,
    "resolved": Level.SUCCESS,
}
_REHEARSED_AT_MOST = 5000


@dataclass(frozen=True)
class Judged:
    """What a condition says about one run, and the words for it. `error` when it could not be judged."""

    evaluation: Evaluation | None
    text: texts.Text
    error: str = ""


@dataclass(frozen=True)
class Decided:
    """What is to be told after a run: the columns of its row, what the owner will have been told, the notice itself."""

    run: Mapping[str, Any]
    told: Told
    notice: tuple[Notice, texts.Text] | None = None
    error: str = ""


@dataclass(frozen=True)
class Rehearsed:
    """One run of the past, and what would have been told after it."""

    run: AutomationRun
    evaluation: Evaluation
    notice: Notice
    text: texts.Text


@dataclass(frozen=True)
class Rehearsal:
    """`told` are the runs after which something would have been said, newest first; `looked_at` counts all."""

    told: tuple[Rehearsed, ...]
    looked_at: int
    alerts: int


def kind_of(status: str, output: Any) -> RunKind | None:
    """A success that brought nothing is no data."""
    kind = KINDS.get(status)
    return "no_data" if kind == "success" and output in (None, {}, [], "") else kind


def judge(automation: Automation, run: AutomationRun, *, status: str, output: Any, error: str) -> Judged | None:
    """Evaluate the automation's condition for a run that ends; None when there is nothing to evaluate."""
    kind = kind_of(status, output)
    if not automation.alert_conditions or kind is None:
        return None
    try:
        history = _history(automation, run)
        return _judged(automation, Run(output, kind), history, error=error)
    except (InvalidAlertCondition, decisions.AlertTooLarge, ValueError, RecursionError) as failure:
        return Judged(None, texts.Text("", ""), error=str(failure))


def decide(automation: Automation, judged: Judged | None, *, now: datetime) -> Decided | None:
    """What is to be told, against what the owner was told last; the automation is locked. Writes nothing."""
    told = told_of(automation)
    if judged is None:
        return None
    if judged.evaluation is None:
        columns: dict[str, Any] = {"alert": AlertDecision.ERROR, "alert_reason": judged.error[:2000]}
        return Decided(columns, told, error=judged.error)
    notice = _notice(automation, judged, told, now)
    columns = {
        "trace": list(judged.evaluation.clauses),
        "alert": AlertDecision(notice.kind),
        "alert_reason": notice.reason,
    }
    if notice.kind == "none":
        return Decided(columns, notice.told)
    text = judged.text
    return Decided(columns | {"alert_title": text.title, "alert_body": text.body}, notice.told, (notice, text))


def tell(automation: Automation, run: AutomationRun, decided: Decided | None) -> None:
    """Tell what was decided, inside the transaction that settles the run."""
    if decided is not None and decided.error:
        _tell_of_error(automation, decided.error)
    elif decided is not None and decided.notice is not None:
        _send(automation, run, *decided.notice)


def told_of(automation: Automation) -> Told:
    return Told(automation.alert_open, automation.alert_content, automation.alert_told_at)


def told_columns(told: Told) -> dict[str, Any]:
    return {"alert_open": told.open, "alert_content": told.content, "alert_told_at": told.at}


def rehearse(automation: Automation, past: Sequence[AutomationRun]) -> Rehearsal:
    """What the automation, as it stands in memory, would have told after these runs (newest first), had it been so.

    Raises InvalidAlertCondition and AlertTooLarge.
    """
    seen = [(run, kind) for run in past[:_REHEARSED_AT_MOST] if (kind := kind_of(run.status, run.output)) is not None]
    told, found, alerting = Told(), list[Rehearsed](), 0
    wanted = _depth(automation.alert_conditions)
    for number in range(len(seen) - 1, -1, -1):
        run, kind = seen[number]
        before = [Run(one.output, its) for one, its in seen[number + 1 : number + 1 + wanted]]
        before += _previous([Run(one.output, its) for one, its in seen[number + 1 + wanted :]], before)
        judged = _judged(automation, Run(run.output, kind), before, error=run.error)
        assert judged.evaluation is not None
        notice = _notice(automation, judged, told, run.finished_at or run.created_at)
        told = notice.told
        if notice.kind != "none":
            alerting += notice.kind != "resolved"
            found.append(Rehearsed(run, judged.evaluation, notice, judged.text))
    return Rehearsal(tuple(reversed(found)), len(seen), alerting)


def _judged(automation: Automation, newest: Run, history: Sequence[Run], *, error: str) -> Judged:
    evaluation = decisions.evaluate(
        automation.alert_conditions, newest.output, status=newest.status, history=tuple(history)
    )
    return Judged(evaluation, texts.of(automation, evaluation, newest.output, error=error))


def _notice(automation: Automation, judged: Judged, told: Told, now: datetime) -> Notice:
    assert judged.evaluation is not None
    repeat = automation.repeat_every_seconds
    return decisions.notice(
        judged.evaluation,
        content=judged.text.body,
        told=told,
        now=now,
        repeat_every=None if repeat is None else timedelta(seconds=repeat),
        cool_down=timedelta(seconds=automation.cool_down_seconds),
    )


def _history(automation: Automation, run: AutomationRun) -> list[Run]:
    """The runs before, newest first: as many as the condition asks about, and the last success; none where it asks
    about the newest alone."""
    depth = _depth(automation.alert_conditions)
    if not depth:
        return []
    ended = AutomationRun.objects.filter(automation=automation, status__in=list(KINDS)).exclude(pk=run.pk)
    rows = list(ended.order_by("-id").values_list("status", "output")[:depth])
    found = [Run(output, kind) for status, output in rows if (kind := kind_of(status, output)) is not None]
    if any(one.status == "success" for one in found):
        return found
    success = ended.filter(status=RunStatus.SUCCEEDED).order_by("-id").values_list("output", flat=True)[:1]
    return [*found, *(Run(output) for output in success)]


def _previous(older: Sequence[Run], newer: Sequence[Run]) -> list[Run]:
    """The last success among the older, where the newer have none."""
    if any(one.status == "success" for one in newer):
        return []
    return next(([one] for one in older if one.status == "success"), [])


def _depth(conditions: Any) -> int:
    """How many runs before the newest a condition asks about; 0 when it compares with none."""

    def asked(node: trees.Node) -> int:
        own = node.held.of if node.held is not None else 0
        if isinstance(node, trees.Compound):
            return max([own, *(asked(part) for part in node.parts)])
        compares = isinstance(node, trees.Leaf) and node.op in ("changed", *trees.MOVES)
        return max(own, int(compares))

    return asked(trees.read(conditions).root)


def _send(automation: Automation, run: AutomationRun, notice: Notice, text: texts.Text) -> None:
    kind = "automation.resolved" if notice.kind == "resolved" else "automation.alert"
    facts = {"name": automation.name, "run_id": str(run.pk), "decision": notice.kind, "why": notice.reason}
    audit.record(kind, actor=owners.SYSTEM, subject_type="automation", subject_id=automation.pk, data=facts)
    events.publish(
        kind,
        subject_type="automation",
        subject_id=automation.pk,
        payload={**facts, "title": text.title, "body": text.body},
        dedup_key=f"automation-alert:{run.pk}",
        notify=events.Notice(
            title=text.title,
            body=text.body,
            url=f"/automations/runs/{run.pk}/",
            level=_LEVEL[notice.kind],
            people=owners.people([automation]),
            channels=tuple(automation.alert_channels) or None,
        ),
    )


def _tell_of_error(automation: Automation, error: str) -> None:
    """The run carries the error each time; the owner hears of it once for each version of the automation."""
    owners.tell(
        "automation.alert_error",
        automation,
        title=f"The alert of {automation.name} could not be judged",
        body=f"{error}\nChange its conditions; until then it tells nothing.",
        level=Level.ERROR,
        facts={"revision": automation.revision, "error": error[:500]},
        dedup_key=f"automation-alert-error:{automation.pk}:{automation.revision}",
    )
