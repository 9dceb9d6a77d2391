"""What an alert says: by the capability's template, or in plain sentences that are never raw JSON.

A template is `templates/automations/alerts/<capability>.txt`: its first line is the title, the rest the body, in the
sandboxed language of steps' prompts. It knows `inputs` (the automation's), `state` (the output), `name`, `clauses`
(those that are true) and `resolved`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings

from automations.decisions.alerts import Evaluation
from automations.models import Automation
from lifecycle.execution import templates
from lifecycle.execution.templates import TemplateFailed

logger = logging.getLogger(__name__)

TITLE_LENGTH = 200
BODY_LENGTH = 1800
"""Within what the tightest of the usual channels takes in one message (Discord, 2 000)."""
_VALUE_LENGTH = 160
_SHOWN = 12
_STATUSES = {
    "success": "The run succeeded.",
    "failure": "The run failed.",
    "no_data": "The run brought no data.",
}
_OPERATORS = {
    "==": "as asked for",
    "!=": "not {}",
    "<": "below {}",
    "<=": "at or below {}",
    ">": "above {}",
    ">=": "at or above {}",
    "contains": "with {} in it",
    "matches": "which matches what was looked for",
    "between": "from {} to {}",
    "exists": "there",
    "missing": "missing",
    "changed": "another than before",
    "increased_by": "at least {} more than before",
    "decreased_by": "at least {} less than before",
}
"""What is said of a value beside itself; the braces are what the condition names."""


@dataclass(frozen=True)
class Text:
    title: str
    body: str


def of(automation: Automation, evaluation: Evaluation, output: Any, *, error: str = "") -> Text:
    """The words for a run whose condition is true, or no longer."""
    resolved = not evaluation.alert
    clauses = [clause for clause in evaluation.clauses if clause["verdict"] or resolved]
    text = _by_template(automation, clauses, output, resolved=resolved)
    return text or _plain(automation, clauses, error=error, resolved=resolved)


def in_words(value: Any) -> str:
    """A value of an output as one says it: no braces, no quotes."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        shown = ", ".join(in_words(one) for one in value[:5])
        return _cut(f"{shown} and {len(value) - 5} more" if len(value) > 5 else shown or "an empty list")
    if isinstance(value, Mapping):
        shown = ", ".join(f"{key}: {in_words(one)}" for key, one in list(value.items())[:5])
        return _cut(f"{shown} and more" if len(value) > 5 else shown or "nothing")
    return _cut(" ".join(str(value).split()))


def _by_template(
    automation: Automation, clauses: Sequence[Mapping[str, Any]], output: Any, *, resolved: bool
) -> Text | None:
    template = _template(automation.capability.name)
    if not template:
        return None
    extra = {"name": automation.name, "clauses": [dict(clause) for clause in clauses], "resolved": resolved}
    state = output if isinstance(output, dict) else {"output": output}
    try:
        rendered = templates.render(template, inputs=automation.inputs, state=state, extra=extra).strip()
    except TemplateFailed as error:
        logger.warning(
            "An alert's template failed.", extra={"capability": automation.capability.name, "why": str(error)}
        )
        return None
    title, _, body = rendered.partition("\n")
    return Text(title.strip()[:TITLE_LENGTH], body.strip()[:BODY_LENGTH]) if title.strip() else None


@cache
def _template(capability: str) -> str:
    path = settings.BASE_DIR / "templates" / "automations" / "alerts" / f"{capability}.txt"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _plain(automation: Automation, clauses: Sequence[Mapping[str, Any]], *, error: str, resolved: bool) -> Text:
    lines = [_line(automation, clause, resolved=resolved) for clause in clauses[:_SHOWN]]
    if len(clauses) > _SHOWN:
        lines.append(f"… and {len(clauses) - _SHOWN} more.")
    if error and not resolved:
        lines.append(error)
    if resolved:
        head = "it is over"
        lines.insert(0, "What was reported is no longer so.")
    else:
        head = lines[0].rstrip(".") if lines else "the condition is true"
    title = f"{automation.name}: {head}"
    return Text(title[:TITLE_LENGTH], "\n".join(lines)[:BODY_LENGTH])


def _line(automation: Automation, clause: Mapping[str, Any], *, resolved: bool) -> str:
    field, op, value = str(clause["field"]).replace("_", " "), str(clause["op"]), clause["value"]
    if op == "on":
        return _STATUSES[str(value)]
    if resolved:
        return f"{field} is {in_words(value)}."
    node = _node(automation.alert_conditions, str(clause["path"]))
    compared = _compared(op, node.get("value"))
    if held := node.get("for"):
        # The newest value may be none of those that fit.
        return f"{field} was {compared} in {held['runs']} of the last {held.get('of', held['runs'])} runs."
    return f"{field} is missing." if op == "missing" else f"{field} is {in_words(value)}, {compared}."


def _node(conditions: Any, path: str) -> Mapping[str, Any]:
    """The node at a JSON Pointer."""
    node: Any = conditions
    for step in path.split("/")[1:]:
        node = node[int(step)] if isinstance(node, list) else node[step]
    found: Mapping[str, Any] = node
    return found


def _compared(op: str, wanted: Any) -> str:
    ends = wanted if op == "between" else [wanted]
    return _OPERATORS[op].format(*(in_words(end) for end in ends))


def _cut(text: str) -> str:
    return text if len(text) <= _VALUE_LENGTH else f"{text[: _VALUE_LENGTH - 1]}…"
