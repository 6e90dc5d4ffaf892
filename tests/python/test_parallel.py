"""`manycore.parallel`: joblib's Parallel on our pools, and the backend by its name."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import joblib
import numpy
import parallel_tasks as tasks
import pytest
from manycore import _tasks
from manycore.futures import WorkerDied
from manycore.parallel import ManycoreBackend, Parallel, delayed, parallel_config


def square(x: int) -> int:
    return x * x


@pytest.mark.parametrize("options", [{}, {"prefer": "threads"}, {"require": "sharedmem"}, {"prefer": "processes"}], ids=str)
def test_results_come_in_order_from_where_the_hints_say(options: dict[str, Any]) -> None:
    values, pids = zip(*Parallel(n_jobs=2, **options)(delayed(tasks.square_and_pid)(i) for i in range(50)), strict=True)
    assert list(values) == [i * i for i in range(50)]
    in_threads = options.get("prefer") == "threads" or options.get("require") == "sharedmem"
    assert (os.getpid() in pids) == in_threads and len(set(pids)) <= (1 if in_threads else 2)


def test_joblib_takes_the_backend_by_its_name() -> None:
    with parallel_config(backend="manycore", n_jobs=2):
        parallel = joblib.Parallel()
        pids = set(parallel(delayed(os.getpid)() for _ in range(8)))
    assert isinstance(parallel._backend, ManycoreBackend) and os.getpid() not in pids


def test_a_chosen_backend_is_kept() -> None:
    with parallel_config(backend="threading"):
        assert type(Parallel(n_jobs=2)._backend).__name__ == "ThreadingBackend"
    assert type(Parallel(n_jobs=2, backend="threading")._backend).__name__ == "ThreadingBackend"
    assert isinstance(Parallel(n_jobs=2)._backend, ManycoreBackend)


def test_one_job_and_none_run_here() -> None:
    for jobs in (None, 1):
        assert Parallel(n_jobs=jobs)(delayed(os.getpid)() for _ in range(2)) == [os.getpid()] * 2
    with pytest.raises(ValueError, match="n_jobs == 0"):
        Parallel(n_jobs=0)(delayed(square)(1) for _ in range(2))


def test_workers_are_kept_for_the_next_call_of_their_number() -> None:
    first, second = (set(Parallel(n_jobs=2)(delayed(tasks.nap_and_pid)(0.05) for _ in range(4))) for _ in range(2))
    assert len(first | second) == 2
    assert len(set(Parallel(n_jobs=3)(delayed(tasks.nap_and_pid)(0.05) for _ in range(6))) - first) == 3


def test_calls_at_once_have_workers_of_their_own() -> None:
    found: list[set[int]] = []
    threads = [
        threading.Thread(target=lambda: found.append(set(Parallel(n_jobs=2)(delayed(tasks.nap_and_pid)(0.1) for _ in range(4)))))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2 and not found[0] & found[1]


def test_functions_by_value() -> None:
    offset = 10
    assert Parallel(n_jobs=2)(delayed(lambda x: x + offset)(i) for i in range(3)) == [10, 11, 12]


@pytest.mark.parametrize("prefer", ["processes", "threads"])
def test_an_error_ends_the_call_and_the_next_one_works(prefer: str) -> None:
    with pytest.raises(ZeroDivisionError):
        Parallel(n_jobs=2, prefer=prefer)(delayed(tasks.divide)(1, i) for i in (1, 0, 2))
    assert Parallel(n_jobs=2, prefer=prefer)(delayed(tasks.divide)(4, i) for i in (1, 2)) == [4, 2]


def test_a_dead_worker_is_an_error_that_tells_how() -> None:
    with pytest.raises(WorkerDied, match="SIGKILL"):
        Parallel(n_jobs=2)(delayed(tasks.die)(i == 1) for i in range(3))
    assert Parallel(n_jobs=2)(delayed(square)(i) for i in range(3)) == [0, 1, 4]


def test_a_time_limit_ends_what_runs() -> None:
    begin = time.monotonic()
    with pytest.raises(multiprocessing.TimeoutError):
        Parallel(n_jobs=2, timeout=0.2)(delayed(tasks.nap_and_pid)(30) for _ in range(2))
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize("return_as", ["generator", "generator_unordered"])
def test_generators(return_as: str) -> None:
    results = Parallel(n_jobs=2, return_as=return_as)(delayed(square)(i) for i in range(20))
    assert not isinstance(results, list) and sorted(results) == [i * i for i in range(20)]


def test_a_list_is_not_polled_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """joblib asks every 10 ms; a call that takes less would take as long."""

    def refuse(_: float) -> None:
        raise AssertionError("joblib polls")

    monkeypatch.setattr(joblib.parallel.time, "sleep", refuse)
    for options in ({}, {"prefer": "threads"}, {"batch_size": 1, "pre_dispatch": 3}):
        assert Parallel(n_jobs=2, **options)(delayed(square)(i) for i in range(200)) == [i * i for i in range(200)]


def test_arrays_are_private_copies() -> None:
    a = numpy.arange(300_000.0)
    assert Parallel(n_jobs=2)(delayed(tasks.write_and_sum)(a) for _ in range(3)) == [a.sum() + 1] * 3
    assert a[0] == 0


def test_a_memmap_is_the_same_file_for_all(tmp_path: Path) -> None:
    shared = numpy.memmap(tmp_path / "shared", "float64", "w+", shape=(6, 4))
    shared[:] = 0
    views = [shared, shared[2:], numpy.asarray(shared)[:, ::2], shared.T, shared[::-1]]
    for number, view in enumerate(views):
        Parallel(n_jobs=2)(delayed(tasks.fill_place)(view, (i, 0), number + i + 1) for i in range(3))
        assert [float(view[i, 0]) for i in range(3)] == [number + i + 1 for i in range(3)]
    nested = {"deep": [shared]}
    assert Parallel(n_jobs=2)(delayed(tasks.deep_sum)(nested) for _ in range(2)) == [float(shared.sum())] * 2


def test_large_arrays_are_shared_where_that_is_asked(tmp_path: Path) -> None:
    results = numpy.zeros((4, 1000))
    options: dict[str, Any] = {"mmap_mode": "r+", "max_nbytes": 1000, "temp_folder": str(tmp_path)}
    sums = Parallel(n_jobs=2, batch_size=1, **options)(delayed(tasks.fill_row_and_wait)(results, i, 4) for i in range(4))
    assert max(sums) == 1000 * (1 + 2 + 3 + 4) and not list(tmp_path.iterdir())
    small = numpy.zeros(10)
    Parallel(n_jobs=2, **options)(delayed(tasks.write_and_sum)(small) for _ in range(2))
    assert small[0] == 0


def test_nested_calls_run_on_threads_of_the_worker() -> None:
    found = Parallel(n_jobs=2)(delayed(tasks.nested)(3) for _ in range(2))
    assert all(len(set(pids)) == 1 and values == [0, 1, 4] for values, pids in found)


def test_libraries_share_the_cores_with_the_other_workers() -> None:
    with parallel_config(backend="manycore", n_jobs=2, inner_max_num_threads=1):
        assert set(joblib.Parallel()(delayed(tasks.variable)("OMP_NUM_THREADS") for _ in range(4))) == {"1"}


@pytest.mark.slow
def test_scikit_learn_uses_it() -> None:
    sklearn_data = pytest.importorskip("sklearn.datasets")
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import cross_val_score

    x, y = sklearn_data.make_classification(200, random_state=0)
    model = RandomForestClassifier(10, random_state=0)
    alone = cross_val_score(model, x, y)
    before = _tasks.calls_answered()
    with parallel_config(backend="manycore", n_jobs=2):
        assert cross_val_score(model, x, y).tolist() == alone.tolist()
    assert _tasks.calls_answered() >= before + 5


@pytest.mark.parametrize("options", [{}, {"prefer": "threads"}, {"return_as": "generator"}, {"n_jobs": 1}], ids=str)
def test_progress_is_told(options: dict[str, Any]) -> None:
    told: list[Any] = []
    calls = [delayed(tasks.nap_and_pid)(0.03) for _ in range(20)]
    assert len(list(Parallel(**{"n_jobs": 2, "progress": told.append, "batch_size": 1, **options})(calls))) == 20
    assert told[-1].finished and told[-1].done == told[-1].total == 20
    assert any(0 < state.done < 20 for state in told) and not any(state.finished for state in told[:-1])


def test_progress_ends_with_an_error() -> None:
    told: list[Any] = []
    with pytest.raises(ZeroDivisionError):
        Parallel(n_jobs=2, progress=told.append)(delayed(tasks.divide)(1, i) for i in (1, 0))
    assert told[-1].finished and told[-1].total is None
    with pytest.raises(ValueError, match="progress: expected True"):
        Parallel(n_jobs=2, progress="bar")([])


def test_verbose_messages_are_joblibs(capfd: pytest.CaptureFixture[str]) -> None:
    Parallel(n_jobs=2, verbose=10)(delayed(square)(i) for i in range(4))
    told = "".join(capfd.readouterr())
    assert "Using backend ManycoreBackend with 2 concurrent workers" in told and "Done   4 out of   4" in told


def test_without_joblib_the_message_says_what_to_do() -> None:
    program = (
        "import sys; sys.modules['joblib'] = None\ntry:\n    import manycore.parallel\nexcept ImportError as e:\n    print(e)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "manycore.parallel needs joblib, which is not installed: pip install 'manycore[parallel]'\n"
