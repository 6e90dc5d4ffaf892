"""map() over processes: numbers in a row, chunks that are refilled by whoever is there, and the iterator of the results."""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from manycore.futures import ProcessPoolExecutor
from process_tasks import identity, identity_or_text, reciprocal


@pytest.fixture(scope="module")
def pool() -> Iterator[Any]:
    with ProcessPoolExecutor(2) as made:
        made.submit(identity, 0).result()
        yield made


NUMBERS = [
    list(range(-70, 70)),
    [-(2**7), 2**7 - 1],
    [2**7],
    [-(2**15), 2**15 - 1],
    [2**15],
    [-(2**31), 2**31 - 1],
    [-(2**31) - 1],
    [2**63 - 1, -(2**63), 0, -1],
    [0.0, -0.0, 1.5, math.inf, -math.inf, 5e-324],
]


@pytest.mark.parametrize("items", NUMBERS, ids=repr)
def test_numbers_of_one_kind_travel_without_pickle(pool: Any, items: Any) -> None:
    values, failures, nanoseconds = pool._core.submit_items(identity, items, False).result()
    assert not isinstance(values, list) and failures is None and nanoseconds > 0
    results = list(pool.map(identity, items))
    assert list(map(repr, results)) == list(map(repr, items))
    assert {type(value) for value in results} == {type(items[0])}


OTHERS = [[1, 2.0], [2**63], [True, False], [1, True], [None], ["a", 1], [1, None, 2], [[1], [2]], [1.0, 2]]


@pytest.mark.parametrize("items", OTHERS, ids=repr)
def test_other_items_are_pickled(pool: Any, items: Any) -> None:
    values, failures, _ = pool._core.submit_items(identity, items, False).result()
    assert type(values) is list and failures is None
    assert list(map(repr, pool.map(identity, items))) == list(map(repr, items))


def test_a_nan_keeps_its_bits(pool: Any) -> None:
    assert math.isnan(next(pool.map(identity, [math.nan])))


def test_results_that_stop_being_numbers(pool: Any) -> None:
    items = list(range(1000))
    expected = [identity_or_text(item) for item in items]
    assert list(pool.map(identity_or_text, items)) == expected
    assert list(pool.map(identity_or_text, items, chunksize=500)) == expected


def test_an_item_that_fails_among_numbers(pool: Any) -> None:
    results = pool.map(reciprocal, [4, 2, 0, 1], chunksize=4)
    assert [next(results), next(results)] == [0.25, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == []


@pytest.mark.parametrize("items", [range(100_000), range(5, -5, -3), range(0), range(2**70, 2**70 + 3)], ids=repr)
def test_ranges(pool: Any, items: Any) -> None:
    assert list(pool.map(identity, items)) == list(items)


def test_large_chunks_of_numbers(pool: Any) -> None:
    items = list(range(10**9, 10**9 + 300_000))
    assert list(pool.map(identity, items, chunksize=100_000)) == items
    halves = [value + 0.5 for value in items]
    assert list(pool.map(identity, halves, chunksize=100_000)) == halves


def test_a_map_that_nobody_reads_runs_to_its_end() -> None:
    with ProcessPoolExecutor(2) as own:
        results = own.map(time.sleep, [0.001] * 200)
        deadline = time.monotonic() + 20
        while own._core.outstanding() or own._team.maps:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert list(results) == [None] * 200


def test_a_map_that_is_not_read_in_time(pool: Any) -> None:
    results = pool.map(time.sleep, [0, 5], timeout=0.2)
    assert next(results) is None
    with pytest.raises(TimeoutError):
        next(results)
    assert list(results) == []


def test_the_iterator_closes_as_a_generator_does(pool: Any) -> None:
    results = pool.map(identity, range(1000))
    assert next(results) == 0
    results.close()
    assert list(results) == []
    assert iter(results) is results


def test_the_iterator_keeps_nothing_that_it_gave(pool: Any) -> None:
    class_of = type("Probe", (), {})
    results = pool.map(identity, [[index] for index in range(4)], chunksize=4)
    given = next(results)
    assert given == [0]
    probe = class_of()
    given.append(probe)
    seen = weakref.ref(probe)
    del probe, given
    assert seen() is None
    assert list(results) == [[1], [2], [3]]


def test_a_size_of_chunks_that_is_no_whole_number_is_refused_and_the_pool_goes_on() -> None:
    with ProcessPoolExecutor(1) as pool:
        with pytest.raises(ValueError, match="whole number, got 2.5"):
            pool.map(abs, range(10), chunksize=2.5)  # type: ignore[arg-type]
        assert list(pool.map(abs, range(10), chunksize=2.0)) == list(range(10))  # type: ignore[arg-type]
        assert pool.submit(abs, -1).result() == 1
