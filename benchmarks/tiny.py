"""Tiny arrays: what one operation costs when there is nothing to compute.

Operations between two arrays, or an array and a Python scalar, on 1 to 1000 elements, over the
common operations and dtypes; then basic slicing and scalar indexing; then creation, reductions and
methods.  Goals: operations at most 1.0 of NumPy's time, indexing at most 1.2.
Run: python -m benchmarks.tiny [--rounds N] [--filter TEXT]
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
from collections.abc import Iterable, Iterator

from benchmarks.harness import Case, Measurement, markdown, measure, save, seconds_text

# NumPy measured against itself leaves 1.00 by up to five per cent in single cases.
NOISE = 1.05
SIZES = (1, 10, 100, 1000)
GOALS = {
    "array op array": 1.0,
    "array op scalar": 1.0,
    "unary": 1.0,
    "indexing": 1.2,
    "reduction": 1.0,
    "creation and methods": 1.0,
}
OPERATORS = {
    "float64": ("+", "-", "*", "/", "//", "%", "**", "<", "=="),
    "float32": ("+", "-", "*", "/", "<"),
    "int64": ("+", "-", "*", "/", "//", "%", "<", "==", "&", "<<"),
    "int32": ("+", "*", "<"),
    "uint8": ("+", "&", "=="),
    "bool": ("&", "|", "=="),
    "complex128": ("+", "*", "/"),
}
FUNCTIONS = ("np.add(a, b)", "np.maximum(a, b)", "np.add(a, b, out=c)", "np.arctan2(a, b)")
UNARY = ("-a", "abs(a)", "np.sqrt(a)", "np.exp(a)", "np.sin(a)", "np.floor(a)", "np.isfinite(a)")
INDEXING = (
    "a[0]",
    "a[-1]",
    "a[1:]",
    "a[:-1]",
    "a[::2]",
    "a[::-1]",
    "a[...]",
    "a[None]",
    "m[0, 0]",
    "m[0]",
    "m[:, 0]",
    "m[1:, 1:]",
    "a[0] = 1.5",
    "a[1:] = 0.5",
    "m[0, 0] = 2.5",
    "m[:, 0] = 1.5",
)
REDUCTIONS = (
    "a.sum()",
    "a.mean()",
    "a.max()",
    "a.argmin()",
    "np.sum(a)",
    "m.sum(axis=0)",
    "m.sum(axis=1)",
    "a.any()",
    "a.std()",
    "a @ b",
    "np.dot(a, b)",
)
METHODS = (
    "np.empty({n})",
    "np.zeros({n})",
    "np.ones({n})",
    "np.full({n}, 2.0)",
    "np.arange({n})",
    "np.array([1.0, 2.0])",
    "np.asarray(a)",
    "a.copy()",
    "a.astype(np.float32)",
    "a.T",
    "a.reshape(-1)",
    "m.ravel()",
    "np.where(a > 0.5, a, b)",
    "np.clip(a, 0.2, 0.8)",
    "np.concatenate((a, b))",
    "a.shape",
    "len(a)",
    "a.tolist()",
    "float(a[0])",
)
SETUP = """
import numpy
rng = numpy.random.default_rng(7)
values = rng.random((2, {n})) * 3 + 1
a, b, start = (np.array(v.astype("{dtype}")) for v in (values[0], values[1], values[0]))
c = np.array(a)
m = np.array(numpy.resize(values[0], (max(2, {n} // 10), 10)))
"""
SCALARS = {"b": "True", "i": "2", "u": "2", "f": "1.5", "c": "(1.5+0.5j)"}


def of_floats(group: str, texts: Iterable[str], n: int, rtol: float) -> Iterator[Case]:
    """Statements on float64 arrays of n elements."""
    setup = SETUP.format(n=n, dtype="float64")
    for text in texts:
        statement = text.format(n=n)
        result = statement.split(" = ")[0] if " = " in statement else ""
        # A fresh array's content is whatever the memory held: compare its shape.
        if "empty" in statement:
            result = f"{statement}.shape"
        yield Case(group, f"float64[{n}] {statement}", statement, setup, result, rtol=rtol)


def of_operators(n: int) -> Iterator[Case]:
    """Python's operators on arrays of each dtype, with an array and with a scalar."""
    for dtype, operators in OPERATORS.items():
        setup = SETUP.format(n=n, dtype=dtype)
        scalar = SCALARS[dtype[0]]
        for operator in operators:
            rtol = {"**": 1e-14}.get(operator, 1e-15 if dtype[0] == "c" else 0.0)
            for group, other in (("array op array", "b"), ("array op scalar", scalar)):
                statement = f"a {operator} {other}"
                yield Case(group, f"{dtype}[{n}] {statement}", statement, setup, rtol=rtol)
        if dtype in ("float64", "float32", "int64"):
            yield Case("array op array", f"{dtype}[{n}] c += b", "c += b", setup, "c", "c = start")


def cases() -> list[Case]:
    """Every case, in the order of the report."""
    found: list[Case] = []
    for n in SIZES:
        found += of_operators(n)
        found += of_floats("array op array", FUNCTIONS, n, 1e-14)
        found += of_floats("unary", UNARY, n, 1e-14)
        found += of_floats("indexing", INDEXING, n, 0.0)
        found += of_floats("reduction", REDUCTIONS, n, 1e-14)
        found += of_floats("creation and methods", METHODS, n, 0.0)
    return found


def summary(measured: list[Measurement]) -> str:
    """One row a group: how many cases, the median and the worst, and how many miss the goal."""
    rows = []
    for group, goal in GOALS.items():
        members = [m for m in measured if m.group == group]
        if not members:
            continue
        worst = max(members, key=lambda m: m.time_ratio)
        over = sum(m.time_ratio > NOISE * goal for m in members)
        rows.append(
            (
                group,
                str(len(members)),
                f"{goal:.1f}",
                f"{statistics.median(m.time_ratio for m in members):.2f}",
                f"{worst.time_ratio:.2f} ({worst.name})",
                str(over),
            )
        )
    header = ("Tiny arrays", "cases", "goal", "median of NumPy's time", "worst", "over goal by 5 %")
    return markdown(header, rows)


def main() -> int:
    """Measure, print, save; 1 when a result differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--filter", default="", help="only cases with this text in their name")
    parser.add_argument("--module", default="manycore.numpy", help="what is compared with NumPy")
    parser.add_argument("--save", default="tiny", help="name of the JSON file in results/")
    args = parser.parse_args()
    ours = importlib.import_module(args.module)
    measured = []
    for case in cases():
        if args.filter in case.name:
            measured.append(measure(case, ours, rounds=args.rounds))
    print(
        markdown(
            ("case", "NumPy", "manycore", "time ratio", ""),
            [
                (
                    m.name,
                    seconds_text(m.numpy_seconds),
                    seconds_text(m.manycore_seconds),
                    f"{m.time_ratio:.2f}",
                    m.difference or ("" if m.time_ratio <= NOISE * GOALS[m.group] else "over"),
                )
                for m in measured
            ],
        )
    )
    print()
    print(summary(measured))
    save(args.save, {"summary": summary(measured), "cases": [vars(m) for m in measured]})
    return int(any(m.difference for m in measured))


if __name__ == "__main__":
    sys.exit(main())
