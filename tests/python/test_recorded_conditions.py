"""Warnings of recorded work come as NumPy's: text, line, number, order, and under the errstate of their line."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import manycore.numpy as mnp
import numpy
import pytest
from manycore import _core

from tests.python.recorded import EXPECTED, N, pending


def warnings_of(np: Any, program: Callable[[Any], Any]) -> list[tuple[str, str, int]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        held = program(np)
    del held
    return [(str(w.message), w.filename, w.lineno) for w in caught]


def several_conditions(np: Any) -> Any:
    a = np.arange(-5.0, N)
    b = np.sqrt(a)
    c = a / (a - a)
    d = np.log(a) + b
    e = np.exp(a)
    return b, c, d, e


def errstate_when_recorded(np: Any) -> Any:
    a, zero = np.arange(1.0, N), np.zeros(N - 1)
    with np.errstate(divide="ignore"):
        b = a / zero
    with np.errstate(all="ignore"):
        c = np.sqrt(-a)
    d = a / zero
    with np.errstate(invalid="ignore"):
        d = np.log(zero) - np.log(zero)
    return b, c, d


def the_same_twice(np: Any) -> Any:
    a, zero = np.arange(1.0, N), np.zeros(N - 1)
    with np.errstate(all="ignore"):
        a / zero
    b = a / zero
    del b
    a / zero
    return a


def out_of_order(np: Any) -> Any:
    a, b = np.arange(1.0, N), np.zeros(2 * N)
    c = a / 0
    d = np.log(b)
    e = np.sqrt(-c)
    return c, d, e


def casts(np: Any) -> Any:
    a = np.full(N, 1e300)
    out = np.zeros(N, dtype="f4")
    b = a.astype("f4")
    c = a.astype("c8")
    np.multiply(a, np.where(a > 0, 1e300, 1.0), out=out, casting="unsafe")
    return b, c, out


@pytest.mark.parametrize("program", [several_conditions, errstate_when_recorded, the_same_twice, out_of_order, casts])
def test_warnings_come_as_numpys_in_text_line_number_and_order(program: Callable[[Any], Any]) -> None:
    before = _core.trace_snapshot()["recorded"]
    assert warnings_of(mnp, program) == warnings_of(numpy, program)
    assert _core.trace_snapshot()["recorded"] - before >= 3


def test_each_block_of_catch_warnings_gets_its_own() -> None:
    zero = mnp.zeros(N)
    with warnings.catch_warnings(record=True) as outer:
        warnings.simplefilter("always")
        kept = [zero / zero]
        with warnings.catch_warnings(record=True) as inner:
            warnings.simplefilter("always")
            kept.append(1 / zero)
        kept.append(mnp.log(zero))
    assert [str(w.message) for w in inner] == ["divide by zero encountered in divide"]
    assert [str(w.message) for w in outer] == ["invalid value encountered in divide", "divide by zero encountered in log"]


def test_conditions_that_raise_do_so_at_their_line() -> None:
    zero = mnp.zeros(N)
    before = pending()
    with mnp.errstate(divide="raise"), pytest.raises(FloatingPointError, match="divide by zero encountered in divide"):
        1 / zero
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="divide by zero encountered in divide"):
            1 / zero
    seen: list[str] = []
    with mnp.errstate(divide="call", call=lambda text, _: seen.append(text)):
        1 / zero
        assert seen == ["divide by zero"]
    assert (numpy.asarray(before) == EXPECTED).all()
