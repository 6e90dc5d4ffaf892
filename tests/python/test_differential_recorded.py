"""The differential tests once more with everything recorded, in the smallest blocks and chunks, on 1, 2 and 7 threads: each passes, so
results are NumPy's as promised, and what every single call gave has the same bits whatever the threads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
FILES = ["test_differential.py", "test_reductions.py", "test_division.py", "test_cast_conditions.py"]
EVERYTHING = {"MANYCORE_RECORD_FROM": "0", "MANYCORE_BLOCK_ELEMENTS": "3", "MANYCORE_CHUNK_ELEMENTS": "5"}


def outcomes(folder: Path, threads: int) -> list[tuple[str, ...]]:
    """Of every call in order: the test it stands in, how many operations it recorded, what it gave."""
    log = folder / f"{threads}.txt"
    environment = {**os.environ, **EVERYTHING, "MANYCORE_THREADS": str(threads), "MANYCORE_TEST_DIGESTS": str(log)}
    if threads == 2:  # once with every result written past the caches
        environment["MANYCORE_STREAM_FROM"] = "1"
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not long", *FILES]
    done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    return [tuple(line.split("\t")) for line in log.read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_every_call_has_the_same_bits_on_one_two_and_seven_threads(tmp_path: Path) -> None:
    one, two, seven = (outcomes(tmp_path, threads) for threads in (1, 2, 7))
    assert len(one) == len(two) == len(seven) > 200_000
    assert sum(int(recorded) for _, recorded, _ in one) > 30_000
    different = [(a, b, c) for a, b, c in zip(one, two, seven, strict=True) if not a[2] == b[2] == c[2]]
    assert not different, f"{len(different)} calls, the first: {different[0]}"
