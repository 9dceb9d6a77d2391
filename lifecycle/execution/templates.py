"""Render prompts and tool arguments, evaluate expressions, and say what is wrong with either. Values in, values out.

Names that a template knows: `inputs`, `state`, and whatever the caller adds (`tools` within a step, a for_each's item).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from functools import lru_cache
from traceback import walk_tb
from types import FrameType
from typing import Any

from jinja2 import TemplateSyntaxError, meta

from donna_skills.errors import DonnaError

from .templating import syntax
from .templating.meter import KEY, MAX_TEXT, Exhausted, Meter, demand
from .templating.sandbox import Sandbox

_SANDBOX = Sandbox()
_MAX_VALUE_DEPTH = 100


class TemplateFailed(DonnaError):
    """A template or expression cannot be compiled, needs something that is not there, or asks for too much."""

    status, code, title = 422, "template_failed", "The template could not be rendered"


def render(
    text: str, *, inputs: Mapping[str, Any], state: Mapping[str, Any], extra: Mapping[str, Any] | None = None
) -> str:
    """The text with its expressions filled in, at most MAX_TEXT characters. Raises TemplateFailed."""
    template = _template(text)
    parts: list[str] = []
    length = 0
    try:
        for part in template.root_render_func(_context(template, Meter(), inputs, state, extra)):
            length += len(part)
            if length > MAX_TEXT:
                raise Exhausted(f"The rendered text is longer than {MAX_TEXT} characters.")
            parts.append(part)
    except Exception as error:  # whatever a template raises is the template's failure, and the run's reason
        raise _failed(error, template) from error
    return _writable("".join(parts))


def evaluate(
    expression: str, *, inputs: Mapping[str, Any], state: Mapping[str, Any], extra: Mapping[str, Any] | None = None
) -> Any:
    """The expression's value with its JSON type; `{{ … }}` around the whole is optional. Raises TemplateFailed."""
    template = _expression(expression)
    meter = Meter()
    try:
        for _ in template.root_render_func(_context(template, meter, inputs, state, extra)):
            pass
        return _plain(meter.result)
    except Exception as error:  # as above
        raise _failed(error, None) from error


def render_value(
    value: Any, *, inputs: Mapping[str, Any], state: Mapping[str, Any], extra: Mapping[str, Any] | None = None
) -> Any:
    """The value with every text in it rendered; a text that is one whole `{{ … }}` becomes that expression's value."""
    if isinstance(value, str):
        return _render_text(value, inputs=inputs, state=state, extra=extra)
    if isinstance(value, Mapping):
        return {key: render_value(item, inputs=inputs, state=state, extra=extra) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [render_value(item, inputs=inputs, state=state, extra=extra) for item in value]
    return value


def plain(value: Any) -> Any:
    """A copy in JSON's types, finite and storable, that shares nothing with the value. Raises TemplateFailed."""
    try:
        return _plain(value)
    except Exception as error:  # a value of a strange type may raise anything when it is looked at
        raise _failed(error, None) from error


def check_template(text: str, *, known: Collection[str] | None = None) -> str | None:
    """What is wrong with a prompt or a tool argument, as a sentence, else None; `known` are the names it may use."""
    try:
        _template(text)
        return _unknown_name(text, known)
    except TemplateFailed as error:
        return error.message


def check_expression(text: str, *, known: Collection[str] | None = None) -> str | None:
    """What is wrong with a condition, a for_each or a final output, as a sentence, else None."""
    try:
        _expression(text)
        return _unknown_name(_braced(text), known)
    except TemplateFailed as error:
        return error.message


def _render_text(text: str, **names: Any) -> Any:
    if "{" not in text:
        return text
    return evaluate(text, **names) if _is_whole(text.strip()) else render(text, **names)


@lru_cache(maxsize=512)
def _template(text: str) -> Any:
    try:
        return _SANDBOX.compile_tree(_SANDBOX.parse_checked(text))
    except TemplateSyntaxError as error:
        raise TemplateFailed(f"Line {error.lineno}: {_sentence(error.message)}") from error


@lru_cache(maxsize=512)
def _expression(text: str) -> Any:
    try:
        expression = syntax.only_expression(_SANDBOX.parse_checked(_braced(text)))
        if expression is None:
            raise TemplateFailed("An expression is one value, like state.step.field, without text around it.")
        return _SANDBOX.compile_tree(syntax.keep_result(expression))
    except TemplateSyntaxError as error:
        raise TemplateFailed(_sentence(error.message)) from error


@lru_cache(maxsize=512)
def _is_whole(text: str) -> bool:
    if not (text.startswith("{{") and text.endswith("}}")):
        return False
    try:
        return syntax.only_expression(_SANDBOX.parse_checked(text)) is not None
    except TemplateSyntaxError as error:
        raise TemplateFailed(_sentence(error.message)) from error


def _braced(text: str) -> str:
    stripped = text.strip()
    if not stripped:
        raise TemplateFailed("The expression is empty.")
    return stripped if stripped.startswith("{{") else "{{ " + stripped + " }}"


def _unknown_name(text: str, known: Collection[str] | None) -> str | None:
    if known is None:
        return None
    used = meta.find_undeclared_variables(_SANDBOX.parse_checked(text)) - set(known) - {"range"}
    if not used:
        return None
    return f"It uses {', '.join(sorted(used))}, but the names here are {', '.join(sorted(known))}."


def _context(
    template: Any, meter: Meter, inputs: Mapping[str, Any], state: Mapping[str, Any], extra: Mapping[str, Any] | None
) -> Any:
    return template.new_context({**(extra or {}), "inputs": inputs, "state": state, KEY: meter})


def _plain(value: Any, depth: int = 0) -> Any:
    """A copy in JSON's types, so that nothing in it is shared with the inputs or the state."""
    if depth > _MAX_VALUE_DEPTH:
        raise Exhausted("The value is nested too deeply.")
    demand(value)
    if isinstance(value, Mapping):
        return {_key(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("The number is not finite.")
    if isinstance(value, str):
        return _writable(value)
    if value is None or isinstance(value, int | float):
        return value
    raise TypeError("The expression gives something that is not JSON.")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError("A key must be text.")
    return key


def _writable(text: str) -> str:
    """Half a surrogate pair cannot be sent or stored, and PostgreSQL refuses the null character."""
    if "\0" in text or not (text.isascii() or _encodes(text)):
        raise TemplateFailed("The text holds a null character or half a character.")
    return text


def _encodes(text: str) -> bool:
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False


def _failed(error: Exception, template: Any) -> TemplateFailed:
    if isinstance(error, RecursionError | MemoryError):
        return TemplateFailed("The value is nested too deeply or too large to render.")
    if isinstance(error, TemplateFailed):
        return error
    lines = [line for frame, line in walk_tb(error.__traceback__) if template and _is_template(frame)]
    said = _sentence(str(error) or type(error).__name__)
    return TemplateFailed(f"Line {template.get_corresponding_lineno(lines[-1])}: {said}" if lines else said)


def _is_template(frame: FrameType) -> bool:
    return frame.f_code.co_filename == "<template>"


def _sentence(text: str | None) -> str:
    said = (text or "It cannot be understood").strip()
    return (said if said.endswith((".", "!", "?")) else f"{said}.")[:500]
