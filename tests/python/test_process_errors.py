"""What errors of process pools say: the item, the argument, the type and the user's line that they are about; and whom they spare."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
import traceback
from collections.abc import Iterator
from typing import Any

import failing_tasks as failing
import manycore
import process_tasks as tasks
import pytest
from manycore.futures import Executor, ProcessPoolExecutor, RemoteError, WorkerDied

ITEMS = 60


@pytest.fixture(scope="module", params=["fork", "spawn"])
def pool(request: Any) -> Iterator[ProcessPoolExecutor]:
    import multiprocessing

    with ProcessPoolExecutor(2, multiprocessing.get_context(request.param)) as one:
        yield one


def read(results: Iterator[Any]) -> tuple[list[Any], BaseException | None]:
    values = []
    try:
        for value in results:
            values.append(value)
    except Exception as error:
        return values, error
    return values, None


@pytest.mark.parametrize("chunksize", [1, 7, ITEMS, 1000])
@pytest.mark.parametrize("at", [0, 33, ITEMS - 1])
@pytest.mark.parametrize("fails", ["pickles", "travels"])
def test_an_argument_that_does_not_travel_fails_its_item_alone(
    pool: ProcessPoolExecutor, fails: str, at: int, chunksize: int
) -> None:
    items = [failing.Odd(i, **{fails: at}) for i in range(ITEMS)]
    values, error = read(pool.map(failing.number_of, items, chunksize=chunksize))
    assert values == list(range(at))
    assert isinstance(error, ArithmeticError) and str(error) == f"item {at}"
    # A function that is sent by value, items of several arguments, arrays between them.
    values, error = read(pool.map(lambda odd, _data: odd.numbers[0], items, [b"x" * 100_000] * ITEMS, chunksize=chunksize))
    assert values == list(range(at))
    assert isinstance(error, ArithmeticError) and str(error) == f"item {at}"


@pytest.mark.parametrize("chunksize", [1, 7, ITEMS])
@pytest.mark.parametrize("at", [0, 33, ITEMS - 1])
@pytest.mark.parametrize("fails", ["pickling", "rebuilding"])
def test_a_result_that_does_not_travel_fails_its_item_alone(
    pool: ProcessPoolExecutor, fails: str, at: int, chunksize: int
) -> None:
    values, error = read(pool.map(failing.odd_result, range(ITEMS), [at] * ITEMS, [fails] * ITEMS, chunksize=chunksize))
    assert values == [[failing.OddResult(i, ""), {"more": (i, failing.np_like(i))}] for i in range(at)]
    assert isinstance(error, ArithmeticError) and str(error) == f"result {at}"


def test_items_behind_one_that_fails_have_their_outcomes(pool: ProcessPoolExecutor) -> None:
    """A generator that has raised gives no more, but the calls run."""
    chunks = pool._start_map(failing.number_of, [failing.Odd(i, pickles=2) for i in range(6)], False, 6, None, True)
    with pytest.raises(ArithmeticError):
        while chunks.take() is not None:
            pass
    rest = [chunks.take() for _ in range(3)]
    assert all(chunk is not None and chunk[1] is None for chunk in rest)
    assert chunks.counts() == (6, 1)


def test_an_unbuilt_item_is_failed_and_others_are_counted(pool: ProcessPoolExecutor) -> None:
    chunks = pool._start_map(failing.number_of, [failing.Odd(i, travels=2) for i in range(6)], False, 6, None, True)
    values, failures, _ = chunks.take()  # type: ignore[misc]
    assert list(failures or ()) == [2] and list(values)[3:] == [3, 4, 5]
    assert chunks.counts() == (6, 1)


def test_an_exception_that_cannot_be_rebuilt_is_told_with_its_traceback(pool: ProcessPoolExecutor) -> None:
    errors = [
        pool.submit(failing.raise_needs_more, "why").exception(60),
        pool.submit(failing.raise_holding_lock, "why").exception(60),
    ]
    errors += [read(pool.map(function, ["why"]))[1] for function in (failing.raise_needs_more, failing.raise_holding_lock)]
    for error, name, reason in zip(
        errors,
        ["NeedsMore", "HoldsLock"] * 2,
        ["cannot be rebuilt here: TypeError", "cannot be pickled: TypeError"] * 2,
        strict=True,
    ):
        assert isinstance(error, RemoteError) and isinstance(error, pickle.PickleError)
        assert (error.type_name, error.text) == (f"failing_tasks.{name}", "why")
        assert str(error).startswith(f"failing_tasks.{name}: why (") and reason in str(error)
        shown = "".join(traceback.format_exception(error))
        assert "in raise_" in shown and "failing_tasks.py" in shown
        assert pickle.loads(pickle.dumps(error)).type_name == error.type_name


def test_a_map_goes_on_to_the_exception_that_cannot_be_rebuilt(pool: ProcessPoolExecutor) -> None:
    values, error = read(pool.map(failing.stop_or_need, range(20), chunksize=20))
    assert values == list(range(10)) and isinstance(error, RemoteError) and error.text == "at 10"


def test_a_result_that_does_not_travel_names_its_type(pool: ProcessPoolExecutor) -> None:
    error = pool.submit(failing.return_holding_lock).exception(60)
    assert isinstance(error, TypeError)
    assert str(error).startswith("the result, of type dict, cannot be pickled: ") and "lock" in str(error)
    error = pool.submit(failing.odd_result, 1, 1, "pickling").exception(60)
    assert isinstance(error, ArithmeticError)
    assert "the result, of type list, cannot be pickled" in "".join(traceback.format_exception(error))
    error = pool.submit(failing.odd_result, 1, 1, "rebuilding").exception(60)
    assert isinstance(error, ArithmeticError)
    assert error.__notes__ == ["the result cannot be rebuilt in this process: failing_tasks.rebuild_result"]


def test_the_argument_that_cannot_be_pickled_is_named(pool: ProcessPoolExecutor) -> None:
    lock = threading.Lock()
    cases: list[tuple[Any, str]] = [
        (pool.submit(tasks.double, lock), "argument 0 of double, of type _thread.lock, cannot be pickled: "),
        (
            pool.submit(tasks.with_keywords, 1, key=lock),
            "argument key= of with_keywords, of type _thread.lock, cannot be pickled: ",
        ),
        (pool.submit(lambda x, y: None, 1, {"a": [lock]}), "argument 1 of "),
        (pool.submit(lambda: lock), "the function "),
    ]
    for future, text in cases:
        error = future.exception(60)
        assert isinstance(error, TypeError) and str(error).startswith(text), error
        assert error.__cause__ is not None
    values, error = read(pool.map(tasks.double, [1, 2, lock, 4], chunksize=4))
    assert values == [2, 4]
    assert str(error).startswith("argument 0 of double for item 2, of type _thread.lock, cannot be pickled: ")


def test_to_process_names_the_argument_too() -> None:
    async def program() -> None:
        lock = threading.Lock()
        with pytest.raises(TypeError, match=r"argument 0 of .*lambda.*, of type _thread.lock, cannot be pickled"):
            await manycore.to_process(lambda x: x, lock)
        with pytest.raises(TypeError, match="argument key= of with_keywords, of type _thread.lock, cannot be pickled"):
            await manycore.to_process(tasks.with_keywords, key=lock)

    asyncio.run(program())


def line_of_error(error: BaseException | None) -> str:
    assert isinstance(error, WorkerDied)
    return str(error).partition("submitted at ")[2].partition(";")[0]


def here(lines_up: int) -> str:
    import sys

    return f"{__file__}:{sys._getframe(1).f_lineno - lines_up}"


def test_a_death_in_a_map_names_the_users_line(pool: ProcessPoolExecutor) -> None:
    results = pool.map(tasks.die, ["kill"])
    assert line_of_error(read(results)[1]) == here(1)
    results = pool.map(failing.die_at, range(40), [30] * 40)  # sent by the pool's own thread or by who reads
    assert line_of_error(read(results)[1]) == here(1)
    results = pool.map(failing.die_at, range(9), [5] * 9, buffersize=2)
    assert line_of_error(read(results)[1]) == here(1)
    results = pool.options(name="many").map(tasks.die, ["kill"], progress=str)
    assert line_of_error(read(results)[1]) == here(1)
    future = pool.options(name="one").submit(tasks.die, "kill")
    assert line_of_error(future.exception(60)) == here(1)


def test_a_death_in_to_process_names_the_users_line() -> None:
    async def program() -> None:
        for more in ((), (b"x" * 1_000_000,)):
            with pytest.raises(WorkerDied) as caught:
                await manycore.to_process(failing.die_with, "kill", *more)
            assert line_of_error(caught.value) == here(1)

    asyncio.run(program())


@pytest.mark.slow
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="processes gain nothing on one core")
def test_a_death_in_an_executors_map_names_the_users_line() -> None:
    with Executor(2, processes="allowed") as executor:
        results = executor.map(failing.compute_or_die, [os.getpid()] * 3000, range(3000))
        _, error = read(results)
        if executor.explain().where == "processes":
            assert line_of_error(error) == here(3)
