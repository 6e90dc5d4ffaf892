"""The ufunc objects: attributes, methods, sites of warnings and errors, and NumPy's errstate."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import manycore.numpy as np
import numpy
import pytest
from both import Outcome, data, same_outcome
from manycore import _core


def test_methods_equal_numpys() -> None:
    a, b = data("float64", (3, 4), 1, special=False), data("int32", (5,), 2, special=False)
    ours = np.array(a), np.array(b)
    cases = [
        lambda np, a, b: np.add.reduce(a, axis=(0, 1)),
        lambda np, a, b: np.add.reduce(a, axis=None, keepdims=True),
        lambda np, a, b: np.multiply.reduce(b, dtype="float32"),
        lambda np, a, b: np.maximum.reduce(a, axis=1, initial=0.5),
        lambda np, a, b: np.minimum.reduce(a, axis=0, where=a > 0, initial=9.0),
        lambda np, a, b: np.bitwise_or.reduce(b),
        lambda np, a, b: np.logical_xor.reduce(a > 0, axis=1),
        lambda np, a, b: np.add.accumulate(b),
        lambda np, a, b: np.subtract.outer(b, a),
        lambda np, a, b: np.less.outer(a, b),
        lambda np, a, b: np.divmod(b, 3),
        lambda np, a, b: np.frexp(a),
        lambda np, a, b: np.add.reduceat(b, [0, 2]),
        lambda np, a, b: np.subtract.reduce(a),
        lambda np, a, b: np.add.reduce(a, axis=2),
        lambda np, a, b: np.add.reduce(a, colour=1),
        lambda np, a, b: np.sin.reduce(a),
        lambda np, a, b: np.add.accumulate(a, axis=(0, 1)),
        lambda np, a, b: np.add(a),
        lambda np, a, b: np.add(a, a, a, a),
        lambda np, a, b: np.add(a, "text"),
        lambda np, a, b: np.arctan2(a, b),
    ]
    for number, case in enumerate(cases):
        expected, got = Outcome(lambda c=case: c(numpy, a, b)), Outcome(lambda c=case: c(np, *ours))
        assert same_outcome(expected, got) is None, f"case {number}: {same_outcome(expected, got)}"


def test_attributes_are_numpys() -> None:
    for name in ("nin", "nout", "nargs", "ntypes", "types", "identity", "signature", "__name__", "__qualname__", "__doc__"):
        assert getattr(np.add, name) == getattr(numpy.add, name)
    assert np.add.resolve_dtypes((numpy.dtype("i4"), numpy.dtype("f4"), None)) == numpy.add.resolve_dtypes(
        (numpy.dtype("i4"), numpy.dtype("f4"), None)
    )
    assert repr(np.add) == "<ufunc 'add'>"
    assert np.abs is np.absolute
    assert dir(np.add) == dir(numpy.add)
    assert inspect.signature(np.add) == inspect.signature(numpy.add)


def test_a_warning_names_the_users_line() -> None:
    a = np.array([1.0, 0.0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
        _ = 1 / a
        np.log(a - 1)
    assert [(w.lineno, w.filename, str(w.message)) for w in caught] == [
        (line, __file__, "divide by zero encountered in divide"),
        (line + 1, __file__, "divide by zero encountered in log"),
        (line + 1, __file__, "invalid value encountered in log"),
    ]


@pytest.mark.parametrize("mode", ["ignore", "warn", "raise", "call"])
def test_errstate_is_numpys(mode: Any) -> None:
    def run(np: Any) -> list[Any]:
        seen: list[Any] = []
        with np.errstate(all=mode, call=lambda text, flag: seen.append((text, flag))):
            for operate in (
                lambda a: a / 0,
                lambda a: np.exp(a * 1000),
                lambda a: np.sqrt(-a),
                lambda a: np.add.reduce(a * 1e308),
            ):
                outcome = Outcome(lambda o=operate: o(np.array([1.0, 2.0])))
                seen.append((repr(outcome.error), outcome.warnings))
        return seen

    assert run(np) == run(numpy)


def test_scalars_in_scalars_out() -> None:
    for call in (
        lambda np: np.sin(1.0),
        lambda np: np.add(1, 2),
        lambda np: np.add(np.array(1), 2),
        lambda np: np.add.reduce(np.arange(4)),
        lambda np: np.array(2.0) * 3,
        lambda np: np.maximum(np.float32(1), 2),
    ):
        expected, got = call(numpy), call(np)
        assert (type(expected), expected) == (type(got), got)


def test_results_do_not_alias_and_temporaries_do_not_leak() -> None:
    a = np.arange(6.0)
    b = +a
    b[0] = 99
    assert a[0] == 0
    _core.trace_reset()
    for _ in range(1000):
        a = a + 1.0
    assert a[0] == 1000.0
    assert _core.trace_snapshot()["native_calls"] >= 1000
    assert _core.trace_snapshot()["fallback_calls"] == 0


@pytest.mark.parametrize("name", ["add", "sin", "modf", "matmul", "hypot"])
@pytest.mark.parametrize("by_position", [True, False])
def test_an_output_both_by_position_and_by_keyword_is_refused_as_numpy_does(name: str, by_position: bool) -> None:
    messages = []
    for package in (np, numpy):
        function, a = getattr(package, name), package.eye(2)
        arguments = [a] * function.nin + [a if by_position else None]
        with pytest.raises(TypeError) as refused:
            function(*arguments, out=None if by_position else a)
        messages.append(str(refused.value))
    assert messages[0] == messages[1]
