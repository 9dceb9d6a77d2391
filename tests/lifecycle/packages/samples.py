"""A small valid package, and ways to change one thing of it."""

from __future__ import annotations

import json
from typing import Any

from lifecycle.packages.model import Finding
from lifecycle.packages.validate import validate

SKILL_YAML = """\
capability_name: greet
version: 1.0.0
description: Greets somebody by name.
steps:
  - name: look
    kind: tool
    tools: [web_fetch]
    tool_invocations:
      - tool: web_fetch
        args: {url: "{{ inputs.url }}"}
        store_as: page
  - name: hello
    kind: llm
    prompt: steps/hello.md
    output_schema: schemas/hello.json
final_output: state.hello
"""
SKILL_MD = """\
---
name: greet
description: Greets somebody by name. Use it for greetings.
---
Say hello.
"""
SCHEMA = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
FIXTURE = {"input": {"name": "Ada"}, "assertions": [{"path": "text", "op": "contains", "value": "Ada"}]}


def files(**changes: Any) -> dict[str, bytes]:
    """The sample with files replaced or added; None takes one away. Keys: yaml, md, prompt, schema, fixture."""
    paths = {
        "yaml": "skill.yaml",
        "md": "SKILL.md",
        "prompt": "steps/hello.md",
        "schema": "schemas/hello.json",
        "fixture": "fixtures/ada.json",
    }
    content: dict[str, Any] = {
        "yaml": SKILL_YAML,
        "md": SKILL_MD,
        "prompt": "Greet {{ inputs.name }}.",
        "schema": SCHEMA,
        "fixture": FIXTURE,
        **changes,
    }
    return {paths[key]: as_bytes(value) for key, value in content.items() if value is not None}


def as_bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value)).encode()


def step(**keys: Any) -> str:
    """A skill.yaml of one llm step with these keys on top (JSON is YAML)."""
    base: dict[str, Any] = {"name": "hello", "kind": "llm", "prompt": "steps/hello.md", **keys}
    one = {key: value for key, value in base.items() if value is not None}
    return json.dumps({"capability_name": "greet", "steps": [one]})


def invocation(**keys: Any) -> str:
    """A skill.yaml of one tool step whose one invocation has these keys on top."""
    call = {"tool": "web_fetch", "args": {}, "store_as": "page", **keys}
    return step(kind="tool", prompt=None, tools=["web_fetch"], tool_invocations=[call])


def codes(found: tuple[Finding, ...]) -> list[str]:
    return [finding.code for finding in found]


def codes_of(changed: dict[str, bytes], **facts: Any) -> list[str]:
    return codes(validate(changed, **facts))
