"""Make the user's modules cross and give them ``manycore.numpy`` for ``numpy``; libraries keep the real one.

What changes in the interpreter, all of it undone by ``uninstall``:

* ``builtins.__import__`` and ``importlib.import_module`` look at the calling frame when ``numpy`` is asked for, or a module of
  the standard library that has a stand-in (``stand_ins``);
* ``SourceLoader.get_code`` and ``builtins.compile`` send the source of user files through ``transform``; bytecode is cached
  under a tag of its own, so it never mixes with plain Python's;
* the helpers that transformed code calls stand in ``builtins`` under private names.

The hook works before there is NumPy: a program that never asks for it, nor for a library, does not wait for NumPy and the arrays.
They come (``bring_arrays``) with the first import of NumPy by anybody, before the first module runs that imports a library, and
at once where they are loaded already. Until then the helpers pass everything on.
"""

from __future__ import annotations

import _imp
import ast
import builtins
import importlib
import importlib._bootstrap_external as bootstrap
import marshal
import os
import sys
import types
from collections.abc import Callable

from manycore import _front, waiting
from manycore.run import stand_ins, transform
from manycore.run.user_code import UserCode

TYPE_CHECKING = False  # as typing's, whose import a program of tasks would wait for
if TYPE_CHECKING:
    from typing import Any

ONLY_AST = ast.PyCF_ONLY_AST
plain_compile = compile
plain_get_code = bootstrap.SourceLoader.get_code
policy: UserCode | None = None
_undo: list[Callable[[], None]] = []
arrays: Any = None  # the extension of arrays, once it is there
real_numpy: Any = None  # and NumPy
after_arrays: list[Callable[[], None]] = []  # called when they have come


def install(user_code: UserCode) -> None:
    """Switch the hook on; a second call changes the rule about whose code is the user's."""
    waiting.install()
    global policy
    policy = user_code
    first = not _undo
    plain_import = builtins.__import__
    _front.set_user_files(user_code.files, user_code.is_user_file)
    _front.set_import_swap(swap_import)
    if arrays is not None or "numpy" in sys.modules:
        bring_arrays()
        _tell_arrays()
    if not first:
        return
    ours_import, ours_import_module = _front.make_user_imports(plain_import, importlib.import_module)
    _put(builtins, "__import__", ours_import)
    _put(importlib, "import_module", ours_import_module)
    ours_compile, ours_exec = _front.make_user_compile(plain_compile, exec, transformed_source)
    _put(builtins, "compile", ours_compile)
    _put(builtins, "exec", ours_exec)
    _put(bootstrap.SourceLoader, "get_code", get_code)
    if arrays is not None:
        _watch_classes()
    add_helpers()


def bring_arrays() -> None:
    """Load NumPy and the extension of arrays, and let them take over what the first stage did without."""
    global arrays, real_numpy
    if arrays is not None:
        return
    if "manycore.engine" not in sys.modules:  # else it is just importing NumPy
        importlib.import_module("manycore.engine")
    if arrays is not None:  # they came with NumPy
        return
    arrays = importlib.import_module("manycore._core")
    real_numpy = sys.modules["numpy"]
    _tell_arrays()
    _front.hand_over(*_helpers_of(arrays).values())
    if is_installed():
        _watch_classes()
        add_helpers()
    for then in after_arrays:
        then()


def _tell_arrays() -> None:
    if policy is not None:
        arrays.set_user_files(policy.files, policy.is_user_file)
        arrays.set_user_class_rule(is_user_class)


def _watch_classes() -> None:
    _put(builtins, "__build_class__", arrays.make_build_class(builtins.__build_class__))


def _helpers_of(core: Any) -> dict[str, Any]:
    """In the order that ``_front.hand_over`` takes them."""
    return {
        transform.CALL: core.crossing_call,
        transform.CALLEE: core.crossing_callee,
        transform.REAL: core.to_real,
        transform.ARRIVED: core.arrived,
        transform.ARGUMENTS: core.arrived_arguments,
        transform.ITEMS: core.arrived_items,
        transform.UNPICKLED: core.unpickled,
        transform.OURS: _function_of_ours,
    }


def _plain_helpers() -> dict[str, Any]:
    return {
        transform.CALL: _front.plain_call,
        transform.CALLEE: _front.plain_callee,
        transform.REAL: _front.plain_real,
        transform.ARRIVED: _front.plain_arrived,
        transform.ARGUMENTS: _front.plain_arguments,
        transform.ITEMS: _front.plain_items,
        transform.UNPICKLED: _front.plain_unpickled,
        transform.OURS: _front.plain_ours,
    }


def add_helpers() -> None:
    """Put what transformed code calls into builtins; it stays there, since code that was transformed goes on needing it."""
    setattr(builtins, transform.MODULE, _front.user_module)
    for name, helper in (_plain_helpers() if arrays is None else _helpers_of(arrays)).items():
        setattr(builtins, name, helper)


def _function_of_ours(function: Any) -> Any:
    from manycore.numpy._namespace import ours_for

    # A program may dispatch functions of its own.
    is_numpys = isinstance(function, real_numpy.ufunc) or str(getattr(function, "__module__", "")).startswith("numpy")
    return ours_for(function) if is_numpys else function


def uninstall() -> None:
    """Put everything back, except the helpers."""
    while _undo:
        _undo.pop()()


def is_installed() -> bool:
    return bool(_undo)


def _put(place: Any, name: str, value: Any) -> None:
    old = getattr(place, name)
    setattr(place, name, value)
    _undo.append(lambda: setattr(place, name, old))


# NumPy ----------------------------------------------------------------------------------------------------------------


def swap_import(name: str, fromlist: Any) -> types.ModuleType | None:
    """What user code gets for ``import numpy`` or a submodule: the package for a plain import, the module itself when names
    are taken from it (or ``fromlist`` is True). None lets the plain import raise its own error."""
    if name.partition(".")[0] != "numpy":
        swaps = _front.get_option("executors") or _front.get_option("check")
        return stand_ins.swap_import(name, fromlist) if swaps else None
    if "numpy" in sys.modules and (arrays is None or sys.modules["numpy"] is not real_numpy):
        return None  # the program put something else there, as tests do
    try:
        package = sys.modules.get("manycore.numpy") or importlib.import_module("manycore.numpy")
    except ImportError:
        if arrays is None:
            return None  # the plain import raises it again, from its own frames
        raise
    if name == "numpy":
        module = package
    else:
        found = _numpy_submodule(package, name)
        if found is None:
            return None
        module = found
    if not fromlist:
        return package
    if fromlist is not True:
        for attribute in fromlist:
            if not hasattr(module, attribute) and attribute != "*":
                _numpy_submodule(package, f"{name}.{attribute}")
    return module


def _numpy_submodule(package: types.ModuleType, name: str) -> types.ModuleType | None:
    """Ours, else what ``manycore.numpy`` has under this name, else NumPy's own."""
    known = sys.modules.get("manycore." + name)
    if known is not None:
        return known
    try:
        return importlib.import_module("manycore." + name)
    except ModuleNotFoundError:
        pass
    try:
        real = importlib.import_module(name)
    except ImportError:
        return None
    module: Any = package
    for part in name.split(".")[1:]:
        module = getattr(module, part, None)
    return module if isinstance(module, types.ModuleType) else real


# User modules ---------------------------------------------------------------------------------------------------------


def as_import_frame(function: Any) -> Any:
    """Let the interpreter take this function's frame out of tracebacks, as it does with the import system's own."""
    function.__code__ = function.__code__.replace(
        co_filename="<frozen importlib._bootstrap_external>", co_name="_call_with_frames_removed"
    )
    return function


@as_import_frame
def get_code(self: Any, fullname: str) -> types.CodeType | None:
    """In place of SourceLoader.get_code: code of user files is transformed."""
    path = self.get_filename(fullname)
    if policy is None or not policy.is_user_file(path):
        return plain_get_code(self, fullname)
    return _cached_code(self, path) or plain_get_code(self, fullname)


def _cached_code(loader: Any, path: str) -> types.CodeType | None:
    assert policy is not None
    try:
        cache = bootstrap.cache_from_source(path, optimization=f"{sys.flags.optimize or ''}manycore{transform.VERSION}")
        stats = loader.path_stats(path)
        stamp = (round(stats["mtime"] * 1e9), stats["size"], bootstrap.MAGIC_NUMBER)
    except (NotImplementedError, OSError, AttributeError):
        cache, stamp = None, None
    code = _read_cache(cache, stamp, path)
    if code is not None:
        return code
    asked: dict[str, str] = {}
    try:
        code = compile_user(loader.get_data(path), path, asked)
    except (SyntaxError, ValueError):
        return None  # the plain loader raises it again, from its own frames
    if cache is not None and not sys.dont_write_bytecode and hasattr(loader, "set_data"):
        loader.set_data(cache, marshal.dumps((stamp, asked, code)))
    return code


def _read_cache(cache: str | None, stamp: Any, path: str) -> types.CodeType | None:
    """Cached code, when the source and the kind of every package that it imports are as they were."""
    assert policy is not None
    if cache is None:
        return None
    try:
        with open(cache, "rb") as file:
            was, asked, code = marshal.loads(file.read())
    except (OSError, ValueError, EOFError, TypeError):
        return None
    if was != stamp or any(policy.kind_of_package(name) != kind for name, kind in asked.items()):
        return None
    if "foreign" in asked.values():
        bring_arrays()
    _imp._fix_co_filename(code, path)  # type: ignore[attr-defined]
    return code  # type: ignore[no-any-return]


def compile_user(source: bytes | str, path: str, asked: dict[str, str] | None = None) -> types.CodeType:
    """Compile the source of a user file; ``asked`` collects the kinds of packages that decided."""
    tree = plain_compile(source, path, "exec", ONLY_AST, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    transform.transform(tree, lambda name: is_foreign_package(name, asked))
    code = plain_compile(tree, path, "exec", dont_inherit=True)
    assert isinstance(code, types.CodeType)
    return code


def is_foreign_package(name: str, asked: dict[str, str] | None = None) -> bool:
    """Is this top-level package a library's, other than NumPy and the standard library? Then what it answers may be arrays, and
    those of it that import NumPy later than at once would give real ones: arrays come before the asking code runs."""
    assert policy is not None
    kind = policy.kind_of_package(name)
    if asked is not None:
        asked[name] = kind
    if kind == "foreign":
        bring_arrays()
    return kind == "foreign"


def is_user_class(cls: type) -> bool:
    """Was this class made in the user's code? Classes of the program's ``__main__`` are, whatever file that is."""
    module = sys.modules.get(cls.__module__)
    path = getattr(module, "__file__", None)
    return cls.__module__ == "__main__" or (policy is not None and path is not None and policy.is_user_file(path))


def transformed_source(
    source: Any, filename: str, flags: int, dont_inherit: bool, mode: str
) -> ast.Module | ast.Interactive | None:
    """For ``compile()`` called on a user file by a library (coverage, pytest, cProfile, runpy), on an example of doctest's or on
    a text of the user's: the tree to compile instead, or None when the plain call shall go on as it is."""
    is_text = filename.startswith("<")
    if flags & ONLY_AST or not (is_text or os.path.isfile(filename)):
        return None
    known = _known_to_examples(filename) if filename.startswith("<doctest ") else set()
    if is_text and not known and not _may_change(source):
        return None
    try:
        tree = source if isinstance(source, ast.AST) else plain_compile(source, filename, mode, flags | ONLY_AST, dont_inherit)
        if not isinstance(tree, ast.Module | ast.Interactive):
            return None
        if filename.startswith("<doctest "):
            known |= transform.foreign_names(tree, is_foreign_package, known)
        changed = transform.transform(tree, is_foreign_package, known)
    except (SyntaxError, ValueError, TypeError):
        return None
    return tree if changed else None


def _may_change(source: Any) -> bool:
    """Many texts that are compiled at run time are short: those that import nothing and define no protocol stay as they are,
    and so do trees, which are the user's own objects."""
    if isinstance(source, bytes):
        return b"import" in source or b"__array" in source
    return isinstance(source, str) and ("import" in source or "__array" in source)


_examples: tuple[str, set[str]] = ("", set())


def _known_to_examples(filename: str) -> set[str]:
    """The names that hold values of libraries in the examples of one text: ``<doctest name[number]>``."""
    global _examples
    name, _, number = filename.rpartition("[")
    if _examples[0] != name or number.startswith("0]"):
        _examples = (name, set())
    return _examples[1]
