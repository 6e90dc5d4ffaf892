"""Where do values of libraries flow in a module? Names, attributes and results that came from a foreign import, found
without running anything and without regard to order: a name is foreign when some binding of it is.

A wrong "foreign" costs a call some 30 ns (the crossing looks again when it meets an array), a wrong "not foreign" lets an
array of ours reach a library as itself, which the array protocols handle. So the flow is generous and stays simple:

* names by scope, as Python resolves them; attributes by their name alone, module-wide;
* tuples, loops, ``with``, comprehensions, ``match`` and operators pass the property on;
* a function of the module is followed through its parameters and its ``return``.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable

from manycore.run.binding import Binding, Function, Scope

# Builtins whose result holds or is one of their arguments.
PASSING = frozenset(
    "list tuple dict set frozenset zip enumerate sorted reversed map filter next iter getattr max min vars".split()
)
MAX_ROUNDS = 20
# NumPy's classes whose objects are NumPy's own here too: what their methods and attributes give has to become ours.
NUMPY_OBJECTS = ("numpy.polynomial", "numpy.poly1d", "numpy.ma", "numpy.rec", "numpy.matrix", "numpy.asmatrix", "numpy.bmat",
                 "numpy.memmap", "numpy.recarray")  # fmt: skip
# Compiled classes of NumPy's that take real arrays only, as seeds.
SEEDED = frozenset(f"numpy.random.{name}" for name in "BitGenerator MT19937 PCG64 PCG64DXSM Philox SFC64 SeedSequence".split())


class Flow:
    """Analyse a module: ``Flow(tree, is_foreign_package)``, then ask ``crosses(call, scope)`` for each of ``binding.calls``."""

    def __init__(self, tree: ast.Module | ast.Interactive, is_foreign: Callable[[str], bool], known: Iterable[str] = ()) -> None:
        self.binding = Binding(tree)
        self._returning: set[str] = set()  # functions of the module
        self._attributes: set[str] = set()
        self._marks = 0
        top = self.binding.top
        top.bound.update(known)
        top.foreign.update(known)
        for name, package, scope in self.binding.imports:
            if package != "__future__" and is_foreign(package):
                self._mark(scope, name)
        self._stars = {is_foreign(package) for package in self.binding.stars}
        uses_numpy = any(package == "numpy" for _, package, _ in self.binding.imports)
        if known or self._marks or uses_numpy or True in self._stars:
            self._settle()

    def _settle(self) -> None:
        for _ in range(MAX_ROUNDS):
            before = self._size()
            for target, value, scope in self.binding.flows:
                self._assign(target, value, scope)
            for function, value, scope in self.binding.returns:
                if function.name not in self._returning and self.is_foreign(value, scope):
                    self._returning.add(function.name)
            for call, scope in self.binding.calls:
                self._pass_arguments(call, scope)
            for node, scope in self.binding.classes:
                self._mark_methods(node, scope)
            if self._size() == before:
                return

    def _size(self) -> int:
        return self._marks + len(self._returning) + len(self._attributes)

    def _mark(self, scope: Scope, name: str) -> None:
        found = scope.find(name) or scope
        if name not in found.foreign:
            found.foreign.add(name)
            self._marks += 1

    def _assign(self, target: ast.expr, value: ast.expr, scope: Scope) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            parts = value.elts if isinstance(value, ast.Tuple | ast.List) else []
            exact = len(parts) == len(target.elts) and not any(isinstance(e, ast.Starred) for e in [*parts, *target.elts])
            for number, element in enumerate(target.elts):
                self._assign(element, parts[number] if exact else value, scope)
        elif self.is_foreign(value, scope):
            self._mark_target(target)

    def _mark_target(self, target: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._mark(getattr(target, "scope", self.binding.top), target.id)
        elif isinstance(target, ast.Attribute):
            self._attributes.add(target.attr)
        elif isinstance(target, ast.Subscript | ast.Starred):
            self._mark_target(target.value)

    def _pass_arguments(self, call: ast.Call, scope: Scope) -> None:
        """A library's value given to a function of this module makes its parameter foreign."""
        name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", None)
        if name not in self.binding.functions:
            return
        for function, outer in self.binding.functions[name]:
            skip = 1 if isinstance(call.func, ast.Attribute) and isinstance(outer.owner, ast.ClassDef) else 0
            names = [a.arg for a in [*function.args.posonlyargs, *function.args.args]][skip:]
            inner: Scope = function.inner  # type: ignore[union-attr]
            for parameter, argument in zip(names, call.args, strict=False):
                if self.is_foreign(argument, scope):
                    self._mark(inner, parameter)
            for keyword in call.keywords:
                if keyword.arg in inner.bound and self.is_foreign(keyword.value, scope):
                    self._mark(inner, keyword.arg)

    def _mark_methods(self, node: ast.ClassDef, scope: Scope) -> None:
        """In a class with a foreign base, a method that the class does not have itself is the library's."""
        if not any(self.is_foreign(base, scope) for base in node.bases):
            return
        inner: Scope = node.inner  # type: ignore[attr-defined]
        for statement in node.body:
            if isinstance(statement, Function):
                statement.inner.own_methods = frozenset(inner.bound | self.binding.assigned_attributes)  # type: ignore[union-attr]

    def is_foreign(self, node: ast.expr, scope: Scope) -> bool:
        """May this expression be a library's function, class, module or value?"""
        if isinstance(node, ast.Name):
            found = getattr(node, "scope", scope).find(node.id)
            if found is None:  # with `from library import *` alone, an unknown name is the library's
                return self._stars == {True} and not hasattr(builtins, node.id)
            return node.id in found.foreign
        if isinstance(node, ast.Attribute):
            return node.attr in self._attributes or self.is_foreign(node.value, scope)
        if isinstance(node, ast.Call):
            return self._call_is_foreign(node, scope)
        if isinstance(node, ast.Subscript | ast.Starred | ast.Await | ast.NamedExpr | ast.FormattedValue):
            return self.is_foreign(node.value, scope)
        if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
            return self.is_foreign(node.elt, scope)
        if isinstance(node, ast.DictComp):
            return self.is_foreign(node.value, scope)
        return any(self.is_foreign(part, scope) for part in _parts(node))

    def _call_is_foreign(self, node: ast.Call, scope: Scope) -> bool:
        if self.crosses(node, scope) or self._makes_numpy_object(node.func, scope):
            return True
        if isinstance(node.func, ast.Name):
            if node.func.id in PASSING and scope.find(node.func.id) is None:
                return any(self.is_foreign(argument, scope) for argument in node.args)
            return node.func.id in self._returning
        return isinstance(node.func, ast.Attribute) and node.func.attr in self._returning

    def crosses(self, node: ast.Call, scope: Scope) -> bool:
        """Does this call go into a library?"""
        if self.is_foreign(node.func, scope) or self._calls_base_class(node.func, scope):
            return True
        return self.imported_as(node.func, scope) in SEEDED

    def _makes_numpy_object(self, callee: ast.expr, scope: Scope) -> bool:
        name = self.imported_as(callee, scope)
        return name is not None and any(name == known or name.startswith(known + ".") for known in NUMPY_OBJECTS)

    def _calls_base_class(self, callee: ast.expr, scope: Scope) -> bool:
        if not isinstance(callee, ast.Attribute):
            return False
        method: Scope | None = scope
        while method is not None and method.own_methods is None:
            method = method.parent
        if method is None or method.own_methods is None:
            return False
        if isinstance(callee.value, ast.Name) and callee.value.id == method.self_name:
            return callee.attr not in method.own_methods
        function = callee.value.func if isinstance(callee.value, ast.Call) else None
        return isinstance(function, ast.Name) and function.id == "super"

    def imported_as(self, node: ast.expr, scope: Scope) -> str | None:
        """The dotted name that an expression has when it is an imported module or an attribute of one."""
        if isinstance(node, ast.Name):
            found = getattr(node, "scope", scope).find(node.id)
            return found.modules.get(node.id) if found is not None else None
        if isinstance(node, ast.Attribute):
            value = self.imported_as(node.value, scope)
            return f"{value}.{node.attr}" if value else None
        return None


def _parts(node: ast.expr) -> list[ast.expr]:
    """The operands whose value may be, or be inside, the value of an expression."""
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.UnaryOp):
        return [node.operand]
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return node.elts
    return [value for value in node.values if value] if isinstance(node, ast.Dict) else []
