"""What only looks like a deadlock stays silent under `manycore check`."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from deadlock_lookalikes import HEAD, PROGRAMS

NOTHING = """\
deadlocks: none
suspected deadlocks: none
orders of locks that may lead to one: none
pools that were given threads: none
"""
# These three stand for all in the fast run.
FAST = ["a_lock_released_by_a_third_thread", "a_pending_future_cancelled_by_a_watchdog", "opposite_orders_under_a_gate"]


def problems(name, folder):
    """What a run of the program said or did that it should not have."""
    script = folder / f"{name}.py"
    script.write_text(f"{HEAD}{PROGRAMS[name]}\nprint('done')\n")
    try:
        ended = subprocess.run(
            # That a program with threads forks is what one of them is about.
            [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "manycore", "check", str(script)],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    except subprocess.TimeoutExpired as hung:
        return f"hung: {(hung.stderr or b'').decode()[-1500:]}"
    first, _, rest = ended.stderr.partition("\n")
    silent = first.startswith("manycore check: ") and rest == NOTHING
    return (
        ""
        if silent and ended.stdout == "done\n" and ended.returncode == 0
        else f"{ended.returncode} {ended.stdout} {ended.stderr}"
    )


def test_there_are_more_than_thirty():
    assert len(PROGRAMS) >= 40


@pytest.mark.parametrize("names", [FAST, pytest.param(sorted(PROGRAMS), marks=pytest.mark.slow)], ids=["three", "all"])
def test_programs_that_only_look_like_deadlocks_stay_silent(names, tmp_path):
    began = time.monotonic()
    # They sleep most of the time.
    with ThreadPoolExecutor(6) as pool:
        found = dict(zip(names, pool.map(lambda name: problems(name, tmp_path), names), strict=True))
    assert {name: problem for name, problem in found.items() if problem} == {}
    assert time.monotonic() - began > 1
