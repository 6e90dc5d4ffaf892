"""Attributes and methods of the array type against NumPy: the same expression on both sides, over dtypes and layouts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import manycore.numpy as mnp
import numpy as np
import pytest
from both import DTYPES, Outcome, data, same_outcome
from test_array_index import LAYOUTS, ours_of

# Served without a fallback, for every dtype.
NATIVE: dict[str, Callable[[Any], Any]] = {
    "shape": lambda a: a.shape,
    "strides": lambda a: a.strides,
    "ndim": lambda a: a.ndim,
    "size": lambda a: a.size,
    "itemsize": lambda a: a.itemsize,
    "nbytes": lambda a: a.nbytes,
    "dtype": lambda a: a.dtype,
    "device": lambda a: a.device,
    "T": lambda a: a.T,
    "mT": lambda a: a.mT,
    "real": lambda a: a.real,
    "imag": lambda a: a.imag,
    "imag.flags": lambda a: (a.imag.flags.writeable, a.imag.flags.c_contiguous),
    "contiguity": lambda a: (
        a.flags.c_contiguous,
        a.flags.f_contiguous,
        a.flags["ALIGNED"],
        a.flags.forc,
        a.flags.fnc,
        a.flags.farray,
    ),
    "priority": lambda a: a.__array_priority__,
    "len": len,
    "iter": list,
    "bool": bool,
    "int": int,
    "float": float,
    "complex": complex,
    "index": lambda a: [10, 20, 30, 40][a],
    "hash": hash,
    "str": str,
    "repr": repr,
    "format": lambda a: f"{a}",
    "format spec": lambda a: f"{a:.3f}",
    "tolist": lambda a: a.tolist(),
    "tobytes": lambda a: a.tobytes(),
    "tobytes F": lambda a: a.tobytes("F"),
    "item": lambda a: a.item(),
    "item(0)": lambda a: a.item(0),
    "item(1, 2)": lambda a: a.item(1, 2),
    "reshape(-1)": lambda a: a.reshape(-1),
    "reshape pair": lambda a: a.reshape(2, -1),
    "reshape tuple": lambda a: a.reshape((-1, 2)),
    "reshape F": lambda a: a.reshape(-1, order="F"),
    "reshape wrong": lambda a: a.reshape(5, 7),
    "reshape two open": lambda a: a.reshape(-1, -1),
    "ravel": lambda a: a.ravel(),
    "ravel F": lambda a: a.ravel("F"),
    "ravel K": lambda a: a.ravel(order="K"),
    "flatten": lambda a: a.flatten(),
    "flatten F": lambda a: a.flatten("F"),
    "transpose": lambda a: a.transpose(),
    "transpose axes": lambda a: a.transpose(1, 0),
    "transpose tuple": lambda a: a.transpose((-1, 0)),
    "transpose None": lambda a: a.transpose(None),
    "transpose repeated": lambda a: a.transpose(0, 0),
    "swapaxes": lambda a: a.swapaxes(0, -1),
    "swapaxes wrong": lambda a: a.swapaxes(0, 5),
    "squeeze": lambda a: a[None].squeeze(),
    "squeeze itself": lambda a: a.squeeze() is a,
    "squeeze axis": lambda a: a[None].squeeze(0),
    "squeeze wrong": lambda a: a.squeeze(axis=0),
    "diagonal": lambda a: a.diagonal(),
    "diagonal offset": lambda a: a.diagonal(1, -1, 0),
    "copy": lambda a: a.copy(),
    "copy F": lambda a: a.copy(order="F"),
    "copy K": lambda a: a.copy("K"),
    "copy A": lambda a: a.copy("A"),
    "copy wrong": lambda a: a.copy("X"),
    "__copy__": copy.copy,
    "__deepcopy__": copy.deepcopy,
    "astype float64": lambda a: a.astype(float),
    "astype int": lambda a: a.astype("int32"),
    "astype bool": lambda a: a.astype(np.bool_),
    "astype F": lambda a: a.astype(np.complex128, order="F"),
    "astype same": lambda a: a.astype(a.dtype, copy=False) is a,
    "astype safe": lambda a: a.astype("int16", casting="safe"),
    "astype same_kind": lambda a: a.astype("float32", casting="same_kind"),
    "view": lambda a: a.view(),
    "view same size": lambda a: a.view({1: "uint8", 2: "int16", 4: "float32", 8: "int64", 16: "complex128"}[a.itemsize]),
    "view bytes": lambda a: a.view("uint8"),
    "view ndarray": lambda a: a.view(np.ndarray),
    "fill": lambda a: (a.fill(1), a)[1],
    "contains": lambda a: 1 in a,
    "contains not": lambda a: 12345 in a,
    "nonzero": lambda a: [positions.tolist() for positions in a.nonzero()],
    "conj": lambda a: a.conj(),
    "conjugate": lambda a: a.conjugate(),
    "take": lambda a: a.take([0, 1]),
    "take axis": lambda a: a.take([1, 0, -1], axis=-1),
    "take nested": lambda a: a.take([[0, 1], [1, 0]], 0),
    "take scalar": lambda a: a.take(0),
    "take wrong": lambda a: a.take(1000),
    "repeat": lambda a: a.repeat(3),
    "repeat axis": lambda a: a.repeat(2, axis=0),
    "sum": lambda a: a.sum(),
    "sum axis": lambda a: a.sum(axis=0),
    "sum all": lambda a: a.sum(-1, keepdims=True),
    "sum dtype": lambda a: a.sum(dtype=np.float64),
    "sum initial": lambda a: a.sum(initial=3),
    "sum wrong": lambda a: a.sum(axis=9),
    "prod": lambda a: a[..., :2].prod(axis=-1),
    "min": lambda a: a.min(),
    "max axis": lambda a: a.max(axis=0),
    "any": lambda a: a.any(),
    "all axis": lambda a: a.all(axis=-1),
    "mean": lambda a: a.mean(),
    "mean axis": lambda a: a.mean(axis=0),
    "var": lambda a: a.var(),
    "std": lambda a: a.std(axis=0, ddof=1),
    "argmin": lambda a: a.argmin(),
    "argmax axis": lambda a: a.argmax(axis=0),
    "cumsum": lambda a: a.cumsum(),
    "cumsum axis": lambda a: a.cumsum(axis=0),
    "cumprod": lambda a: a[..., :2].cumprod(axis=-1),
}

# Answered by NumPy: counted, and equal.
BY_NUMPY: dict[str, Callable[[Any], Any]] = {
    "argpartition": lambda a: a.argpartition(0, axis=0),
    "argsort": lambda a: a.argsort(kind="stable"),
    "byteswap": lambda a: a.byteswap(),
    "compress": lambda a: a.compress([True, False], axis=0),
    "partition": lambda a: (a.partition(0), a)[1],
    "put": lambda a: (a.put([0, 1], 1), a)[1],
    "repeat each": lambda a: a.repeat(range(len(a)), axis=0),
    "searchsorted": lambda a: a.ravel().searchsorted([1, 0]),
    "sort": lambda a: (a.sort(axis=0), a)[1],
    "trace": lambda a: a.trace(),
    "take clip": lambda a: a.take([100], mode="clip"),
    "choose": lambda a: (a != 0).astype(int).choose([a, a]),
    "setfield": lambda a: (a.setfield(1, a.dtype), a)[1],
    "getfield": lambda a: a.getfield("int8"),
}

# Reductions of float data round in an order that depends on layout only in these; the promise is a tolerance.
INEXACT = {
    "mean",
    "mean axis",
    "var",
    "std",
    "prod",
    "cumprod",
    "sum",
    "sum axis",
    "sum all",
    "sum initial",
    "sum dtype",
    "cumsum",
    "cumsum axis",
}


def run_table(table: dict[str, Callable[[Any], Any]], dtype: str, native: bool) -> list[str]:
    base = data(dtype, (6, 12), 3, special=False)
    failures = []
    for name, call in table.items():
        for layout, view in LAYOUTS.items():
            if layout == "stretched" and name in ("fill", "sort", "partition", "put", "setfield"):
                continue  # writing one element through several addresses is not defined
            expected = Outcome(lambda c=call, v=view: c(v(base.copy())))
            got = Outcome(lambda c=call, v=view: c(v(ours_of(base))))
            difference = same_outcome(expected, got, 8.0 if name in INEXACT and dtype[0] in "fc" else 0.0)
            # One element with an axis and the mean of nothing, which warns, are NumPy's.
            may_fall_back = not native or layout in ("zero_dim", "empty") or expected.warnings
            if not difference and not may_fall_back and expected.error is None and got.fallbacks:
                difference = f"fell back: {got.reasons}"
            if difference:
                failures.append(f"{dtype} {layout} {name}: {difference}")
    return failures


@pytest.mark.parametrize("dtype", DTYPES)
def test_attributes_and_native_methods_equal_numpy(dtype: str) -> None:
    failures = run_table(NATIVE, dtype, native=True)
    assert not failures, f"{len(failures)}:\n" + "\n".join(failures[:20])


@pytest.mark.parametrize("dtype", ["bool", "int16", "float32", "complex128"])
def test_methods_that_numpy_answers_equal_numpy(dtype: str) -> None:
    failures = run_table(BY_NUMPY, dtype, native=False)
    assert not failures, f"{len(failures)}:\n" + "\n".join(failures[:20])


def test_every_public_name_of_ndarray_is_there() -> None:
    public = [name for name in dir(np.ndarray) if name.endswith("__") or not name.startswith("_")]
    assert [name for name in public if name not in dir(mnp.ndarray)] == []


def test_keyword_arguments_of_reductions_equal_numpy() -> None:
    base = data("float64", (4, 5, 6), 1, special=False)
    mask = data("bool", (4, 5, 6), 2)
    ours, our_mask = ours_of(base), ours_of(mask)
    for call in (
        lambda a, m: a.sum(axis=(0, 2), keepdims=True, where=m, initial=2.0),
        lambda a, m: a.min(axis=1, initial=0.5, where=m),
        lambda a, m: a.max(initial=-1.0, where=m),
        lambda a, m: a.any(axis=(0, 1), where=m),
        lambda a, m: a.all(axis=2, keepdims=True),
        lambda a, m: a.mean(axis=(0, -1), dtype=np.float32),
        lambda a, m: a.var(axis=1, ddof=1, keepdims=True),
        lambda a, m: a.argmax(axis=1, keepdims=True),
        lambda a, m: a.clip(0.2, 0.8),
        lambda a, m: a.clip(min=0.0),
        lambda a, m: a.clip(max=a[0]),
        lambda a, m: a.round(),
        lambda a, m: a.round(3),
        lambda a, m: a.round(-1),
        lambda a, m: a[0].dot(a[0].T),
        lambda a, m: a[0, 0].dot(a[0, 1]),
    ):
        expected, got = Outcome(lambda c=call: c(base, mask)), Outcome(lambda c=call: c(ours, our_mask))
        assert same_outcome(expected, got, 4.0) is None
        assert expected.error is None
        assert not got.fallbacks or "where" in str(got.reasons)


def test_out_arguments_are_written_and_returned() -> None:
    ours = ours_of(np.arange(12.0).reshape(3, 4))
    out = mnp.zeros(4)
    assert ours.sum(axis=0, out=out) is out
    assert out.tolist() == [12.0, 15.0, 18.0, 21.0]
    real = np.zeros(4)
    assert ours.max(axis=0, out=real) is real
    assert real.tolist() == [8.0, 9.0, 10.0, 11.0]


@pytest.mark.parametrize(
    "change",
    [
        lambda a: setattr(a, "shape", (12, 6)),
        lambda a: setattr(a, "shape", (2, -1)),
        lambda a: setattr(a, "shape", (5,)),
        lambda a: setattr(a, "shape", 72),
        lambda a: setattr(a, "strides", (8, 48)),
        lambda a: setattr(a, "strides", (1000, 8)),
        lambda a: setattr(a, "dtype", "int64"),
        lambda a: setattr(a, "dtype", "uint8"),
        lambda a: setattr(a, "real", 3.0),
        lambda a: setattr(a, "imag", 3.0),
        lambda a: setattr(a, "flat", [1.0, 2.0]),
        lambda a: setattr(a, "size", 3),
        lambda a: delattr(a, "shape"),
        lambda a: setattr(a, "colour", "red"),
        lambda a: a.resize(3, 4),
        lambda a: a.resize((9, 9), refcheck=False),
        lambda a: a.resize(-1, 4),
        lambda a: a[1:].resize((2, 2)),
        lambda a: a.flat.__setitem__(5, 2.0),
        lambda a: a.setflags(write=False),
        lambda a: a.flags.__setitem__("W", False),
        lambda a: setattr(a.flags, "carray", True),
        lambda a: a.flags["NOTHING"],
    ],
)
@pytest.mark.filterwarnings("ignore:Setting the")
def test_changes_in_place_equal_numpys(change: Callable[[Any], Any]) -> None:
    theirs = data("float64", (6, 12), 3)
    ours = ours_of(theirs)
    expected, got = Outcome(lambda: change(theirs)), Outcome(lambda: change(ours))
    if "resize" in str(expected.error) and got.error is not None:
        assert type(expected.error) is type(got.error)
    else:
        assert type(expected.error) is type(got.error), (expected.error, got.error)
        assert str(expected.error) == str(got.error)
    assert ours.shape == theirs.shape and ours.strides == theirs.strides and ours.dtype == theirs.dtype
    assert ours.flags.writeable == theirs.flags.writeable
    assert np.array_equal(theirs, np.asarray(ours), equal_nan=True)


def test_real_and_imaginary_parts_are_views_that_can_be_set() -> None:
    theirs = np.arange(6).astype(complex).reshape(2, 3)
    ours = ours_of(theirs)
    for array in (theirs, ours):
        array.imag = [1.0, 2.0, 3.0]
        array.real[1] = -1.0
        array.T.imag[0] += 5.0
    assert np.array_equal(theirs, np.asarray(ours))
    assert ours.imag.base is ours


def test_flags_read_as_numpys() -> None:
    theirs = np.arange(6.0).reshape(2, 3)
    ours = ours_of(theirs)
    theirs = theirs.copy()
    assert repr(ours.flags) == repr(theirs.flags)
    assert repr(ours.T.flags) == repr(theirs.T.flags)
    assert ours.flags.num == theirs.flags.num
    assert ours.flags == ours.copy().flags and ours.flags != ours.T.flags
    for name in ("C", "F", "O", "W", "A", "X", "B", "CA", "FA", "FNC", "FORC", "CONTIGUOUS", "FORTRAN", "BEHAVED"):
        assert ours.flags[name] == theirs.flags[name], name
    frozen = ours[:]
    ours.flags.writeable = False
    with pytest.raises(ValueError, match="cannot set WRITEABLE flag to True of this array"):
        ours[:].flags.writeable = True
    assert frozen.flags.writeable
    ours.flags.writeable = True


def test_tolist_of_waiting_and_strided_elements_equals_numpy() -> None:
    theirs = np.arange(80_000.0).reshape(400, 200)
    ours = mnp.array(theirs)
    assert (ours * 2.0)[::-7, 3::50].tolist() == (theirs * 2.0)[::-7, 3::50].tolist()
    assert ours[:0].tolist() == [] and ours[:2, :0].tolist() == [[], []]
