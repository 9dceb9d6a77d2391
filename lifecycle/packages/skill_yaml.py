"""skill.yaml: the steps of a skill, read into values, with a finding for everything that is missing or unknown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from lifecycle.packages import layout, safe_json
from lifecycle.packages.documents import Document, Unreadable
from lifecycle.packages.layout import SKILL_YAML
from lifecycle.packages.model import Files, Finding, OnToolFailure, Step, StepKind, ToolInvocation

MAX_STEPS = 50
MAX_ATTEMPTS = 10
MAX_BACKOFF_S = 60
MAX_PROMPT_BYTES = 64 * 1024
MAX_SCHEMA_BYTES = 64 * 1024

_ROOT_KEYS = ("capability_name", "version", "description", "steps", "final_output", "state_write")
_STEP_KEYS = (
    *("name", "kind", "prompt", "output_schema", "tools", "tool_invocations"),
    *("model", "condition", "on_failure"),
)
_INVOCATION_KEYS = ("tool", "args", "store_as", "retry", "on_failure", "for_each", "as")
_RETRY_KEYS = ("max_attempts", "backoff_s")

# Names are written in templates as state.name: a letter first, since the sandbox hides what begins with an underscore.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_MAPPING_METHODS = frozenset(name for name in dir(dict) if not name.startswith("_"))
_TEMPLATE_NAMES = frozenset({"inputs", "state", "tools"})


@dataclass(frozen=True)
class SkillYaml:
    """What skill.yaml says. `steps` holds the readable ones, `places` the index of each of them in the file."""

    document: Document
    capability_name: str
    version: str
    description: str
    steps: tuple[Step, ...]
    places: tuple[int, ...]
    final_output: str | None
    state_write: tuple[str, ...]
    findings: tuple[Finding, ...]


def read(document: Document, files: Files) -> SkillYaml:
    """Never raises. `files` are needed for the prompts and schemas that the steps refer to."""
    return _Reader(document, files).read()


class _Reader:
    """Walks the document once, top to bottom, and collects findings on the way."""

    def __init__(self, document: Document, files: Files) -> None:
        self._document = document
        self._files = files
        self._findings: list[Finding] = []
        self._schemas: dict[str, Mapping[str, Any] | None] = {}

    def read(self) -> SkillYaml:
        root = self._mapping((), _ROOT_KEYS) or {}
        capability_name = self._text(("capability_name",), required=True) or ""
        steps: list[Step] = []
        places: list[int] = []
        for index in range(self._step_count(root)):
            if step := self._step(("steps", index)):
                steps.append(step)
                places.append(index)
        self._unique("step", [step.name for step in steps], [("steps", place, "name") for place in places])
        return SkillYaml(
            document=self._document,
            capability_name=capability_name,
            version=self._version(),
            description=self._text(("description",)) or "",
            steps=tuple(steps),
            places=tuple(places),
            final_output=self._text(("final_output",)),
            state_write=self._texts(("state_write",)),
            findings=tuple(self._findings),
        )

    # --- steps ----------------------------------------------------------------------------------------------------

    def _step_count(self, root: Mapping[str, Any]) -> int:
        steps = root.get("steps")
        if not isinstance(steps, list) or not steps:
            self._find(("steps",), "A skill has at least one step: `steps` must be a list of steps.", "no_steps")
            return 0
        if len(steps) > MAX_STEPS:
            self._find(("steps",), f"There are {len(steps):,} steps; a skill may have {MAX_STEPS}.", "too_many_steps")
        return min(len(steps), MAX_STEPS)

    def _step(self, place: tuple[str | int, ...]) -> Step | None:
        values = self._mapping(place, _STEP_KEYS)
        if values is None:
            return None
        name = self._name((*place, "name"), "step")
        if name in _MAPPING_METHODS:
            message = f"A step may not be named {name!r}: it hides a method of mappings."
            self._find((*place, "name"), message, "step_name")
        kind = self._choice((*place, "kind"), get_args(StepKind), required=True)
        on_failure = self._choice((*place, "on_failure"), ("continue",))
        tools = self._texts((*place, "tools"))
        invocations = self._invocations(place, values, tools)
        prompt_path = self._text((*place, "prompt"))
        self._check_kind(place, values, kind)
        if name is None or kind is None:
            return None
        return Step(
            name=name,
            kind=kind,
            prompt=self._prompt((*place, "prompt"), prompt_path),
            prompt_path=prompt_path,
            output_schema=self._schema((*place, "output_schema"), values.get("output_schema")),
            tools=tools,
            tool_invocations=invocations,
            model=self._text((*place, "model")),
            condition=self._text((*place, "condition")),
            continue_on_failure=on_failure == "continue",
        )

    def _check_kind(self, place: tuple[str | int, ...], values: Mapping[str, Any], kind: str | None) -> None:
        if kind in ("llm", "mixed") and values.get("prompt") is None:
            self._find(place, f"A step of kind {kind} needs a prompt.", "prompt_missing")
        if kind in ("tool", "mixed") and not values.get("tool_invocations"):
            self._find(place, f"A step of kind {kind} needs at least one tool invocation.", "invocation_missing")
        if kind == "llm" and values.get("tool_invocations"):
            message = "A step of kind llm calls no tools; make its kind mixed."
            self._find((*place, "tool_invocations"), message, "kind_mismatch")
        for key in ("prompt", "model", "output_schema") if kind == "tool" else ():
            if values.get(key) is not None:
                message = f"A step of kind tool asks no model, so {key!r} has no meaning; make its kind mixed."
                self._find((*place, key), message, "kind_mismatch")

    def _prompt(self, place: tuple[str | int, ...], path: str | None) -> str | None:
        text = self._referenced(place, path, MAX_PROMPT_BYTES)
        if text is not None and not text.strip():
            self._find(place, f"The prompt {path} is empty.", "prompt_empty")
        return text

    def _schema(self, place: tuple[str | int, ...], given: Any) -> Mapping[str, Any] | None:
        if given is None or isinstance(given, dict):
            return given
        if not isinstance(given, str):
            self._find(place, "The output schema must be a path in the package or a mapping.", "value")
            return None
        if given not in self._schemas:
            text = self._referenced(place, given, MAX_SCHEMA_BYTES)
            self._schemas[given] = None if text is None else self._schema_of_file(given, text)
        return self._schemas[given]

    def _schema_of_file(self, path: str, text: str) -> Mapping[str, Any] | None:
        try:
            schema = safe_json.load(text)
        except Unreadable as error:
            self._findings.append(Finding(path, error.message, "schema_unreadable", error.line))
            return None
        if not isinstance(schema, dict):
            self._findings.append(Finding(path, "A schema must be a JSON object.", "schema_unreadable", 1))
            return None
        return schema

    def _referenced(self, place: tuple[str | int, ...], path: str | None, limit: int) -> str | None:
        """The text of a file that the step names."""
        if path is None:
            return None
        if problem := layout.path_problem(path):
            self._find(place, problem, "path_invalid")
        elif path not in self._files:
            self._find(place, f"The package has no file {path}.", "file_missing")
        elif len(self._files[path]) > limit:
            self._find(place, f"{path} is too large for its purpose: {limit:,} bytes are allowed.", "file_too_large")
        elif (text := layout.text(self._files, path)) is None:
            self._find(place, f"{path} is not UTF-8 text.", "not_text")
        else:
            return text
        return None

    # --- tool invocations -----------------------------------------------------------------------------------------

    def _invocations(
        self, step: tuple[str | int, ...], values: Mapping[str, Any], tools: tuple[str, ...]
    ) -> tuple[ToolInvocation, ...]:
        given = values.get("tool_invocations")
        if given is None:
            return ()
        if not isinstance(given, list):
            self._find((*step, "tool_invocations"), "`tool_invocations` must be a list.", "value")
            return ()
        places = [(*step, "tool_invocations", index) for index in range(len(given))]
        found = [(place, invocation) for place in places if (invocation := self._invocation(place))]
        for place, invocation in found:
            if invocation.tool not in tools:
                message = f"The tool {invocation.tool!r} is not in this step's `tools`, so it would be refused."
                self._find((*place, "tool"), message, "tool_not_allowed")
        self._unique("result", [call.store_as for _, call in found], [(*place, "store_as") for place, _ in found])
        return tuple(invocation for _, invocation in found)

    def _invocation(self, place: tuple[str | int, ...]) -> ToolInvocation | None:
        values = self._mapping(place, _INVOCATION_KEYS)
        if values is None:
            return None
        tool = self._text((*place, "tool"), required=True)
        args = {} if values.get("args") is None else self._mapping((*place, "args"))
        store_as = self._name((*place, "store_as"), "result", default=tool)
        for_each = self._text((*place, "for_each"))
        item_name = self._name((*place, "as"), "item", default="item")
        if "as" in values and for_each is None:
            self._find((*place, "as"), "`as` names the item of a `for_each`, and there is none.", "value")
        if item_name in _TEMPLATE_NAMES:
            self._find((*place, "as"), f"{item_name!r} is taken: templates know it as something else.", "name")
        max_attempts, backoff_s = self._retry((*place, "retry"), values.get("retry"))
        on_failure = self._choice((*place, "on_failure"), get_args(OnToolFailure))
        if tool is None or store_as is None or args is None:
            return None
        return ToolInvocation(
            tool=tool,
            args=args,
            store_as=store_as,
            for_each=for_each,
            item_name=item_name or "item",
            max_attempts=max_attempts,
            backoff_s=backoff_s,
            on_failure=on_failure or "escalate",
        )

    def _retry(self, place: tuple[str | int, ...], given: Any) -> tuple[int, float]:
        if given is None or (values := self._mapping(place, _RETRY_KEYS)) is None:
            return 1, 0.0
        attempts, backoff = values.get("max_attempts", 1), values.get("backoff_s", 0)
        if type(attempts) is not int or not 1 <= attempts <= MAX_ATTEMPTS:
            message = f"`max_attempts` must be a whole number from 1 to {MAX_ATTEMPTS}."
            self._find((*place, "max_attempts"), message, "value")
            attempts = 1
        if type(backoff) not in (int, float) or not 0 <= backoff <= MAX_BACKOFF_S:
            message = f"`backoff_s` must be a number of seconds from 0 to {MAX_BACKOFF_S}."
            self._find((*place, "backoff_s"), message, "value")
            backoff = 0
        return attempts, float(backoff)

    # --- values ---------------------------------------------------------------------------------------------------

    def _at(self, place: tuple[str | int, ...]) -> Any:
        """The value at this place, None where there is none."""
        value = self._document.value
        for key in place:
            if isinstance(value, dict):
                value = value.get(key)
            elif isinstance(value, list) and isinstance(key, int):
                value = value[key]
            else:
                return None
        return value

    def _mapping(self, place: tuple[str | int, ...], keys: tuple[str, ...] | None = None) -> Mapping[str, Any] | None:
        value = self._at(place)
        if not isinstance(value, dict):
            what = f"`{place[-1]}`" if place and isinstance(place[-1], str) else "This"
            self._find(place, f"{what} must be a mapping.", "value")
            return None
        for key in value:
            if keys is not None and key not in keys:
                message = f"{key[:80]!r} is not known here; the keys are {', '.join(keys)}."
                self._find((*place, key), message, "unknown_key")
        return value

    def _text(self, place: tuple[str | int, ...], *, required: bool = False) -> str | None:
        value = self._at(place)
        if value is None and not required:
            return None
        if not isinstance(value, str) or not value.strip():
            self._find(place, f"`{place[-1]}` must be text and not blank.", "value")
            return None
        return value

    def _texts(self, place: tuple[str | int, ...]) -> tuple[str, ...]:
        value = self._at(place)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            self._find(place, f"`{place[-1]}` must be a list of texts.", "value")
            return ()
        self._unique("entry", value, [(*place, index) for index in range(len(value))])
        return tuple(value)

    def _version(self) -> str:
        """A version may be written without quotes: 2 is a number to YAML and "2" to us."""
        value = self._at(("version",))
        if type(value) in (int, float):
            return str(value)
        return self._text(("version",)) or ""

    def _name(self, place: tuple[str | int, ...], what: str, *, default: str | None = None) -> str | None:
        value = self._at(place)
        value = default if value is None else value
        if isinstance(value, str) and _NAME.fullmatch(value):
            return value
        message = f"The name of a {what} is a letter and then up to 63 letters, digits and underscores."
        self._find(place, message, "name")
        return None

    def _choice(self, place: tuple[str | int, ...], choices: tuple[str, ...], *, required: bool = False) -> Any:
        value = self._at(place)
        if value is None and not required:
            return None
        if not isinstance(value, str) or value not in choices:
            self._find(place, f"`{place[-1]}` must be {' or '.join(choices)}.", "value")
            return None
        return value

    def _unique(self, what: str, names: list[str], places: list[Any]) -> None:
        seen: set[str] = set()
        for name, place in zip(names, places, strict=True):
            if name in seen:
                self._find(place, f"There is another {what} {name[:80]!r} here already.", "duplicate")
            seen.add(name)

    def _find(self, place: tuple[str | int, ...], message: str, code: str) -> None:
        self._findings.append(Finding(SKILL_YAML, message, code, self._document.line(*place)))
