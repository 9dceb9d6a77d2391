"""What to do about a failed step: somebody decides (a model, as a rule), the engine does what the decision says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from donna_skills.errors import DonnaError

from . import templates
from .outcome import Tally
from .ports import Models
from .replies import ReplyInvalid, parse

MAX_RETRIES = 2
"""How often one step may be retried with a modified prompt."""
MAX_PROMPT = 50_000


class Action(StrEnum):
    RETRY = "retry_step_with_modified_prompt"
    SKIP = "skip_step"
    ESCALATE = "escalate_to_reference"
    ALERT = "alert_person"
    DEGRADE = "mark_degraded"


@dataclass(frozen=True)
class Failure:
    """What triage is told. `prompt` is the prompt as the model saw it, None for a step without one."""

    step: str
    kind: str
    error: str
    code: str
    prompt: str | None
    retries: int

    @property
    def may_retry(self) -> bool:
        return self.prompt is not None and self.retries < MAX_RETRIES


@dataclass(frozen=True)
class TriageDecision:
    action: Action
    reason: str = ""
    prompt: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {"action": self.action.value, "reason": self.reason, "prompt": self.prompt}


class Triage(Protocol):
    def decide(self, failure: Failure, *, facts: Mapping[str, Any], deadline_s: float, tally: Tally) -> TriageDecision:
        """What to do. Never raises for a bad answer: it escalates. What it costs goes to `tally`."""


SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "action": {"enum": [action.value for action in Action]},
        "reason": {"type": "string"},
        "prompt": {"type": "string"},
    },
    "required": ["action", "reason"],
}


def parse_triage(reply: str | None, *, may_retry: bool = True) -> TriageDecision:
    """The decision that a reply holds. Whatever is missing or invalid in it escalates, and says so."""
    if not reply or not reply.strip():
        return _escalate("Triage gave no answer.")
    try:
        said = parse(reply)
    except ReplyInvalid as error:
        return _escalate(f"Triage's answer cannot be read: {error}")
    if not isinstance(said, dict) or said.get("action") not in list(Action):
        return _escalate("Triage's answer names no action that there is.")
    reason = said.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        return _escalate("Triage's answer gives no reason.")
    action, prompt = Action(said["action"]), said.get("prompt")
    if action is not Action.RETRY:
        return TriageDecision(action, reason.strip()[:1_000])
    if not may_retry:
        return _escalate("Triage wants another retry, but the step cannot be retried any more.")
    if not isinstance(prompt, str) or not prompt.strip() or len(prompt) > MAX_PROMPT:
        return _escalate("Triage wants a retry without giving a prompt that can be used.")
    return TriageDecision(action, reason.strip()[:1_000], prompt)


@dataclass(frozen=True)
class ModelTriage:
    """Asks a model. `prompt` is a template that knows `inputs`, `state` and `failure`; the caller owns its text."""

    models: Models
    prompt: str
    system: str = ""
    alias: str | None = None

    def decide(self, failure: Failure, *, facts: Mapping[str, Any], deadline_s: float, tally: Tally) -> TriageDecision:
        told = {
            "step": failure.step,
            "kind": failure.kind,
            "error": failure.error,
            "code": failure.code,
            "prompt": failure.prompt,
            "retries": failure.retries,
            "may_retry": failure.may_retry,
        }
        try:
            answer = self.models.complete(
                step=failure.step,
                prompt=templates.render(
                    self.prompt, inputs=facts["inputs"], state=facts["state"], extra={"failure": told}
                ),
                system=self.system,
                schema=SCHEMA,
                alias=self.alias,
                facts={**facts, "failure": told},
                deadline_s=deadline_s,
            )
        except DonnaError as error:
            return _escalate(f"Triage could not be asked: {error.message}")
        tally.count(answer)
        return parse_triage(answer.text, may_retry=failure.may_retry)


def _escalate(reason: str) -> TriageDecision:
    return TriageDecision(Action.ESCALATE, reason)
