"""Which small mistakes can be made in a module: each is the module's text with one thing changed."""

from __future__ import annotations

import ast
from dataclasses import dataclass

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_RECKONED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_SWAPPED = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one mistake in it."""

    function: str
    """Where: `Breaker.admit`; empty for the module's own level."""
    line: int
    kind: str
    before: str
    """The changed lines as they were, in one; and as they are."""
    after: str
    text: str
    """The whole module."""


def mutants_of(text: str, *, within: frozenset[str] = frozenset()) -> list[Mutant]:
    """Every mutant of a module, in the order of its lines; only those in the functions and classes of `within`, where
    that names some.
    """
    finder = _Finder(text)
    finder.visit(ast.parse(text))
    found = sorted(finder.found, key=lambda mutant: mutant.line)
    return [one for one in found if not within or any(_is_in(one.function, name) for name in within)]


def _is_in(function: str, name: str) -> bool:
    return function == name or function.startswith(f"{name}.")


class _Finder(ast.NodeVisitor):
    def __init__(self, text: str) -> None:
        self._lines = text.encode().splitlines(keepends=True)
        self._names: list[str] = []
        self.found: list[Mutant] = []

    # -- where nothing is changed: what only people and type checkers read -------------------------------------------

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Words for people; and before Python 3.12 the places inside are not told."""

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._named(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._named(node)

    def _named(self, node: ast.ClassDef | ast.FunctionDef) -> None:
        self._names.append(node.name)
        if isinstance(node, ast.FunctionDef):
            for default in (*node.args.defaults, *node.args.kw_defaults):
                if default is not None:
                    self.visit(default)
        for statement in node.body:
            self.visit(statement)
        self._names.pop()

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            if isinstance(node.target, ast.Attribute | ast.Subscript):
                self._replace(node, "removed", "pass")
            self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._negate(node.test)
        self.generic_visit(node)

    # -- expressions -------------------------------------------------------------------------------------------------

    def visit_While(self, node: ast.While) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._negate(test)
        self.generic_visit(node)

    def _negate(self, test: ast.expr) -> None:
        """Comparisons and negations have mutants of their own."""
        if not isinstance(test, ast.Compare | ast.UnaryOp | ast.Constant):
            self._replace(test, "condition", f"not ({ast.unparse(test)})")

    def visit_Compare(self, node: ast.Compare) -> None:
        for place, operator in enumerate(node.ops):
            for other in _COMPARED[type(operator)]:
                ops = [*node.ops[:place], other(), *node.ops[place + 1 :]]
                self._change(node, "comparison", ast.Compare(node.left, ops, node.comparators))
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        self._change(node, "boolean", ast.BoolOp(other, node.values))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not | ast.USub | ast.Invert):
            self._change(node, "sign", node.operand)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        words = any(isinstance(side, ast.JoinedStr) or _is_text(side) for side in (node.left, node.right))
        if type(node.op) in _RECKONED and not words:
            self._change(node, "arithmetic", ast.BinOp(node.left, _RECKONED[type(node.op)](), node.right))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._change(node, "constant", ast.Constant(not node.value))
        elif isinstance(node.value, int | float):
            self._change(node, "constant", ast.Constant(node.value + 1))

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in _SWAPPED:
            self._replace(node.func, "call", _SWAPPED[node.func.id])
        self.generic_visit(node)

    # -- statements --------------------------------------------------------------------------------------------------

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
            self._replace(node, "return", "return None")
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return  # a docstring, or the text beside a field
        if not isinstance(node.value, ast.Yield | ast.YieldFrom):
            self._replace(node, "removed", "pass")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
            self._replace(node, "removed", "pass")
        self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._replace(node, "removed", "pass")
        self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._replace(node, "removed", "pass")
        self.generic_visit(node)

    def visit_Delete(self, node: ast.Delete) -> None:
        self._replace(node, "removed", "pass")

    def visit_Break(self, node: ast.Break) -> None:
        self._replace(node, "removed", "pass")

    def visit_Continue(self, node: ast.Continue) -> None:
        self._replace(node, "removed", "pass")

    # -- the text ----------------------------------------------------------------------------------------------------

    def _change(self, node: ast.expr, kind: str, other: ast.expr) -> None:
        self._replace(node, kind, f"({ast.unparse(other)})")

    def _replace(self, node: ast.expr | ast.stmt, kind: str, text: str) -> None:
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        head = self._lines[first][: node.col_offset]
        tail = self._lines[last][node.end_col_offset :]
        lines = [*self._lines[:first], head + text.encode() + tail, *self._lines[last + 1 :]]
        whole = b"".join(lines).decode()
        ast.parse(whole)
        self.found.append(
            Mutant(
                ".".join(self._names),
                node.lineno,
                kind,
                _one_line(b"".join(self._lines[first : last + 1])),
                _one_line(lines[first]),
                whole,
            )
        )


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)


def _one_line(text: bytes) -> str:
    return " ".join(text.decode().split())
