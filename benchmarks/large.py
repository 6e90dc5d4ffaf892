"""Large arrays: single operations on ten million elements beside NumPy and a plain copy.

Inputs and results lie in pages that are already in use (`out=`, or writes through an index), so
that arithmetic and memory are measured and not page faults; the group "allocating" measures the
same expressions as people write them.  The percentage is (bytes read + written) per second of our
operation over that of `np.copyto` on 80 MB, timed in the same rounds.
Goals: at least 0.97 of NumPy's speed everywhere, and at least 85 % of the copy's bandwidth.
Run: python -m benchmarks.large [--rounds N] [--elements N] [--filter TEXT]
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import timeit

import numpy

from benchmarks.harness import Measurement, markdown, measure, save, seconds_text
from benchmarks.large_cases import cases

COPY_BYTES = 80_000_000
SPEED_GOAL = 0.97
COPY_GOAL = 85.0


def copy_timer() -> timeit.Timer:
    """`np.copyto` between two blocks of 80 MB whose pages are in use."""
    source = numpy.ones(COPY_BYTES // 8)
    target = numpy.zeros(COPY_BYTES // 8) + 1.0
    return timeit.Timer(lambda: numpy.copyto(target, source))


def summary(measured: list[Measurement]) -> str:
    """One row a group: median and worst speed, and share of the copy's bandwidth."""
    rows = []
    for group in ("writing", "reading", "mathematics", "allocating"):
        members = [m for m in measured if m.group == group]
        if not members:
            continue
        worst = max(members, key=lambda m: m.time_ratio)
        shares = [m.percent_of_copy for m in members if m.percent_of_copy is not None]
        rows.append(
            (
                group,
                str(len(members)),
                f"{1 / statistics.median(m.time_ratio for m in members):.2f}",
                f"{1 / worst.time_ratio:.2f} ({worst.name})",
                str(sum(1 / m.time_ratio < SPEED_GOAL for m in members)),
                f"{statistics.median(shares):.0f} %" if shares else "-",
                f"{min(shares):.0f} %" if shares else "-",
                str(sum(share < COPY_GOAL for share in shares)),
            )
        )
    return markdown(
        (
            "Large arrays",
            "cases",
            "median speed, NumPy = 1",
            "slowest",
            f"below {SPEED_GOAL}",
            "median of copy bandwidth",
            "lowest",
            f"below {COPY_GOAL:.0f} %",
        ),
        rows,
    )


def main() -> int:
    """Measure, print, save; 1 when a result differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--elements", type=int, default=10_000_000)
    parser.add_argument("--filter", default="", help="only cases with this text in their name")
    parser.add_argument("--module", default="manycore.numpy", help="what is compared with NumPy")
    parser.add_argument("--save", default="large", help="name of the JSON file in results/")
    args = parser.parse_args()
    ours = importlib.import_module(args.module)
    copy = (copy_timer().timeit, 2 * COPY_BYTES)
    measured = []
    for case in cases(args.elements):
        if args.filter in f"{case.group} {case.name}":
            measured.append(measure(case, ours, rounds=args.rounds, seconds=0.01, copy=copy, evaluated=True))
            print(f"  {case.group}: {case.name}", file=sys.stderr)
    print(
        markdown(
            ("case", "NumPy", "manycore", "speed", "of copy", ""),
            [
                (
                    f"{m.group}: {m.name}",
                    seconds_text(m.numpy_seconds),
                    seconds_text(m.manycore_seconds),
                    f"{1 / m.time_ratio:.2f}",
                    "" if m.percent_of_copy is None else f"{m.percent_of_copy:.0f} %",
                    m.difference,
                )
                for m in measured
            ],
        )
    )
    print()
    print(summary(measured))
    save(
        args.save,
        {
            "elements": args.elements,
            "summary": summary(measured),
            "cases": [vars(m) for m in measured],
        },
    )
    return int(any(m.difference for m in measured))


if __name__ == "__main__":
    sys.exit(main())
