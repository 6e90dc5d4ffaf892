"""The cases of large.py: what is computed, and how many bytes that must move at least."""

from __future__ import annotations

import math

import numpy

from benchmarks.harness import Case

SETUP = """
import numpy
rng = numpy.random.default_rng(11)
values = rng.random((2, {n}))
values += 0.5
if numpy.dtype("{dtype}").kind in "iu":
    values *= 50
if numpy.dtype("{dtype}").kind == "b":
    values -= 0.5
    values = values > 0.5
a, b = (np.array(v.astype("{dtype}")) for v in values)
out = np.array(numpy.zeros({n}, "{out}"))
mask = np.array(numpy.asarray(values[1] > 1.0))
del values
{more}
"""
# name, dtype of the inputs, dtype of the result, statement, arrays of the input dtype read
WRITING = [
    ("copy", "float64", "float64", "np.copyto(out, a)", 1),
    ("a + b", "float64", "float64", "np.add(a, b, out=out)", 2),
    ("a + b", "float32", "float32", "np.add(a, b, out=out)", 2),
    ("a + b", "int64", "int64", "np.add(a, b, out=out)", 2),
    ("a + b", "int16", "int16", "np.add(a, b, out=out)", 2),
    ("a + b", "uint8", "uint8", "np.add(a, b, out=out)", 2),
    ("a + b", "complex128", "complex128", "np.add(a, b, out=out)", 2),
    ("a - b", "float64", "float64", "np.subtract(a, b, out=out)", 2),
    ("a * b", "float64", "float64", "np.multiply(a, b, out=out)", 2),
    ("a * b", "int64", "int64", "np.multiply(a, b, out=out)", 2),
    ("a * b", "complex128", "complex128", "np.multiply(a, b, out=out)", 2),
    ("a / b", "float64", "float64", "np.divide(a, b, out=out)", 2),
    ("a // b", "int64", "int64", "np.floor_divide(a, b, out=out)", 2),
    ("a % b", "int64", "int64", "np.remainder(a, b, out=out)", 2),
    ("a // b", "float64", "float64", "np.floor_divide(a, b, out=out)", 2),
    ("a + 1.5", "float64", "float64", "np.add(a, 1.5, out=out)", 1),
    ("a * 2", "float32", "float32", "np.multiply(a, 2, out=out)", 1),
    ("maximum", "float64", "float64", "np.maximum(a, b, out=out)", 2),
    ("a < b", "float64", "bool", "np.less(a, b, out=out)", 2),
    ("a == b", "int64", "bool", "np.equal(a, b, out=out)", 2),
    ("a & b", "bool", "bool", "np.logical_and(a, b, out=out)", 2),
    ("-a", "float64", "float64", "np.negative(a, out=out)", 1),
    ("abs", "float64", "float64", "np.absolute(a, out=out)", 1),
    ("square", "float64", "float64", "np.square(a, out=out)", 1),
    ("sqrt", "float64", "float64", "np.sqrt(a, out=out)", 1),
    ("floor", "float64", "float64", "np.floor(a, out=out)", 1),
    ("clip", "float64", "float64", "np.clip(a, 0.7, 1.2, out=out)", 1),
    ("cast to float32", "float64", "float32", "out[...] = a", 1),
    ("cast to float64", "int64", "float64", "out[...] = a", 1),
    ("fill", "float64", "float64", "out[...] = 1.5", 0),
    ("every second", "float64", "float64", "np.add(a[::2], b[::2], out=out[::2])", 2),
    ("reversed", "float64", "float64", "np.add(a[::-1], b, out=out)", 2),
    (
        "a row added to a matrix",
        "float64",
        "float64",
        "np.add(a.reshape(-1, 1000), b[:1000], out=out.reshape(-1, 1000))",
        1,
    ),
    (
        "transposed copy",
        "float64",
        "float64",
        "np.copyto(out.reshape(1000, -1), a.reshape(-1, 1000).T)",
        1,
    ),
]
MATHEMATICS = ["exp", "log", "sin", "cos", "tanh", "arctan", "log1p", "cbrt"]
READING = [
    ("sum", "float64", "a.sum()"),
    ("sum", "float32", "a.sum()"),
    ("sum", "int64", "a.sum()"),
    ("mean", "float64", "a.mean()"),
    ("max", "float64", "a.max()"),
    ("argmax", "float64", "a.argmax()"),
    ("sum of rows", "float64", "a.reshape(-1, 1000).sum(axis=1)"),
    ("sum of columns", "float64", "a.reshape(-1, 1000).sum(axis=0)"),
    ("max of columns", "float64", "a.reshape(-1, 1000).max(axis=0)"),
    ("count_nonzero", "bool", "np.count_nonzero(a)"),
    ("dot", "float64", "np.dot(a, b)"),
    ("std", "float64", "a.std()"),
    ("any of nothing", "bool", "out.any()"),
]
# What people write: the result is a new array each time.  Bytes are per element.
ALLOCATING = [
    ("a + b", "a + b", 24),
    ("a * 2.5 + b", "a * 2.5 + b", 24),
    ("five operations", "(a * b + 1.5) / (b - 0.25) - a", 24),
    ("where", "np.where(mask, a, b)", 25),
    ("a[mask]", "a[mask]", 13),
    ("a[index]", "a[index]", 24),
    ("astype(float32)", "a.astype(np.float32)", 12),
    ("copy", "a.copy()", 16),
    ("concatenate", "np.concatenate((a, b))", 32),
    ("zeros", "np.zeros({n})", 0),
    ("arange", "np.arange({n})", 8),
    ("cumsum", "np.cumsum(a)", 16),
    ("stencil", "a[2:] + a[:-2] - 2.0 * a[1:-1]", 16),
    ("random", "np.random.default_rng(3).random({n})", 8),
    ("normal", "np.random.default_rng(3).normal(size={n})", 8),
    ("integers", "np.random.default_rng(3).integers(0, 100, {n})", 8),
    (
        "matrix product",
        "a[: {side} ** 2].reshape({side}, -1) @ b[: {side} ** 2].reshape({side}, -1)",
        0,
    ),
]
INDEX = "index = np.array(rng.integers(0, {n}, {n}))"


def cases(n: int) -> list[Case]:
    """Every case, in the order of the report."""
    found = []
    for name, dtype, result, statement, read in WRITING:
        setup = SETUP.format(n=n, dtype=dtype, out=result, more="")
        size, written = numpy.dtype(dtype).itemsize, numpy.dtype(result).itemsize
        # Of every second element too: memory moves whole lines of 64 bytes.
        moved = n * (size * read + written)
        rtol = 1e-15 if dtype.startswith("complex") else 0.0
        found.append(Case("writing", f"{name}, {dtype}", statement, setup, "out", rtol=rtol, bytes_moved=moved))
    for name in MATHEMATICS:
        for dtype, rtol in (("float64", 1e-15), ("float32", 5e-7)):
            setup = SETUP.format(n=n, dtype=dtype, out=dtype, more="")
            found.append(
                Case(
                    "mathematics",
                    f"{name}, {dtype}",
                    f"np.{name}(a, out=out)",
                    setup,
                    "out",
                    rtol=4 * rtol,
                    bytes_moved=2 * n * numpy.dtype(dtype).itemsize,
                )
            )
    for name, dtype, statement in READING:
        setup = SETUP.format(n=n, dtype=dtype, out="bool", more="")
        # The deviations of `std` are from a mean that needs all elements first: what is larger than the caches is read twice.
        moved = n * numpy.dtype(dtype).itemsize * (2 if "b)" in statement or name == "std" else 1)
        found.append(
            Case(
                "reading",
                f"{name}, {dtype}",
                statement,
                setup,
                rtol=1e-12 if name in ("dot", "std") else 0.0,
                bytes_moved=moved,
            )
        )
    side = min(1000, math.isqrt(n))
    for name, statement, per_element in ALLOCATING:
        more = INDEX.format(n=n) if "index" in statement else ""
        setup = SETUP.format(n=n, dtype="float64", out="bool", more=more)
        found.append(
            Case(
                "allocating",
                name,
                statement.format(n=n, side=side),
                setup,
                rtol=1e-12 if "matrix" in name else 0.0,
                bytes_moved=n * per_element,
            )
        )
    return found
