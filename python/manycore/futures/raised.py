"""Exceptions that travel from worker processes, and errors that name what cannot be pickled, sent or rebuilt."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

# Raised by picklers themselves: their texts know nothing of the call.
_OF_PICKLERS = (
    TypeError,
    AttributeError,
    ValueError,
    ImportError,
    ModuleNotFoundError,
    pickle.PicklingError,
    pickle.UnpicklingError,
)


class RemoteError(pickle.PickleError):
    """What a call raised in a worker process, where that exception itself cannot be pickled there or rebuilt here.

    `type_name` and `text` are the exception's own; its traceback is the cause of this one.
    """

    def __init__(self, message: str, type_name: str = "", text: str = "") -> None:
        super().__init__(message)
        self.type_name = type_name
        self.text = text

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (*self.args, self.type_name, self.text), self.__dict__


def name_of_type(value: object) -> str:
    kind = value if isinstance(value, type) else type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _name(function: object) -> str:
    return getattr(function, "__qualname__", None) or name_of_type(function)


def _text(exception: BaseException) -> str:
    try:
        return str(exception)
    except Exception as error:
        return f"(its text cannot be had: {error!r})"


class Sent:
    """An exception on its way: as a pickle of its own, which may fail by itself, and as text in any case."""

    def __init__(self, exception: BaseException, traceback: Any, to_bytes: Callable[[object], bytes]) -> None:
        from traceback import format_exception

        self.name, self.text = name_of_type(exception), _text(exception)
        self.traceback = f'\n"""\n{"".join(format_exception(type(exception), exception, traceback))}"""'
        exception.__traceback__ = None  # as the standard: frames stay with this process
        self.pickled: bytes | None = None
        self.reason = ""
        try:
            self.pickled = to_bytes(exception)
        except Exception as error:
            self.reason = f"it cannot be pickled: {name_of_type(error)}: {_text(error)}"

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuilt, (self.pickled, self.name, self.text, self.traceback, self.reason)


def rebuilt(pickled: bytes | None, name: str, text: str, traceback: str, reason: str) -> BaseException:
    from concurrent.futures.process import _RemoteTraceback

    exception = None
    if pickled is not None:
        try:
            exception = pickle.loads(pickled)
            if not isinstance(exception, BaseException):
                reason = f"it was rebuilt as {name_of_type(exception)}"
        except Exception as error:
            reason = f"it cannot be rebuilt here: {name_of_type(error)}: {_text(error)}"
    if not isinstance(exception, BaseException):
        exception = RemoteError(
            f"{name}: {text} (raised in a worker process; the exception does not travel, since {reason})", name, text
        )
    exception.__cause__ = _RemoteTraceback(traceback)  # type: ignore[arg-type]
    return exception


def explained(error: BaseException, what: str) -> BaseException:
    """The error of a pickler that says what it was about. One of another class is what the user's code raised: it gets a note."""
    if type(error) in _OF_PICKLERS:
        longer = type(error)(f"{what}: {_text(error)}")
        longer.__cause__ = error
        return longer
    error.add_note(what)
    return error


def unsent(error: BaseException, result: object) -> BaseException:
    """In a worker: for a result that cannot be pickled."""
    return explained(error, f"the result, of type {name_of_type(result)}, cannot be pickled")


def blamed(
    error: BaseException,
    check: Callable[[object], object],
    function: Any,
    arguments: Any,
    keywords: dict[str, Any] | None,
    place: str,
) -> BaseException:
    """The error of a call that cannot be pickled: it names the argument. `check` pickles one by itself."""
    if isinstance(error, MemoryError):
        return error
    behind = getattr(function, "_call_behind", None)  # of functions that call what the user has given
    if behind is not None:
        function, arguments, keywords = behind(*arguments)
    parts = [("function", function)]
    parts += [(f"argument {index} of {_name(function)}{place}", value) for index, value in enumerate(arguments)]
    parts += [(f"argument {name}= of {_name(function)}{place}", value) for name, value in (keywords or {}).items()]
    for what, value in parts:
        try:
            check(value)
        except BaseException as found:
            if what == "function":
                return explained(found, f"the function {_name(function)} cannot be pickled")
            return explained(found, f"{what}, of type {name_of_type(value)}, cannot be pickled")
    return error
