"""Run every benchmark and the tour, and print the tables that stand in README.

Run: python -m benchmarks.run_all
"""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks import machine
from benchmarks.harness import RESULTS

BENCHMARKS = ("tiny", "large", "crossing", "import_time")


def main() -> int:
    """All of them, one after the other in fresh processes; non-zero when a result differs."""
    status = 0
    RESULTS.mkdir(exist_ok=True)
    for name in BENCHMARKS:
        print(f"benchmarks: {name}", file=sys.stderr)
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], stdout=subprocess.DEVNULL, check=False)
        status = status or done.returncode
    print("benchmarks: tour", file=sys.stderr)
    tour = [sys.executable, "-m", "manycore.report.tour", "--json", str(RESULTS / "tour.json")]
    done = subprocess.run(tour, stdout=subprocess.DEVNULL, check=False)
    status = status or done.returncode

    described = machine.describe()
    print(f"{described['processor']}, {described['cores']} cores, {described['simd']}, {str(described['date'])[:10]}\n")
    for name in (*BENCHMARKS, "tour"):
        result = json.loads((RESULTS / f"{name}.json").read_text())
        print(result["summary"] + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
