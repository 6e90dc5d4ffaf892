"""Run a program the way the interpreter does: same ``__main__``, ``sys.argv``, ``sys.path``, tracebacks and exit status.

The program sees no frame of manycore below its own (``_front.call_at_top``), and an exception that nobody catches is printed
before frames of ours could join its traceback.
"""

from __future__ import annotations

import builtins
import importlib.machinery
import io
import os
import sys
import types
from collections.abc import Callable

from manycore import _front
from manycore.run import import_hook, options, shadowed
from manycore.run.options import Parsed, UsageError
from manycore.session import install

TYPE_CHECKING = False  # as typing's
if TYPE_CHECKING:
    from typing import Any


def run(parsed: Parsed) -> int:
    """Run the program of a command line; SystemExit and KeyboardInterrupt go to the interpreter, which knows what to do."""
    for name, value in parsed.settings.items():
        options.set_option(name, value)
    _check_blas(_front.get_option("blas"))
    start, folder = _start_of(parsed.program)
    # The program's folder replaces ours at the front of sys.path, unless python was told to put none there.
    if not sys.flags.safe_path and shadowed.may_shadow(folder):
        import_hook.bring_arrays()
        if "numpy" in shadowed.named_in(folder):
            _run_without(parsed, folder)
    install(parsed.include, parsed.exclude)
    _start_report(parsed)
    if _front.get_option("check"):
        from manycore.run import checking

        checking.start()
    if not sys.flags.safe_path:
        shadowed.forget(folder)
        sys.path[0] = folder
    ended = start()
    if ended is None:  # interrupted: the interpreter ends the process by the signal, after an excepthook that adds nothing
        sys.excepthook = lambda *_: None
        raise KeyboardInterrupt
    return 0 if ended else 1


def _check_blas(asked: str) -> None:
    """A library that cannot be loaded is an error now, not a fallback in every product."""
    if asked in ("auto", "none"):
        return
    import ctypes

    try:
        if not asked:  # which would be the program itself
            raise OSError("no name")
        ctypes.CDLL(asked)
    except OSError as error:
        raise UsageError(f"blas: expected auto, none or a library with cblas_dgemm, got {asked!r}; {error}") from None


def _start_report(parsed: Parsed) -> None:
    where = _front.get_option("report")
    if where and where not in ("0", "off"):
        from manycore.report import at_exit

        refused = at_exit.refusal(where)
        if refused:
            raise UsageError(refused)
        assert import_hook.policy is not None
        at_exit.start(where, parsed.program, import_hook.policy.is_user_file)


def _run_without(parsed: Parsed, folder: str) -> None:
    """The program has a ``numpy`` of its own, and so have all libraries in it: there is nothing here that manycore could run."""
    what = f"the program's own numpy in {os.path.abspath(folder)!r} stands in NumPy's place"
    if _front.get_option("fail_on_fallback"):
        raise UsageError(f"run: {what}, expected NumPy itself; try another name for it")
    print(f"manycore: run: {what}, so plain Python runs the program", file=sys.stderr)
    _become_plain_python(parsed.program)


def _become_plain_python(program: list[str]) -> None:
    import subprocess

    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *subprocess._args_from_interpreter_flags(), *program])  # type: ignore[attr-defined]


def _start_of(program: list[str]) -> tuple[Callable[[], bool | None], str]:
    """What starts the program, and what stands first in its sys.path."""
    if program[0] == "-m":
        return lambda: _run_module(program[1], program[2:]), os.getcwd()
    if program[0] == "-c":
        return lambda: _run_text(program[1].encode(), "<string>", ["-c", *program[2:]]), ""
    if program[0] == "-":
        return lambda: _run_text(sys.stdin.buffer.read(), "<stdin>", program), ""
    # As the interpreter does: ./script.py keeps its dot in __file__.
    path = os.path.join(os.getcwd(), program[0]) if program[0] != "." else os.getcwd()
    if os.path.isdir(path) or _is_archive(path):
        return lambda: _run_package(program), path
    if not os.path.isfile(path):
        raise UsageError(_missing(program[0]))
    return lambda: _run_script(path, program), os.path.dirname(os.path.realpath(path))


def _missing(name: str) -> str:
    import difflib

    folder = os.path.dirname(name) or "."
    try:
        scripts = sorted(entry for entry in os.listdir(folder) if entry.endswith(".py"))
    except OSError:
        return f"run: no file {name!r}, expected a Python script, and there is no folder {folder!r}"
    near = difflib.get_close_matches(os.path.basename(name), scripts, 1)
    guess = f"; did you mean {os.path.join(folder, near[0]) if folder != '.' else near[0]!r}?" if near else ""
    return f"run: no file {name!r}, expected a Python script{guess}"


def _is_archive(path: str) -> bool:
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _main_module(loader: Any) -> dict[str, Any]:
    """A fresh ``__main__`` with the attributes that the interpreter gives it, in its order."""
    module = types.ModuleType("__main__")
    module.__dict__.update(__loader__=loader, __annotations__={}, __builtins__=builtins)
    sys.modules["__main__"] = module
    return module.__dict__


def _run_script(path: str, argv: list[str]) -> bool | None:
    sys.argv = list(argv)
    namespace = _main_module(importlib.machinery.SourceFileLoader("__main__", path))
    namespace.update(__file__=path, __cached__=None)
    with io.open_code(path) as file:
        source = file.read()
    if not path.endswith(".pyc") and not _is_text(source):
        # Nothing of it can run, and only the interpreter's own reader of files has the words for it.
        _become_plain_python(argv)
    if path.endswith(".pyc"):
        import runpy

        code = runpy.read_code(io.BytesIO(source))  # type: ignore[attr-defined]
        return call_at_top(code, namespace)
    return _execute(source, path, namespace)


def _is_text(source: bytes) -> bool:
    try:
        return "\0" not in source.decode(_encoding(source))
    except (SyntaxError, UnicodeDecodeError):
        return False


def _encoding(source: bytes) -> str:
    if not any(b"coding" in line for line in source.split(b"\n", 2)[:2]):
        return "utf-8"
    import tokenize

    return tokenize.detect_encoding(io.BytesIO(source).readline)[0]


def _run_text(source: bytes, filename: str, argv: list[str]) -> bool | None:
    sys.argv = list(argv)
    namespace = _main_module(importlib.machinery.BuiltinImporter)
    if filename == "<stdin>":
        namespace.update(__file__=filename, __cached__=None)
    return _execute(source, filename, namespace)


def _execute(source: bytes, filename: str, namespace: dict[str, Any]) -> bool | None:
    code = _compiled(source, filename)
    if code is None:  # once more with nothing of ours on the stack: the error is printed as the interpreter prints it
        return call_at_top(import_hook.plain_compile, source, filename, "exec", 0, True)
    del source
    return call_at_top(code, namespace)


def _compiled(source: bytes, filename: str) -> types.CodeType | None:
    try:
        return import_hook.compile_user(source, filename)
    except (SyntaxError, ValueError):
        return None


def _run_module(name: str, arguments: list[str]) -> bool | None:
    import runpy

    sys.argv = ["-m", *arguments]
    _main_module(importlib.machinery.BuiltinImporter)
    return call_at_top(runpy._run_module_as_main, name)  # type: ignore[attr-defined]


def _run_package(argv: list[str]) -> bool | None:
    import runpy

    sys.argv = list(argv)
    _main_module(importlib.machinery.BuiltinImporter)
    return call_at_top(runpy._run_module_as_main, "__main__", False)  # type: ignore[attr-defined]


def call_at_top(what: Callable[..., Any] | types.CodeType, *arguments: Any) -> bool | None:
    """Call, or run code in a namespace: True when it ended well, False after a printed exception, None after Ctrl-C."""
    ended: bool | None = _front.call_at_top(what, *arguments)
    return ended
