"""What manycore.futures.Future keeps alive, and for how long."""

from __future__ import annotations

import contextlib
import gc
import sys
import traceback
import weakref
from typing import Any

import pytest
from manycore.futures import Future, as_completed


def test_cycles_through_a_future_are_collected() -> None:
    class Owner:
        pass

    for put in (
        lambda future, owner: future.set_result(owner),
        lambda future, owner: future.set_exception(type("Owned", (Exception,), {"owner": owner})()),
        lambda future, owner: future.add_done_callback(lambda done: owner),
        lambda future, owner: future._waiters.append(owner),
        lambda future, owner: setattr(future, "owner", owner),
    ):
        owner = Owner()
        owner.future = Future()  # type: ignore[attr-defined]
        put(owner.future, owner)  # type: ignore[attr-defined]
        gone = weakref.ref(owner.future), weakref.ref(owner)  # type: ignore[attr-defined]
        del owner
        gc.collect()
        assert [reference() for reference in gone] == [None, None]


def test_an_exception_that_was_raised_keeps_nothing_alive() -> None:
    def asks(futures: list[Future[int]]) -> weakref.ref[Any]:
        futures[0].set_exception(ValueError("it failed"))
        with contextlib.suppress(ValueError):
            futures[0].result()
        return weakref.ref(futures.pop())

    gc.disable()
    try:
        assert asks([Future()])() is None
    finally:
        gc.enable()


def test_an_exception_keeps_its_traceback_and_gets_the_context_of_where_it_rises() -> None:
    future: Future[int] = Future()
    try:
        raise ValueError("inside")
    except ValueError as error:
        future.set_exception(error)
    with pytest.raises(ValueError, match="inside") as caught:
        try:
            raise KeyError("outside")
        except KeyError:
            future.result()
    assert isinstance(caught.value.__context__, KeyError)
    assert "inside" in "".join(traceback.format_tb(caught.value.__traceback__))


def test_no_reference_leaks() -> None:
    value = object()
    before = sys.getrefcount(value)
    for _ in range(100):
        future: Future[Any] = Future()
        future.add_done_callback(lambda done: None)
        future.set_result(value)
        assert future.result() is value and future._result is value
        future._result = value
        repr(future), future.exception(), list(as_completed([future]))
    del future
    assert sys.getrefcount(value) == before
