"""Tools by name, and the port that runs them.

A new tool is a function decorated with `@register("name")`; it takes the arguments as keywords, and `context` first. It
returns JSON and raises ToolFailed with a sentence.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from donna_skills.errors import DonnaError

_TOOLS: dict[str, Callable[..., Any]] = {}


class ToolFailed(DonnaError):
    """The tool could not do its work; the message says why."""

    status, code, title = 422, "tool_failed", "A tool failed"


@dataclass(frozen=True)
class ToolContext:
    """What a tool may know of the call: how long it may take, and which local hosts the configuration opens."""

    deadline_s: float
    allow_hosts: Collection[str] = ()


def register(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function a tool under this name. A name is given once."""

    def keep(function: Callable[..., Any]) -> Callable[..., Any]:
        if name in _TOOLS:
            raise ValueError(f"There is a tool {name!r} already.")
        _TOOLS[name] = function
        return function

    return keep


def get(name: str) -> Callable[..., Any]:
    """The tool of this name. Raises ToolFailed."""
    if name not in _TOOLS:
        raise ToolFailed(f"There is no tool {name!r}; there are {', '.join(sorted(_TOOLS))}.", code="unknown_tool")
    return _TOOLS[name]


def names() -> tuple[str, ...]:
    return tuple(sorted(_TOOLS))


@dataclass(frozen=True)
class RegisteredTools:
    """The port `Tools` with the real tools behind it."""

    allow_hosts: Collection[str] = ()

    def call(self, tool: str, args: Mapping[str, Any], deadline_s: float) -> Any:
        function = get(tool)
        context = ToolContext(deadline_s=deadline_s, allow_hosts=self.allow_hosts)
        try:
            inspect.signature(function).bind(context, **args)
        except TypeError as error:
            raise ToolFailed(f"{tool} was called wrongly: {error}.", code="bad_arguments") from error
        return function(context, **args)
