"""NumPy's functions against NumPy: native ones, NumPy's own Python code over ours, and fallbacks, called the same way.

Each case runs both sides on equal data and compares values, dtypes, shapes, warnings and exceptions; those listed as native
must not fall back, the others must be counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import manycore.numpy as mnp
import numpy
import pytest
from both import Outcome, data, equal_values, same_outcome

Case = Callable[[Any, dict[str, Any]], Any]


def inputs(np: Any) -> dict[str, Any]:
    """Equal data for either side."""
    plain = {
        "f": data("float64", (4, 6), 1, special=False),
        "g": data("float64", (4, 6), 2, special=False),
        "n": data("float64", (4, 6), 3),
        "i": data("int32", (4, 6), 4, special=False),
        "b": data("bool", (4, 6), 5),
        "c": data("complex128", (4, 6), 6, special=False),
        "v": data("float64", (24,), 7, special=False),
        "w": data("float32", (24,), 8, special=False),
        "k": data("int64", (5,), 9, special=False) % 4,
        "t": data("float64", (2, 3, 4), 10, special=False),
        "s": numpy.cov(data("float64", (4, 9), 11, special=False)) + 4 * numpy.eye(4),
        "long": data("float64", (20000,), 12, special=False),
    }
    return {name: np.array(value) for name, value in plain.items()}


NATIVE: dict[str, Case] = {
    "zeros": lambda np, a: np.zeros((2, 3), dtype="float32", order="F"),
    "ones": lambda np, a: np.ones(5, int),
    "empty": lambda np, a: np.empty((3, 0)),
    "full": lambda np, a: np.full((2, 2), 7),
    "full float": lambda np, a: np.full(3, 2.5, dtype="float32"),
    "zeros_like": lambda np, a: np.zeros_like(a["f"].T),
    "ones_like": lambda np, a: np.ones_like(a["t"].transpose(2, 0, 1), dtype=int),
    "full_like": lambda np, a: np.full_like(a["i"], 3.7),
    "eye": lambda np, a: np.eye(4, 5, k=-1),
    "identity": lambda np, a: np.identity(3),
    "arange": lambda np, a: np.arange(3, 30, 4),
    "arange float": lambda np, a: np.arange(0.1, 2.0, 0.3),
    "arange dtype": lambda np, a: np.arange(5, dtype="float32"),
    "arange down": lambda np, a: np.arange(5, -5, -2),
    "arange empty": lambda np, a: np.arange(5, 2),
    "linspace": lambda np, a: np.linspace(-1, 1.7, 33),
    "linspace open": lambda np, a: np.linspace(0, 10, 7, endpoint=False, retstep=True),
    "linspace one": lambda np, a: np.linspace(3, 4, 1),
    "array copy": lambda np, a: np.array(a["f"]),
    "array of lists": lambda np, a: np.array([[1, 2], [3, 4]], dtype="int16"),
    "copies of stretched arrays": lambda np, a: (
        np.broadcast_to(a["f"], (2, 4, 6)).astype("float32"),
        np.broadcast_to(a["f"], (2, 4, 6)).T.copy(order="K"),
        np.zeros_like(np.broadcast_to(a["f"][:, :1], (4, 6))),
        np.array(a["t"][:, ::-1].transpose(1, 2, 0)),
    ),
    "array ndmin": lambda np, a: np.array(a["v"], ndmin=3),
    "asarray dtype": lambda np, a: np.asarray(a["i"], dtype="float64"),
    "ascontiguousarray": lambda np, a: np.ascontiguousarray(a["f"].T),
    "sum": lambda np, a: (np.sum(a["f"]), np.sum(a["i"], axis=0), np.sum(a["t"], axis=(0, 2), keepdims=True)),
    "sum long": lambda np, a: (np.sum(a["long"]), np.sum(a["w"]), np.sum(a["b"])),
    "prod": lambda np, a: (np.prod(a["f"], axis=1), np.prod(a["i"][:, :2], axis=-1)),
    "min max": lambda np, a: (np.min(a["f"]), np.max(a["i"], axis=1), np.amin(a["n"], axis=0), np.max(a["f"], initial=99.0)),
    "any all": lambda np, a: (np.any(a["b"], axis=0), np.all(a["b"]), np.all(a["f"], axis=1, keepdims=True)),
    "mean var std": lambda np, a: (np.mean(a["f"]), np.mean(a["i"], axis=0), np.var(a["f"], axis=1, ddof=1), np.std(a["t"])),
    "arg": lambda np, a: (np.argmax(a["f"]), np.argmin(a["i"], axis=1), np.argmax(a["n"], axis=0)),
    "cumulative": lambda np, a: (np.cumsum(a["f"]), np.cumsum(a["i"], axis=1), np.cumprod(a["f"], axis=0)),
    "count_nonzero": lambda np, a: (np.count_nonzero(a["b"]), np.count_nonzero(a["i"], axis=0)),
    "reshape": lambda np, a: (np.reshape(a["v"], (4, -1)), np.ravel(a["f"].T), np.squeeze(a["f"][:1])),
    "transpose": lambda np, a: (
        np.transpose(a["t"]),
        np.transpose(a["t"], (1, 0, 2)),
        np.swapaxes(a["t"], 0, 2),
        np.moveaxis(a["t"], 0, -1),
    ),
    "expand_dims": lambda np, a: np.expand_dims(a["f"], (0, 2)),
    "broadcast_to": lambda np, a: np.broadcast_to(a["f"][0], (3, 6)),
    "broadcast_arrays": lambda np, a: np.broadcast_arrays(a["f"], a["f"][:, :1], a["f"][0]),
    "atleast": lambda np, a: (np.atleast_1d(a["f"]), np.atleast_2d(a["v"]), np.atleast_3d(a["f"])),
    "concatenate": lambda np, a: (
        np.concatenate([a["f"], a["i"]]),
        np.concatenate((a["f"], a["g"]), axis=1),
        np.concatenate([a["f"], a["v"]], axis=None),
    ),
    "stack": lambda np, a: (
        np.stack([a["f"], a["g"]], axis=1),
        np.vstack([a["f"], a["g"]]),
        np.hstack([a["v"], a["w"]]),
        np.column_stack([a["v"], a["w"]]),
        np.dstack([a["f"], a["g"]]),
    ),
    "split": lambda np, a: (*np.split(a["v"], 4), *np.array_split(a["v"], 5), *np.hsplit(a["f"], 3), *np.vsplit(a["f"], 2)),
    "block": lambda np, a: np.block([[a["f"], a["g"]], [a["g"], a["f"]]]),
    "where": lambda np, a: (np.where(a["b"], a["f"], a["g"]), np.where(a["f"] > 0, a["f"], 0), np.where(a["b"], 1, 2.5)),
    "where positions": lambda np, a: np.where(a["b"]),
    "nonzero": lambda np, a: (*np.nonzero(a["f"] > 0), np.flatnonzero(a["b"]), np.argwhere(a["b"])),
    "clip": lambda np, a: (
        np.clip(a["f"], -1, 1),
        np.clip(a["i"], 2, None),
        np.clip(a["f"], None, a["g"]),
        np.clip(a["f"], a_min=0, a_max=2),
    ),
    "roll": lambda np, a: (np.roll(a["f"], 2), np.roll(a["f"], -1, axis=1), np.roll(a["t"], (1, 2), axis=(0, 2))),
    "flip": lambda np, a: (np.flip(a["f"]), np.fliplr(a["f"]), np.flipud(a["f"]), np.rot90(a["f"])),
    "tile": lambda np, a: (np.tile(a["v"], 3), np.tile(a["f"], (2, 2)), np.repeat(a["v"], 3), np.repeat(a["f"], 2, axis=1)),
    "meshgrid": lambda np, a: (*np.meshgrid(a["v"], a["k"]), *np.meshgrid(a["v"], a["k"], indexing="ij", sparse=True)),
    "indices": lambda np, a: (np.indices((3, 4)), *np.indices((2, 3), sparse=True)),
    "mgrid": lambda np, a: (np.mgrid[0:5, 0:3], np.mgrid[0:1:5j], *np.ogrid[0:3, 0:4]),
    "outer": lambda np, a: (np.outer(a["v"], a["k"]), np.multiply.outer(a["v"], a["k"]), np.add.outer(a["f"], a["k"])),
    "dot": lambda np, a: (
        np.dot(a["f"], a["g"].T),
        np.dot(a["v"], a["v"]),
        np.matmul(a["t"], a["t"].transpose(0, 2, 1)),
        a["f"] @ a["g"].T,
    ),
    "inner": lambda np, a: (
        np.inner(a["v"], a["v"]),
        np.inner(a["f"], a["g"]),
        np.vdot(a["c"], a["c"]),
        np.tensordot(a["t"], a["f"], axes=([2], [0])),
    ),
    "take": lambda np, a: (np.take(a["v"], a["k"]), np.take(a["f"], a["k"], axis=1)),
    "diff": lambda np, a: (np.diff(a["v"]), np.diff(a["f"], n=2, axis=0), np.gradient(a["v"]), *np.gradient(a["f"])),
    "round": lambda np, a: (np.round(a["f"], 2), np.around(a["v"]), np.fix(a["f"]), np.rint(a["f"])),
    "close": lambda np, a: (
        np.isclose(a["n"], a["n"]),
        np.allclose(a["f"], a["f"] + 1e-12),
        np.array_equal(a["f"], a["f"]),
        np.array_equal(a["f"], a["g"]),
    ),
    "tri": lambda np, a: (np.tri(3, 4), np.tril(a["f"]), np.triu(a["f"], 1)),
    "diagonal": lambda np, a: (np.diag(a["v"]), np.diag(a["f"]), np.diagonal(a["t"]), np.trace(a["f"])),
    "nan functions": lambda np, a: (np.nansum(a["n"]), np.nanmax(a["n"], axis=0), np.nan_to_num(a["n"])),
    "statistics": lambda np, a: (np.average(a["f"], axis=0), np.average(a["v"], weights=a["w"]), np.ptp(a["f"])),
    "trapezoid": lambda np, a: (np.trapezoid(a["v"]), np.trapezoid(a["f"], dx=0.5, axis=0)),
    "polyval": lambda np, a: np.polyval([1.0, -2.0, 3.0], a["v"]),
    "copyto": lambda np, a: np.copyto(a["f"], a["g"]) or a["f"],
    "norm": lambda np, a: (
        np.linalg.norm(a["v"]),
        np.linalg.norm(a["f"], axis=1),
        np.linalg.norm(a["f"], "fro"),
        np.linalg.norm(a["v"], 1),
    ),
    "parts": lambda np, a: (np.real(a["c"]), np.imag(a["c"]), np.angle(a["c"]), np.conj(a["c"])),
    "questions": lambda np, a: (
        np.shape(a["f"]),
        np.ndim(a["f"]),
        np.size(a["f"], 1),
        np.isscalar(a["f"]),
        np.result_type(a["i"], a["f"]),
        np.iscomplexobj(a["c"]),
    ),
    "reduce": lambda np, a: (
        np.add.reduce(a["f"]),
        np.multiply.reduce(a["f"], axis=1),
        np.maximum.reduce(a["f"], axis=None),
        np.logical_or.reduce(a["b"]),
    ),
    "accumulate": lambda np, a: (
        np.add.accumulate(a["f"], axis=1),
        np.maximum.accumulate(a["v"]),
        np.multiply.accumulate(a["i"]),
    ),
}
FALLBACK: dict[str, Case] = {
    "sort": lambda np, a: (np.sort(a["f"]), np.argsort(a["v"]), np.searchsorted(np.sort(a["v"]), a["w"])),
    "unique": lambda np, a: (np.unique(a["i"]), *np.unique(a["k"], return_counts=True)),
    "percentile": lambda np, a: (np.median(a["f"]), np.percentile(a["v"], [10, 50])),
    "histogram": lambda np, a: np.histogram(a["v"], bins=5),
    "bincount": lambda np, a: np.bincount(a["k"]),
    "interp": lambda np, a: np.interp(a["w"], np.arange(24.0), a["v"]),
    "convolve": lambda np, a: np.convolve(a["v"], a["w"], "same"),
    "einsum": lambda np, a: np.einsum("ij,kj->ik", a["f"], a["g"]),
    "pad": lambda np, a: np.pad(a["f"], 1, mode="edge"),
    "fft": lambda np, a: np.fft.rfft(a["v"]),
    "insert": lambda np, a: (np.insert(a["v"], 3, 9.0), np.delete(a["v"], [1, 2])),
    "apply_along_axis": lambda np, a: np.apply_along_axis(np.sum, 0, a["f"]),
    "reduceat": lambda np, a: np.add.reduceat(a["v"], [0, 5, 10]),
    "add.at": lambda np, a: np.add.at(a["v"], a["k"], 1.0) or a["v"],
    "polyfit": lambda np, a: np.polyfit(np.arange(24.0), a["v"], 2),
    "lstsq": lambda np, a: np.linalg.lstsq(a["f"], a["f"][:, 0], rcond=None)[0],
}
RAISES: dict[str, Case] = {
    "concatenate shapes": lambda np, a: np.concatenate([a["f"], a["t"]]),
    "sum axis": lambda np, a: np.sum(a["f"], axis=3),
    "min empty": lambda np, a: np.min(a["f"][:0]),
    "reshape": lambda np, a: np.reshape(a["v"], (5, 5)),
    "unknown keyword": lambda np, a: np.zeros(3, colour="red"),
    "negative shape": lambda np, a: np.zeros((-1, 2)),
    "dot shapes": lambda np, a: np.dot(a["f"], a["g"]),
    "matmul shapes": lambda np, a: a["f"] @ a["g"],
    "where shapes": lambda np, a: np.where(a["b"], a["v"], 0),
    "take range": lambda np, a: np.take(a["v"], [99]),
    "stack shapes": lambda np, a: np.stack([a["f"], a["v"]]),
    "broadcast_to": lambda np, a: np.broadcast_to(a["v"], (2, 2)),
    "clip nothing": lambda np, a: np.add(a["f"]),
    "out dtype": lambda np, a: np.add(a["f"], a["f"], out=a["i"]),
    "out read-only": lambda np, a: np.add(a["f"], 1, out=np.broadcast_to(a["f"], (4, 6))),
    "axis twice": lambda np, a: np.sum(a["t"], axis=(0, 0)),
    "mean of text": lambda np, a: np.mean(["a", "b"]),
    "linalg": lambda np, a: np.linalg.inv(a["f"]),
}


def both(case: Case) -> tuple[Outcome, Outcome]:
    theirs, ours = inputs(numpy), inputs(mnp)
    return Outcome(lambda: case(numpy, theirs)), Outcome(lambda: case(mnp, ours))


@pytest.mark.parametrize("name", NATIVE)
def test_native_function_equals_numpy_and_does_not_fall_back(name: str) -> None:
    expected, got = both(NATIVE[name])
    assert expected.error is None
    # NumPy's positions are columns of one array of them, ours are arrays of their own.
    found = same_outcome(expected, got, layout=name not in ("nonzero", "where positions"))
    assert found is None, found
    assert got.fallbacks == 0, got.reasons


@pytest.mark.parametrize("name", FALLBACK)
def test_fallback_gives_numpys_answer_and_is_counted(name: str) -> None:
    expected, got = both(FALLBACK[name])
    assert expected.error is None
    assert same_outcome(expected, got) is None, same_outcome(expected, got)
    assert got.fallbacks > 0


@pytest.mark.parametrize("name", RAISES)
def test_wrong_arguments_raise_numpys_exception(name: str) -> None:
    expected, got = both(RAISES[name])
    assert expected.error is not None
    assert same_outcome(expected, got) is None, same_outcome(expected, got)


def test_a_comparison_of_values_notices_a_difference() -> None:
    assert equal_values(numpy.array([1.0, 0.0]), mnp.array([1.0, -0.0])) is not None
    assert equal_values(numpy.array([1.0]), mnp.array([1.0])) is None


def test_joined_arrays_lie_in_memory_as_their_parts_do() -> None:
    """Whether reshape(-1) of the result is a view depends on it; found by the fuzzer."""
    for join, axis, axes in [
        ("stack", -1, (1, 0)),
        ("stack", 1, (1, 0)),
        ("stack", -1, (1, 2, 0)),
        ("concatenate", 1, (1, 2, 0)),
        ("concatenate", 0, (2, 1, 0)),
        ("concatenate", -1, (0, 1, 2)),
    ]:
        real = numpy.arange(float(5 ** len(axes))).reshape((5,) * len(axes))
        made = [getattr(np, join)([np.array(real).transpose(axes)] * 2, axis=axis) for np in (numpy, mnp)]
        assert equal_values(made[0], made[1]) is None
        assert made[0].strides == made[1].strides, (join, axis, axes)
