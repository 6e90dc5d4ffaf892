"""What is left of a pickle that cannot be read: the items of a chunk that can be, and what kept the others from it.

Only where reading has failed already: Python's own unpickler, which goes on behind an object that cannot be made.
"""

from __future__ import annotations

import gc
import io
import pickle
from collections.abc import Callable, Iterable
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from manycore.futures.raised import explained, name_of_type


class _Broken:
    """In place of an object that cannot be made."""

    __slots__ = ("error", "name")

    def __init__(self, error: BaseException, name: str) -> None:
        self.error = error
        self.name = name


def _in_place(load: Callable[[Any], None]) -> Callable[[Any], None]:
    """For operations that change the object on top of the stack."""

    def guarded(self: Any) -> None:
        try:
            load(self)
        except Exception as error:
            if not isinstance(self.stack[-1], _Broken):
                self.stack[-1] = self.broken(error, self.stack[-1])

    return guarded


_Python: Any = pickle._Unpickler


class _Salvager(_Python):  # type: ignore[misc]
    stack: list[Any]
    first: _Broken | None = None

    def broken(self, error: BaseException, of: object) -> _Broken:
        one = _Broken(error, of if isinstance(of, str) else name_of_type(of))
        if self.first is None:
            self.first = one
        return one

    def find_class(self, module: str, name: str) -> Any:
        try:
            return super().find_class(module, name)
        except Exception as error:
            return self.broken(error, f"{module}.{name}")

    def made(self, make: Any, of: Any, arguments: Iterable[Any], keywords: dict[str, Any]) -> Any:
        for part in (make, of, *arguments, *keywords.values()):
            if isinstance(part, _Broken):
                return part
        try:
            return make(*arguments, **keywords)
        except Exception as error:
            return self.broken(error, of if isinstance(of, type) else f"{of.__module__}.{of.__qualname__}")

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self.made(self.stack[-1], self.stack[-1], arguments, {})

    def load_newobj(self) -> None:
        arguments = self.stack.pop()
        self.new(arguments, {})

    def load_newobj_ex(self) -> None:
        keywords, arguments = self.stack.pop(), self.stack.pop()
        self.new(arguments, keywords)

    def new(self, arguments: Any, keywords: dict[str, Any]) -> None:
        kind = self.stack[-1]
        make = kind if isinstance(kind, _Broken) else kind.__new__
        self.stack[-1] = self.made(make, kind, (kind, *arguments), keywords)

    dispatch = {
        **_Python.dispatch,
        pickle.REDUCE[0]: load_reduce,
        pickle.NEWOBJ[0]: load_newobj,
        pickle.NEWOBJ_EX[0]: load_newobj_ex,
        **{
            code[0]: _in_place(_Python.dispatch[code[0]])
            for code in (pickle.BUILD, pickle.APPEND, pickle.APPENDS, pickle.SETITEM, pickle.SETITEMS, pickle.ADDITEMS)
        },
    }


def _read(payload: Any, buffers: Any) -> tuple[Any, _Broken | None]:
    unpickler = _Salvager(io.BytesIO(payload), buffers=buffers)
    value = unpickler.load()
    return value, unpickler.first


_NOT_LOOKED_INTO = (type, ModuleType, FunctionType, BuiltinFunctionType)


def _broken_part(value: Any) -> _Broken | None:
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, _Broken):
            return one
        if id(one) not in seen and not isinstance(one, _NOT_LOOKED_INTO):
            seen.add(id(one))
            waiting += gc.get_referents(one)
    return None


def _broken_items(items: list[Any], what: str) -> dict[int, BaseException]:
    parts = ((index, _broken_part(item)) for index, item in enumerate(items))
    return {index: explained(part.error, f"{what}: {part.name}") for index, part in parts if part is not None}


def arguments(error: BaseException, payload: Any, buffers: Any, function_inside: bool) -> tuple[Any, dict[int, BaseException]]:
    """In a worker, of a chunk: what was sent, and by index the errors of the items that cannot be read."""
    value, first = _read(payload, buffers)
    items = value[1] if function_inside and isinstance(value, tuple) else value
    if first is None or not isinstance(items, list) or (function_inside and _broken_part(value[0]) is not None):
        raise error
    broken = _broken_items(items, "an argument cannot be rebuilt in the worker process")
    if not broken:
        raise error
    return value, broken


def results(error: BaseException, payload: Any, buffers: Any) -> tuple[list[Any], dict[int, BaseException], float]:
    """Of a chunk: what it would have been, with failures for the results that cannot be read."""
    value, _ = _read(payload, buffers)
    if not isinstance(value, tuple) or not isinstance(value[0], list):
        raise error
    values, failures, nanoseconds = value
    broken = _broken_items(values, _RESULT)
    if not broken:
        raise error
    for index in broken:
        values[index] = None
    return values, {**(failures or {}), **broken}, nanoseconds


_RESULT = "the result cannot be rebuilt in this process"


def result(error: BaseException, payload: Any, buffers: Any) -> BaseException:
    """The error of a result that cannot be read, with what it is of."""
    try:
        first = _read(payload, buffers)[1]
    except Exception:
        first = None
    return explained(error, _RESULT + (f": {first.name}" if first is not None else ""))
