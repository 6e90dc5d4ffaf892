"""Arguments that the executors do not take: the standard's exceptions, or TypeErrors that name the argument."""

from __future__ import annotations

import concurrent.futures as standard
import logging
from typing import Any

import manycore.futures as ours
import pytest
from manycore.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor

KINDS = ["ThreadPoolExecutor", "ProcessPoolExecutor"]


class Two:
    def __index__(self) -> int:
        return 2


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor, Executor])
@pytest.mark.parametrize("wrong", [1.5, float("nan"), "2", [], b"1"])
def test_a_number_of_workers_that_is_none_is_named(kind: Any, wrong: Any) -> None:
    with pytest.raises(TypeError) as caught:
        kind(wrong)
    assert str(caught.value) == f"max_workers must be an integer or None, got {wrong!r}"


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor, Executor])
@pytest.mark.parametrize("wrong", [0, -1, False])
def test_too_few_workers(kind: Any, wrong: Any) -> None:
    with pytest.raises(ValueError, match="max_workers must be greater than 0"):
        kind(wrong)


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor, Executor])
def test_what_counts_as_a_number_of_workers(kind: Any) -> None:
    for number in (Two(), True, 2):
        with kind(number) as pool:
            assert pool.submit(pow, 2, 3).result(30) == 8


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_initial_arguments(kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    with kind(1, initargs=None) as pool:  # without an initializer nobody asks for them
        assert pool.submit(pow, 2, 3).result(30) == 8
    with kind(1, initializer=pow, initargs=[2, 3]) as pool:
        assert pool.submit(pow, 2, 3).result(30) == 8
    for wrong in (None, 3):
        with pytest.raises(TypeError, match="initargs must be a tuple of the initializer's arguments, got"):
            kind(1, initializer=pow, initargs=wrong)
    with pytest.raises(TypeError, match="initializer must be a callable"):
        kind(1, initializer=5)
    assert caplog.records == [] or all(record.levelno < logging.CRITICAL for record in caplog.records)


def test_a_context_that_is_none() -> None:
    with pytest.raises(TypeError, match="mp_context must be a context of multiprocessing or None, got 'spawn'"):
        ProcessPoolExecutor(1, "spawn")  # type: ignore[arg-type]


def test_a_deadline_that_is_none() -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(TypeError, match="deadline: expected a number"):
        pool.options(deadline="1")  # type: ignore[arg-type]


CALLS: dict[str, Any] = {
    "submit nothing": lambda pool: pool.submit(),
    "submit what cannot be called": lambda pool: pool.submit(5).result(30),
    "submit(fn=)": lambda pool: pool.submit(fn=abs),
    "map nothing": lambda pool: pool.map(),
    "map no iterables": lambda pool: list(pool.map(abs)),
    "map what cannot be called": lambda pool: list(pool.map(5, [1])),
    "map no iterable": lambda pool: pool.map(abs, 5),
    "timeout": lambda pool: pool.map(abs, [1], timeout="x"),
    "timeout of the past": lambda pool: list(pool.map(abs, [1], timeout=-1)) and None,
    "chunksize": lambda pool: list(pool.map(abs, [1], chunksize=0)),
    "iterable that raises": lambda pool: pool.map(abs, (1 // (2 - i) for i in range(5))),
    "shorter iterable": lambda pool: list(pool.map(pow, [1, 2, 3], [1, 2])),
    "shutdown": lambda pool: pool.shutdown(True, True),
    "result": lambda pool: pool.submit(abs, 1).add_done_callback(),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", CALLS)
def test_the_exceptions_are_the_standards(kind: str, call: str) -> None:
    def outcome(module: Any) -> Any:
        with getattr(module, kind)(1) as pool:
            try:
                return CALLS[call](pool)
            except Exception as error:
                return type(error)

    if call == "timeout of the past":  # may be done in time all the same
        assert outcome(ours) in (outcome(standard), None)
    else:
        assert outcome(ours) == outcome(standard)
