"""Ask a model for a better version of a skill, and read what it writes: data of which nothing is believed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from donna_skills.llm.port import ModelRequest, Purpose
from lifecycle.configuration import knobs
from lifecycle.execution import replies, schemas, templates
from lifecycle.models import Skill
from lifecycle.packages.layout import FIXTURES
from lifecycle.packages.model import Files
from lifecycle.services import prompts
from lifecycle.services.material import Material

TASK = "evolve"
_MOST_TOKENS = 16_000
_MOST_TARGETED = 200
_LONGEST_TEXT = 10_000
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["diagnosis", "files", "changelog", "targeted_cases"],
    "properties": {
        "diagnosis": {"type": "string"},
        "files": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
        "changelog": {"type": "string"},
        "targeted_cases": {"type": "array", "items": {"type": "string"}, "maxItems": _MOST_TARGETED},
    },
}
_INERT = str.maketrans({"<": "\\u003c", ">": "\\u003e", "`": "\\u0060"})
"""In JSON these stand in texts alone, so that nothing recorded can close the block that it is given in."""


@dataclass(frozen=True)
class Rewrite:
    """What a reply says: `files` is the whole new version."""

    diagnosis: str
    changelog: str
    files: Files
    targeted: tuple[str, ...]


def request(skill: Skill, given: Material, *, call_id: UUID) -> ModelRequest:
    """The question. What was recorded stands in one marked block of it, as JSON."""
    capability = skill.capability
    names = {
        "capability_name": capability.name,
        "description": capability.description,
        "input_schema": templates.plain(capability.input_schema),
        "output_schema": templates.plain(capability.output_schema),
        "granted_tools": list(capability.granted_tools),
        "material": json.dumps(given.for_prompt(), ensure_ascii=False, indent=1, default=str).translate(_INERT),
    }
    return ModelRequest(
        purpose=Purpose.EVOLUTION,
        task_type=TASK,
        prompt=templates.render(prompts.read("evolution"), inputs={}, state={}, extra=names),
        system=prompts.read("evolution_system"),
        schema=SCHEMA,
        facts=given.facts(),
        run_id=call_id,
        deadline_s=knobs().validation_per_run_timeout_s,
        max_output_tokens=_MOST_TOKENS,
    )


def read(reply: str, *, current: Files) -> Rewrite:
    """The new version in a reply: its files over the current ones. Raises replies.ReplyInvalid with the sentence that
    says why it cannot be read.

    Fixtures that exist stay as they are, whatever the reply says: a version never weakens the examples it is held
    against. Whether the files are a package is for the gates to say.
    """
    said = replies.parse(reply)
    problems = schemas.problems(said, SCHEMA)
    if problems:
        raise replies.ReplyInvalid(f"It does not match the schema. {replies.describe(problems)}")
    if not said["files"]:
        raise replies.ReplyInvalid("It changes no file.")
    files = dict(current)
    for path, text in said["files"].items():
        if path.startswith(FIXTURES) and path in current:
            continue
        if text is None:
            files.pop(path, None)
        else:
            files[path] = text.encode("utf-8", "replace")
    return Rewrite(
        diagnosis=said["diagnosis"][:_LONGEST_TEXT],
        changelog=said["changelog"][:_LONGEST_TEXT],
        files=files,
        targeted=tuple(dict.fromkeys(one[:100] for one in said["targeted_cases"])),
    )
