"""What the fuzzer and reading found in recorded programs; each differed from NumPy, crashed or lost a warning once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import manycore
import manycore.numpy as mnp
import numpy
import pytest
from manycore import _core

from tests.python.both import equal_values


@pytest.fixture(autouse=True, params=[0, 3], ids=["blocks as usual", "blocks of three"])
def everything_recorded(request: pytest.FixtureRequest) -> Iterator[None]:
    options = {name: _core.get_option(name) for name in ("record_from", "block_elements")}
    _core.set_option("record_from", 0)
    _core.set_option("block_elements", request.param)
    yield
    manycore.evaluate()
    for name, value in options.items():
        _core.set_option(name, value)


def rewritten_after_its_last_reading(np: Any) -> Any:
    """The first temporary's scratch block was another's by the time it was written again."""
    a, zero = np.arange(1.0, 50_001), np.zeros(50_000)
    first = a * 2
    second = first + 1
    np.divide(a, zero + 1, out=first)
    return second * 3


def cast_column_in_a_sum(np: Any) -> Any:
    """A column cast once a row was read where the first row's lay."""
    x, column = np.arange(20_000.0).reshape(200, 100), np.arange(200).reshape(200, 1)
    return (x * 2 + column).sum()


def passing_array_that_is_kept(np: Any) -> Any:
    """An argument tuple looks like the last holder; what the array was made of was overwritten by a later group."""
    a = np.arange(50_000.0)
    t = a * 2
    a[::2] += 1
    arguments = (t,)
    del t
    total = np.sum(*arguments)
    return total, arguments[0]


def passing_array_whose_source_was_freed(np: Any) -> Any:
    a = np.arange(50_000.0)
    y = a + 1
    z = y[::2] * 3
    t = y * 2
    del y
    arguments = (t,)
    del t
    total = np.sum(*arguments)
    return total, arguments[0], z


def sum_over_blocks_of_two_widths(np: Any) -> Any:
    """The sum's operand piled up in a block that had held narrower elements, which the next row's overwrote."""
    a = np.array(numpy.random.default_rng(558).integers(-6, 9, (7, 11)).astype("complex128"))
    b = np.array(numpy.random.default_rng(806).integers(-6, 9, (7, 11)).astype("int32"), order="F")
    c = np.array(numpy.random.default_rng(992).integers(-6, 9, (7, 11)) / 3, order="F")
    return np.sum(np.where((c >= b) > 1, (c >= b), a), axis=(0, -1))


def copies_through_other_views(np: Any) -> Any:
    """These read memory that had only been promised."""
    a = np.arange(600.0).reshape(20, 30) * 2
    flat = (a + 1).T.reshape(-1)
    joined = np.concatenate([(a + 2).T, a > 5], axis=None)
    return flat, joined, (a + 3).T.ravel(), (a.T + 4).flatten(), (a + 5)[:, ::2].astype("f4", order="F")


def narrow_result_in_a_wide_block(np: Any) -> Any:
    a = np.arange(50_000.0)
    b = (a % 3).astype("int8")
    c = b * np.int8(2)
    d, e = np.zeros(50_000), np.zeros(50_000, dtype="i8")
    np.less(c, b, out=d)
    np.multiply(c, b, out=e)
    return d + e * 2


def two_chains_that_meet(np: Any) -> Any:
    a, b, c = np.arange(5000.0), np.arange(5000.0) + 1, np.arange(5000) * 2
    left = a * b
    stored = c - 1
    c[1:] += 5
    right = c * 3 - stored
    a += 1
    return left * right - a, c


def common_value_written_over_its_input(np: Any) -> Any:
    """The second division was replaced by the first one's result, also where the first one reads."""
    a, b = np.arange(1.0, 50_001), np.arange(50_000) % 7 + 1
    if np is not numpy:
        manycore.evaluate()
    quotient = a / b
    np.divide(a, b, out=a)
    del a
    return quotient


def common_value_written_over_its_input_and_read(np: Any) -> Any:
    a, b = np.arange(1.0, 50_001), np.arange(50_000) % 7 + 1
    if np is not numpy:
        manycore.evaluate()
    before = a * 3
    quotient = a / b
    np.divide(a, b, out=a)
    after = a + before
    del a, before
    return quotient, after


def cast_column_whose_block_the_sum_piles_up_in(np: Any) -> Any:
    """The next row's column, cast once at the block's beginning, overwrote the first element of what was to be summed."""
    a, column = np.arange(680_000.0).reshape(400, 1700) % 2, np.arange(400).reshape(400, 1) % 3 == 1
    return np.sum((column == a) * 3), np.count_nonzero((column == a) + np.arange(400).reshape(400, 1))


PROGRAMS: list[Callable[[Any], Any]] = [
    rewritten_after_its_last_reading,
    cast_column_in_a_sum,
    passing_array_that_is_kept,
    passing_array_whose_source_was_freed,
    sum_over_blocks_of_two_widths,
    copies_through_other_views,
    narrow_result_in_a_wide_block,
    two_chains_that_meet,
    common_value_written_over_its_input,
    common_value_written_over_its_input_and_read,
    cast_column_whose_block_the_sum_piles_up_in,
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_values_are_numpys(program: Callable[[Any], Any]) -> None:
    before = _core.trace_snapshot()["recorded"]
    got = program(mnp)
    manycore.evaluate()
    assert _core.trace_snapshot()["recorded"] > before
    assert equal_values(program(numpy), got) is None
