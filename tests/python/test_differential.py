"""Every row of the table of operations against NumPy: dtypes, layouts, broadcasting, in place, overlap, Python scalars.

Each case compares values (bits, or the row's ulps), dtype, shape, strides, warnings and exceptions, and asserts that our kernel
ran and no fallback, unless NumPy raises or the case is one of those listed as NumPy's.
"""

from __future__ import annotations

import operator
import re
from typing import Any

import manycore.numpy as mnp
import numpy as np
import pytest
from both import DTYPES, LAYOUTS, Outcome, data, layouts_of, same_outcome
from manycore import _core

ROWS = {row["name"]: row for row in _core.operations() if hasattr(np, row["name"])}
UFUNCS = [name for name in ROWS if isinstance(getattr(np, name), np.ufunc)]
SHAPE = (6, 10)

# Pairs of different dtypes: promotion within and across kinds, and the pairs that NumPy treats specially.
MIXED = [
    ("int64", "float64"), ("uint64", "int64"), ("int8", "uint8"), ("bool", "int32"), ("float16", "int16"),
    ("float32", "complex64"), ("int32", "float32"), ("uint8", "bool"), ("complex64", "float64"),
]  # fmt: skip
SCALARS: list[Any] = [0, 1, 2, -1, 3, 0.5, -2.5, True, 2j, 300, 2**40, float("nan"), np.float32(1.5), np.int8(3)]


def allowed(name: str, dtype: str) -> float:
    """The ulps that the row grants for this dtype: `bits`, `ulp(4)`, `bits complex:ulp(4)`."""
    text = ROWS[name]["accuracy"]
    kinds = dict(re.findall(r"(complex|float16):(\S+)", text))
    own = kinds.get("complex") if dtype.startswith("complex") else kinds.get(dtype)
    match = re.match(r"ulp\((\d+)\)", own or text.split()[0])
    return float(match[1]) if match else 0.0


def check(name: str, dtype: str, expected: Outcome, got: Outcome, case: str) -> str | None:
    difference = same_outcome(expected, got, allowed(name, dtype))
    if difference:
        return f"{name} {dtype} {case}: {difference}"
    if expected.error is None and (got.fallbacks or not got.native):
        return f"{name} {dtype} {case}: ran {got.native} native calls and {got.fallbacks} fallbacks: {got.reasons[-1:]}"
    return None


def run_both(name: str, of: str, theirs: tuple[Any, ...], ours: tuple[Any, ...], case: str, **keywords: Any) -> str | None:
    expected = Outcome(lambda: getattr(np, name)(*theirs, **keywords))
    got = Outcome(lambda: getattr(mnp, name)(*ours, **keywords))
    return check(name, of, expected, got, case)


def report(failures: list[str | None]) -> None:
    found = [f for f in failures if f]
    assert not found, f"{len(found)} of {len(failures)} cases differ:\n" + "\n".join(found[:12])


@pytest.mark.parametrize("name", UFUNCS)
def test_operation_equals_numpy_for_every_dtype_and_layout(name: str) -> None:
    failures: list[str | None] = []
    for number, dtype in enumerate(DTYPES):
        first, second = data(dtype, SHAPE, number), data(dtype, SHAPE, number + 50)
        if ROWS[name]["inputs"] == 1:
            for layout, theirs, ours in layouts_of(first):
                failures.append(run_both(name, dtype, (theirs,), (ours,), layout))
            continue
        for (layout, a, our_a), (_, b, our_b) in zip(layouts_of(first), layouts_of(second), strict=True):
            failures.append(run_both(name, dtype, (a, b), (our_a, our_b), layout))
    report(failures)


@pytest.mark.parametrize("name", UFUNCS)
def test_operation_equals_numpy_whatever_the_length_and_position(name: str) -> None:
    """An element's bits must not depend on where it stands: lengths around the vector widths, and one of many blocks."""
    failures: list[str | None] = []
    for dtype in ("int32", "float32", "float64", "complex128"):
        for length in (1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 20011):
            a, b = data(dtype, (length,), 3), data(dtype, (length,), 4)
            theirs = (a, b)[: ROWS[name]["inputs"]]
            ours = tuple(mnp.array(x) for x in theirs)
            failures.append(run_both(name, dtype, theirs, ours, f"length {length}"))
    report(failures)


@pytest.mark.parametrize("name", [n for n in UFUNCS if ROWS[n]["inputs"] == 2])
def test_operation_promotes_and_broadcasts_as_numpy(name: str) -> None:
    failures: list[str | None] = []
    for left, right in MIXED + [(r, q) for q, r in MIXED]:
        a, b = data(left, SHAPE, 7), data(right, SHAPE, 8)
        our_a, our_b = mnp.array(a), mnp.array(b)
        for x, y in (("C", "F"), ("column", "zero_dim"), ("stretched", "C"), ("strided", "empty"), ("C", "negative")):
            theirs = LAYOUTS[x](a), LAYOUTS[y](b)
            failures.append(run_both(name, left, theirs, (LAYOUTS[x](our_a), LAYOUTS[y](our_b)), f"{right} {x} {y}"))
        row, column = a[:1], b[:, :1]
        failures.append(run_both(name, left, (row, column), (our_a[:1], our_b[:, :1]), f"{right} row with column"))
    report(failures)


@pytest.mark.parametrize("name", [n for n in UFUNCS if ROWS[n]["inputs"] == 2])
def test_operation_takes_scalars_as_numpy(name: str) -> None:
    failures: list[str | None] = []
    for dtype in DTYPES:
        a = data(dtype, (11,), 9)
        ours = mnp.array(a)
        for scalar in SCALARS:
            for theirs, mine, case in (((a, scalar), (ours, scalar), "array, "), ((scalar, a), (scalar, ours), "")):
                expected = Outcome(lambda theirs=theirs: getattr(np, name)(*theirs))
                got = Outcome(lambda mine=mine: getattr(mnp, name)(*mine))
                # Comparisons with a Python integer outside of the dtype are NumPy's to answer.
                out_of_range = isinstance(scalar, int) and abs(scalar) > 2**7 or scalar == -1 or got.error is not None
                if out_of_range:
                    got.fallbacks, got.native = 0, 1
                failures.append(check(name, dtype, expected, got, f"{case}{scalar!r}"))
    report(failures)


OPERATORS = "add sub mul truediv floordiv mod pow and_ or_ xor lshift rshift matmul".split()
COMPARISONS = "lt le eq ne gt ge".split()


@pytest.mark.parametrize("name", OPERATORS + COMPARISONS)
def test_operator_equals_numpy(name: str) -> None:
    function = getattr(operator, name)
    failures: list[str | None] = []
    for dtype in DTYPES:
        a, b = data(dtype, (5, 5), 1, special=name != "matmul"), data(dtype, (5, 5), 2, special=name != "matmul")
        ours = mnp.array(a), mnp.array(b)
        for right, our_right in ((b, ours[1]), (2, 2), (0.5, 0.5), (a, ours[0])):
            expected = Outcome(lambda a=a, r=right: function(a, r))
            got = Outcome(lambda a=ours[0], r=our_right: function(a, r))
            difference = same_outcome(expected, got, 8.0 if name in ("pow", "matmul") or dtype.startswith("complex") else 0.0)
            failures.append(difference and f"{dtype} {right!r}: {difference}")
    report(failures)


@pytest.mark.parametrize("name", ["iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "iand", "ior", "ixor"])
def test_in_place_operator_equals_numpy_through_views(name: str) -> None:
    function = getattr(operator, name)
    failures: list[str | None] = []
    for dtype in DTYPES:
        for layout in ("C", "F", "strided", "negative", "offset", "column", "zero_dim"):
            for right in ("int8", dtype, "float64"):
                base, other = data(dtype, SHAPE, 5), data(right, SHAPE, 6)
                our_base, our_other = mnp.array(base), mnp.array(other)
                views = LAYOUTS[layout](base), LAYOUTS[layout](our_base)
                expected = Outcome(lambda v=views, o=other, la=layout: function(v[0], LAYOUTS[la](o)))
                got = Outcome(lambda v=views, o=our_other, la=layout: function(v[1], LAYOUTS[la](o)))
                difference = same_outcome(expected, got, 4.0 if name == "ipow" or dtype.startswith("complex") else 0.0)
                if difference is None and expected.error is None:
                    assert got.value is views[1]
                    difference = same_outcome(Outcome(lambda b=base: b), Outcome(lambda b=our_base: b), 4.0)
                failures.append(difference and f"{dtype} {layout} {right}: {difference}")
    report(failures)


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "maximum", "divide", "exp", "less"])
def test_overlapping_input_and_output_behave_as_numpys(name: str) -> None:
    shifts = [(slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None)), (slice(None, None, -1), slice(None))]
    failures: list[str | None] = []
    for dtype in ("int32", "float64"):
        for length in (9, 4099):
            for source, target in shifts:
                base = data(dtype, (length,), 1, special=False)
                ours = mnp.array(base)
                single = ROWS[name]["inputs"] == 1
                theirs = (base[source],) if single else (base[source], base[target])
                mine = (ours[source],) if single else (ours[source], ours[target])
                out = np.dtype(bool if name == "less" else dtype)
                expected = Outcome(lambda t=theirs, b=base, g=target: getattr(np, name)(*t, out=b[g], casting="unsafe"))
                got = Outcome(lambda m=mine, o=ours, g=target: getattr(mnp, name)(*m, out=o[g], casting="unsafe"))
                # NumPy's exp rounds differently where its operands overlap or run backwards; ours is the same everywhere.
                ulps = 1.0 if name == "exp" else 0.0
                difference = same_outcome(expected, got, ulps)
                failures.append(difference and f"{dtype} {length} {source} {out}: {difference}")
                failures.append(same_outcome(Outcome(lambda b=base: b), Outcome(lambda o=ours: o), ulps))
    report(failures)


@pytest.mark.parametrize("name", ["add", "sqrt", "less", "divmod", "power"])
def test_keywords_of_a_call_are_numpys(name: str) -> None:
    failures: list[str | None] = []
    count = ROWS[name]["inputs"]
    for dtype in ("int32", "float32", "float64", "bool"):
        inputs = tuple(data(dtype, SHAPE, s, special=False) for s in range(count))
        ours = tuple(mnp.array(x) for x in inputs)
        mask = data("bool", SHAPE, 77)
        for out_dtype in ("float64", "int8", "bool", "complex128"):
            outs = [np.zeros(SHAPE, out_dtype) for _ in range(ROWS[name]["outputs"])]
            our_outs = [mnp.array(o) for o in outs]
            for extra in ({}, {"where": True}, {"casting": "unsafe"}, {"where": mask}):
                our_extra = {k: mnp.array(v) if isinstance(v, np.ndarray) else v for k, v in extra.items()}
                expected = Outcome(lambda i=inputs, e=extra, o=outs: getattr(np, name)(*i, out=tuple(o), **e))
                got = Outcome(lambda i=ours, e=our_extra, o=our_outs: getattr(mnp, name)(*i, out=tuple(o), **e))
                if out_dtype == "complex128" and "where" in extra:  # NumPy's own case, see ufunc_call.cpp
                    got.fallbacks, got.native = 0, 1
                failures.append(check(name, dtype, expected, got, f"out={out_dtype} {list(extra)}"))
        for wanted in ("float32", "float64", "int16", "complex64"):
            failures.append(run_both(name, dtype, inputs, ours, f"dtype={wanted}", dtype=wanted))
    report(failures)


def test_errors_carry_numpys_class_and_words() -> None:
    a, b = np.zeros((3, 4)), np.zeros((2, 4))
    ours = mnp.zeros((3, 4)), mnp.zeros((2, 4))
    calls = [
        (lambda x, y: x + y),
        (lambda x, y: x @ y),
        (lambda x, y: operator.iadd(x[0].astype("int32") if x is a else x[0].astype("int32"), 0.5)),
        (lambda x, y: x & y),
        (lambda x, y: operator.iadd(y[0], x)),
        (lambda x, y: x.astype("uint8") + 300),
    ]
    for call in calls:
        expected, got = Outcome(lambda c=call: c(a, b)), Outcome(lambda c=call: c(*ours))
        assert expected.error is not None
        assert same_outcome(expected, got) is None, same_outcome(expected, got)
