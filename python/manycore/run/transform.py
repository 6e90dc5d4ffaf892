"""Rewrite a user's module so that its calls into libraries cross (see docs/decisions/0001-crossing.md).

``lib.f(x)`` becomes ``__manycore_call__(lib.f, x)`` and ``lib.f(*xs)`` becomes ``__manycore_callee__(lib.f)(*xs)``;
``sys.modules[name]`` becomes ``__manycore_module__(sys.modules[name])``. What ``__array__`` of a class returns goes through
``__manycore_real__``: NumPy and libraries call it and take real arrays only. The function that
NumPy gives to ``__array_ufunc__`` and ``__array_function__`` goes through ``__manycore_ours__``. What reaches the user's code
without a call (arrivals.py) goes through ``__manycore_arrived__`` and its like.
The names are builtins, so that the user's own
namespaces stay as they are. Every node keeps its position: tracebacks, coverage and debuggers see the source as it stands.

>>> tree = ast.parse("import scipy.fft as f, math\\ny = f.fft(x)\\nz = math.sin(1)")
>>> transform(tree, lambda package: package == "scipy")
True
>>> print(ast.unparse(tree).splitlines()[1])
y = __manycore_call__(f.fft, x)
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

from manycore.run.arrivals import Arrivals, Callback, callbacks
from manycore.run.binding import Function, Scope
from manycore.run.flow import Flow

VERSION = 5  # of the rewriting; stands in the name of cached bytecode
CALL = "__manycore_call__"
CALLEE = "__manycore_callee__"
MODULE = "__manycore_module__"
REAL = "__manycore_real__"
OURS = "__manycore_ours__"
ARRIVED = "__manycore_arrived__"
ARGUMENTS = "__manycore_arguments__"
ITEMS = "__manycore_items__"
UNPICKLED = "__manycore_unpickled__"
OVERRIDES = ("__array_ufunc__", "__array_function__")
NOWHERE = {"lineno": -1, "end_lineno": -1, "col_offset": -1, "end_col_offset": -1}
MANY_ARGUMENTS = 15  # above, the compiler makes a plain call of a method call


def transform(tree: ast.Module | ast.Interactive, is_foreign: Callable[[str], bool], known: Iterable[str] = ()) -> bool:
    """Rewrite in place; True when something changed. ``is_foreign(package)`` decides about top-level packages, ``known``
    are names of the module that hold values of libraries already (earlier cells of a notebook)."""
    flow = Flow(tree, is_foreign, known)
    # All questions before the first change: a rewritten call no longer looks like a library's.
    arrivals = Arrivals(tree, flow)
    given = callbacks(flow)
    crossing = [call for call, scope in flow.binding.calls if id(call) not in arrivals.compiled and flow.crosses(call, scope)]
    reads: list[ast.expr] = [call for call, scope in flow.binding.calls if _reads_modules(call, scope, flow)]
    reads += [node for node, scope in flow.binding.subscripts if flow.imported_as(node.value, scope) == "sys.modules"]
    returned = [value for function, value, _ in flow.binding.returns if function.name == "__array__"]
    overrides = [made for name in OVERRIDES for made, scope in flow.binding.functions.get(name, ()) if _is_override(made, scope)]
    for call in crossing:
        _cross(call, flow.binding.top.imports)
    for node in reads:
        _wrap(node, MODULE)
    for value in returned:
        _wrap(value, REAL)
    wrapped = [(arrivals.reads, ARRIVED), (arrivals.walked, ITEMS), (arrivals.unpickled, UNPICKLED)]
    for nodes, helper in wrapped:
        for node in nodes:
            _wrap(node, helper)
    for override in overrides:
        _translate_function(override)
    for callback in given:
        _translate_arguments(callback)
    return bool(crossing or reads or returned or overrides or given or any(nodes for nodes, _ in wrapped))


def foreign_names(tree: ast.Module | ast.Interactive, is_foreign: Callable[[str], bool], known: Iterable[str] = ()) -> set[str]:
    """The module's names that may hold values of libraries."""
    return set(Flow(tree, is_foreign, known).binding.top.foreign)


def _cross(call: ast.Call, imports: set[str]) -> None:
    callee = call.func
    if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
        # Wrapping stands on no line: a tracer would see that line once more, and it cannot fail.
        call.func = ast.Call(_builtin(CALLEE, callee), [callee], [], **NOWHERE)
        return
    if _is_method_call(call, callee, imports):
        _move_to_method(call, callee)
    call.func = _builtin(CALL, callee)
    call.args.insert(0, callee)


def _is_method_call(call: ast.Call, callee: ast.expr, imports: set[str]) -> bool:
    """Does the compiler treat this as a method call? Not when the object is a module, as far as imports at the top tell."""
    if not isinstance(callee, ast.Attribute) or (isinstance(callee.value, ast.Name) and callee.value.id in imports):
        return False
    return len(call.args) + len(call.keywords) < MANY_ARGUMENTS


def _move_to_method(call: ast.Call, callee: ast.expr) -> None:
    """A method call that spans lines stands at the method's name in tracebacks; a call of the helper has to say so."""
    if isinstance(callee, ast.Attribute) and callee.end_lineno and callee.end_col_offset and callee.lineno != callee.end_lineno:
        call.lineno = callee.end_lineno
        call.col_offset = callee.end_col_offset - len(callee.attr)


def _reads_modules(call: ast.Call, scope: Scope, flow: Flow) -> bool:
    method = call.func
    return isinstance(method, ast.Attribute) and method.attr == "get" and flow.imported_as(method.value, scope) == "sys.modules"


def _is_override(node: Function, scope: Scope) -> bool:
    return isinstance(scope.owner, ast.ClassDef) and len(node.args.posonlyargs) + len(node.args.args) > 1


def _translate_function(node: Function) -> None:
    """Rebind the function that was passed in, before the first statement and on no line."""
    name = [*node.args.posonlyargs, *node.args.args][1].arg
    first = 0 if ast.get_docstring(node, clean=False) is None else 1
    node.body.insert(first, ast.Assign([ast.Name(name, ast.Store(), **NOWHERE)], _helped(OURS, name), None, **NOWHERE))


def _translate_arguments(node: Callback) -> None:
    """Rebind the parameters of a function that a library calls, before its first statement and on no line."""
    names = [(a.arg, ARRIVED) for a in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]]
    if node.args.vararg is not None:
        names.append((node.args.vararg.arg, ARGUMENTS))
    scope: Scope = node.inner  # type: ignore[union-attr]
    names = [(name, helper) for name, helper in names if name not in (scope.self_name, "self", "cls")]
    if not names:
        return
    if isinstance(node, ast.Lambda):  # BODY if (x := helper(x), ...) else None: a tuple with items is true
        bound: list[ast.expr] = [
            ast.NamedExpr(ast.Name(name, ast.Store(), **NOWHERE), _helped(helper, name), **NOWHERE) for name, helper in names
        ]
        test = ast.Tuple(bound, ast.Load(), **NOWHERE)
        node.body = ast.IfExp(test, node.body, ast.Constant(None, None, **NOWHERE), **NOWHERE)
        return
    first = 0 if ast.get_docstring(node, clean=False) is None else 1
    node.body[first:first] = [
        ast.Assign([ast.Name(name, ast.Store(), **NOWHERE)], _helped(helper, name), None, **NOWHERE) for name, helper in names
    ]


def _helped(helper: str, name: str) -> ast.Call:
    return ast.Call(ast.Name(helper, ast.Load(), **NOWHERE), [ast.Name(name, ast.Load(), **NOWHERE)], [], **NOWHERE)


def _wrap(node: ast.expr, helper: str) -> None:
    """Turn the node into a call around a copy of itself, since its parent is not at hand."""
    inner = type(node)(**{name: getattr(node, name) for name in node._fields})
    ast.copy_location(inner, node)
    call = ast.copy_location(ast.Call(_builtin(helper, node), [inner], []), node)
    if isinstance(node, ast.Attribute):
        _move_to_method(call, node)
    node.__class__ = ast.Call
    node.__dict__.clear()
    node.__dict__.update(call.__dict__)


def _builtin(name: str, place: ast.expr) -> ast.Name:
    return ast.copy_location(ast.Name(name, ast.Load()), place)
