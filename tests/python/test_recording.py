"""Recorded work and the world: forks, threads, pickles, warnings, full memory, Ctrl-C, the end of the process."""

from __future__ import annotations

import copy
import gc
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import manycore
import manycore.numpy as mnp
import numpy
import pytest
from manycore import _core

N = 100_000


@pytest.fixture(autouse=True)
def nothing_recorded() -> Iterator[None]:
    manycore.evaluate()
    yield
    manycore.evaluate()


def pending(np: Any = mnp) -> Any:
    """3, 5, 7, ... of which nothing has been computed yet."""
    result = np.arange(1.0, N + 1) * 2 + 1
    assert np is numpy or _core.is_pending(result)
    return result


EXPECTED = numpy.arange(1.0, N + 1) * 2 + 1


def run_child(program: str, *arguments: str, timeout: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", *arguments, "-c", program]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=timeout, env={**os.environ, **environment}
    )


# ---- other processes


def test_a_fork_with_work_pending_leaves_both_sides_with_the_values() -> None:
    array = pending()
    child = os.fork()
    if child == 0:
        os._exit(7 if (numpy.asarray(array) == EXPECTED).all() and (array + 1).sum() == (EXPECTED + 1).sum() else 8)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert (numpy.asarray(array) == EXPECTED).all()


def test_a_fork_while_another_thread_records_and_runs() -> None:
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            float((pending() * 2).sum())

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        for _ in range(20):
            array = pending()
            child = os.fork()
            if child == 0:
                os._exit(7 if float((array * 2).sum()) == float((EXPECTED * 2).sum()) else 8)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    finally:
        stop.set()
        thread.join()


def total(array: Any) -> float:
    return float((array * 2).sum())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_pools_of_processes_take_pending_arrays(method: str) -> None:
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.map_async(total, [pending(), pending() + 1]).get(timeout=60) == [total(EXPECTED), total(EXPECTED + 1)]


@pytest.mark.parametrize(
    "take",
    [copy.copy, copy.deepcopy, lambda a: a.copy(), lambda a: pickle.loads(pickle.dumps(a)), lambda a: a.view(), mnp.array],
    ids=["copy.copy", "copy.deepcopy", "copy", "pickle", "view", "array"],
)
def test_copies_of_pending_arrays(take: Callable[[Any], Any]) -> None:
    array = pending()
    taken = take(array)
    array += 1
    expected = EXPECTED + (1 if numpy.shares_memory(numpy.asarray(taken), numpy.asarray(array)) else 0)
    assert (numpy.asarray(taken) == expected).all() and (numpy.asarray(array) == EXPECTED + 1).all()


def test_reading_in_every_way_runs_what_is_pending() -> None:
    readers: dict[str, Callable[[Any], Any]] = {
        "item": lambda a: a[5] == EXPECTED[5],
        "tolist": lambda a: a.tolist() == EXPECTED.tolist(),
        "tobytes": lambda a: a.tobytes() == EXPECTED.tobytes(),
        "memoryview": lambda a: memoryview(a)[5] == EXPECTED[5],
        "asarray": lambda a: (numpy.asarray(a) == EXPECTED).all(),
        "dlpack": lambda a: (numpy.from_dlpack(a) == EXPECTED).all(),
        "interface": lambda a: a.__array_interface__["data"][0] > 0 and a[3] == EXPECTED[3],
        "iteration": lambda a: next(iter(a)) == EXPECTED[0],
        "repr": lambda a: repr(a) == repr(EXPECTED),
        "cumsum": lambda a: a.cumsum()[-1] == EXPECTED.cumsum()[-1],
        "mask": lambda a: (numpy.asarray(a[a > 100]) == EXPECTED[EXPECTED > 100]).all(),
        "take": lambda a: (numpy.asarray(a[mnp.arange(5)]) == EXPECTED[:5]).all(),
        "concatenate": lambda a: (numpy.asarray(mnp.concatenate([a, a])) == numpy.concatenate([EXPECTED, EXPECTED])).all(),
        "fallback": lambda a: mnp.median(a) == numpy.median(EXPECTED),
        "bytes of a view": lambda a: bytes(a[2:5]) == EXPECTED[2:5].tobytes(),
        "sort": lambda a: a.sort() is None and a[0] == 3,
        "fill": lambda a: a.fill(2) is None and (numpy.asarray(a) == 2).all(),
        "flat": lambda a: a.flat[7] == EXPECTED[7],
        "searchsorted": lambda a: mnp.searchsorted(a, 7.0) == 2,
        "data of a transposed copy": lambda a: a.reshape(100, -1).T.ravel()[1] == EXPECTED[1000],
        "another type": lambda a: a.view("i8")[1] == EXPECTED.view("i8")[1],
        "bool": lambda a: bool(a[:1]) is True,
        "equality": lambda a: mnp.array_equal(a, EXPECTED),
    }
    for name, read in readers.items():
        assert read(pending()), name


class Reader:
    """An index that reads the array which it indexes."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __index__(self) -> int:
        return int(self.array[1] > 0) + 1


def test_an_index_that_has_the_array_computed() -> None:
    array = pending()
    assert array[Reader(array)] == EXPECTED[2]
    array = pending()
    assert (numpy.asarray(array[Reader(array) :]) == EXPECTED[2:]).all()
    array = pending()
    array[Reader(array) :] = 1
    assert numpy.asarray(array)[:3].tolist() == [3, 5, 1]
    array = pending().reshape(100, -1)
    other = array.reshape(-1)
    array[Reader(other), 1:] = 0
    assert numpy.asarray(other)[1999:2002].tolist() == [EXPECTED[1999], EXPECTED[2000], 0]


# ---- threads


def test_threads_read_what_others_have_pending() -> None:
    barrier = threading.Barrier(4)
    made: list[Any] = [None] * 4

    def one(number: int) -> bool:
        right = True
        for step in range(20):
            made[number] = pending() + number + step
            barrier.wait()
            for other in range(4):
                right &= bool((numpy.asarray(made[other] - step) == EXPECTED + other).all())
            barrier.wait()
        return right

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(4))) == [True] * 4


def test_what_another_thread_recorded_may_warn_here() -> None:
    with ThreadPoolExecutor(1) as pool, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        theirs = pool.submit(lambda: mnp.arange(N) / mnp.zeros(N)).result()
        assert _core.is_pending(theirs)
        ours = mnp.isfinite(theirs) * 1.0
        assert float(ours.sum()) == 0
    assert sorted(str(w.message) for w in caught) == [
        "divide by zero encountered in divide",
        "invalid value encountered in divide",
    ]


def test_a_thread_that_ended_leaves_its_work_to_whoever_asks() -> None:
    made: list[Any] = []
    thread = threading.Thread(target=lambda: made.append(pending()))
    thread.start()
    thread.join()
    assert (numpy.asarray(made[0] + 1) == EXPECTED + 1).all()


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_bits_do_not_depend_on_threads(threads: int) -> None:
    rng = numpy.random.default_rng(3)
    values, matrix = rng.normal(size=300_001), rng.normal(size=(700, 501))
    zs = values[:100_000] + 1j * values[100_000:200_000]

    def results(np: Any) -> list[Any]:
        a, m, z = np.array(values), np.array(matrix), np.array(zs)
        made = [(a * a - 1).sum(), (a + 1).mean(), (m * 3).sum(axis=0), (m * 3).sum(axis=1), (m - 1).mean(axis=1), (z * 2).sum()]
        made += [(a * 2).max(), (m[1:-1] - m[:-2] * m[2:]).sum(), np.sqrt(np.absolute(a)) / 3]
        return [numpy.asarray(one) for one in made]

    try:
        _core.set_option("threads", threads)
        got = results(mnp)
    finally:
        _core.set_option("threads", 0)
    for expected, ours in zip(results(numpy), got, strict=True):
        assert expected.tobytes() == ours.tobytes()


# ---- warnings


def warnings_of(np: Any, program: Callable[[Any], Any]) -> list[tuple[str, str, int]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        held = program(np)
    del held
    return [(str(w.message), w.filename, w.lineno) for w in caught]


def several_conditions(np: Any) -> Any:
    a = np.arange(-5.0, N)
    b = np.sqrt(a)
    c = a / (a - a)
    d = np.log(a) + b
    e = np.exp(a)
    return b, c, d, e


def errstate_when_recorded(np: Any) -> Any:
    a, zero = np.arange(1.0, N), np.zeros(N - 1)
    with np.errstate(divide="ignore"):
        b = a / zero
    with np.errstate(all="ignore"):
        c = np.sqrt(-a)
    d = a / zero
    with np.errstate(invalid="ignore"):
        d = np.log(zero) - np.log(zero)
    return b, c, d


def the_same_twice(np: Any) -> Any:
    a, zero = np.arange(1.0, N), np.zeros(N - 1)
    with np.errstate(all="ignore"):
        a / zero
    b = a / zero
    del b
    a / zero
    return a


def out_of_order(np: Any) -> Any:
    a, b = np.arange(1.0, N), np.zeros(2 * N)
    c = a / 0
    d = np.log(b)
    e = np.sqrt(-c)
    return c, d, e


def casts(np: Any) -> Any:
    a = np.full(N, 1e300)
    out = np.zeros(N, dtype="f4")
    b = a.astype("f4")
    c = a.astype("c8")
    np.multiply(a, np.where(a > 0, 1e300, 1.0), out=out, casting="unsafe")
    return b, c, out


@pytest.mark.parametrize("program", [several_conditions, errstate_when_recorded, the_same_twice, out_of_order, casts])
def test_warnings_come_as_numpys_in_text_line_number_and_order(program: Callable[[Any], Any]) -> None:
    before = _core.trace_snapshot()["recorded"]
    assert warnings_of(mnp, program) == warnings_of(numpy, program)
    assert _core.trace_snapshot()["recorded"] - before >= 3


def test_each_block_of_catch_warnings_gets_its_own() -> None:
    zero = mnp.zeros(N)
    with warnings.catch_warnings(record=True) as outer:
        warnings.simplefilter("always")
        kept = [zero / zero]
        with warnings.catch_warnings(record=True) as inner:
            warnings.simplefilter("always")
            kept.append(1 / zero)
        kept.append(mnp.log(zero))
    assert [str(w.message) for w in inner] == ["divide by zero encountered in divide"]
    assert [str(w.message) for w in outer] == ["invalid value encountered in divide", "divide by zero encountered in log"]


def test_conditions_that_raise_do_so_at_their_line() -> None:
    zero = mnp.zeros(N)
    before = pending()
    with mnp.errstate(divide="raise"), pytest.raises(FloatingPointError, match="divide by zero encountered in divide"):
        1 / zero
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="divide by zero encountered in divide"):
            1 / zero
    seen: list[str] = []
    with mnp.errstate(divide="call", call=lambda text, _: seen.append(text)):
        1 / zero
        assert seen == ["divide by zero"]
    assert (numpy.asarray(before) == EXPECTED).all()


# ---- memory


FULL = """
import manycore, manycore.numpy as np, numpy
from manycore import _core
a = np.ones(1_000_000)            # 8 MB of 96
hold = [np.ones(1_000_000) for _ in range(5)]
b = a + 1
wanted = b * 2
more, results = [], []
try:
    for i in range(40):
        more.append(b + i)
    results = [m * 2 for m in more]
    manycore.evaluate()
    print("no error")
except MemoryError as error:
    print("MemoryError", "memory_limit" in str(error))
assert float(a.sum()) == 1_000_000 and all(float(h[3]) == 1 for h in hold)
hold.clear(); more.clear(); results = None
assert (numpy.asarray(wanted) == 4).all() and (numpy.asarray(b) == 2).all()
a += 1
assert float((a * b).sum()) == 4_000_000
print("usable")
"""


def test_full_memory_leaves_every_array_usable_and_may_be_tried_again() -> None:
    done = run_child(FULL, MANYCORE_MEMORY_LIMIT="96M")
    assert (done.returncode, done.stdout, done.stderr) == (0, "MemoryError True\nusable\n", "")


def test_updates_in_place_happen_once_when_memory_runs_out_between_them() -> None:
    done = run_child(
        """
import manycore, manycore.numpy as np, numpy
a = np.zeros(1_000_000)
hold = [np.ones(1_000_000) for _ in range(4)]
manycore.evaluate()
made = []
try:
    for i in range(60):
        a += 1
        made.append(a[::-1] * 2)
    manycore.evaluate()
except MemoryError:
    pass
else:
    raise SystemExit("no error")
steps = i
hold.clear(); made.clear()
value = set(numpy.asarray(a).tolist())
# The update whose own line raised may have happened or not, no other may be missing or come twice.
assert value in ({float(steps)}, {float(steps + 1)}), (value, steps)
""",
        MANYCORE_MEMORY_LIMIT="64M",
    )
    assert (done.returncode, done.stderr) == (0, "")


FOREVER = """
import resource, manycore.numpy as np
from manycore import _core
a = np.ones(500_000)
kept = np.zeros(500_000)
np.ones(500_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for i in range(3000):
    {body}
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert _core.trace_snapshot()["recorded"] >= 3000
print(peak - before)
"""


@pytest.mark.parametrize(
    "body",
    ["a = a * 0.5 + 1", "a += 1", "kept[1:] = a[:-1]; a = kept + 1", "np.sqrt(a)", "b = np.zeros(500_000); m = b > a; del b"],
)
def test_a_program_that_records_for_ever_stays_bounded(body: str) -> None:
    """4 MB an array, 3000 rounds: unbounded it would be 12 GB."""
    done = run_child(FOREVER.format(body=body), MANYCORE_MEMORY_LIMIT="256M", timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 300_000, f"{done.stdout} KB more than before"


def test_inputs_that_only_the_program_holds_do_not_fill_the_memory() -> None:
    """Each result is an eighth of the input that it was made of; NumPy would need 60 MB."""
    done = run_child(
        """
import manycore.numpy as np
made = []
for i in range(100):
    a = np.random.default_rng(i).random(500_000)
    made.append(a > 0.5)
    del a
assert sum(int(m[0]) for m in made) > 0
""",
        MANYCORE_MEMORY_LIMIT="128M",
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_cycles_with_pending_arrays_are_collected() -> None:
    class Node:
        pass

    def make() -> weakref.ref[Any]:
        node: Any = Node()
        node.array = pending()
        node.dependent = node.array + 1
        node.self = node
        return weakref.ref(node)

    nodes = [make() for _ in range(20)]
    gc.collect()
    assert [node() for node in nodes] == [None] * 20
    manycore.evaluate()
    assert (numpy.asarray(pending()) == EXPECTED).all()


# ---- interruptions and the end


class Stop(Exception):
    pass


def test_a_signal_in_the_middle_loses_nothing() -> None:
    def stop(*_: Any) -> None:
        raise Stop

    size = 4_000_000
    source = mnp.arange(float(size))
    expected = numpy.sin(numpy.arange(float(size)))
    old = signal.signal(signal.SIGALRM, stop)
    try:
        for delay in (0.001, 0.01, 0.05, 0.1):
            updated = mnp.zeros(size)
            manycore.evaluate()
            results: list[Any] = []
            with pytest.raises(Stop):
                signal.setitimer(signal.ITIMER_REAL, delay)
                while True:
                    for _ in range(8):
                        updated += 1
                        results.append(mnp.sin(source) * updated)
                    manycore.evaluate()
                    results = results[-8:]
            signal.setitimer(signal.ITIMER_REAL, 0)
            values = set(numpy.asarray(updated).tolist())
            assert len(values) == 1
            last = numpy.asarray(results[0]) if results else expected
            factors = last[1:] / expected[1:]
            assert abs(factors - factors[0]).max() < 1e-9
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


@pytest.mark.parametrize(
    "ending",
    [
        "",
        "raise SystemExit(0)",
        "import sys; sys.exit()",
        "import threading; t = threading.Thread(target=lambda: b + 1); t.start()",
    ],
)
def test_the_process_ends_normally_with_work_pending(ending: str) -> None:
    done = run_child(f"import manycore.numpy as np\na = np.ones(200_000)\nb = a * 2 + 1\nkept = [b]; kept.append(kept)\n{ending}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_warnings_of_work_pending_at_the_end_are_shown() -> None:
    done = run_child("import manycore.numpy as np\na = np.zeros(200_000)\nb = 1 / a")
    assert (done.returncode, done.stderr.count("divide by zero encountered in divide")) == (0, 1)


# ---- not recording at all


EAGER = """
import manycore.numpy as np
from manycore import _core
a = np.ones(1_000_000)
b = a * 2 + 1
assert not _core.is_pending(b)
b[1:] = b[:-1] + 1
c = np.where(b > 2, b, 0).astype("f4")
assert not _core.is_pending(c) and float((c - 1).sum()) == 2 * 1_000_000 + 999_999
totals = _core.trace_snapshot()
print(totals["recorded"], totals["groups"], totals["native_calls"] > 5)
"""


def test_eager_runs_every_operation_at_once() -> None:
    done = run_child(EAGER, MANYCORE_EAGER="1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 0 True\n", "")


def test_the_flag_eager_of_the_command_line(tmp_path: Any) -> None:
    script = tmp_path / "program.py"
    script.write_text(EAGER)
    command = [sys.executable, "-m", "manycore", "run", "--eager", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 0 True\n", "")
