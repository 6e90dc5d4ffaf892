"""Who binds which name in a module, to what: scopes as Python makes them, found without running anything.

>>> walk = Binding(ast.parse("import math as m; x, y = m.pi, 2"))
>>> sorted(walk.top.bound), [ast.unparse(target) for target, value, scope in walk.flows]
(['m', 'x', 'y'], ['(x, y)'])
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

Function = ast.FunctionDef | ast.AsyncFunctionDef
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


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


class Binding(ast.NodeVisitor):
    """One walk over a module. Name nodes get an attribute ``scope``, functions and classes ``inner``."""

    def __init__(self, tree: ast.Module | ast.Interactive) -> None:
        self.calls: list[tuple[ast.Call, Scope]] = []
        self.subscripts: list[tuple[ast.Subscript, Scope]] = []
        self.flows: list[tuple[ast.expr, ast.expr, Scope]] = []  # target, value
        self.functions: dict[str, list[tuple[Function, Scope]]] = {}
        self.returns: list[tuple[Function, ast.expr, Scope]] = []
        self.classes: list[tuple[ast.ClassDef, Scope]] = []
        self.imports: list[tuple[str, str, Scope]] = []  # name, package, where
        self.stars: set[str] = set()  # packages of `from package import *`
        self.assigned_attributes: set[str] = set()
        self.scope = self.top = Scope(None)
        self._function: Function | None = None
        self.visit(tree)

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
                    self.stars.add(node.module.partition(".")[0])
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
        self.imports.append((name, package, scope))

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

    # Scopes

    def visit_FunctionDef(self, node: Function) -> None:
        self._bind(node.name)
        self.functions.setdefault(node.name, []).append((node, self.scope))
        for decorator in node.decorator_list:
            self.visit(decorator)
            self.flows.append((self._name(node.name), decorator, self.scope))
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
                    self.flows.append((self._name(argument.arg), argument.annotation, outer))
        for statement in body:
            self.visit(statement)
        self.scope, self._function = outer, outer_function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._bind(node.name)
        self.classes.append((node, self.scope))
        for expression in [*node.decorator_list, *node.bases, *[k.value for k in node.keywords]]:
            self.visit(expression)
            self.flows.append((self._name(node.name), expression, self.scope))
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
            self.flows.append((generator.target, generator.iter, outer))
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

    # Values that flow

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
        while isinstance(scope.owner, COMPREHENSIONS) and scope.parent:
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
            self.returns.append((self._function, node.value, self.scope))

    def visit_Yield(self, node: ast.Yield | ast.YieldFrom) -> None:
        self.generic_visit(node)
        if node.value is not None and self._function is not None:
            self.returns.append((self._function, node.value, self.scope))

    visit_YieldFrom = visit_Yield

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        self.calls.append((node, self.scope))

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.generic_visit(node)
        if isinstance(node.ctx, ast.Load):
            self.subscripts.append((node, self.scope))

    def _flows(self, target: ast.expr, value: ast.expr) -> None:
        self.flows.append((target, value, self.scope))
        for node in ast.walk(target):
            if isinstance(node, ast.Attribute):
                self.assigned_attributes.add(node.attr)
