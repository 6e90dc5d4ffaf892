"""Where do values of libraries reach the user's code without a call of the user's? Found on the tree, like the calls (flow.py):

* attributes and items of a library's objects that are read (``result.x``, ``frame["a"].values``): the last of a chain;
* what ``for`` gets from a library's iterable (``for train, test in folds.split(x)``);
* the parameters of functions that are given to a library, which calls them (``minimize(f, x0)``);
* what ``pickle`` makes.

A read that is wrapped in vain costs some 20 ns, so what cannot be an array, or is read in every other line, stays as it is:
attributes of modules and imported classes, positions where the grammar or a library wants the plain expression (annotations,
patterns, decorators, base classes, the types of ``except``), and items by number of values that came from a call, which are ours.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from manycore.run.binding import Function, Scope
from manycore.run.flow import Flow

Callback = Function | ast.Lambda

# What arrays and their like have that is no array.
PLAIN_ATTRIBUTES = frozenset("shape size ndim dtype nbytes itemsize strides flags columns index name names".split())
UNPICKLERS = frozenset(("pickle.load", "pickle.loads", "_pickle.load", "_pickle.loads"))
# They read the code of the functions that they are given.
COMPILERS = frozenset(("numba",))


class Arrivals(ast.NodeVisitor):
    """``reads``, ``walked`` (what loops walk over) and ``unpickled`` of a module, as expressions to wrap; ``compiled`` are the
    identities of the nodes whose code a compiler reads, where nothing may change."""

    def __init__(self, tree: ast.AST, flow: Flow) -> None:
        self.reads: list[ast.expr] = []
        self.walked: list[ast.expr] = []
        self.unpickled: list[ast.expr] = []
        self.compiled: set[int] = set()
        self._flow = flow
        self._scope = flow.binding.top
        self.visit(tree)

    # Names know their scope; other expressions are asked about in the scope of the nearest name.

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._read(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self._read(node)

    def _read(self, node: ast.Attribute | ast.Subscript) -> None:
        if isinstance(node.ctx, ast.Load) and self._arrives(node):
            self.reads.append(node)
        self._visit_inside(node)

    def _visit_inside(self, node: ast.expr) -> None:
        """The rest of a chain is not wrapped, but what stands in its indices and calls is visited."""
        while isinstance(node, ast.Attribute | ast.Subscript):
            if isinstance(node, ast.Subscript):
                self.visit(node.slice)
            node = node.value
        self.visit(node)

    def _arrives(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Attribute):
            return (
                node.attr not in PLAIN_ATTRIBUTES
                and self._flow.is_foreign(node.value, self._scope)
                and self._flow.imported_as(node.value, self._scope) is None
            )
        if not isinstance(node, ast.Subscript) or not self._flow.is_foreign(node.value, self._scope):
            return False
        if self._flow.imported_as(node.value, self._scope) is not None:
            return False
        return self._is_key(node.slice) or self._arrives(node.value)

    def _is_key(self, index: ast.expr) -> bool:
        """A name of something, not a position: libraries' tables and archives have those, arrays do not."""
        if isinstance(index, ast.Constant):
            return isinstance(index.value, str)
        return isinstance(index, ast.JoinedStr) or (isinstance(index, ast.Name) and self._flow.is_foreign(index, self._scope))

    def visit_Call(self, node: ast.Call) -> None:
        if self._flow.imported_as(node.func, self._scope) in UNPICKLERS:
            self.unpickled.append(node)
        self._visit_inside(node.func)
        for argument in [*node.args, *[keyword.value for keyword in node.keywords]]:
            self.visit(argument)

    def visit_For(self, node: ast.For) -> None:
        self._walk(node.iter)
        self.visit(node.target)
        for statement in [*node.body, *node.orelse]:
            self.visit(statement)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        if node.is_async:
            self.generic_visit(node)
            return
        self._walk(node.iter)
        for part in [node.target, *node.ifs]:
            self.visit(part)

    def _walk(self, iterable: ast.expr) -> None:
        if self._flow.is_foreign(iterable, self._scope):
            self.walked.append(iterable)
        if isinstance(iterable, ast.Attribute | ast.Subscript):
            self._visit_inside(iterable)
        else:
            self.visit(iterable)

    # Where an expression stays as it is

    def visit_FunctionDef(self, node: Function) -> None:
        for default in [*node.args.defaults, *[d for d in node.args.kw_defaults if d]]:
            self.visit(default)
        if any(self._compiles(decorator) for decorator in node.decorator_list):
            self.compiled.update(id(part) for part in ast.walk(node))
        else:
            self._in(node, node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for default in [*node.args.defaults, *[d for d in node.args.kw_defaults if d]]:
            self.visit(default)
        self._in(node, [node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._in(node, node.body)

    def _in(self, node: ast.AST, body: list[ast.stmt] | list[ast.expr]) -> None:
        outer = self._scope
        self._scope = getattr(node, "inner", outer)
        for part in body:
            self.visit(part)
        self._scope = outer

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        for statement in node.body:
            self.visit(statement)

    def visit_match_case(self, node: ast.match_case) -> None:
        for part in [*([node.guard] if node.guard else []), *node.body]:
            self.visit(part)

    def visit_TypeAlias(self, node: ast.AST) -> None:
        pass

    def _compiles(self, callee: ast.expr) -> bool:
        name = self._flow.imported_as(callee.func if isinstance(callee, ast.Call) else callee, self._scope)
        return name is not None and name.partition(".")[0] in COMPILERS


def callbacks(flow: Flow) -> list[Callback]:
    """The functions and lambdas of the module that are given to libraries."""
    found: dict[int, Callback] = {}
    for call, scope in flow.binding.calls:
        name = flow.imported_as(call.func, scope)
        if flow.crosses(call, scope) and (name is None or name.partition(".")[0] not in COMPILERS):
            for argument in [*call.args, *[keyword.value for keyword in call.keywords]]:
                for function in _functions(argument, scope, flow):
                    found[id(function)] = function
    return list(found.values())


def _functions(node: ast.expr, scope: Scope, flow: Flow) -> Iterator[Callback]:
    if isinstance(node, ast.Lambda):
        yield node
    elif isinstance(node, ast.Name):
        home = getattr(node, "scope", scope).find(node.id)
        yield from (made for made, outer in flow.binding.functions.get(node.id, ()) if outer is home and _is_plain(made))
        for target, value, place in flow.binding.flows:
            if (
                isinstance(value, ast.Lambda)
                and isinstance(target, ast.Name)
                and target.id == node.id
                and place.find(node.id) is home
            ):
                yield value
    elif isinstance(node, ast.Attribute):
        methods = flow.binding.functions.get(node.attr, ())
        yield from (made for made, outer in methods if isinstance(outer.owner, ast.ClassDef) and _is_plain(made))
    elif isinstance(node, ast.List | ast.Tuple):
        for element in node.elts:
            yield from _functions(element, scope, flow)
    elif isinstance(node, ast.Dict):
        for value in node.values:
            yield from _functions(value, scope, flow)
    elif isinstance(node, ast.Call) and flow.imported_as(node.func, scope) == "functools.partial" and node.args:
        yield from _functions(node.args[0], scope, flow)


def _is_plain(function: Function) -> bool:
    """A decorator may do anything with the function's code; those that only bind it differently do not."""
    return all(isinstance(d, ast.Name) and d.id in ("staticmethod", "classmethod") for d in function.decorator_list)
