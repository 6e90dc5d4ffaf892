"""Fallbacks: counted, attributed to the user's line with a reason, refused when asked; and operators that meet other types."""

from __future__ import annotations

import inspect
import operator
from typing import Any

import manycore.numpy as np
import numpy
import pytest
from manycore import _core


def fallbacks() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = _core.trace_snapshot()["fallbacks"]
    return rows


@pytest.fixture(autouse=True)
def fresh_trace() -> None:
    _core.trace_reset()


@pytest.fixture
def refusing() -> Any:
    _core.set_option("fail_on_fallback", True)
    yield
    _core.set_option("fail_on_fallback", False)


def test_a_fallback_names_the_users_line_the_function_and_the_reason() -> None:
    a = np.arange(10.0)
    line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
    np.unique(a)
    np.interp(a, a, a), np.interp(a, a, a)
    rows = fallbacks()
    assert [(r["line"], r["name"], r["calls"]) for r in rows] == [(line, "numpy.unique", 1), (line + 1, "numpy.interp", 2)]
    assert all(r["file"] == __file__ for r in rows)
    assert rows[0]["reason"] == "no native implementation of numpy.unique"
    assert rows[0]["bytes"] == 160  # read and written


def test_a_fallback_inside_numpys_own_python_code_is_the_users_line() -> None:
    a = np.arange(12.0).reshape(3, 4)
    line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
    np.apply_over_axes(np.median, a, [0])
    assert {(r["file"], r["line"]) for r in fallbacks()} == {(__file__, line)}


def test_native_bytes_are_kept_by_line_when_asked() -> None:
    a = np.arange(1000.0)
    _core.trace_start(by_line=True)
    try:
        _core.trace_reset()
        line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
        b = a + 1
        b *= a
    finally:
        _core.trace_start(by_line=False)
    rows = {r["line"]: r for r in _core.trace_snapshot()["lines"] if r["file"] == __file__}
    assert rows[line]["native_bytes"] == 16000
    assert rows[line + 1]["native_bytes"] == 24000
    assert rows[line]["native_calls"] == rows[line + 1]["native_calls"] == 1


def test_a_rule_decides_what_the_users_code_is() -> None:
    _core.trace_user_rule(lambda file: not file.endswith("test_fallback.py"))
    try:
        np.unique(np.arange(3))
    finally:
        _core.trace_user_rule(None)
    (row,) = fallbacks()
    assert row["file"] != __file__


def test_questions_prints_and_numbers_are_no_fallbacks() -> None:
    a = np.arange(5.0)
    assert (np.shape(a), np.ndim(a), np.size(a), np.result_type(a, 1)) == ((5,), 1, 5, numpy.dtype(float))
    assert np.array2string(a) == numpy.array2string(numpy.arange(5.0))
    assert np.sin(1.0) == numpy.sin(1.0)
    assert np.can_cast(a.dtype, "float32") is False
    assert fallbacks() == []


def test_refusing_fallbacks_raises_before_anything_is_written(refusing: None) -> None:
    a = np.array([3.0, 1.0, 2.0])
    message = (
        r"numpy\.add\.at: would fall back to NumPy \(at is not native\), expected native execution because "
        r"fail_on_fallback is set; try another formulation, or run without --fail-on-fallback"
    )
    with pytest.raises(_core.FallbackError, match=message):
        np.add.at(a, [0, 0], 1.0)
    assert a.tolist() == [3.0, 1.0, 2.0]
    assert (a + 1).tolist() == [4.0, 2.0, 3.0]


def test_wrong_arguments_are_numpys_error_even_when_fallbacks_are_refused(refusing: None) -> None:
    with pytest.raises(ValueError, match=r"operands could not be broadcast together with shapes \(3,\) \(4,\)"):
        np.zeros(3) + np.zeros(4)


class Defers:
    __array_ufunc__ = None

    def __radd__(self, other: Any) -> str:
        return "radd"

    def __rmatmul__(self, other: Any) -> str:
        return "rmatmul"

    def __eq__(self, other: object) -> Any:
        return "eq"


class Overrides:
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        assert isinstance(ufunc, numpy.ufunc)
        return ufunc.__name__, method, [type(x).__name__ for x in inputs]


class HasPriority:
    __array_priority__ = 10.0

    def __rmul__(self, other: Any) -> str:
        return "rmul"


class AsksForTheType:
    """A compiled library with PyArray_Check: no answer for anything but NumPy's own type."""

    __array_priority__ = 10.0

    def __eq__(self, other: object) -> Any:
        return f"{other} equal" if type(other) is numpy.ndarray else NotImplemented

    __hash__ = None  # type: ignore[assignment]


class Plain:
    def __radd__(self, other: Any) -> Any:
        return other + 100


def test_operators_defer_as_nep_13_says() -> None:
    a = np.arange(3.0)
    assert a + Defers() == "radd"
    assert a @ Defers() == "rmatmul"
    assert (a == Defers()) == "eq"
    with pytest.raises(TypeError, match="does not support ufuncs"):
        np.add(a, Defers())
    with pytest.raises(TypeError, match="does not support ufuncs"):
        a += Defers()
    assert a * HasPriority() == "rmul"
    assert (a + Overrides())[:2] == ("add", "__call__")
    assert np.add.reduce(a).tolist() == 3.0
    assert (a + Plain()).tolist() == [100.0, 101.0, 102.0]


def test_equality_is_never_decided_by_identity_where_the_real_array_has_an_answer() -> None:
    a, real, other = np.arange(3.0), numpy.arange(3.0), AsksForTheType()
    for ask in (lambda x: x == other, lambda x: other == x, lambda x: x != other, lambda x: x == HasPriority()):
        assert ask(a) == ask(real)
    assert (a == other) == "[0. 1. 2.] equal"


def test_concatenation_is_refused_in_numpys_words() -> None:
    for ask in (lambda x: operator.concat(x, [1]), lambda x: x + HasPriority()):
        with pytest.raises(TypeError) as expected:
            ask(numpy.arange(3.0))
        with pytest.raises(TypeError) as got:
            ask(np.arange(3.0))
        assert str(got.value) == str(expected.value)


def test_real_arrays_on_either_side_give_ours() -> None:
    a, real = np.arange(3.0), numpy.arange(3.0)
    for result in (a + real, real + a, numpy.add(real, a), numpy.float64(2) * a, [1, 2, 3] + a, a - [1, 2, 3]):
        assert type(result) is np.ndarray
    real += a
    assert type(real) is numpy.ndarray and real.tolist() == [0.0, 2.0, 4.0]
    a += real
    assert type(a) is np.ndarray and a.tolist() == [0.0, 3.0, 6.0]
    assert fallbacks() == []


def test_subclasses_of_ndarray_keep_their_own_behaviour() -> None:
    a = np.arange(4.0).reshape(2, 2)
    matrix = numpy.matrix([[1.0, 2.0], [3.0, 4.0]])
    assert type(a * matrix) is numpy.matrix
    assert (a * matrix).tolist() == (numpy.arange(4.0).reshape(2, 2) * matrix).tolist()
    assert (matrix * a).tolist() == (matrix * numpy.arange(4.0).reshape(2, 2)).tolist()
    masked = numpy.ma.array([1.0, 2.0], mask=[False, True])
    for result in (np.arange(2.0) + masked, masked + np.arange(2.0), np.add(np.arange(2.0), masked)):
        assert type(result) is numpy.ma.MaskedArray
        assert result.mask.tolist() == [False, True]
    assert {row["reason"] for row in fallbacks()} <= {"operand is a subclass of ndarray", "type of an operand"}


def test_library_functions_called_with_ours_use_ours() -> None:
    a = np.arange(6.0)
    assert type(numpy.concatenate([a, a])) is np.ndarray
    assert type(numpy.cumsum(a)) is np.ndarray
    assert numpy.sum(a) == 15.0
    assert type(numpy.add.outer(a, a)) is np.ndarray
    assert fallbacks() == []


def test_arrays_of_other_dtypes_stay_numpys() -> None:
    for dtype in (object, "U3", "datetime64[D]", "longdouble"):
        assert type(np.zeros(3, dtype=dtype)) is numpy.ndarray
    assert type(np.arange(3.0) + numpy.array([None, 1, 2], dtype=object)[1:2]) is numpy.ndarray


def test_containers_cross_both_ways_and_out_is_the_same_object() -> None:
    a, out = np.array([3.0, 1.0, 2.0]), np.zeros(3)
    assert np.median(a, out=np.zeros(())) == 2.0
    assert np.nanmedian([a, a]) == 2.0
    values, counts = np.unique(a, return_counts=True)
    assert type(values) is type(counts) is np.ndarray
    assert np.cumsum(a, out=out) is out
    q, r = np.linalg.qr(np.eye(3))
    assert type(q) is type(r) is np.ndarray
