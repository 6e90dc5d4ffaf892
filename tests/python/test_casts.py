"""Real numbers as integers: at the edges of every type, the same numbers and the same warnings as NumPy, whatever loop the length takes."""

from __future__ import annotations

import warnings
from typing import Any

import manycore.numpy as mnp
import numpy
import pytest

INTEGERS = "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()
FLOATS = "float16 float32 float64".split()


def inside(dtype: str, kind: str) -> Any:
    """The whole numbers of that floating point type at both ends of the integer type's range and around its middle."""
    limits = numpy.iinfo(dtype)
    wanted = numpy.array([limits.min, limits.max / 2, limits.max / 2 + 1, limits.max * 0.75, limits.max, 0, -0.0, 1, 2.5])
    with numpy.errstate(over="ignore"):
        wanted = wanted.astype(kind)
    down = numpy.nextafter(wanted, numpy.array(0, kind))
    both = numpy.trunc(numpy.concatenate([wanted, down]))
    return both[
        numpy.isfinite(both) & (both.astype(float) >= limits.min) & (both.astype(float) < 2.0 ** (limits.bits - (limits.min < 0)))
    ]


def cast(module: Any, values: Any, dtype: str) -> tuple[Any, list[str]]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        result = numpy.asarray(module.array(values).astype(dtype))
    return result, [str(warning.message) for warning in told]


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("length", [1, 7, 64, 1001])
def test_numbers_in_range_are_cast_in_silence(kind: str, dtype: str, length: int) -> None:
    for value in inside(dtype, kind):
        for values in (numpy.full(length, value), numpy.full(2 * length, value)[::2]):
            got, told = cast(mnp, values, dtype)
            assert (got == int(value)).all() and told == [], (value, told)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("kind", FLOATS)
def test_what_has_no_integer_is_reported_as_by_numpy(kind: str, dtype: str) -> None:
    for value in (numpy.nan, numpy.inf, -numpy.inf):
        for length in (1, 7, 64):
            values = numpy.full(length, value, kind)
            assert cast(mnp, values, dtype)[1] == cast(numpy, values, dtype)[1] == ["invalid value encountered in cast"]
