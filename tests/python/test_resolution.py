"""Which loop an operation takes, exhaustively: every row of the table x every combination of dtypes and Python scalars.

NumPy is asked by a call of its own on equal operands: the result's dtypes are compared, or the class of the error. Values are ones,
so that only types decide.
"""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import manycore.numpy as mnp
import numpy as np
import pytest
from both import DTYPES
from manycore import _core

ROWS = {row["name"]: row for row in _core.operations() if hasattr(np, row["name"])}
WEAK: dict[str, Any] = {"True": True, "1": 1, "1.0": 1.0, "1j": 1j}  # NEP 50: of no width of their own
OURS = {name: mnp.ones(2, name) for name in DTYPES} | WEAK
THEIRS = {name: np.ones(2, name) for name in DTYPES} | WEAK


def resolved(module: Any, name: str, operands: list[Any]) -> tuple[str, ...]:
    """The names of the results' dtypes, or of the exception's class."""
    try:
        results = getattr(module, name)(*operands)
    except Exception as error:
        return (type(error).__name__,)
    return tuple(str(r.dtype) for r in (results if isinstance(results, tuple) else (results,)))


def combinations(inputs: int) -> list[tuple[str, ...]]:
    """Of arrays, with scalars in every place but not in all: those are no operation of ours."""
    return [c for c in itertools.product(THEIRS, repeat=inputs) if not all(name in WEAK for name in c)]


@pytest.mark.parametrize("name", ROWS)
def test_dtypes_and_python_scalars_resolve_as_numpys(name: str) -> None:
    wrong, cases = [], combinations(ROWS[name]["inputs"])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for case in cases:
            expected = resolved(np, name, [THEIRS[operand] for operand in case])
            before = _core.trace_snapshot()["fallback_calls"]
            got = resolved(mnp, name, [OURS[operand] for operand in case])
            fell_back = _core.trace_snapshot()["fallback_calls"] != before and not expected[0].endswith("Error")
            if got != expected or fell_back:
                wrong.append(f"{name}({', '.join(case)}): expected {expected}, got {got}{' by NumPy' * fell_back}")
    assert not wrong, f"{len(wrong)} of {len(cases)} differ:\n" + "\n".join(wrong[:12])


def test_several_arrays_meet_in_numpys_dtype() -> None:
    for case in itertools.product(DTYPES, repeat=3):
        expected = np.concatenate([THEIRS[name] for name in case]).dtype
        got = mnp.concatenate([OURS[name] for name in case]).dtype
        assert got == expected, case
