"""Floating point conditions under numpy.errstate: warnings, errors, callbacks, prints and logs as NumPy's, at the user's line."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import manycore.numpy as mnp
import numpy as np
import pytest
from both import Outcome, same_outcome

CASES: dict[str, Callable[[Any], Any]] = {
    "divide": lambda m: m.array([1.0, -1.0, 0.0]) / m.array([0.0, 0.0, 0.0]),
    "overflow": lambda m: m.array([1e300, 1.0]) * m.array([1e300, 1.0]),
    "underflow": lambda m: m.array([1e-300]) * m.array([1e-300]),
    "invalid": lambda m: m.sqrt(m.array([-1.0, 4.0])),
    "integer divide": lambda m: m.array([1, 2]) // m.array([0, 1]),
    "cast": lambda m: m.array([np.nan, 1.0]).astype("int32"),
    "store": lambda m: m.zeros(2, "float32").__setitem__(0, 1e300),
    "reduce": lambda m: m.array([1e308, 1e308]).sum(),
    "scalar operand": lambda m: m.array([1.0]) / 0,
}


@pytest.mark.parametrize("mode", ["ignore", "warn", "raise"])
@pytest.mark.parametrize("case", CASES)
def test_conditions_are_ignored_warned_of_or_raised_as_numpys(case: str, mode: Any) -> None:
    def run(module: Any) -> Any:
        with np.errstate(all=mode):
            return CASES[case](module)

    assert same_outcome(Outcome(lambda: run(np)), Outcome(lambda: run(mnp))) is None


@pytest.mark.parametrize("case", CASES)
def test_callbacks_get_what_numpys_get(case: str) -> None:
    seen: dict[str, list[tuple[str, int]]] = {}
    for name, module in (("theirs", np), ("ours", mnp)):
        calls: list[tuple[str, int]] = []
        with np.errstate(all="call", call=lambda text, flag, c=calls: c.append((text, flag))):
            CASES[case](module)
        seen[name] = calls
    assert seen["ours"] == seen["theirs"] and seen["theirs"]


def test_log_writes_and_missing_callbacks_raise_as_numpys() -> None:
    class Log:
        def __init__(self) -> None:
            self.lines: list[str] = []

        def write(self, text: str) -> None:
            self.lines.append(text)

    for case in CASES.values():
        theirs, ours = Log(), Log()
        with np.errstate(all="log", call=theirs):
            case(np)
        with np.errstate(all="log", call=ours):
            case(mnp)
        assert theirs.lines == ours.lines and theirs.lines

        def without(module: Any, mode: Any, call: Callable[[Any], Any] = case) -> Any:
            with np.errstate(all=mode, call=None):
                return call(module)

        for mode in ("call", "log"):
            expected, got = Outcome(lambda m=mode: without(np, m)), Outcome(lambda m=mode: without(mnp, m))
            assert type(expected.error) is type(got.error) is NameError and str(expected.error) == str(got.error)


def test_print_goes_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    with np.errstate(all="print"):
        CASES["divide"](np)
        theirs = capfd.readouterr()
        CASES["divide"](mnp)
        ours = capfd.readouterr()
    assert sorted(theirs.err.splitlines() + theirs.out.splitlines()) == sorted(ours.err.splitlines() + ours.out.splitlines())


def test_a_warning_names_the_users_line() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mnp.array([1.0]) / mnp.array([0.0])
    assert [w.filename for w in caught] == [__file__]
    assert "mnp.array([1.0]) / mnp.array([0.0])" in open(__file__).read().splitlines()[caught[0].lineno - 1]


def test_a_warning_that_is_an_error_raises() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="divide by zero encountered in divide"):
            mnp.array([1.0]) / mnp.array([0.0])


def test_nested_states_are_followed() -> None:
    with np.errstate(divide="raise"):
        with np.errstate(divide="ignore"):
            assert (mnp.array([1.0]) / 0).tolist() == [np.inf]
        with pytest.raises(FloatingPointError):
            mnp.array([1.0]) / 0
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        mnp.array([1.0]) / 0
