"""What may be written in a template, and the rewriting that sends everything costly through the meter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jinja2 import TemplateSyntaxError, nodes
from jinja2.visitor import NodeTransformer

from .filters import FILTERS, METHOD_NAMES, TESTS

MAX_NODES = 5_000
MAX_DEPTH = 60
MAX_INT_BITS = 4_096

_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign, nodes.Name, nodes.Const,
    nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And,
    nodes.Or, nodes.Not, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos,
    nodes.Concat, nodes.CondExpr, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword, nodes.Call,
)  # fmt: skip


def check(tree: nodes.Template) -> None:
    """Raise TemplateSyntaxError, with a sentence, for the first thing that is not part of the language."""
    count = 0
    waiting: list[tuple[nodes.Node, int]] = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        count += 1
        line = getattr(node, "lineno", None) or 1
        if count > MAX_NODES:
            raise TemplateSyntaxError(f"The template has more than {MAX_NODES} parts.", line)
        if depth > MAX_DEPTH:
            raise TemplateSyntaxError("The template is nested too deeply.", line)
        problem = _problem(node)
        if problem:
            raise TemplateSyntaxError(problem, line)
        waiting.extend((child, depth + 1) for child in node.iter_child_nodes())


def rewrite(tree: nodes.Template) -> nodes.Template:
    """The same template, its costly parts behind the meter; the given tree is used up."""
    rewritten: nodes.Template = _Rewrite().visit(tree)
    return rewritten


def only_expression(tree: nodes.Template) -> nodes.Expr | None:
    """The expression of a text that is one whole `{{ … }}`, else None."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        return None
    parts = tree.body[0].nodes
    return None if len(parts) != 1 or isinstance(parts[0], nodes.TemplateData) else parts[0]


def keep_result(expression: nodes.Expr) -> nodes.Template:
    """A template that leaves the expression's value, type and all, on the meter."""
    kept = _filter(expression, "meter:result")
    return nodes.Template([nodes.Output([kept], lineno=1)], lineno=1)


def _problem(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Pow):
        return "The power operator ** is not part of the language of skills."
    if not isinstance(node, _ALLOWED):
        return f"{type(node).__name__} is not part of the language of skills."
    if isinstance(node, nodes.Const) and isinstance(node.value, int) and node.value.bit_length() > MAX_INT_BITS:
        return "A number is too long."
    if isinstance(node, nodes.Name) and (node.name.startswith("_") or node.name == "self"):
        return f"The name {node.name!r} is not open to templates."
    if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        return f"The attribute {node.attr!r} is not open to templates."
    if isinstance(node, nodes.Getitem) and str(getattr(node.arg, "value", "")).startswith("__"):
        return f"The attribute {getattr(node.arg, 'value', '')!r} is not open to templates."
    if isinstance(node, nodes.For) and node.recursive:
        return "A loop cannot be recursive."
    if isinstance(node, nodes.Assign) and not isinstance(node.target, nodes.Name | nodes.Tuple):
        return "Only a name can be set."
    if isinstance(node, nodes.Filter | nodes.Test | nodes.Call) and (node.dyn_args or node.dyn_kwargs):
        return "Arguments cannot be unpacked with * or **."
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        return f"There is no filter {node.name!r}."
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        return f"There is no test {node.name!r}."
    return _call_problem(node) if isinstance(node, nodes.Call) else None


def _call_problem(call: nodes.Call) -> str | None:
    called = call.node
    if isinstance(called, nodes.Name) and called.name == "range":
        return None if 1 <= len(call.args) <= 3 and not call.kwargs else "range() takes one to three numbers."
    if isinstance(called, nodes.Getattr) and called.attr in METHOD_NAMES:
        return "Methods take no named arguments." if call.kwargs else None
    name = getattr(called, "name", getattr(called, "attr", "this"))
    return f"{name!r} is not a function that a template may call."


class _Rewrite(NodeTransformer):
    def visit_For(self, node: nodes.For) -> nodes.Node:
        # One turn costs what its body has to do, as far as the number of its parts says that.
        cost = sum(1 for _ in _walk(node))
        self.generic_visit(node)
        node.iter = _filter(node.iter, "meter:loop", nodes.Const(cost, lineno=node.lineno))
        return node

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        self.generic_visit(node)
        called: Any = node.node
        if isinstance(called, nodes.Name):
            return _filter(node.args[0], "meter:range", *node.args[1:])
        return _filter(called.node, "meter:method", nodes.Const(called.attr, lineno=node.lineno), *node.args)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno), "meter:concat")

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        node.expr = _weighed(node.expr)
        for operand in node.ops:
            operand.expr = _weighed(operand.expr)
        return node

    def visit_List(self, node: nodes.List) -> nodes.Node:
        self.generic_visit(node)
        return _weighed(node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        self.generic_visit(node)
        return _weighed(node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        self.generic_visit(node)
        return _weighed(node) if node.ctx == "load" else node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        return _weighed(node) if isinstance(node.arg, nodes.Slice) else node


def _walk(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _walk(child)


def _filter(node: nodes.Node, name: str, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)


def _weighed(node: nodes.Expr) -> nodes.Expr:
    return node if isinstance(node, nodes.Const) else _filter(node, "meter:weigh")
