"""Thresholds and routes from config/*.yaml, as frozen dataclasses: typed, range-checked, unknown keys refused.

A consumer declares a dataclass whose fields are made with `knob`, loads it with `load`, and registers a system check
that returns `check(...)`, so that a wrong file stops the process with sentences instead of surprising somebody later.

    @dataclass(frozen=True)
    class Knobs:
        rate: float = knob(0.05, low=0, high=1, help="Share of runs that are sampled.")
        budget: Budget = part(Budget)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")

_loaded: dict[tuple[type[Any], Path, str | None], Any] = {}
_MISSING = object()
_TYPE_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Decimal: "a number",
    str: "a text",
}


class ConfigurationInvalid(ImproperlyConfigured):
    """A file under config/ cannot be used; `problems` has one sentence for each thing wrong with it."""

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        super().__init__(f"{path.name}: " + " ".join(problems))
        self.path = path
        self.problems = tuple(problems)


def knob(default: Any, *, low: float | None = None, high: float | None = None, help: str) -> Any:
    """A dataclass field with its default, its range (both ends allowed) and what it is for."""
    metadata = {"low": low, "high": high, "help": help}
    if isinstance(default, list | dict | set):
        return dataclasses.field(default_factory=lambda: default.copy(), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def part(cls: type[T]) -> T:
    """A field that is itself a dataclass of knobs: a mapping under the field's name in the file."""
    return dataclasses.field(default_factory=cls)


def file(name: str) -> Path:
    """The installation's own file where there is one, the shipped one otherwise."""
    own = Path(settings.CONFIG_DIR) / name
    return own if own.is_file() else Path(settings.SHIPPED_CONFIG_DIR) / name


def load(cls: type[T], path: Path, *, section: str | None = None) -> T:
    """The file (or one of its sections) as `cls`; read once per process. Raises ConfigurationInvalid."""
    key = (cls, path, section)
    if key not in _loaded:
        _loaded[key] = _load(cls, path, section)
    found: T = _loaded[key]
    return found


def read(path: Path) -> dict[str, Any]:
    """The file's mapping, unchecked but for YAML itself and keys that are given twice."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationInvalid(path, [f"The file cannot be read: {error}."]) from None
    except yaml.YAMLError as error:
        raise ConfigurationInvalid(path, [f"The file is not valid YAML: {_in_one_line(error)}."]) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigurationInvalid(path, ["The file must hold keys and values."])
    return content


def build(cls: type[T], content: Any, *, where: str = "") -> tuple[T | None, list[str]]:
    """`cls` from a mapping, and the problems: either the value is there, or there is at least one sentence."""
    if not isinstance(content, Mapping):
        return None, [f"`{where}` must hold keys and values, not {content!r}."]
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    hints = get_type_hints(cls)
    problems = [f"`{_at(where, key)}` is not a known key." for key in content if key not in fields]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in content:
            value, found = _value(content[name], hints[name], where=_at(where, name))
            problems += found or _out_of_range(value, field, where=_at(where, name))
            values[name] = value
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            problems.append(f"`{_at(where, name)}` is missing.")
    if problems:
        return None, problems
    try:
        return cls(**values), []
    except ValueError as error:
        return None, [str(error)]


def check(cls: type[Any], name: str, *, section: str | None = None, id: str) -> list[checks.CheckMessage]:
    """What a consumer's system check returns: one error for each problem of the file."""
    path = file(name)
    try:
        load(cls, path, section=section)
    except ConfigurationInvalid as error:
        return [checks.Error(problem, hint=f"Look at {path.name}.", id=id) for problem in error.problems]
    return []


def _load(cls: type[T], path: Path, section: str | None) -> T:
    content: Any = read(path)
    if section is not None:
        content = content.get(section) or {}
    value, problems = build(cls, {} if content is None else content, where=section or "")
    if value is None:
        raise ConfigurationInvalid(path, problems)
    return value


def _value(raw: Any, kind: Any, *, where: str) -> tuple[Any, list[str]]:
    """One value in its declared type, or sentences why not. YAML's 1 is a float too; its `yes` is never a number."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _one_of_types(raw, arguments, where=where)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return build(kind, {} if raw is None else raw, where=where)
    if origin is tuple and isinstance(raw, list):
        items = [_value(item, arguments[0], where=f"{where}[{index}]") for index, item in enumerate(raw)]
        return tuple(value for value, _ in items), [problem for _, found in items for problem in found]
    if origin is Mapping and isinstance(raw, Mapping):
        entries = {str(key): _value(item, arguments[1], where=_at(where, key)) for key, item in raw.items()}
        return {key: value for key, (value, _) in entries.items()}, [p for _, found in entries.values() for p in found]
    value = _scalar(raw, kind)
    return (None, [f"`{where}` must be {_in_words(kind)}, not {raw!r}."]) if value is _MISSING else (value, [])


def _one_of_types(raw: Any, options: tuple[Any, ...], *, where: str) -> tuple[Any, list[str]]:
    """`X | None` and the like: null where it is allowed, otherwise the first type that takes the value."""
    if raw is None and NoneType in options:
        return None, []
    results = [_value(raw, option, where=where) for option in options if option is not NoneType]
    return next((result for result in results if not result[1]), results[0])


def _scalar(raw: Any, kind: Any) -> Any:
    if kind is Any:
        return raw
    if get_origin(kind) is Literal:
        return raw if isinstance(raw, Hashable) and raw in get_args(kind) else _MISSING
    if isinstance(raw, bool) or kind is bool:
        return raw if isinstance(raw, bool) and kind is bool else _MISSING
    if kind is Decimal:
        return _decimal(raw)
    if kind is float:
        return float(raw) if isinstance(raw, int | float) and math.isfinite(raw) else _MISSING
    return raw if isinstance(kind, type) and isinstance(raw, kind) else _MISSING


def _decimal(raw: Any) -> Any:
    """Through text, so that 0.1 stays 0.1."""
    if not isinstance(raw, int | float | str):
        return _MISSING
    try:
        value = Decimal(str(raw))
    except InvalidOperation:
        return _MISSING
    return value if value.is_finite() else _MISSING


def _out_of_range(value: Any, field: dataclasses.Field[Any], *, where: str) -> list[str]:
    low, high = field.metadata.get("low"), field.metadata.get("high")
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        return []
    if low is not None and value < low:
        return [f"`{where}` is {value}, and must be at least {low}."]
    if high is not None and value > high:
        return [f"`{where}` is {value}, and must be at most {high}."]
    return []


def _in_words(kind: Any) -> str:
    origin = get_origin(kind)
    if origin is Literal:
        return "one of " + ", ".join(str(option) for option in get_args(kind))
    if origin is tuple:
        return "a list"
    if origin is Mapping:
        return "keys and values"
    return _TYPE_WORDS.get(kind, getattr(kind, "__name__", str(kind)))


def _at(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)


def _in_one_line(error: yaml.YAMLError) -> str:
    return " ".join(str(error).split()).rstrip(".")


class _UniqueKeyLoader(yaml.SafeLoader):
    """Plain YAML would quietly take the last of two equal keys: a threshold edited in the wrong place."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"`{key.value}` is given twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)
