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

# Builtins whose result holds or is one of their arguments.
PASSING = frozenset(
    "list tuple dict set frozenset zip enumerate sorted reversed map filter next iter getattr max min vars".split()
)
MAX_ROUNDS = 20

Function = ast.FunctionDef | ast.AsyncFunctionDef
Scoped = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class Scope:
    """The names of a module, class, function or comprehension; ``foreign`` are those that may hold a library's value."""

    def __init__(self, parent: Scope | None, owner: ast.AST | None = None) -> None:
        self.parent = parent
        self.owner = owner
        self.bound: set[str] = set()
        self.elsewhere: dict[str, Scope] = {}
        self.foreign: set[str] = set()
        self.modules: dict[str, str] = {}
        self.imports: set[str] = set()
        self.own_methods: frozenset[str] | None = None  # in a method of a class with a foreign base: the names it has itself
        self.self_name = ""

    def find(self, name: str) -> Scope | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.elsewhere:
                return scope.elsewhere[name]
            if name in scope.bound and (scope is self or not isinstance(scope.owner, ast.ClassDef)):
                return scope
            scope = scope.parent
        return None

    def module(self) -> Scope:
        return self if self.parent is None else self.parent.module()


class Flow(ast.NodeVisitor):
    """Analyse a module: ``Flow(tree, is_foreign_package)``, then ask ``crosses(call)`` for each of ``calls``."""

    def __init__(self, tree: ast.Module, is_foreign: Callable[[str], bool], known: Iterable[str] = ()) -> None:
        self._is_foreign = is_foreign
        self.calls: list[tuple[ast.Call, Scope]] = []
        self.subscripts: list[tuple[ast.Subscript, Scope]] = []
        self._bindings: list[tuple[ast.expr, ast.expr, Scope]] = []
        self._functions: dict[str, list[tuple[Function, Scope]]] = {}
        self._returns: list[tuple[Function, ast.expr, Scope]] = []
        self._classes: list[tuple[ast.ClassDef, Scope]] = []
        self._returning: set[str] = set()
        self._attributes: set[str] = set()
        self._assigned_attributes: set[str] = set()
        self._foreign_imports = bool(known)
        self._stars: set[str] = set()
        self.scope = self.top = Scope(None)
        self.top.bound.update(known)
        self.top.foreign.update(known)
        self._function: Function | None = None
        self.visit(tree)
        if self._foreign_imports:
            self._settle()

    # What binds names -----------------------------------------------------------------------------------------------

    def _bind(self, name: str, scope: Scope | None = None) -> None:
        scope = scope or self.scope
        if name not in scope.elsewhere:
            scope.bound.add(name)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            top = alias.name.partition(".")[0]
            self._import(alias.asname or top, top, alias.name if alias.asname else top)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level == 0 and node.module:
            for alias in node.names:
                if alias.name == "*":
                    self._import_star(node.module.partition(".")[0])
                else:
                    self._import(alias.asname or alias.name, node.module.partition(".")[0], f"{node.module}.{alias.name}")
        else:
            for alias in node.names:
                self._bind(alias.asname or alias.name)
                self.scope.imports.add(alias.asname or alias.name)

    def _import(self, name: str, package: str, target: str) -> None:
        self._bind(name)
        scope = self.scope.find(name) or self.scope
        scope.imports.add(name)
        scope.modules[name] = target
        if package != "__future__" and self._is_foreign(package):
            scope.foreign.add(name)
            self._foreign_imports = True

    def _import_star(self, package: str) -> None:
        self._stars.add("foreign" if self._is_foreign(package) else "other")
        self._foreign_imports = self._foreign_imports or "foreign" in self._stars

    def visit_Name(self, node: ast.Name) -> None:
        node.scope = self.scope  # type: ignore[attr-defined]
        if not isinstance(node.ctx, ast.Load):
            self._bind(node.id)

    def visit_Global(self, node: ast.Global) -> None:
        for name in node.names:
            self.scope.elsewhere[name] = self.top
            self.top.bound.add(name)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        for name in node.names:
            found = self.scope.parent.find(name) if self.scope.parent else None
            if found is not None:
                self.scope.elsewhere[name] = found

    # Scopes ---------------------------------------------------------------------------------------------------------

    def visit_FunctionDef(self, node: Function) -> None:
        self._bind(node.name)
        self._functions.setdefault(node.name, []).append((node, self.scope))
        for decorator in node.decorator_list:
            self.visit(decorator)
            self._bindings.append((self._name(node.name), decorator, self.scope))
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        for expression in [*node.args.defaults, *[d for d in node.args.kw_defaults if d]]:
            self.visit(expression)
        for argument in arguments:
            if argument.annotation is not None:
                self.visit(argument.annotation)
        if node.returns is not None:
            self.visit(node.returns)
        self._enter(node, [a.arg for a in arguments], node.args, node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for expression in [*node.args.defaults, *[d for d in node.args.kw_defaults if d]]:
            self.visit(expression)
        names = [a.arg for a in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]]
        self._enter(node, names, node.args, [node.body])

    def _enter(self, node: ast.AST, names: list[str], args: ast.arguments, body: Iterable[ast.AST]) -> None:
        outer, outer_function = self.scope, self._function
        self.scope = scope = Scope(outer, node)
        node.inner = scope  # type: ignore[attr-defined]
        scope.bound.update(names)
        scope.bound.update(a.arg for a in (args.vararg, args.kwarg) if a)
        if isinstance(node, Function):
            self._function = node
            if isinstance(outer.owner, ast.ClassDef) and names:
                scope.self_name = names[0]
            for argument in [*args.posonlyargs, *args.args, *args.kwonlyargs]:
                if argument.annotation is not None:
                    self._bindings.append((self._name(argument.arg), argument.annotation, outer))
        for statement in body:
            self.visit(statement)
        self.scope, self._function = outer, outer_function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._bind(node.name)
        self._classes.append((node, self.scope))
        for expression in [*node.decorator_list, *node.bases, *[k.value for k in node.keywords]]:
            self.visit(expression)
            self._bindings.append((self._name(node.name), expression, self.scope))
        outer = self.scope
        self.scope = node.inner = Scope(outer, node)  # type: ignore[attr-defined]
        for statement in node.body:
            self.visit(statement)
        self.scope = outer

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        self.visit(node.generators[0].iter)
        outer = self.scope
        self.scope = Scope(outer, node)
        for number, generator in enumerate(node.generators):
            if number:
                self.visit(generator.iter)
            self.visit(generator.target)
            self._bindings.append((generator.target, generator.iter, outer))
            for condition in generator.ifs:
                self.visit(condition)
        for part in [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]:
            self.visit(part)
        self.scope = outer

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = _comprehension

    def _name(self, name: str) -> ast.Name:
        node = ast.Name(name, ast.Store())
        node.scope = self.scope  # type: ignore[attr-defined]
        return node

    # What passes values on ------------------------------------------------------------------------------------------

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            self._flows(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.generic_visit(node)
        self._flows(node.target, node.annotation)
        if node.value is not None:
            self._flows(node.target, node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.generic_visit(node)
        self._flows(node.target, node.value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        scope = self.scope
        while isinstance(scope.owner, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) and scope.parent:
            scope = scope.parent
        self._bind(node.target.id, scope)
        node.target.scope = scope  # type: ignore[attr-defined]
        self.visit(node.value)
        self._flows(node.target, node.value)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.generic_visit(node)
        self._flows(node.target, node.iter)

    visit_AsyncFor = visit_For

    def visit_withitem(self, node: ast.withitem) -> None:
        self.generic_visit(node)
        if node.optional_vars is not None:
            self._flows(node.optional_vars, node.context_expr)

    def visit_Match(self, node: ast.Match) -> None:
        self.generic_visit(node)
        for case in node.cases:
            for pattern in ast.walk(case.pattern):
                name = getattr(pattern, "rest", None) or getattr(pattern, "name", None)
                if isinstance(name, str):
                    self._bind(name)
                    self._flows(self._name(name), node.subject)

    def visit_Return(self, node: ast.Return) -> None:
        self.generic_visit(node)
        if node.value is not None and self._function is not None:
            self._returns.append((self._function, node.value, self.scope))

    def visit_Yield(self, node: ast.Yield | ast.YieldFrom) -> None:
        self.generic_visit(node)
        if node.value is not None and self._function is not None:
            self._returns.append((self._function, node.value, self.scope))

    visit_YieldFrom = visit_Yield

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        self.calls.append((node, self.scope))

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.generic_visit(node)
        if isinstance(node.ctx, ast.Load):
            self.subscripts.append((node, self.scope))

    def _flows(self, target: ast.expr, value: ast.expr) -> None:
        self._bindings.append((target, value, self.scope))
        for node in ast.walk(target):
            if isinstance(node, ast.Attribute):
                self._assigned_attributes.add(node.attr)

    # The fixed point ------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        for _ in range(MAX_ROUNDS):
            before = self._size()
            for target, value, scope in self._bindings:
                self._assign(target, value, scope)
            for function, value, scope in self._returns:
                if function.name not in self._returning and self.is_foreign(value, scope):
                    self._returning.add(function.name)
            for call, scope in self.calls:
                self._pass_arguments(call, scope)
            for node, scope in self._classes:
                self._mark_methods(node, scope)
            if self._size() == before:
                return

    def _size(self) -> int:
        return self._marks + len(self._returning) + len(self._attributes)

    _marks = 0

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
            self._mark(getattr(target, "scope", self.top), target.id)
        elif isinstance(target, ast.Attribute):
            self._attributes.add(target.attr)
        elif isinstance(target, ast.Subscript | ast.Starred):
            self._mark_target(target.value)

    def _pass_arguments(self, call: ast.Call, scope: Scope) -> None:
        """A library's value given to a function of this module makes its parameter foreign."""
        name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", None)
        if name not in self._functions:
            return
        for function, outer in self._functions[name]:
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
                statement.inner.own_methods = frozenset(inner.bound | self._assigned_attributes)  # type: ignore[union-attr]

    # Questions ------------------------------------------------------------------------------------------------------

    def is_foreign(self, node: ast.expr, scope: Scope) -> bool:
        """May this expression be a library's function, class, module or value?"""
        if isinstance(node, ast.Name):
            found = getattr(node, "scope", scope).find(node.id)
            if found is None:  # with `from library import *` alone, an unknown name is the library's
                return self._stars == {"foreign"} and not hasattr(builtins, node.id)
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
        if self.crosses(node, scope):
            return True
        if isinstance(node.func, ast.Name):
            if node.func.id in PASSING and scope.find(node.func.id) is None:
                return any(self.is_foreign(argument, scope) for argument in node.args)
            return node.func.id in self._returning
        return isinstance(node.func, ast.Attribute) and node.func.attr in self._returning

    def crosses(self, node: ast.Call, scope: Scope) -> bool:
        """Does this call go into a library?"""
        return self.is_foreign(node.func, scope) or self._calls_base_class(node.func, scope)

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
