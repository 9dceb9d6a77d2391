"""The environment that templates are compiled and run in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, nodes, pass_context
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from . import syntax
from .filters import FILTERS, REWRITTEN, TESTS
from .meter import KEY, MAX_TEXT, Exhausted, Meter, demand, kind_of, text_of

MAX_SOURCE = 64_000

_LOOP = frozenset(
    ["index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0", "previtem", "nextitem"]
)  # fmt: skip
_ABSENT = object()


class Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,  # constants are folded at run time, under the meter
            cache_size=0,
            finalize=_finalize,
        )
        self.globals.clear()
        self.policies["truncate.leeway"] = 0  # truncate(80) means 80
        self.filters = {**FILTERS, **REWRITTEN}
        self.tests = dict(TESTS)

    def parse_checked(self, source: str) -> nodes.Template:
        """The checked tree, not yet rewritten. Raises TemplateSyntaxError with a sentence."""
        if len(source) > MAX_SOURCE:
            raise TemplateSyntaxError(f"The template is longer than {MAX_SOURCE} characters.", 1)
        try:
            tree = self.parse(source)
            syntax.check(tree)
        except (RecursionError, ValueError, OverflowError) as error:
            raise TemplateSyntaxError("The template is nested too deeply, or holds too long a number.", 1) from error
        return tree

    def compile_tree(self, tree: nodes.Template) -> Any:
        """The runnable template of a checked tree, which is used up. Raises TemplateSyntaxError with a sentence."""
        try:
            rewritten = syntax.rewrite(tree)
            rewritten.set_environment(self)
            code = self.compile(rewritten, filename="<template>")
        except (SyntaxError, RecursionError, MemoryError) as error:
            raise TemplateSyntaxError("The template is nested too deeply.", 1) from error
        return self.template_class.from_code(self, code, {})

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, LoopContext):
            return getattr(obj, attribute) if attribute in _LOOP else self.undefined(obj=obj, name=attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """A key of a mapping, or a place or slice of a list or text; never an attribute of a Python object."""
        demand(obj)
        if isinstance(obj, Mapping) and isinstance(argument, str | int):
            found = obj.get(argument, _ABSENT)
            return self.undefined(f"There is no {argument!r} in the value.") if found is _ABSENT else found
        if isinstance(obj, str | list | tuple) and type(argument) in (int, slice):
            try:
                return obj[argument]
            except IndexError:
                return self.undefined(f"There is no item {argument} among {len(obj)}.")
        return self.undefined(f"There is no {text_of(argument)[:80]!r} in a {kind_of(obj)}.")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        meter: Meter = context.parent[KEY]
        meter.weigh(left)
        meter.weigh(right)
        _check_operands(operator, left, right)
        return self.binop_table[operator](left, right)

    def is_safe_callable(self, obj: Any) -> bool:
        return False


@pass_context
def _finalize(context: Context, value: Any) -> str:
    context.parent[KEY].weigh(value)
    return text_of(value)


def _check_operands(sign: str, left: Any, right: Any) -> None:
    if isinstance(left, Undefined) or isinstance(right, Undefined):
        return  # the operation itself raises, with the name that is missing
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if sign in "*%" and not numbers:
        raise TypeError(f"{sign} works on numbers only.")
    whole = isinstance(left, int) and isinstance(right, int)
    if sign == "*" and whole and left.bit_length() + right.bit_length() > syntax.MAX_INT_BITS:
        raise Exhausted("The number becomes too large.")
    if sign == "+" and isinstance(left, str) and isinstance(right, str) and len(left) + len(right) > MAX_TEXT:
        raise Exhausted(f"A template may not make a text of more than {MAX_TEXT} characters.")
