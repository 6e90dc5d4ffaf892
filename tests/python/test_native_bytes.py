"""What a call reads and writes counts once, whatever the engine computes it from: operands plus results, in bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import manycore.numpy as mnp
import numpy as np
import pytest
from manycore import _core

ROWS, COLUMNS = 300, 500
A, ROW, COLUMN, ONE = ROWS * COLUMNS * 8, COLUMNS * 8, ROWS * 8, 8


def counted(call: Callable[[], Any]) -> tuple[int, int]:
    """Native calls and bytes of one call."""
    before = _core.trace_snapshot()
    call()
    after = _core.trace_snapshot()
    assert after["fallback_calls"] == before["fallback_calls"]
    return after["native_calls"] - before["native_calls"], after["native_bytes"] - before["native_bytes"]


CALLS: dict[str, tuple[Callable[[Any], Any], int]] = {
    "sum over axis 0": (lambda a: a.sum(axis=0), A + ROW),
    "sum over axis 1": (lambda a: a.sum(axis=1), A + COLUMN),
    "sum of all": (lambda a: a.sum(), A + ONE),
    "sum with dtype": (lambda a: a.sum(axis=0, dtype="float32"), A + ROW // 2),
    "sum into a float32": (lambda a: a.sum(axis=0, out=mnp.empty(COLUMNS, "float32"), dtype="float64"), A + ROW // 2),
    "prod over axis 0": (lambda a: a.prod(axis=0), A + ROW),
    "max over axis 0": (lambda a: a.max(axis=0), A + ROW),
    "max over axis 1": (lambda a: a.max(axis=1), A + COLUMN),
    "max of all": (lambda a: a.max(), A + ONE),
    "argmax over axis 0": (lambda a: a.argmax(axis=0), A + ROW),
    "argmax of all": (lambda a: a.argmax(), A + ONE),
    "any": (lambda a: (a).any(axis=1), A + ROWS),
    "mean over axis 0": (lambda a: a.mean(axis=0), A + ROW),
    "var over axis 0": (lambda a: a.var(axis=0), A + ROW),
    "std of all": (lambda a: a.std(), A + ONE),
    "running sum": (lambda a: a.cumsum(axis=0), 2 * A),
    "running sum into float32": (lambda a: mnp.add.accumulate(a, out=mnp.empty(a.shape, "float32"), dtype="float64"), A + A // 2),
    "add": (lambda a: a + a, 3 * A),
    "add a number": (lambda a: a + 1.0, 2 * A),
    "add a row": (lambda a: a + a[0], 2 * A + ROW),
    "add into a float32": (lambda a: mnp.add(a, a, out=mnp.empty(a.shape, "float32"), casting="same_kind"), 2 * A + A // 2),
    "fill": (lambda a: mnp.empty(a.shape).fill(1.0), A),
    "copy": (lambda a: a.copy(), 2 * A),
    "assign a row": (lambda a: mnp.empty(a.shape).__setitem__(..., a[0]), A + ROW),
    "assign to itself, one on": (lambda a: a.copy().__setitem__(slice(1, None), a[:-1]), 2 * A + 2 * (A - ROW)),
    "product": (lambda a: a @ a.T, 2 * A + ROWS * ROWS * 8),
    "product by a vector": (lambda a: a @ a[0], A + ROW + COLUMN),
    "dot": (lambda a: mnp.dot(a[0], a[1]), 2 * ROW + ONE),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_counts_what_it_reads_and_writes_once(name: str) -> None:
    call, expected = CALLS[name]
    a = mnp.array(np.random.default_rng(1).normal(size=(ROWS, COLUMNS)))
    calls, native = counted(lambda: call(a))
    assert native == expected, f"{name}: {native - expected} bytes more than {expected}, in {calls} calls"


def test_a_reduction_is_one_call_and_a_mask_is_read() -> None:
    a = mnp.array(np.random.default_rng(2).normal(size=(ROWS, COLUMNS)))
    mask = a > 0
    assert counted(lambda: a.sum(axis=0, where=mask)) == (1, A + A // 8 + ROW)
    assert counted(lambda: a.var(axis=1)) == (1, A + COLUMN)
    assert counted(lambda: a.min(axis=0)) == (1, A + ROW)


def test_an_error_counts_nothing_natively() -> None:
    a, too_short = mnp.zeros((3, 4)), mnp.zeros(3)
    before = _core.trace_snapshot()
    with pytest.raises(ValueError):
        a.max(axis=0, out=too_short)
    with pytest.raises(ValueError):
        a[:0].max(axis=0)
    after = _core.trace_snapshot()
    assert after["native_bytes"] == before["native_bytes"]
    assert counted(lambda: a.sum()) == (1, 13 * 8)  # counting goes on after errors
