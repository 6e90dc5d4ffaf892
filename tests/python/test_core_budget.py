"""The one core budget: tasks, array loops, BLAS and OpenMP share the cores, here and in workers, however they are nested."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

import pytest
from manycore import _tasks
from manycore.futures import ThreadPoolExecutor
from runnable_threads import most_runnable

BUDGET = 2
INFO = """
import os, threadpoolctl
def numbers(_=0):
    return sorted(library["num_threads"] for library in threadpoolctl.threadpool_info())
"""
# What is warm is measured: libraries are loaded, workers and threads have started and spin no more.
PROGRAM = """
import time
import numpy, sklearn.ensemble, sklearn.datasets
from concurrent import futures as standard
from joblib import parallel_config
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.model_selection import GridSearchCV
from manycore import futures

x, y = sklearn.datasets.make_classification(1500, 20, random_state=0)
matrix = numpy.random.default_rng(0).random((500, 500))

def multiply(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        matrix @ matrix

def boost(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        HistGradientBoostingClassifier(max_iter=3, early_stopping=False).fit(x, y)

def grid(backend, model, values, seconds):
    end = time.monotonic() + seconds
    with parallel_config(backend=backend):
        while True:
            GridSearchCV(model, values, cv=2, n_jobs=2).fit(x, y)
            if time.monotonic() > end:
                break

def pool_of(module, kind, function):
    with getattr(module, kind)(2) as pool:
        list(pool.map(function, [0.1, 0.1]))
        time.sleep(0.1)
        print("begin", flush=True)
        list(pool.map(function, [1.0, 1.0]))
        print("end", flush=True)

def grid_of(backend, model, values):
    import manycore.parallel  # which starts the fork server: it loads what workers need beside the program

    grid(backend, model, values, 0)
    time.sleep(0.1)
    print("begin", flush=True)
    grid(backend, model, values, 1.0)
    print("end", flush=True)
"""
FOREST = "grid_of({backend!r}, RandomForestClassifier(60, n_jobs=2, random_state=0), dict(max_depth=[8, 9, 10, 11]))"
BOOSTING = "grid_of({backend!r}, HistGradientBoostingClassifier(max_iter=20, early_stopping=False), dict(max_depth=[4, 5, 6, 7]))"
POOL = "pool_of({module}, {kind!r}, {function})"


def program(what: str, **names: str) -> str:
    # Functions of a program that has no file travel by value, or are there by fork.
    return PROGRAM + what.format(**names)


def measured(what: str, **names: str) -> float:
    return most_runnable(program(what, **names), {"MANYCORE_THREADS": str(BUDGET)})


pytest.importorskip("sklearn")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core is one thread with and without"),
    pytest.mark.skipif(
        "OMP_NUM_THREADS" in os.environ or "OPENBLAS_NUM_THREADS" in os.environ, reason="the user's numbers stand"
    ),
]


@pytest.mark.timed
@pytest.mark.parametrize(
    ("kind", "function", "standard_exceeds"),
    [
        ("ThreadPoolExecutor", "multiply", False),  # OpenBLAS lets one thread at a time have its threads
        ("ThreadPoolExecutor", "boost", True),
        ("ProcessPoolExecutor", "multiply", True),
        ("ProcessPoolExecutor", "boost", True),
    ],
)
def test_pools_keep_to_the_budget_and_the_standards_do_not(kind: str, function: str, standard_exceeds: bool) -> None:
    names = {"kind": kind, "function": function}
    assert measured(POOL, module="futures", **names) <= BUDGET + 0.5
    if standard_exceeds:
        assert measured(POOL, module="standard", **names) > BUDGET + 0.5


@pytest.mark.timed
def test_a_grid_of_forests_that_want_threads_keeps_to_the_budget_and_lokys_does_not() -> None:
    assert measured(FOREST, backend="manycore") <= BUDGET + 0.5
    assert measured(FOREST, backend="loky") > BUDGET + 0.5


@pytest.mark.timed
def test_a_grid_of_models_on_openmp_keeps_to_the_budget() -> None:
    assert measured(BOOSTING, backend="manycore") <= BUDGET + 0.5


def answer(program: str, **environment: str) -> str:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import numpy, scipy.linalg, sklearn.ensemble, time\nfrom manycore.futures import *\n" + INFO + program,
        ],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


TWO = "def two(_): time.sleep(0.05); return numbers()\n"


@pytest.mark.parametrize("kind", ["ThreadPoolExecutor", "ProcessPoolExecutor"])
def test_libraries_are_told(kind: str) -> None:
    program = TWO + f"with {kind}(2) as pool: print(list(pool.map(two, range(2))))"
    assert answer(program, MANYCORE_THREADS="2") == "[[1, 1, 1], [1, 1, 1]]\n"


def test_one_task_alone_has_all_and_afterwards_all_is_as_it_was() -> None:
    program = TWO + (
        "before = numbers()\nwith ThreadPoolExecutor(4) as pool:\n"
        "    print(pool.submit(numbers).result() == before)\n    list(pool.map(two, range(2)))\nprint(numbers() == before)"
    )
    assert answer(program) == "True\nTrue\n"


@pytest.mark.parametrize("kind", ["ThreadPoolExecutor", "ProcessPoolExecutor"])
def test_the_users_numbers_stand(kind: str) -> None:
    run = TWO + f"with {kind}(2) as pool: print(list(pool.map(two, range(2))))"
    assert answer(run, OMP_NUM_THREADS="2") == "[[2, 2, 2], [2, 2, 2]]\n"


def test_the_users_limit_stands() -> None:
    begin = TWO + "limits = threadpoolctl.threadpool_limits(1, user_api='blas')\n"
    program = begin + "with ThreadPoolExecutor(1) as pool: print(pool.submit(numbers).result()[:2])\nprint(numbers()[:2])"
    assert answer(program) == "[1, 1]\n[1, 1]\n"
    program = TWO + "with ThreadPoolExecutor(1) as pool: pool.submit(numbers).result()\n" + program.removeprefix(TWO)
    assert answer(program) == "[1, 1]\n[1, 1]\n"


def test_a_limit_inside_a_task_ends_with_it() -> None:
    program = (
        TWO + "def limited(_):\n    with threadpoolctl.threadpool_limits(1): time.sleep(0.05); return numbers()\n"
        "before = numbers()\nwith ThreadPoolExecutor(2) as pool:\n"
        "    print(list(pool.map(limited, range(2))))\nprint(numbers() == before)"
    )
    assert answer(program) == "[[1, 1, 1], [1, 1, 1]]\nTrue\n"


def share_after_a_nap(seconds: float) -> int:
    time.sleep(seconds)
    return _tasks.share()


def share_of_nested() -> list[int]:
    with ThreadPoolExecutor(1) as pool:
        return [_tasks.share(), pool.submit(share_after_a_nap, 0.1).result(), *pool.map(share_after_a_nap, [0.1])]


def test_a_task_that_waits_leaves_its_cores_to_the_one_it_waits_for() -> None:
    with ThreadPoolExecutor(1) as pool:
        alone = _tasks.share()
        assert pool.submit(share_of_nested).result() == [alone] * 3


def test_workers_of_workers_divide_what_those_have() -> None:
    program = """
def inner(_):
    time.sleep(0.05)
    return _tasks.share()
def outer(_):
    with ProcessPoolExecutor(2) as pool:
        return [_tasks.share(), *pool.map(inner, range(2))]
from manycore import _tasks
with ProcessPoolExecutor(2) as pool:
    print(list(pool.map(outer, range(2))))
"""
    assert answer(program, MANYCORE_THREADS="8") == "[[4, 2, 2], [4, 2, 2]]\n"


def seen_inside(_: Any) -> tuple[int, str | None]:
    return _tasks.share(), os.environ.get("OMP_NUM_THREADS")


def test_inner_threads_of_joblib_are_as_asked() -> None:
    from manycore.parallel import Parallel, delayed, parallel_config

    with parallel_config(backend="manycore", n_jobs=2, inner_max_num_threads=3):
        assert set(Parallel()(delayed(seen_inside)(i) for i in range(4))) == {(3, "3")}


def nested_jobs(_: Any) -> int:
    from joblib import Parallel, delayed

    return len(set(Parallel(n_jobs=2, prefer="threads")(delayed(thread_and_nap)() for _ in range(4))))


def thread_and_nap() -> int:
    import threading
    import time

    time.sleep(0.01)
    return threading.get_ident()


def test_nested_calls_of_joblib_have_as_many_threads_as_the_task_has_cores() -> None:
    from manycore.parallel import Parallel, delayed

    assert Parallel(n_jobs=_tasks.share())(delayed(nested_jobs)(i) for i in range(2)) == [1, 1]
