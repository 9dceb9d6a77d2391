"""Every rule that a package has to keep before it is stored: one finding each, with file, line and a sentence."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain, islice

from lifecycle.packages import parse
from lifecycle.packages.checks import Checks, texts
from lifecycle.packages.layout import SKILL_MD, SKILL_YAML
from lifecycle.packages.model import Files, Finding, Package, Step, ToolInvocation
from lifecycle.packages.parse import Reading

MAX_FINDINGS = 100

_RUN_NAMES = frozenset({"inputs", "state"})
_STEP_NAMES = _RUN_NAMES | {"tools"}

Place = tuple[str | int, ...]


def validate(
    files: Files,
    *,
    capability_name: str | None = None,
    granted_tools: Collection[str] | None = None,
    known_tools: Collection[str] | None = None,
) -> tuple[Finding, ...]:
    """No finding means that the package may be stored; never raises, and lists at most MAX_FINDINGS.

    `capability_name` is the capability that it is meant for, `granted_tools` what that capability may use and
    `known_tools` what is installed here; a rule whose fact is None is not checked.
    """
    reading = parse.read(files)
    if reading.package is None:
        return reading.findings[:MAX_FINDINGS]
    checks = Checks()
    found = chain(
        reading.findings,
        _capability_findings(reading.package, capability_name),
        _Steps(reading.package, reading, checks, granted_tools, known_tools).findings(),
        _fixture_findings(reading, checks),
    )
    return tuple(islice(found, MAX_FINDINGS))


def _capability_findings(package: Package, expected: str | None) -> Iterator[Finding]:
    if expected is None or not package.capability_name or package.capability_name == expected:
        return
    path = SKILL_YAML if package.form == "steps" else SKILL_MD
    message = f"The package is for the capability {package.capability_name[:100]!r}, not for {expected!r}."
    yield Finding(path, message, "capability_mismatch")


def _fixture_findings(reading: Reading, checks: Checks) -> Iterator[Finding]:
    for path, case in reading.fixtures.items():
        if case.expected_output is not None and (problem := checks.schema(case.expected_output)):
            yield Finding(path, f"expected_output: {problem}", "schema_invalid")


class _Steps:
    """The rules that look at steps: their tools, schemas, prompts and expressions."""

    def __init__(
        self,
        package: Package,
        reading: Reading,
        checks: Checks,
        granted_tools: Collection[str] | None,
        known_tools: Collection[str] | None,
    ) -> None:
        self._package = package
        self._skill = reading.skill
        self._checks = checks
        self._granted = granted_tools
        self._known = known_tools
        self._prompts_seen: set[str] = set()

    def findings(self) -> Iterator[Finding]:
        for index, step in enumerate(self._package.steps):
            place: Place = ("steps", self._skill.places[index] if self._skill else index)
            yield from self._tools(place, step)
            yield from self._schema(place, step)
            yield from self._prompt(step)
            yield from self._expression((*place, "condition"), step.condition, _RUN_NAMES)
            for number, invocation in enumerate(step.tool_invocations):
                yield from self._invocation((*place, "tool_invocations", number), invocation)
        yield from self._expression(("final_output",), self._package.final_output, _RUN_NAMES)

    def _tools(self, place: Place, step: Step) -> Iterator[Finding]:
        for number, tool in enumerate(step.tools):
            where = (*place, "tools", number)
            if self._known is not None and tool not in self._known:
                yield self._finding(where, f"There is no tool named {tool[:80]!r}.", "tool_unknown")
            elif self._granted is not None and tool not in self._granted:
                message = f"The tool {tool[:80]!r} is not granted to the capability."
                yield self._finding(where, message, "tool_not_granted")

    def _schema(self, place: Place, step: Step) -> Iterator[Finding]:
        if step.output_schema is not None and (problem := self._checks.schema(step.output_schema)):
            yield self._finding((*place, "output_schema"), problem, "schema_invalid")

    def _prompt(self, step: Step) -> Iterator[Finding]:
        """A prompt is checked once, however many steps share it; the fault is in its file."""
        if step.prompt is None or step.prompt_path is None or step.prompt_path in self._prompts_seen:
            return
        self._prompts_seen.add(step.prompt_path)
        if problem := self._checks.template(step.prompt, _STEP_NAMES):
            yield Finding(step.prompt_path, problem, "template_invalid")

    def _invocation(self, place: Place, invocation: ToolInvocation) -> Iterator[Finding]:
        names = _STEP_NAMES if invocation.for_each is None else _STEP_NAMES | {invocation.item_name}
        yield from self._expression((*place, "for_each"), invocation.for_each, _STEP_NAMES)
        for where, text in texts((*place, "args"), invocation.args):
            if problem := self._checks.template(text, names):
                yield self._finding(where, problem, "template_invalid")

    def _expression(self, place: Place, text: str | None, names: Collection[str]) -> Iterator[Finding]:
        if text is not None and (problem := self._checks.expression(text, names)):
            yield self._finding(place, f"`{place[-1]}` is no expression: {problem}", "expression_invalid")

    def _finding(self, place: Place, message: str, code: str) -> Finding:
        if self._skill is None:
            return Finding(SKILL_MD, message, code)
        return Finding(SKILL_YAML, message, code, self._skill.document.line(*place))
