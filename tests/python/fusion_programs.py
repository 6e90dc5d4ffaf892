"""Small programs with the groups that they are to run in and the bytes that those are to write: the table of test_fusion.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import manycore
import numpy

N = 90_000
F8 = 8 * N  # bytes of a result in float64
ROWS, COLUMNS = 360, 250  # N elements
SHORT = 30_000, 3  # N elements


class Arrays:
    """The same values for both sides; every read of an attribute gives a fresh array."""

    def __init__(self, np: Any) -> None:
        self.np = np

    def make(self, values: Any) -> Any:
        return self.np.array(values)

    def __getattr__(self, name: str) -> Any:
        rng = numpy.random.default_rng(len(name) * 1000 + ord(name[0]))
        kind, dtype = name[0], {"f": "f4", "i": "i8", "s": "i2", "z": "c16", "u": "u1"}.get(name[0], "f8")
        values = rng.normal(0, 3, N) if kind not in "isu" else rng.integers(1 if kind == "u" else -50, 50, N)
        if kind == "t":
            return self.make(rng.normal(size=(ROWS, COLUMNS)))
        if kind == "c":
            return self.make(rng.normal(size=(30, 30, 100)))
        if kind == "n":
            return self.make(rng.normal(size=SHORT))
        if kind == "z":
            return self.make(values + 1j * values[::-1])
        if kind == "m":
            return self.make(values > 0)
        return self.make(values.astype(dtype))


def steps_of_heat(v: Any) -> Any:
    a = v.x
    for _ in range(4):
        a = a + 0.1 * (a * a - a)
    return a


def swapped_buffers(v: Any) -> Any:
    a, b = v.x, v.x * 0
    manycore.evaluate()
    for _ in range(3):
        b[1:-1] = 0.5 * (a[:-2] + a[2:])
        a, b = b, a
    return a


def in_place_steps(v: Any) -> Any:
    a, speed = v.x, v.y
    for _ in range(5):
        speed += a * 0.01
        a += speed * 0.1
    return a, speed


def common(v: Any) -> Any:
    a, b = v.x, v.y
    return (a + b) * (a + b) - (a + b)


def common_but_changed(v: Any) -> Any:
    a, b = v.x, v.y
    first = a + b
    a += 1
    return first * (a + b), a


def unused(v: Any) -> Any:
    a = v.x
    a * 2 + 1
    return a - 1


def unused_that_warns(v: Any) -> Any:
    a = v.x
    with v.np.errstate(all="ignore"):
        v.np.sqrt(a)
    return a - 1


def standardised(v: Any) -> Any:
    a = v.x
    return (a - 1) / (v.np.sqrt(v.np.absolute(a)) + 1)


def stored_slices(v: Any) -> Any:
    a = v.x
    a[: N // 2] = a[N // 2 :] * 2
    return a


def stored_in_halves(v: Any) -> Any:
    a, b = v.x, v.y
    a[::2] = b[::2] + 1
    a[1::2] = b[1::2] - 1
    return a


def shifted_in_place(v: Any) -> Any:
    a = v.x
    a[1:] += a[:-1]
    return a


def reversed_in_place(v: Any) -> Any:
    a = v.x + 1
    a[:] = a[::-1]
    return a


def crossed(v: Any) -> Any:
    a = v.x + 1
    return a[1:] - a[:-1]


def crossed_kept(v: Any) -> Any:
    a = v.x + 1
    return a[1:] - a[:-1], a


def overwritten_input(v: Any) -> Any:
    a = v.x
    shifted = a[1:] * 2
    a += 1
    return shifted, a


def laplace(v: Any) -> Any:
    a = v.t
    return a[1:-1, 1:-1] * 4 - a[:-2, 1:-1] - a[2:, 1:-1] - a[1:-1, :-2] - a[1:-1, 2:]


def jacobi(v: Any) -> Any:
    a = v.t
    for _ in range(3):
        a[1:-1, 1:-1] = 0.25 * (a[:-2, 1:-1] + a[2:, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:])
    return a


def cube(v: Any) -> Any:
    a = v.c
    return a[1:-1, 1:-1, 1:-1] * -6 + a[:-2, 1:-1, 1:-1] + a[2:, 1:-1, 1:-1] + a[1:-1, :-2, 1:-1] + a[1:-1, 2:, 1:-1]


def two_sums(v: Any) -> Any:
    a = v.t * 2
    low, high = v.np.min(a, axis=0), v.np.max(a, axis=0)
    return low, high


def mean_and_spread(v: Any) -> Any:
    a = v.t + 1
    mean = a.mean(axis=1, keepdims=True)
    return (a - mean) * 2


def softmax(v: Any) -> Any:
    a = v.t
    shifted = a - a.max(axis=1, keepdims=True)
    return shifted * shifted


def softmax_of_rows(v: Any) -> Any:
    a = v.t
    e = v.np.exp(a - a.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_kept(v: Any) -> Any:
    a = v.t * 2
    e = v.np.exp(a - a.max(axis=1, keepdims=True))
    total = e.sum(axis=1, keepdims=True)
    return a, e / total, total


def rows_in_float32(v: Any) -> Any:
    a = v.f.reshape(ROWS, COLUMNS) * 3
    low = a.min(axis=1, keepdims=True)
    above = a > low
    return (a - low) * above, low


def rows_in_place(v: Any) -> Any:
    a = v.t + 1
    a -= a.max(axis=1, keepdims=True)
    a *= a.sum(axis=1, keepdims=True)
    return a


def rows_of_integers(v: Any) -> Any:
    a = v.i.reshape(ROWS, COLUMNS) + 1
    return (a - a.min(axis=1, keepdims=True)) / a.sum(axis=1, keepdims=True)


def rows_of_a_cube(v: Any) -> Any:
    a = v.c * 2
    return a - a.max(axis=2, keepdims=True) * a


def columns_taken_off(v: Any) -> Any:
    a = v.t * 2
    return a - a.max(axis=0)


def cleared(v: Any) -> Any:
    a = v.x
    a[:] = 0
    a += 1
    return a


def copied(v: Any) -> Any:
    a = v.x + 1
    b = a.copy()
    b *= 2
    return a, b


def two_results(v: Any) -> Any:
    a = v.x
    return a + 1, a - 1


def unrelated(v: Any) -> Any:
    return v.x + 1, v.y + 1


def other_shape_between(v: Any) -> Any:
    a, b = v.x, v.t
    first = a + 1
    between = b + 1
    return first * 2, between


def out_argument(v: Any) -> Any:
    a, out = v.x, v.y
    v.np.multiply(a, 2, out=out)
    v.np.add(out, 1, out=out)
    return out


def black_scholes(v: Any) -> Any:
    np, a, b = v.np, v.x, v.y
    left = np.absolute(a) + 1
    root = np.sqrt(np.absolute(b) + 1)
    d = left / root + 0.5 * root
    return left * d - root, d * root


def where_chain(v: Any) -> Any:
    a, b = v.x, v.y
    return v.np.where(a > b, a - b, b * 2)


def clipped(v: Any) -> Any:
    return v.np.clip(v.x * 2, -1, 1) + 1


def transposed(v: Any) -> Any:
    a = v.t
    return a.T * 2 + a.T


def transposed_with_plain(v: Any) -> Any:
    a = v.make(numpy.arange(N * 1.0).reshape(300, 300))
    return a + a.T


def reshaped_and_kept(v: Any) -> Any:
    a = v.x * 2
    return a, a.reshape(ROWS, COLUMNS).sum(axis=1)


def two_shapes(v: Any) -> Any:
    a = v.x * 2
    return a.reshape(ROWS, COLUMNS).sum(axis=0), a.reshape(30, -1).sum(axis=1)


def squared_differences(v: Any) -> Any:
    a, b = v.x, v.xx
    return ((a - b) * (a - b)).sum()


# Program, groups that run, bytes that they write to memory.
PROGRAMS: dict[str, tuple[Callable[[Any], Any], int, int]] = {
    "one operation": (lambda v: v.x + 1, 1, F8),
    "chain of two": (lambda v: v.x * 2 + 1, 1, F8),
    "chain of five with four inputs": (lambda v: (v.x + v.xx) * v.xxx - v.xxxx / 2, 1, F8),
    "numbers of Python and NumPy": (lambda v: (3 * v.x - 1) / numpy.float64(7), 1, F8),
    "functions": (lambda v: v.np.sqrt(v.np.absolute(v.x)) + v.np.floor(v.y), 1, F8),
    "quotient of two chains": (standardised, 1, F8),
    "two results of one input": (two_results, 1, 2 * F8),
    "unrelated arrays": (unrelated, 2, 2 * F8),
    "another shape in between": (other_shape_between, 2, 2 * F8),
    "two results of shared temporaries": (black_scholes, 1, 2 * F8),
    "row to matrix": (lambda v: v.t * v.make(numpy.arange(COLUMNS)) + 1, 1, F8),
    "column to matrix": (lambda v: (v.t + v.make(numpy.arange(ROWS))[:, None]) * 2, 1, F8),
    "column of another dtype to matrix": (lambda v: (v.t + v.make(numpy.arange(ROWS, dtype="i2"))[:, None]) * 2, 1, F8),
    "single element to all": (lambda v: v.x * v.make(numpy.ones(1)) + v.x, 1, F8),
    "outer product": (lambda v: v.make(numpy.arange(360.0))[:, None] * v.make(numpy.arange(250.0)) + 1, 1, F8),
    "float32": (lambda v: v.f * 2 + v.ff, 1, F8 // 2),
    "float32 to float64": (lambda v: v.f.astype("f8") * v.x, 1, F8),
    "float64 to float32": (lambda v: (v.x * 2).astype("f4") + v.f, 1, F8 // 2),
    "integers to float": (lambda v: v.i * 0.5 + v.x, 1, F8),
    "integers of two widths": (lambda v: v.i + v.s * 2, 1, F8),
    "small integers": (lambda v: (v.u + 1) * v.uu, 1, N),
    "integers divided": (lambda v: v.i // 7 + v.i % 7, 1, F8),
    "bits": (lambda v: (v.i & 7) | (v.ii ^ 3), 1, F8),
    "comparison": (lambda v: v.x > v.xx, 1, N),
    "comparison of a chain": (lambda v: v.x * 2 + 1 < v.xx, 1, N),
    "masks": (lambda v: (v.x > 0) & ~(v.xx > 1) | v.m, 1, N),
    "where": (where_chain, 1, F8),
    "where with numbers": (lambda v: v.np.where(v.x * 2 > 1, 1.0, 0.0), 1, F8),
    "clip": (clipped, 1, F8),
    "minimum and maximum": (lambda v: v.np.minimum(v.np.maximum(v.x, -1), v.xx * 2), 1, F8),
    "complex": (lambda v: v.z * 2 + v.zz, 1, 2 * F8),
    "complex to real": (lambda v: v.np.absolute(v.z + 1) * 2, 1, F8),
    "in place": (in_place_steps, 1, 10 * F8),
    "out": (out_argument, 1, 2 * F8),
    "fill and add": (cleared, 1, F8),
    "copy and change": (copied, 1, 3 * F8),
    "common subexpression": (common, 1, F8),
    "common subexpression whose input changed": (common_but_changed, 1, 2 * F8),
    "unused": (unused, 1, F8),
    "unused, and nobody asked to be warned": (unused_that_warns, 1, F8),
    "store into the other half": (stored_slices, 1, F8 // 2),
    "store into every other element": (stored_in_halves, 1, F8),
    "shifted in place": (shifted_in_place, 2, 2 * (F8 - 8)),
    "reversed in place": (reversed_in_place, 3, 3 * F8),
    "shifted read of what was computed": (crossed, 2, 2 * F8 - 8),
    "shifted read of what is kept": (crossed_kept, 2, 2 * F8 - 8),
    "shifted read of what is then overwritten": (overwritten_input, 2, 2 * F8 - 8),
    "stencil in one dimension": (lambda v: v.x[:-2] + v.x[1:-1] * 2 + v.x[2:], 1, F8 - 16),
    "stencil in two dimensions": (laplace, 1, (ROWS - 2) * (COLUMNS - 2) * 8),
    "stencil in three dimensions": (cube, 1, 28 * 28 * 98 * 8),
    "steps of a stencil": (jacobi, 6, 6 * (ROWS - 2) * (COLUMNS - 2) * 8),
    "steps with two buffers": (swapped_buffers, 4, F8 + 3 * (F8 - 16)),
    "steps without neighbours": (steps_of_heat, 1, F8),
    "transposed": (transposed, 1, F8),
    "matrix plus its transpose": (transposed_with_plain, 1, F8),
    "negative strides": (lambda v: v.x[::-1] * 2 + v.y[::-1], 1, F8),
    "three dimensions, axes swapped": (lambda v: v.c.swapaxes(0, 2) * 2 - 1, 1, F8),
    "short inner axis": (lambda v: v.n * 2 + v.nn, 1, F8),
    "short inner axis with a row": (lambda v: (v.n + v.make(numpy.arange(3.0))) * 2, 1, F8),
    "slice of a chain": (lambda v: (v.x * 2)[100:] + 1, 2, 2 * F8 - 800),
    "sum of a chain": (lambda v: (v.x * 2 + 1).sum(), 1, 0),
    "sum of squared differences": (squared_differences, 1, 0),
    "sum with a cast column": (lambda v: (v.t * 2 + v.make(numpy.arange(ROWS))[:, None]).sum(), 1, 0),
    "sum of integers": (lambda v: (v.i * 2).sum(), 1, 0),
    "sum of complex numbers": (lambda v: (v.z * 2).sum(), 1, 0),
    "count": (lambda v: v.np.count_nonzero(v.x * 2 > 1), 1, 0),
    "any": (lambda v: (v.x * 2 > 100).any(), 1, 0),
    "maximum of a chain": (lambda v: (v.x * v.xx).max(), 1, 0),
    "sum over axis 0": (lambda v: (v.t * 2).sum(axis=0), 1, 0),
    "sum over axis 1": (lambda v: (v.t * 2).sum(axis=1), 1, 0),
    "sum over the last of three axes": (lambda v: (v.c * 2).sum(axis=2), 1, 0),
    "sum over the first two of three axes": (lambda v: (v.c * 2).sum(axis=(0, 1)), 1, 0),
    "sum over an axis too short to be worth it": (lambda v: (v.c * 2).sum(axis=0), 1, F8),
    "minimum and maximum over axis 0": (two_sums, 1, 0),
    "columns of a reshaped chain": (lambda v: (v.x * v.xx + 1).reshape(ROWS, COLUMNS).sum(axis=0), 1, 0),
    "rows of a reshaped chain": (lambda v: (v.x * v.xx + 1).reshape(ROWS, COLUMNS).max(axis=1), 1, 0),
    "reshaped and back": (lambda v: (v.t.reshape(-1) * 2 + v.x).reshape(ROWS, COLUMNS) - v.t, 1, F8),
    "reshaped twice": (lambda v: ((v.x * 2).reshape(30, -1) + 1).reshape(ROWS, COLUMNS) * v.t[0], 1, F8),
    "reshaped and kept": (reshaped_and_kept, 1, F8),
    "seen in two shapes that cannot change": (two_shapes, 2, F8),
    "less the mean of rows": (mean_and_spread, 3, F8 + F8 + ROWS * 8),
    "less the maximum of rows": (softmax, 1, F8),
    "softmax of rows": (softmax_of_rows, 1, F8),
    "softmax of rows, parts kept": (softmax_kept, 1, 2 * F8),
    "rows in float32": (rows_in_float32, 1, F8 // 2),
    "rows in place": (rows_in_place, 1, 3 * F8),
    "rows of integers": (rows_of_integers, 1, F8),
    "rows of a cube": (rows_of_a_cube, 1, F8),
    "columns taken off": (columns_taken_off, 2, 2 * F8),
}
