"""What the differential tests share: the same data in NumPy and in manycore, layouts, and the comparison of outcomes."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import manycore.numpy as mnp
import numpy as np
from manycore import _core

DTYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128".split()
INEXACT = DTYPES[9:]


def data(dtype: str, shape: tuple[int, ...], seed: int, special: bool = True) -> np.ndarray[Any, Any]:
    """Values of the dtype: small numbers, extremes, and for floats the special ones."""
    rng = np.random.default_rng(seed)
    d = np.dtype(dtype)
    if d.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if d.kind in "iu":
        info = np.iinfo(d)
        pool = np.array([0, 1, 2, 3, 5, 7, 100, info.max, info.max - 1, info.min, info.min // 2], dtype=object)
        small = rng.integers(0, 12, shape)
        values = np.where(rng.random(shape) < 0.3, rng.choice(pool, shape), small) if special else small
        return values.astype(d)
    values = np.asarray(rng.normal(0, 3, shape))
    if special:
        pool = np.array([0.0, -0.0, 1.0, -1.0, 0.5, np.inf, -np.inf, np.nan, 1e-310, 1e300, 6e4, -7e4, 88.8, 710.0, 1e-7])
        values = np.where(rng.random(shape) < 0.3, rng.choice(pool, shape), values)
    with np.errstate(all="ignore"):
        if d.kind == "c":
            return (values + 1j * np.roll(values, 1)).astype(d)
        return values.astype(d)


# Views of a two-dimensional array, by name. Each is applied to NumPy's array and to ours.
LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "C": lambda a: a,
    "F": lambda a: a.T,
    "strided": lambda a: a[::2, ::3],
    "negative": lambda a: a[::-1, ::-1],
    "offset": lambda a: a[1:, 2:],
    "column": lambda a: a[:, 1],
    "stretched": lambda a: a[:, :1] if a.ndim == 2 else a[:1],
    "zero_dim": lambda a: a[1, 2:3].reshape(()),
    "empty": lambda a: a[:0],
}


# Where a run of the tests is to leave what every call gave, for comparison with another run (test_differential_recorded.py).
DIGESTS = os.environ.get("MANYCORE_TEST_DIGESTS")


def digest(value: Any) -> str:
    """Of type, shape and bits; the sign and payload of a NaN are the processor's."""
    if isinstance(value, tuple):
        return ",".join(digest(part) for part in value)
    if not isinstance(value, (np.ndarray, np.generic, mnp.ndarray)):
        return repr(value)
    array = np.array(value)
    if array.dtype.kind in "fc":
        for part in (array.real, array.imag) if array.dtype.kind == "c" else (array,):
            part[np.isnan(part)] = np.nan
    return f"{array.dtype} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()[:16]}"


class Outcome:
    """What a call gave: a value, or an exception, and the warnings on the way."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.error: Exception | None = None
        self.value: Any = None
        before = _core.trace_snapshot()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                self.value = call()
            except Exception as error:
                self.error = error
        after = _core.trace_snapshot()
        if DIGESTS:
            recorded = after["recorded"] - before["recorded"]
            with open(DIGESTS, "a", encoding="utf-8") as file:
                file.write(f"{os.environ['PYTEST_CURRENT_TEST']}\t{recorded}\t{self.error!r} {digest(self.value)}\n")
        self.warnings = sorted({(w.category.__name__, str(w.message)) for w in caught})
        self.fallbacks = after["fallback_calls"] - before["fallback_calls"]
        self.native = after["native_calls"] - before["native_calls"]
        self.reasons = [f"{f['name']}: {f['reason']}" for f in after["fallbacks"]] if self.fallbacks else []


def ulps(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    """The largest distance in units in the last place of the dtype, between finite values of the same shape."""
    if a.dtype.kind == "c":
        part = {"complex64": np.float32, "complex128": np.float64}[a.dtype.name]
        with np.errstate(all="ignore"):
            scale = np.spacing(np.maximum(np.abs(a.real), np.abs(a.imag)).astype(part))
        difference = np.maximum(np.abs(a.real - b.real), np.abs(a.imag - b.imag))
    else:
        scale = np.spacing(np.abs(a))
        difference = np.abs(a.astype(np.float64) - b.astype(np.float64))
    return float(np.max(difference / scale, initial=0.0))


def strides_that_matter(array: Any) -> list[int]:
    return [stride for stride, extent in zip(array.strides, array.shape, strict=True) if extent != 1]


def equal_values(expected: Any, got: Any, allowed_ulps: float = 0.0, layout: bool = True) -> str | None:
    """None, or what differs. NaNs equal NaNs, zeros need equal signs."""
    if isinstance(expected, tuple):
        parts = [equal_values(e, g, allowed_ulps, layout) for e, g in zip(expected, got, strict=True)]
        return next((p for p in parts if p), None)
    is_ours = type(got) is mnp.ndarray
    if isinstance(expected, np.ndarray) and expected.dtype.name in DTYPES and not is_ours:
        return f"type: expected an array of ours, got {type(got)}"
    if not isinstance(expected, np.ndarray) and type(expected) is not type(got):
        return f"type: expected {type(expected)}, got {type(got)}"
    e, g = np.asarray(expected), np.asarray(got)
    if e.dtype != g.dtype or e.shape != g.shape:
        return f"expected {e.dtype} {e.shape}, got {g.dtype} {g.shape}"
    if (
        layout
        and isinstance(expected, np.ndarray)
        and is_ours
        and e.size
        and strides_that_matter(expected) != strides_that_matter(got)
    ):
        return f"strides: expected {expected.strides} for {e.shape}, got {got.strides}"
    if e.dtype.kind not in "fc":
        return None if np.array_equal(e, g) else f"expected {e!r}, got {g!r}"
    with np.errstate(all="ignore"):
        for name in ("real", "imag") if e.dtype.kind == "c" else ("real",):
            x, y = getattr(e, name), getattr(g, name)
            if allowed_ulps == 0:
                same = (x == y) & (np.signbit(x) == np.signbit(y)) | (np.isnan(x) & np.isnan(y))
            else:
                same = (x == y) | (np.isnan(x) & np.isnan(y)) | (np.isfinite(x) & np.isfinite(y))
            if not np.all(same):
                where = np.argwhere(~np.atleast_1d(same))[0]
                return f"{name} at {where}: expected {np.atleast_1d(x)[tuple(where)]!r}, got {np.atleast_1d(y)[tuple(where)]!r}"
        if allowed_ulps:
            finite = np.isfinite(e) & np.isfinite(g)
            distance = ulps(e[finite], g[finite])
            if distance > allowed_ulps:
                return f"{distance} ulp, allowed {allowed_ulps}"
    return None


def same_outcome(expected: Outcome, got: Outcome, allowed_ulps: float = 0.0, layout: bool = True) -> str | None:
    """None, or how our outcome differs from NumPy's."""
    if (expected.error is None) != (got.error is None):
        return f"expected error {expected.error!r}, got {got.error!r} (value {got.value!r})"
    if expected.error is not None:
        if type(expected.error) is not type(got.error) or str(expected.error) != str(got.error):
            return f"expected {expected.error!r}, got {got.error!r}"
        return None
    if expected.warnings != got.warnings:
        return f"expected warnings {expected.warnings}, got {got.warnings}"
    return equal_values(expected.value, got.value, allowed_ulps, layout)


def layouts_of(base: np.ndarray[Any, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(name, NumPy's view, ours) of equal data, each over its own memory."""
    ours = mnp.array(base)
    for name, view in LAYOUTS.items():
        yield name, view(base), view(ours)
