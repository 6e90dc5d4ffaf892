"""Could this thread still set something free? A thread that runs, or waits for something unknown, is looked through: what its
frames hold and the functions that they name, a bounded number of steps away and the nearest first.
"""

from __future__ import annotations

import gc
import os
import types

from manycore import _tasks

TYPE_CHECKING = False  # as typing's
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

MOST_OBJECTS = 20_000
# An attribute of an object is two steps away. Further off everything leads to everything: a framework's thread to its program.
MOST_STEPS = 8
# The standard library's code and ours calls nothing of the program's but what it holds.
STANDARD = os.path.dirname(os.__file__) + os.sep
OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
# What leads nowhere.
CLOSED = (str, bytes, int, float, complex, bool, type(None), types.CodeType)


class _Search:
    """Objects that can be come by from some frames, and the names that the code in them uses."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._seen: set[int] = set()
        self._kept: list[Any] = []  # so that no address is used twice
        self._next: list[Any] = []
        self._modules: list[types.ModuleType] = []

    def add(self, value: Any) -> None:
        if isinstance(value, CLOSED) or id(value) in self._seen:
            return
        self._seen.add(id(value))
        self._kept.append(value)
        self._next.append(value)

    def add_code(self, code: types.CodeType, names: dict[str, Any]) -> None:
        if not _is_of_program(code.co_filename):
            return
        for one in _codes(code):
            self.names.update(one.co_names)
            for constant in one.co_consts:
                if isinstance(constant, tuple):  # names of keyword arguments are
                    self.names.update(name for name in constant if isinstance(name, str))
            for name in one.co_names:
                if name in names:
                    self.add(names[name])

    def run(self, wanted: set[int], pools: set[int], most: int) -> bool | None:
        """Whether one of these objects or pools was found; None where there are too many to tell."""
        count = 0
        for _ in range(MOST_STEPS):
            step, self._next = self._next, []
            for value in step:
                if id(value) in wanted or (isinstance(value, _tasks.ThreadPool) and _tasks.pool_key(value) in pools):
                    return True
                count += 1
                if count > most:
                    return None
                self._open(value)
            for module in self._modules:
                names = vars(module)
                for name in self.names & names.keys():
                    self.add(names[name])
        return False

    def _open(self, value: Any) -> None:
        if isinstance(value, types.ModuleType):
            if _is_of_program(getattr(value, "__file__", None) or ""):
                self._modules.append(value)
        elif isinstance(value, types.FunctionType):
            self.add_code(value.__code__, value.__globals__)
            for other in (value.__closure__, value.__defaults__, value.__kwdefaults__, value.__dict__):
                self.add(other)
        elif isinstance(value, types.BuiltinFunctionType):  # a method of something, perhaps: lock.release
            self.names.add(value.__name__)
            self.add(value.__self__)
        elif isinstance(value, type) and not value.__flags__ & (1 << 9):
            return  # a class of C code
        else:
            for other in gc.get_referents(value):
                self.add(other)


def _is_of_program(filename: str) -> bool:
    if filename.startswith(STANDARD):
        return "-packages" in filename
    return bool(filename) and not filename.startswith((OURS, "<frozen "))


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def could(frame: types.FrameType | None, things: list[Any], names: tuple[str, ...], undecided: bool = False) -> bool:
    """Can the thread of this frame come by one of the things, and does code that it can call use one of the names, if there are
    any? ``undecided`` is the answer where there are too many objects to tell."""
    search = _Search()
    while frame is not None:
        search.add_code(frame.f_code, frame.f_globals)
        if frame.f_locals is not frame.f_globals:
            for value in frame.f_locals.values():
                search.add(value)
        frame = frame.f_back
    wanted = {id(part) for thing in things for part in (thing if isinstance(thing, set) else (thing,))}
    found = search.run(wanted, {_tasks.pool_key(thing) for thing in things} - {0}, MOST_OBJECTS)
    if found is None:
        return undecided
    if not found or not names:
        return found
    # What it calls on the way may be named anywhere in what it can reach.
    search.run(set(), set(), MOST_OBJECTS)
    return not search.names.isdisjoint(names)
