"""The bits of an element depend on its value and dtype: not on where it stands, how many there are, strides or the output's place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import manycore.numpy as mnp
import numpy as np
import pytest
from both import Outcome, same_outcome
from manycore import _core

COUNT = 71  # several vectors of every width and a rest of every length
LARGE = 200_001  # above the sizes at which the engine goes parallel

BINARY = ["multiply", "divide"]
UNARY = ["square", "reciprocal"]
DTYPES = ["complex64", "complex128"]


def values(dtype: str, count: int, seed: int) -> np.ndarray[Any, Any]:
    """Parts of many sizes: divisors of both kinds, zeros, infinities and NaNs among them."""
    rng = np.random.default_rng(seed)
    parts = rng.normal(size=(count, 2)) * 2.0 ** rng.integers(-3, 4, size=(count, 2))
    parts[rng.random((count, 2)) < 0.04] = 0.0
    parts[rng.random((count, 2)) < 0.02] = np.inf
    parts[rng.random((count, 2)) < 0.02] = np.nan
    return np.asarray(parts.view(np.complex128)[:, 0].astype(dtype))


def bits(array: Any) -> np.ndarray[Any, Any]:
    """What is compared: NaNs are all alike, everything else bit for bit."""
    dense = np.ascontiguousarray(np.asarray(array))
    parts = dense.view(dense.real.dtype).reshape(*dense.shape, 2)
    parts = np.where(np.isnan(parts), np.nan, parts)
    return np.asarray(parts.view(f"u{parts.dtype.itemsize}"))


def spread(array: np.ndarray[Any, Any], step: int) -> Any:
    """Ours with the same elements, `step` elements apart, backwards for negative steps."""
    base = mnp.zeros(array.size * abs(step), array.dtype)
    view = base[::step]
    view[:] = array
    return view


def one_by_one(function: Any, *operands: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.array([function(*(mnp.array(x[i : i + 1]) for x in operands))[0] for i in range(operands[0].size)])


def places(operands: list[np.ndarray[Any, Any]]) -> Iterator[tuple[str, slice, list[Any], Any]]:
    """Name, the elements taken, the operands at their places, and the output or None."""
    count, dtype = operands[0].size, operands[0].dtype
    whole = slice(None)
    for length in range(1, 40):
        for start in (0, 1, 2, 5):
            part = slice(start, start + length)
            yield f"{length} from {start}", part, [mnp.array(x)[part] for x in operands], None
    for step in (2, 3, -1, -2):
        yield f"step {step}", whole, [spread(x, step) for x in operands], None
        yield f"first step {step}", whole, [spread(operands[0], step), *map(mnp.array, operands[1:])], None
        yield f"last step {step}", whole, [*map(mnp.array, operands[:-1]), spread(operands[-1], step)], None
        yield f"output step {step}", whole, [mnp.array(x) for x in operands], mnp.empty(3 * count, dtype)[::step][:count]
    for position in range(len(operands)):
        ours = [mnp.array(x) for x in operands]
        yield f"into operand {position}", whole, ours, ours[position]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BINARY + UNARY)
@np.errstate(all="ignore")
def test_complex_products_and_quotients_have_the_same_bits_everywhere(name: str, dtype: str) -> None:
    function = getattr(mnp, name)
    operands = [values(dtype, COUNT, seed) for seed in range(2 if name in BINARY else 1)]
    expected = bits(one_by_one(function, *operands))
    before = _core.trace_snapshot()["fallback_calls"]
    for place, part, ours, output in places(operands):
        got = function(*ours) if output is None else function(*ours, out=output)
        assert np.array_equal(bits(got), expected[part]), (name, dtype, place)
    assert _core.trace_snapshot()["fallback_calls"] == before


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BINARY)
@np.errstate(all="ignore")
def test_one_complex_number_with_many_has_the_bits_of_many_with_many(name: str, dtype: str) -> None:
    function, x = getattr(mnp, name), values(dtype, COUNT, 3)
    for scalar in (1.3 - 0.7j, 0.7 - 1.3j, 2 + 2j, 0j, complex(np.nan, 1), -0.0 + 0j):
        many = np.full(COUNT, scalar, dtype)
        one = np.dtype(dtype).type(scalar)
        assert np.array_equal(bits(function(mnp.array(x), one)), bits(one_by_one(function, x, many))), (name, scalar)
        assert np.array_equal(bits(function(one, mnp.array(x))), bits(one_by_one(function, many, x))), (name, scalar)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BINARY + UNARY)
@np.errstate(all="ignore")
def test_complex_bits_and_conditions_are_numpys_on_long_arrays_too(name: str, dtype: str) -> None:
    operands = [values(dtype, LARGE, seed) for seed in range(2 if name in BINARY else 1)]
    got = getattr(mnp, name)(*map(mnp.array, operands))
    assert np.array_equal(bits(got), bits(getattr(np, name)(*operands)))


def reported(module: Any, name: str, operands: list[Any]) -> Outcome:
    return Outcome(lambda: getattr(module, name)(*operands))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BINARY + UNARY)
def test_one_strange_number_among_ordinary_ones_reports_what_numpy_reports(name: str, dtype: str) -> None:
    for strange in (
        0j,
        complex(-0.0, 0.0),
        complex(np.nan, 1),
        complex(1, np.nan),
        complex(np.inf, 1),
        complex(np.inf, np.nan),
        1e-300j,
    ):
        for position in (0, 5, 15, 18):
            x, y = np.full(19, 1.5 - 0.5j, dtype), np.full(19, 0.25 + 3j, dtype)
            y[position] = strange
            operands = [x, y] if name in BINARY else [y]
            expected, got = reported(np, name, operands), reported(mnp, name, [mnp.array(a) for a in operands])
            assert same_outcome(expected, got) is None, (strange, position, same_outcome(expected, got))
            assert got.fallbacks == 0


CHAINS: dict[str, Callable[[Any], Any]] = {
    "down the columns": lambda a: a.prod(axis=0),
    "along the rows": lambda a: a.prod(axis=1),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_of_complex_products_has_the_same_bits_in_every_column_and_row(name: str, dtype: str) -> None:
    rng = np.random.default_rng(5)
    angles = rng.uniform(0, 7, 37)
    chain = np.exp(1j * angles).astype(dtype)
    down = name == "down the columns"
    expected = None
    for count in (2, 3, 5, 8, 17, 33, 3000):
        base = np.repeat(chain[:, None], count, axis=1) if down else np.repeat(chain[None], count, axis=0)
        for ours in (mnp.array(base), mnp.array(np.repeat(base, 2, axis=1))[:, ::2], mnp.array(np.asfortranarray(base))):
            if down != (abs(ours.strides[0]) > abs(ours.strides[1])) and ours.strides[0] * ours.strides[1] != 0:
                continue  # the other order of memory is the other kind of chain, as in NumPy
            got = bits(CHAINS[name](ours))
            expected = got[0] if expected is None else expected
            assert np.array_equal(got, np.broadcast_to(expected, got.shape)), (name, count)
