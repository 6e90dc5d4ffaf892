"""How long `import manycore` takes after NumPy is there; the goal is at most 60 ms.

Fresh processes in turn: one imports numpy, one numpy and then manycore, one numpy and then
manycore.numpy; each reports the seconds of its own import statements, so that starting the
interpreter is not part of the figure.
Run: python -m benchmarks.import_time [--rounds N]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

from benchmarks.harness import markdown, save, seconds_text

GOAL = 0.060
PROGRAM = """
import time
start = time.perf_counter()
import numpy
middle = time.perf_counter()
{statement}
print(middle - start, time.perf_counter() - middle)
"""
STATEMENTS = ("pass", "import manycore", "import manycore.numpy")


def one_import(statement: str) -> tuple[float, float]:
    """Seconds that numpy and the statement after it took in a fresh process."""
    program = PROGRAM.format(statement=statement)
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    before, after = done.stdout.split()
    return float(before), float(after)


def main() -> int:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    numpy_seconds: list[float] = []
    seconds: dict[str, list[float]] = {statement: [] for statement in STATEMENTS}
    for _ in range(args.rounds):
        for statement in STATEMENTS:
            before, after = one_import(statement)
            numpy_seconds.append(before)
            seconds[statement].append(after)
    medians = {statement: statistics.median(values) for statement, values in seconds.items()}
    rows = [("import numpy", seconds_text(statistics.median(numpy_seconds)), "")]
    rows += [(f"then {statement}", seconds_text(medians[statement]), seconds_text(GOAL)) for statement in STATEMENTS[1:]]
    table = markdown(("Import", "median", "goal"), rows)
    print(table)
    save(
        "import_time",
        {
            "summary": table,
            "rounds": args.rounds,
            "medians": medians,
            "numpy": statistics.median(numpy_seconds),
        },
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
