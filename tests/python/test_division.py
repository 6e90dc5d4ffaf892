"""Floor division, remainder, fmod and divmod beside NumPy where they are hard: all pairs of 8-bit integers, the ends and the powers of
two of wider ones, and floats with infinities, signed zeros, denormals and quotients next to whole numbers. Values, signs of
zeros, warnings under every errstate; in vectors, with one divisor, strided and in place."""

from __future__ import annotations

from typing import Any

import manycore.numpy as mnp
import numpy as np
import pytest
from both import Outcome, same_outcome

OPERATIONS = ["floor_divide", "remainder", "fmod", "divmod"]
INTEGERS = "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()
FLOATS = ["float16", "float32", "float64"]


def integer_values(dtype: str) -> np.ndarray[Any, Any]:
    info = np.iinfo(dtype)
    if info.bits == 8:
        return np.arange(info.min, info.max + 1).astype(dtype)
    near = {sign * 2**bit + offset for bit in range(info.bits + 1) for offset in (-1, 0, 1) for sign in (1, -1)}
    near |= {info.min, info.max, 10, -10, 12345, -12345}
    return np.array(sorted(value for value in near if info.min <= value <= info.max), dtype)


def float_values(dtype: str) -> np.ndarray[Any, Any]:
    info = np.finfo(dtype)
    digits = info.nmant + 1
    values = [0.0, 1.0, 2.0, 3.0, 0.1, 0.3, 0.7, 1.5, 10.0, 1000.0, np.inf, np.nan]
    values += [info.smallest_subnormal, 3 * info.smallest_subnormal, info.tiny, info.tiny * 0.75, info.max, info.max / 3]
    if digits < 15:
        values += [float(value) for value in range(5, 70, 7)]
    else:
        values += [
            2.0**bit + near for bit in (digits - 4, digits - 3, digits - 2, digits - 1, digits) for near in (-1, 0, 0.5, 1)
        ]
    positive = np.array(values, dtype)
    return np.concatenate((positive, -positive))


def differences(name: str, x: np.ndarray[Any, Any], y: Any, **errors: str) -> str | None:
    """None, or how ours differs from NumPy's under this errstate."""
    our_x, our_y = mnp.array(x), mnp.array(y) if isinstance(y, np.ndarray) else y
    with np.errstate(**(errors or {"all": "warn"})):
        expected = Outcome(lambda: getattr(np, name)(x, y))
        got = Outcome(lambda: getattr(mnp, name)(our_x, our_y))
    if expected.error is None and (got.fallbacks or not got.native):
        return f"{name}: ran {got.native} native calls and {got.fallbacks} fallbacks"
    return same_outcome(expected, got)


@pytest.mark.parametrize("dtype", INTEGERS + FLOATS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_all_pairs_of_edge_values_are_divided_as_numpy_does(name: str, dtype: str) -> None:
    values = float_values(dtype) if dtype in FLOATS else integer_values(dtype)
    x, y = np.repeat(values, values.size), np.tile(values, values.size)
    assert differences(name, x, y) is None


@pytest.mark.parametrize("dtype", INTEGERS + FLOATS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_one_divisor_for_many_elements_is_divided_by_as_numpy_does(name: str, dtype: str) -> None:
    """Each divisor alone, so that also the warnings of each are compared."""
    values = float_values(dtype) if dtype in FLOATS else integer_values(dtype)
    found = [(divisor, differences(name, values, divisor)) for divisor in values]
    assert [f for f in found if f[1]] == []


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int8", "int64", "uint64", "float32", "float64"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_each_pair_alone_warns_as_numpy_does(name: str, dtype: str) -> None:
    values = float_values(dtype)[::2] if dtype in FLOATS else integer_values(dtype)[:: 16 if dtype == "int8" else 12]
    special = {"int8": [0, -1, -128], "int64": [0, -1, -(2**63)], "uint64": [0, 2**64 - 1]}
    values = np.concatenate((values, np.array(special.get(dtype, [0.0, -0.0, np.nan]), dtype)))
    found = []
    for x in values:
        for y in values:
            pair = np.array([x]), np.array([y])
            found += [(x, y, differences(name, *pair, all="warn")), (x, y, differences(name, *pair, all="raise"))]
    assert [f for f in found if f[2]] == []


@pytest.mark.parametrize("dtype", INTEGERS + FLOATS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_strided_and_in_place_division_equals_numpys(name: str, dtype: str) -> None:
    values = float_values(dtype) if dtype in FLOATS else integer_values(dtype)
    rng = np.random.default_rng(31)
    x, y = rng.choice(values, 3001), rng.choice(values, 3001)
    function, ours = getattr(np, name), getattr(mnp, name)
    outputs = 2 if name == "divmod" else 1
    with np.errstate(all="ignore"):
        for step in (1, 2, -3):
            for into in (0, 1):
                theirs, mine = [x.copy(), y.copy()], [mnp.array(x), mnp.array(y)]
                out = tuple(a[::step] for a in (theirs[into:] + theirs[:into])[:outputs])
                our_out = tuple(a[::step] for a in (mine[into:] + mine[:into])[:outputs])
                expected = Outcome(lambda a=theirs, s=step, o=out: function(a[0][::s], a[1][::s], out=o))
                got = Outcome(lambda a=mine, s=step, o=our_out: ours(a[0][::s], a[1][::s], out=o))
                assert same_outcome(expected, got) is None, (step, into)
                for their_array, our_array in zip(theirs, mine, strict=True):
                    np.testing.assert_array_equal(their_array, np.asarray(our_array))


@pytest.mark.parametrize("magnitude", [2**20, 2**49, 2**52, 2**62])
@pytest.mark.parametrize("name", OPERATIONS)
def test_long_arrays_of_any_magnitude_are_divided_as_numpy_does(name: str, magnitude: int) -> None:
    """Long enough for several threads; blocks with one large element among small ones take another way than their neighbours."""
    rng = np.random.default_rng(37)
    x, y = rng.integers(-magnitude, magnitude, (2, 100_003))
    y[rng.random(y.size) < 0.5] //= 1 << 15
    x[::5000] = 2**62
    assert differences(name, x, y) is None
    assert differences(name, x.astype(float), y.astype(float)) is None
    assert differences(name, x, 12345) is None
    assert differences(name, x * 0.37, 0.11) is None
