"""The rows of fused.py: what people write, what it must move at least, and the same for numexpr where it can say it.

Every statement is NumPy; the inputs are distinct arrays of float64 in used pages, made by `inputs`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy


@dataclasses.dataclass(frozen=True)
class Row:
    """One figure.  `reads` and `writes` are bytes an element of `n`, each array counted once; `mathematics` names the vector
    functions that an element costs."""

    name: str
    statement: str
    n: int
    reads: int
    writes: int
    numexpr: str = ""
    mathematics: tuple[str, ...] = ()
    goal: float = 0.0  # of NumPy's time, for orientation
    rtol: float = 0.0


LARGE = 10_000_000
CACHED = 40_000
BLACK_SCHOLES = 4_000_000
CHAIN_1 = "((a * 2.0 + 1.0) * a - 3.0) / (a + 5.0)"
CHAIN_4 = "(a * b + c * d) - (a / (b + 1.0))"
SQUARES = "((a - b) ** 2).sum()"
WHERE = "where(a > b, a, b * 2.0)"

ROWS = [
    Row("five operations, one array", CHAIN_1, LARGE, 8, 8, CHAIN_1, ("divide",), 6.0),
    Row("six operations, four arrays", CHAIN_4, LARGE, 32, 8, CHAIN_4, ("divide",), 3.5),
    Row("one operation, two arrays", "a + b", LARGE, 16, 8, "a + b"),
    Row("sum of squared differences", SQUARES, LARGE, 16, 0, "sum((a - b) ** 2)", goal=3.3, rtol=1e-12),
    Row("where of a comparison", f"np.{WHERE}", LARGE, 16, 8, WHERE, goal=7.0),
    Row("var", "a.var()", LARGE, 16, 0, goal=5.0, rtol=1e-12),
    Row("mean over axis 0 of a product", "(a * b).reshape(-1, 1000).mean(axis=0)", LARGE, 16, 0, goal=2.0),
    Row("minimum and maximum of a chain", "both(a * b + 1.0)", LARGE, 16, 0),
    Row("boolean select", "a[b > 1.0]", LARGE, 16, 4, goal=2.0),
    Row("exp times", "np.exp(a) * b", LARGE, 16, 8, "exp(a) * b", ("exp",), rtol=1e-14),
    Row("Black-Scholes, 4M", "call(a, b)", BLACK_SCHOLES, 16, 8, "", ("log", "tanh", "tanh", "exp", "divide"), 6.0, 1e-12),
    Row("Jacobi, 2000 x 2000", "0.25 * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2])", 4_000_000, 8, 8, goal=4.0),
    Row("Jacobi in place, 2000 x 2000, 4 steps", "jacobi(u)", 4 * 4_000_000, 8, 8, goal=4.0),
    Row("heat in three dimensions, 200^3", "heat(w)", 8_000_000, 8, 8, goal=4.0),
    Row("softmax of 10000 x 1000", "softmax(a.reshape(-1, 1000))", LARGE, 8, 8, "", ("exp", "divide"), 4.0, 1e-14),
    Row("rows to mean 0 and deviation 1", "standard(a.reshape(-1, 1000))", LARGE, 8, 8, "", ("divide",), rtol=1e-12),
    Row("five operations, one array, in cache", CHAIN_1, CACHED, 8, 8, CHAIN_1, ("divide",), 2.0),
    Row("six operations, four arrays, in cache", CHAIN_4, CACHED, 32, 8, CHAIN_4, ("divide",), 2.0),
    Row("sum of squared differences, in cache", SQUARES, CACHED, 16, 0, "sum((a - b) ** 2)", goal=2.0, rtol=1e-12),
    Row("where of a comparison, in cache", f"np.{WHERE}", CACHED, 16, 8, WHERE, goal=2.0),
]

# What the statements call; run in the namespace in which `np` is one side or the other.
HELPERS = """
def both(x):
    return np.array([x.min(), x.max()])

def cdf(x):
    return 0.5 * (1.0 + np.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))

def call(spot, years, strike=1.0, rate=0.02, volatility=0.3):
    root = volatility * np.sqrt(years)
    d1 = (np.log(spot / strike) + (rate + 0.5 * volatility * volatility) * years) / root
    return spot * cdf(d1) - strike * np.exp(-rate * years) * cdf(d1 - root)

def jacobi(u):
    for _ in range(4):
        u[1:-1, 1:-1] = 0.25 * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2])
    return u

def heat(w):
    centre = w[1:-1, 1:-1, 1:-1]
    return centre + 0.1 * (
        w[2:, 1:-1, 1:-1] + w[:-2, 1:-1, 1:-1] + w[1:-1, 2:, 1:-1] + w[1:-1, :-2, 1:-1]
        + w[1:-1, 1:-1, 2:] + w[1:-1, 1:-1, :-2] - 6.0 * centre
    )

def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)

def standard(x):
    return (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
"""


def inputs(row: Row, array: Any) -> dict[str, Any]:
    """The arrays that the row's statement reads, in the same order on every side."""
    rng = numpy.random.default_rng(11)
    found: dict[str, Any] = {name: array(rng.random(row.n) + 0.5) for name in "abcd" if f"{name}" in names_in(row)}
    if "u" in names_in(row):
        found["u"] = array(rng.random((2000, 2000)))
    if "w" in names_in(row):
        found["w"] = array(rng.random((200, 200, 200)))
    return found


def names_in(row: Row) -> set[str]:
    """The names that the row's statement reads."""
    return set(compile(row.statement, "<row>", "eval").co_names)
