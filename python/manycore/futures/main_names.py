"""What worker processes know of ``__main__``: functions and classes that they have not got are sent to them by value.

A forked worker has what was there when the pool's first worker was forked. One that is started anew has what the program's file
defines where it is not the program (spawn and forkserver run it again, but for the part below ``if __name__ == "__main__"``), and
nothing of a program that has no file, as in an interactive session. One of the fork server's has nothing of it.
"""

from __future__ import annotations

import contextlib
import functools
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ast


# A tuple: to look through a union of types takes twice as long and makes it first, and picklers ask for each object.
_DEFINITIONS = (FunctionType, type)


class MainNames:
    """Of one pool. Shared by the threads that submit, which hold the GIL."""

    def __init__(self, start_method: str) -> None:
        self.forks = start_method == "fork"
        self.at_fork: dict[str, Any] | None = None  # functions and classes, once a worker was forked
        # Lines of definitions by name, once read; none: bound otherwise. Workers of the fork server have not run the file.
        self.in_file: dict[str, list[range]] | None = {} if start_method == "server" else None

    def worker_starts(self) -> None:
        if self.forks and self.at_fork is None:
            self.at_fork = dict(_definitions())

    def known(self, definition: Any) -> bool:
        """Would a worker find this function or class by its name?"""
        if definition.__module__ != "__main__":
            return True
        name = definition.__qualname__.partition(".")[0]
        if self.forks:
            return self.at_fork is None or self.at_fork.get(name) is _names().get(name)
        if self.in_file is None:
            self.in_file = _bound_in_file()
        lines = self.in_file.get(name)
        if lines is None:
            return False
        line = _line(_names().get(name))
        return not lines or line is None or any(line in definition for definition in lines)

    def by_value(self, value: Any, buffer_callback: Callable[[Any], Any] | None) -> bytes | None:
        """The pickle of a value that mentions ``__main__``; None where workers know all that is there, so that names do."""
        if all(map(self.known, (definition for _, definition in _definitions()))):
            return None
        try:
            pickler_class = _pickler()
        except ImportError:
            return None
        file = io.BytesIO()
        pickler = pickler_class(file, protocol=5, buffer_callback=buffer_callback)
        pickler.known = self.known
        pickler.dump(value)
        return file.getvalue()


@functools.cache
def _pickler() -> Any:
    import cloudpickle  # type: ignore[import-untyped]

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        known: Callable[[Any], bool]

        def reducer_override(self, entry: Any) -> Any:
            if isinstance(entry, _DEFINITIONS) and entry.__module__ == "__main__" and _is_named(entry) and self.known(entry):
                return NotImplemented
            return super().reducer_override(entry)

    return Pickler


def _names() -> dict[str, Any]:
    return vars(sys.modules["__main__"])


def _definitions() -> Iterable[tuple[str, Any]]:
    for name, value in list(_names().items()):
        if isinstance(value, _DEFINITIONS) and value.__module__ == "__main__":
            yield name, value


def _line(definition: Any) -> int | None:
    """Where a function, or a method of a class, begins in the program's file."""
    entries = [definition, *vars(definition).values()] if isinstance(definition, type) else [definition]
    for entry in entries:
        if isinstance(entry, FunctionType) and entry.__code__.co_filename == _names().get("__file__"):
            return entry.__code__.co_firstlineno
    return None


def has_file() -> bool:
    """Is the program one that can be run again?"""
    path = _names().get("__file__")
    return path is not None and not path.startswith("<")


@contextlib.contextmanager
def without_a_file_that_is_none() -> Iterator[None]:
    """A program that is read from a pipe is said to be of the file "<stdin>", which a new interpreter would try to run."""
    main = _names()
    if "__file__" not in main or has_file():
        yield
        return
    path = main.pop("__file__")
    try:
        yield
    finally:
        main["__file__"] = path


def _is_named(definition: Any) -> bool:
    found: Any = sys.modules["__main__"]
    for name in definition.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is definition


def _bound_in_file() -> dict[str, list[range]]:
    """What running the program's file under another name binds."""
    import ast

    bound: dict[str, list[range]] = {}
    if not has_file():
        return bound
    try:
        with open(_names()["__file__"], "rb") as file:
            body = ast.parse(file.read()).body
    except (OSError, SyntaxError, ValueError):
        # Not to be read: names stay names, as in the standard.
        return {name: [] for name, _ in _definitions()}
    _bind(body, bound)
    return bound


def _bind(statements: Iterable[ast.stmt], bound: dict[str, list[range]]) -> None:
    import ast

    for statement in statements:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = min([statement.lineno, *(decorator.lineno for decorator in statement.decorator_list)])
            # What a decorator makes of it may be defined anywhere.
            plain = [] if statement.decorator_list else [range(first, (statement.end_lineno or first) + 1)]
            bound[statement.name] = [*bound.get(statement.name, []), *plain] if plain else []
            continue
        for node in _within(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                bound[node.id] = []
            elif isinstance(node, ast.alias):
                bound[node.asname or node.name.partition(".")[0]] = []
        for part in ("body", "orelse", "finalbody"):
            if part != "body" or not _is_guard(statement):
                _bind(getattr(statement, part, []), bound)
        for handler in getattr(statement, "handlers", []):
            _bind(handler.body, bound)
        for case in getattr(statement, "cases", []):
            _bind(case.body, bound)


def _within(statement: ast.stmt) -> Iterable[ast.AST]:
    """Its nodes, without those of statements in it."""
    import ast

    for child in ast.iter_child_nodes(statement):
        if not isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from ast.walk(child)


def _is_guard(statement: ast.stmt) -> bool:
    import ast

    if not isinstance(statement, ast.If):
        return False
    nodes = list(ast.walk(statement.test))
    named = any(isinstance(node, ast.Name) and node.id == "__name__" for node in nodes)
    return named and any(isinstance(node, ast.Constant) and node.value == "__main__" for node in nodes)
