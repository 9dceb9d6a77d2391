"""The filters, tests and methods that templates may use, each of them metered.

Those of Jinja2 that can make much out of little (`center`, `format`, `xmlattr`, …) are left out, or rewritten bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jinja2 import Undefined, pass_context
from jinja2 import tests as jinja_tests
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.runtime import Context
from jinja2.utils import _PassArg

from .meter import KEY, MAX_TEXT, Exhausted, Meter, demand, json_of, kind_of, text_of

MAX_RANGE = 100_000

_JINJA_TESTS: Mapping[str, Callable[..., Any]] = jinja_tests.TESTS  # type: ignore[assignment]

_TAKEN_FILTERS = [
    "abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "int", "items", "last", "length",
    "list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "select", "selectattr", "sort",
    "title", "trim", "truncate", "unique", "upper", "urlencode", "wordcount",
]  # fmt: skip
_FREE_FILTERS = {"count", "d", "default", "first", "last", "length"}
"""They cost the same however large their subject is, so it is not weighed."""
_TAKEN_TESTS = [
    "boolean", "defined", "divisibleby", "eq", "==", "equalto", "even", "false", "float", "ge", ">=", "gt", ">",
    "greaterthan", "in", "integer", "iterable", "le", "<=", "lt", "<", "lessthan", "lower", "mapping", "ne", "!=",
    "none", "number", "odd", "sequence", "string", "true", "undefined", "upper",
]  # fmt: skip
_FREE_TESTS = {
    "boolean", "defined", "false", "float", "integer", "iterable", "mapping", "none", "number", "sequence", "string",
    "true", "undefined",
}  # fmt: skip
_METHODS: Mapping[type, set[str]] = {
    str: {
        "lower", "upper", "strip", "lstrip", "rstrip", "startswith", "endswith", "split", "splitlines", "title",
        "capitalize", "count", "find",
    },
    dict: {"get", "items", "keys", "values"},
    list: {"index", "count"},
}  # fmt: skip
METHOD_NAMES = set[str]().union(*_METHODS.values())


def _metered(function: Callable[..., Any], *, free: bool) -> Callable[..., Any]:
    """The filter or test of Jinja2, charged for its arguments and its result; an iterator becomes a list."""
    takes = _PassArg.from_obj(function)

    @pass_context
    def metered(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        meter: Meter = context.parent[KEY]
        extras = (*args, *kwargs.values())
        for item in extras if free else (value, *extras):
            meter.weigh(item)
        if any(isinstance(item, int) and abs(item) > 10**18 for item in extras):
            raise Exhausted("A number that a filter was given is too large.")
        found = function(*_passed(takes, context), value, *args, **kwargs)
        if isinstance(found, Iterator):
            found = list(counted(found, meter, 1))
        if not free:
            meter.weigh(found)
        return found

    return metered


def _passed(takes: _PassArg | None, context: Context) -> tuple[Any, ...]:
    if takes is None:
        return ()
    known = {_PassArg.context: context, _PassArg.environment: context.environment}
    return (known.get(takes, context.eval_ctx),)


def counted(items: Iterable[Any], meter: Meter, cost: int) -> Iterator[Any]:
    for item in items:
        meter.spend(cost)
        yield item


# -- what the rewritten tree calls -----------------------------------------------------------------------------------


@pass_context
def _loop(context: Context, items: Any, cost: int) -> Iterator[Any]:
    demand(items)
    if not isinstance(items, list | tuple | dict | str):
        raise TypeError(f"A {kind_of(items)} cannot be looped over.")
    return counted(items, context.parent[KEY], cost)


@pass_context
def _weigh(context: Context, value: Any) -> Any:
    context.parent[KEY].weigh(value)
    return value


@pass_context
def _keep(context: Context, value: Any) -> str:
    demand(value)
    context.parent[KEY].result = value
    return ""


@pass_context
def _range(context: Context, *numbers: Any) -> list[int]:
    if any(type(number) is not int for number in numbers):
        raise TypeError("range() takes whole numbers.")
    if any(abs(number) > 10**12 for number in numbers):
        raise Exhausted("A range may not go beyond a million million.")
    made = range(*numbers)
    if len(made) > MAX_RANGE:
        raise Exhausted(f"A range may not have more than {MAX_RANGE} numbers.")
    context.parent[KEY].spend(len(made))
    return list(made)


@pass_context
def _method(context: Context, value: Any, name: str, *args: Any) -> Any:
    demand(value)
    if name not in _METHODS.get(type(value), ()):
        raise TypeError(f"A {kind_of(value)} has no method {name!r}.")
    if name == "get":
        return value.get(*args)
    meter: Meter = context.parent[KEY]
    meter.weigh(value)
    meter.weigh(args)
    found = getattr(value, name)(*args)
    if name in ("items", "keys", "values"):
        return list(found)
    meter.weigh(found)
    return found


@pass_context
def _concat(context: Context, parts: list[Any]) -> str:
    return _joined(context, parts, "")


# -- filters of our own ----------------------------------------------------------------------------------------------


@pass_context
def _join(context: Context, value: Any, d: str = "", attribute: str | None = None) -> str:
    return _joined(context, _column(context, value, attribute), text_of(d))


@pass_context
def _replace(context: Context, value: Any, old: str, new: str) -> str:
    text, old, new = text_of(value), text_of(old), text_of(new)
    context.parent[KEY].weigh((text, old, new))
    grown = len(text) + text.count(old) * (len(new) - len(old))
    if grown > max(MAX_TEXT, len(text)):
        raise Exhausted(f"replace would make a text of more than {MAX_TEXT} characters.")
    return text.replace(old, new)


@pass_context
def _indent(context: Context, value: Any, width: int = 4, first: bool = False) -> str:
    if type(width) is not int or not 0 <= width <= 40:
        raise ValueError("indent takes a width from 0 to 40.")
    context.parent[KEY].weigh(value)
    margin = " " * width
    lines = text_of(value).split("\n")
    return "\n".join(margin + line if line and (first or place) else line for place, line in enumerate(lines))


@pass_context
def _tojson(context: Context, value: Any, indent: int | None = None) -> str:
    if indent is not None and (type(indent) is not int or not 0 <= indent <= 8):
        raise ValueError("tojson takes an indent from 0 to 8.")
    context.parent[KEY].weigh(value)
    return json_of(value, indent=indent)


@pass_context
def _string(context: Context, value: Any) -> str:
    context.parent[KEY].weigh(value)
    return text_of(value)


@pass_context
def _sum(context: Context, value: Any, attribute: str | None = None, start: float = 0) -> Any:
    numbers = [start, *_column(context, value, attribute)]
    if any(type(number) not in (int, float) for number in numbers):
        raise TypeError("sum adds numbers only.")
    return sum(numbers)


def _round(value: Any, precision: int = 0, method: str = "common") -> Any:
    if isinstance(value, Undefined) or type(value) not in (int, float):
        raise TypeError("round takes a number.")
    if type(precision) is not int or not 0 <= precision <= 12:
        raise ValueError("round takes a precision from 0 to 12.")
    return JINJA_FILTERS["round"](value, precision, method)


def _column(context: Context, items: Any, attribute: str | None) -> list[Any]:
    """The items, or what `attribute`, a dotted path, is in each of them."""
    context.parent[KEY].weigh(items)
    found = list(items)
    for part in str(attribute).split(".") if attribute is not None else ():
        found = [context.environment.getitem(item, int(part) if part.isdecimal() else part) for item in found]
    return found


def _joined(context: Context, parts: list[Any], between: str) -> str:
    context.parent[KEY].weigh(parts)
    texts = [text_of(part) for part in parts]
    if sum(map(len, texts)) + len(between) * len(texts) > MAX_TEXT:
        raise Exhausted(f"A template may not make a text of more than {MAX_TEXT} characters.")
    return between.join(texts)


REWRITTEN: Mapping[str, Callable[..., Any]] = {
    "meter:loop": _loop,
    "meter:weigh": _weigh,
    "meter:result": _keep,
    "meter:range": _range,
    "meter:method": _method,
    "meter:concat": _concat,
}
"""Only the rewritten tree can call these: no template can write a filter's name with a colon."""

FILTERS: Mapping[str, Callable[..., Any]] = {
    **{name: _metered(JINJA_FILTERS[name], free=name in _FREE_FILTERS) for name in _TAKEN_FILTERS},
    "join": _join,
    "replace": _replace,
    "indent": _indent,
    "tojson": _tojson,
    "string": _string,
    "sum": _sum,
    "round": _round,
}
TESTS: Mapping[str, Callable[..., Any]] = {
    name: _metered(_JINJA_TESTS[name], free=name in _FREE_TESTS) for name in _TAKEN_TESTS
}
