"""What a call into a library costs under `manycore run` beyond its cost in plain Python.

The same program runs twice at the same time, plainly and under manycore, and does the same loops
in turn.  Goal: a call that passes no arrays costs at most 50 ns more.
Run: python -m benchmarks.crossing [--rounds N]
"""

from __future__ import annotations

import argparse
import functools
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.harness import interleaved, markdown, save, seconds_text

GOAL = 50e-9
PROGRAM = Path(__file__).parent / "crossing_program.py"
# name, calls in one sample, whether arrays cross (the goal holds for those without)
LOOPS = [
    ("nothing", 100_000, False),
    ("math_hypot", 50_000, False),
    ("path_join", 10_000, False),
    ("special_ufunc_of_a_number", 10_000, False),
    ("special_ufunc_of_an_array", 10_000, True),
    ("linalg_of_an_array", 2_000, True),
]


class Child:
    """One running copy of the program; closed by `close`."""

    def __init__(self, command: list[str]) -> None:
        """Start the command with pipes for questions and answers."""
        self.process_ = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def seconds(self, name: str, calls: int) -> float:
        """Let the child do the loop and return the seconds it took."""
        assert self.process_.stdin is not None and self.process_.stdout is not None
        self.process_.stdin.write(f"{name} {calls}\n")
        self.process_.stdin.flush()
        answer = self.process_.stdout.readline()
        if not answer:
            raise RuntimeError(f"crossing: the program ended with {self.process_.wait()}")
        return float(answer)

    def close(self) -> None:
        """Let the program end by itself."""
        assert self.process_.stdin is not None
        self.process_.stdin.close()
        self.process_.wait()


def main() -> int:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21)
    args = parser.parse_args()
    plain = Child([sys.executable, str(PROGRAM)])
    ours = Child([sys.executable, "-m", "manycore", "run", str(PROGRAM)])
    rows, found = [], []
    for name, calls, arrays in LOOPS:
        samples = interleaved(
            {
                "plain": functools.partial(plain.seconds, name),
                "manycore": functools.partial(ours.seconds, name),
            },
            calls,
            args.rounds,
        )
        more = statistics.median(b - a for a, b in zip(samples["plain"], samples["manycore"], strict=True))
        before = statistics.median(samples["plain"])
        rows.append(
            (
                name.replace("_", " "),
                seconds_text(before),
                f"{more * 1e9:+.0f} ns",
                "" if arrays else f"{GOAL * 1e9:.0f} ns",
            )
        )
        found.append({"name": name, "plain_seconds": before, "more_seconds": more, "arrays": arrays})
    plain.close()
    ours.close()
    table = markdown(("Call into a library", "plain Python", "under manycore", "goal"), rows)
    print(table)
    save("crossing", {"summary": table, "rounds": args.rounds, "loops": found})
    return 0


if __name__ == "__main__":
    sys.exit(main())
