"""Run every benchmark and the tour, and print the tables that stand in README.

Run: python -m benchmarks.run_all [--print]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

from benchmarks.harness import RESULTS

BENCHMARKS = (
    "tiny",
    "large",
    "fused",
    "crossing",
    "import_time",
    "tasks",
    "tasks_process",
    "tasks_uneven",
    "parallel",
    "multiprocessing",
)


def measure_all() -> int:
    """All of them, one after the other in fresh processes; non-zero when a result differs."""
    status = 0
    RESULTS.mkdir(exist_ok=True)
    tour = ["manycore.report.tour", "--repeats", "2", "--json", str(RESULTS / "tour.json")]
    for command in (*([f"benchmarks.{name}"] for name in BENCHMARKS), tour):
        print(f"run_all: {command[0]}", file=sys.stderr)
        done = subprocess.run([sys.executable, "-m", *command], stdout=subprocess.DEVNULL, check=False)
        status = status or done.returncode
    return status


def main() -> int:
    """Measure, unless --print asks for the saved tables only, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--print", action="store_true", help="print the saved tables, measure nothing")
    status = 0 if parser.parse_args().print else measure_all()
    results = {name: json.loads((RESULTS / f"{name}.json").read_text()) for name in (*BENCHMARKS, "tour")}
    machine = results["tiny"]["machine"]
    print(f"{machine['processor']}, {machine['cores']} cores, {machine['simd']}, {machine['date'][:10]}")
    for result in results.values():
        print("\n" + result["summary"])
    return status


if __name__ == "__main__":
    sys.exit(main())
