"""Ask a model for JSON: read the reply strictly, give it one chance to repair what is wrong, and hear an escalation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from donna_skills.errors import DonnaError
from lifecycle.packages import documents, safe_json

from . import schemas
from .outcome import RunStopped, StepFailed, Tally
from .ports import Clock, Models

MAX_REPLY = 500_000
MAX_REASON = 1_000
REPAIR = (
    "{prompt}\n\nYour previous answer could not be used. {problems}\n\nIt was:\n{reply}\n\n"
    "Answer again: the corrected JSON value alone, without any text around it."
)
_FENCED = re.compile(r"\s*```(?:json)?[ \t]*\r?\n(.*?)\r?\n?[ \t]*```\s*", re.DOTALL | re.IGNORECASE)


class ReplyInvalid(Exception):
    """The reply is not the JSON that was asked for; the message says why, for the model to read."""


def ask(
    models: Models,
    *,
    step: str,
    prompt: str,
    system: str,
    schema: Mapping[str, Any] | None,
    alias: str | None,
    facts: Mapping[str, Any],
    end: float,
    clock: Clock,
    tally: Tally,
) -> Any:
    """The JSON value that the model answers with, matching `schema`.

    1. The model is asked, and has until `end` on `clock`.
    2. A reply that carries `escalate` stops the run as escalated, before any validation.
    3. A reply that is not JSON or does not match is sent back once, with what is wrong with it.
    Raises StepFailed and RunStopped.
    """

    def once(text: str) -> str:
        left = end - clock()
        if left <= 0:
            raise StepFailed(f"The step {step!r} ran out of time.", code="timeout", outage=True)
        try:
            answer = models.complete(
                step=step, prompt=text, system=system, schema=schema, alias=alias, facts=facts, deadline_s=left
            )
        except DonnaError as error:
            raise StepFailed(error.message, code=error.code, outage=True) from error
        tally.count(answer)
        if clock() > end:
            raise StepFailed(f"The answer to the step {step!r} came too late.", code="timeout", outage=True)
        return answer.text

    reply = once(prompt)
    try:
        return _accepted(reply, schema)
    except ReplyInvalid as error:
        told = REPAIR.format(prompt=prompt, problems=error, reply=reply[:4_000])
    try:
        return _accepted(once(told), schema)
    except ReplyInvalid as error:
        raise StepFailed(f"The model's answer cannot be used, nor its repair: {error}", code="invalid_output") from None


def parse(reply: str) -> Any:
    """The JSON value of a reply: all of it, or of one ```json block that is all of it. Raises ReplyInvalid."""
    if len(reply) > MAX_REPLY:
        raise ReplyInvalid(f"The answer is longer than {MAX_REPLY} characters.")
    fenced = _FENCED.fullmatch(reply)
    text = (fenced[1] if fenced else reply).strip()
    if not text:
        raise ReplyInvalid("The answer is empty.")
    if not documents.storable(text):
        raise ReplyInvalid("The answer contains a null character or half a character.")
    try:
        return safe_json.load(text)
    except documents.Unreadable as error:
        raise ReplyInvalid(error.message) from error


def describe(problems: list[tuple[str, str]], *, most: int = 5) -> str:
    """The problems of a value as sentences."""
    return " ".join(f"At {path or 'the top'}: {message}" for path, message in problems[:most])


def _accepted(reply: str, schema: Mapping[str, Any] | None) -> Any:
    value = parse(reply)
    if isinstance(value, dict) and value.get("escalate") is not None:
        raise RunStopped("escalated", _reason(value["escalate"]))
    problems = [] if schema is None else schemas.problems(value, schema)
    if problems:
        raise ReplyInvalid(f"It does not match the schema. {describe(problems)}")
    return value


def _reason(said: Any) -> str:
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    return text.strip()[:MAX_REASON] or "The model escalates without a reason."
