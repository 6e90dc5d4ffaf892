"""Plain arguments and results travel without the pickler, and arrive as if it had been asked."""

from __future__ import annotations

import math
import os
import pickle
import random
from typing import Any

import process_tasks as tasks
import pytest
from manycore import _tasks
from manycore.futures.process import ProcessPoolExecutor

SHARED = "text that stands twice"
PLAIN: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**63 - 1,
    -(2**63),
    0.0,
    -0.0,
    math.inf,
    5e-324,
    "",
    "a",
    "short text",
    "x" * 255,
    b"",
    b"\x00\xff",
    b"y" * 255,
    (),
    (1, 2.5, "three", b"four", None, True),
    tuple(range(16)),
]
PICKLED: list[Any] = [
    2**63,
    -(2**63) - 1,
    "ä",
    "\ud800",
    "x" * 256,
    b"y" * 256,
    1j,
    [1],
    {"a": 1},
    {1},
    (1, (2, 3)),
    (SHARED, SHARED),
    tuple(range(17)),
    type("Int", (int,), {})(3),
]


def same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and repr(a) == repr(b)


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: repr(value)[:20])
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    encoded = _tasks.plain_bytes(value)
    assert encoded is not None and same(_tasks.from_plain_bytes(encoded), pickle.loads(pickle.dumps(value)))


def test_nan_comes_back() -> None:
    encoded = _tasks.plain_bytes((math.nan,))
    assert encoded is not None and math.isnan(_tasks.from_plain_bytes(encoded)[0])


@pytest.mark.parametrize("value", PICKLED, ids=lambda value: repr(value)[:20])
def test_the_pickler_gets_all_else(value: Any) -> None:
    assert _tasks.plain_bytes(value) is None


def test_bytes_that_nobody_wrote_are_refused() -> None:
    numbers = random.Random(7)
    written = [encoded for encoded in map(_tasks.plain_bytes, PLAIN) if encoded]
    refused = 0
    for _ in range(20_000):
        data = bytearray(numbers.choice(written))
        for _ in range(numbers.randint(1, 3)):
            data[numbers.randrange(len(data))] = numbers.randrange(256)
        data = data[: numbers.randint(0, len(data) + 2)] + bytes(numbers.randint(0, 2))
        try:
            _tasks.from_plain_bytes(bytes(data))
        except (ValueError, UnicodeDecodeError):
            refused += 1
    assert refused > 1000


def test_calls_and_results_take_this_way() -> None:
    with ProcessPoolExecutor(1) as pool:
        pid = pool.submit(os.getpid).result(60)
        here, there = _tasks.plain_values_written(), pool.submit(_tasks.plain_values_written).result(60)
        assert pid != os.getpid()
        for value in PLAIN:
            assert same(pool.submit(tasks.identity, value).result(60), value)
        sent_alone = sum(not isinstance(value, tuple) for value in PLAIN)  # a tuple in the tuple of arguments is for the pickler
        assert _tasks.plain_values_written() - here == 1 + sent_alone
        # A None has no bytes at all, and a result that is a tuple of arguments is one value.
        assert pool.submit(_tasks.plain_values_written).result(60) - there == len(PLAIN) - PLAIN.count(None) + 1


def test_one_object_in_two_places_stays_one() -> None:
    with ProcessPoolExecutor(1) as pool:
        first, second = pool.submit(tasks.identity, (SHARED, SHARED)).result(60)
        assert first is second
        for value in PICKLED[:-1]:
            assert same(pool.submit(tasks.identity, value).result(60), value)
