"""Chains of operations, stencils, reductions and whole formulas beside NumPy, numexpr and the ceiling of the machine.

Every row is measured in rounds; a round times NumPy, manycore, numexpr where it can say the same, and what memory gives: a copy
of 80 MB on all threads, with plain and with non-temporal stores, of which the faster counts, and a sum of 80 MB on all threads.
The ceiling of a row is the time that its bytes take at that speed - of the copy where results are written, of the sum where
all is read - or the time that its mathematical functions take on one block in the first-level cache divided by the cores,
whichever is longer.  Results are compared and used.
Run: python -m benchmarks.fused [--rounds N] [--filter TEXT]
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import sys
import timeit
from collections.abc import Callable
from typing import Any

import manycore
import manycore.numpy
import numpy
from manycore import _core

from benchmarks.fused_cases import HELPERS, ROWS, Row, inputs
from benchmarks.harness import difference, forget, interleaved, loops_for, markdown, median_ratio, namespace, save, seconds_text

CEILING_BYTES = 80_000_000
GOAL_PERCENT = 85.0
FUNCTIONS = {"divide": "np.divide(x, y, out=z)"}  # the others have one argument


def side(row: Row, module: Any, evaluate: Callable[[], object]) -> tuple[Callable[[int], float], dict[str, Any]]:
    """A timer of the row's statement under one module, and the names that it sees."""
    names = namespace(module, HELPERS)
    names.update(inputs(row, module.array))
    names["_evaluate"] = evaluate
    evaluate()
    return timeit.Timer(f"_kept = ({row.statement}); _evaluate()", globals=names).timeit, names


def numexpr_timer(row: Row, arrays: dict[str, Any]) -> Callable[[int], float] | None:
    """The row as numexpr says it, on as many threads."""
    if not row.numexpr:
        return None
    try:
        import numexpr
    except ImportError:
        return None
    numexpr.set_num_threads(len(os.sched_getaffinity(0)))
    return timeit.Timer(lambda: numexpr.evaluate(row.numexpr, local_dict=arrays)).timeit


@functools.cache
def memory_timers() -> dict[str, Callable[[int], float]]:
    """Copies and a sum of 80 MB, on all threads, in pages that are in use."""
    np = manycore.numpy
    source, target = np.ones(CEILING_BYTES // 8) * 2, np.zeros(CEILING_BYTES // 8) + 1
    manycore.evaluate()

    def copied(stream_from: int) -> Callable[[int], float]:
        def run(calls: int) -> float:
            _core.set_option("stream_from", stream_from)
            try:
                return timeit.timeit(lambda: np.copyto(target, source), number=calls)
            finally:
                _core.set_option("stream_from", 0)

        return run

    return {
        "plain copy": copied(1 << 60),
        "streamed copy": copied(1),
        "sum": timeit.Timer(lambda: source.sum()).timeit,
    }


@functools.cache
def mathematics_seconds(name: str) -> float:
    """Of one element, on one thread, in a block that the first-level cache holds."""
    n = 1024
    names = namespace(manycore.numpy, f"x, y, z = np.ones({n}) * 1.5, np.ones({n}) * 1.25, np.zeros({n})")
    timer = timeit.Timer(FUNCTIONS.get(name, f"np.{name}(x, out=z)"), globals=names)
    return min(timer.repeat(20, 200)) / 200 / n


def measure_row(row: Row, rounds: int) -> dict[str, Any]:
    """One line of the table."""
    theirs, their_names = side(row, numpy, lambda: None)
    ours, our_names = side(row, manycore.numpy, manycore.evaluate)
    differs = difference(eval(row.statement, their_names), eval(row.statement, our_names), row.rtol)
    timers = {"numpy": theirs, "manycore": ours}
    if numexpr := numexpr_timer(row, inputs(row, numpy.array)):
        timers["numexpr"] = numexpr
    loops = loops_for(ours, 0.01)
    # A copy or two a round, however often the row itself is run in one.
    timers |= {name: (lambda calls, one=timer: one(2) * calls / 2) for name, timer in memory_timers().items()}
    samples = interleaved(timers, loops, rounds)
    forget(their_names)
    forget(our_names)
    reading = row.writes == 0
    best = [
        total if reading else min(plain, streamed)
        for total, plain, streamed in zip(samples["sum"], samples["plain copy"], samples["streamed copy"], strict=True)
    ]
    moved = CEILING_BYTES if reading else 2 * CEILING_BYTES
    memory = [seconds * row.n * (row.reads + row.writes) / moved for seconds in best]
    mathematics = sum(mathematics_seconds(name) for name in row.mathematics) * row.n / len(os.sched_getaffinity(0))
    in_cache = row.n * (row.reads + row.writes) < 2_000_000
    ceiling = [mathematics if in_cache else max(seconds, mathematics) for seconds in memory]
    return {
        "name": row.name,
        "statement": row.statement,
        "elements": row.n,
        "numpy_seconds": statistics.median(samples["numpy"]),
        "manycore_seconds": statistics.median(samples["manycore"]),
        "numexpr_seconds": statistics.median(samples["numexpr"]) if "numexpr" in samples else None,
        "speed": 1 / median_ratio(samples["manycore"], samples["numpy"]),
        "speed_to_numexpr": 1 / median_ratio(samples["manycore"], samples["numexpr"]) if "numexpr" in samples else None,
        "percent_of_ceiling": None if in_cache else 100 * median_ratio(ceiling, samples["manycore"]),
        "bound": "arithmetic" if mathematics > statistics.median(memory) else "reading" if reading else "memory",
        "goal": row.goal or None,
        "difference": differs,
    }


def table(measured: list[dict[str, Any]]) -> str:
    """All rows, as README shows them."""

    def times(value: float | None) -> str:
        return "" if value is None else f"{value:.2f}"

    return markdown(
        ("chain, float64", "NumPy", "manycore", "speed", "about", "numexpr = 1", "of the ceiling", "bound by", ""),
        [
            (
                m["name"],
                seconds_text(m["numpy_seconds"]),
                seconds_text(m["manycore_seconds"]),
                times(m["speed"]),
                "" if m["goal"] is None else f"{m['goal']:g}",
                times(m["speed_to_numexpr"]),
                "" if m["percent_of_ceiling"] is None else f"{m['percent_of_ceiling']:.0f} %",
                m["bound"] if m["percent_of_ceiling"] is not None else "cache",
                m["difference"],
            )
            for m in measured
        ],
    )


def main() -> int:
    """Measure, print, save; 1 when a result differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--filter", default="", help="only rows with this text in their name")
    parser.add_argument("--save", default="fused", help="name of the JSON file in results/")
    args = parser.parse_args()
    measured = []
    for row in ROWS:
        if args.filter in row.name:
            measured.append(measure_row(row, args.rounds))
            print(f"  {row.name}", file=sys.stderr)
    print(table(measured))
    save(args.save, {"summary": table(measured), "cases": measured})
    return int(any(m["difference"] for m in measured))


if __name__ == "__main__":
    sys.exit(main())
