"""The report of tasks: where they ran, how long they waited, what travelled, who was busy, who died."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from manycore import _tasks
from manycore.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, WorkerDied
from manycore.report import tasks
from manycore.report.tasks_section import tasks_section
from test_run_program import run, write


@pytest.fixture(autouse=True)
def _counted() -> Iterator[None]:
    tasks.start()
    yield
    tasks.stop()


@pytest.mark.timed
def test_tasks_on_threads_with_their_waiting_time_and_load() -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as pool:
        for _ in range(3):
            pool.submit(time.sleep, 0.05)
    counted = tasks.current()
    assert counted.tasks == counted.threads.tasks == 3 and counted.inline.tasks == counted.processes.tasks == 0
    # The first waited for the thread alone, the others for those before them too.
    assert 0.04 < counted.threads.waited_median < 0.09 < counted.threads.waited_longest < 1
    assert counted.threads.waited_seconds > 0.14
    assert 0.15 <= counted.threads.busy_seconds < counted.span_seconds + 0.001
    (worker,) = counted.workers
    assert (worker.name, worker.kind, worker.tasks) == ("mine_0", "thread", 3)
    assert worker.busy_share > 0.9 and len(worker.load) > 60
    assert sum(worker.load) / len(worker.load) == pytest.approx(worker.busy_share, abs=0.02)


@pytest.mark.timed
def test_a_long_time_is_shown_in_at_most_120_parts() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(time.sleep, 0.3)
        pool.submit(time.sleep, 0.2)
    (worker,) = tasks.current().workers
    assert 60 <= len(worker.load) <= 120 and min(worker.load[:-1]) > 0.5


def test_a_task_that_raises_keeps_its_exception() -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result()
    assert tasks.current().threads.tasks == 1


def test_items_of_maps_are_tasks() -> None:
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(abs, range(100))) == list(range(100))
    with Executor() as executor:
        assert list(executor.map(abs, range(50))) == list(range(50))
        assert executor.explain().where == "inline"
    counted = tasks.current()
    assert counted.threads.tasks == 100 and counted.inline.tasks == 50


def spin(number: int) -> int:
    begin = time.process_time()
    while time.process_time() - begin < 0.002:
        pass
    return number


def test_the_executors_own_task_is_not_the_programs() -> None:
    with Executor(2, processes="allowed") as executor:
        while executor._shared.warming:
            time.sleep(0.01)
        assert list(executor.map(spin, range(300))) == list(range(300))
        assert executor.explain().where == "processes"
    counted = tasks.current()
    assert counted.tasks == 300 and counted.processes.tasks > 0 and counted.threads.tasks == 0


def test_processes_with_what_was_sent_and_received() -> None:
    large = bytearray(os.urandom(1 << 20))
    with ProcessPoolExecutor(1) as pool:
        for _ in range(3):
            assert pool.submit(bytes, large).result() == large
        assert list(pool.map(abs, range(1000))) == list(range(1000))
    counted = tasks.current()
    assert counted.processes.tasks == 1003
    assert 3 << 20 <= counted.sent_in_blocks < (3 << 20) + 1000
    # The block of the first call may still be in the worker's hands at the second.
    assert counted.sent_unchanged in (counted.sent_in_blocks // 3, counted.sent_in_blocks // 3 * 2)
    assert 3 << 20 <= counted.received_in_blocks < (3 << 20) + 1000
    assert 0 < counted.sent_in_rings < 100_000 and 0 < counted.received_in_rings < 100_000
    (worker,) = counted.workers
    assert worker.kind == "process" and worker.tasks == 1003 and 0 < worker.busy_share <= 1


def test_waiting_for_a_process_that_is_busy() -> None:
    with ProcessPoolExecutor(1) as pool:
        pool.submit(abs, 1).result()
        for _ in range(2):
            pool.submit(time.sleep, 0.1)
    assert 0.09 < tasks.current().processes.waited_longest < 1


def die_once(path: str) -> str:
    if not os.path.exists(path):
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "lived"


def test_deaths_and_what_became_of_their_calls(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, retries=1) as pool:
        assert pool.submit(die_once, str(tmp_path / "one")).result() == "lived"
    counted = tasks.current()
    assert (counted.worker_deaths, counted.retried_calls, counted.lost_tasks, counted.tasks) == (1, 1, 0, 1)
    with ProcessPoolExecutor(1) as pool, pytest.raises(WorkerDied):
        pool.submit(die_once, str(tmp_path / "two")).result()
    counted = tasks.current()
    assert (counted.worker_deaths, counted.retried_calls, counted.lost_tasks, counted.tasks) == (2, 1, 1, 1)
    assert "2 workers ended unasked: 1 call ran again, 1 task lost" in tasks.format_tasks(counted)
    assert "2 workers ended unasked" in tasks_section(counted)


def test_nothing_is_counted_unless_asked() -> None:
    tasks.stop()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(abs, 1).result()
    assert not tasks.current().happened
    # What was submitted before somebody asked waited for nobody knows how long.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(time.sleep, 0.05)
        tasks.start()
    assert not tasks.current().happened


def test_more_workers_than_lines_share_one() -> None:
    for number in range(600):
        with ThreadPoolExecutor(1, thread_name_prefix=f"pool{number}") as pool:
            pool.submit(abs, 1).result()
    counted = tasks.current()
    assert counted.tasks == 600 and len(counted.workers) == 512 and sum(worker.tasks for worker in counted.workers) == 600
    assert {worker.name: worker.tasks for worker in counted.workers}["others"] == 600 - 511


def test_a_child_of_fork_counts_nothing() -> None:
    with ProcessPoolExecutor(1) as pool:
        assert pool.submit(counts_here).result() is False


def counts_here() -> bool:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(abs, 1).result()
    counted = _tasks.task_report()
    return counted is not None and counted["threads"]["tasks"] > 0


PROGRAM = """\
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

if __name__ == "__main__":
    with ThreadPoolExecutor(2) as pool:
        print(len(list(pool.map(time.sleep, [0.002] * 20))))
    with ProcessPoolExecutor(2) as pool:
        print(len(pool.submit(bytes, bytearray(100_000)).result()), pool.submit(abs, -5).result())
"""


def test_a_program_of_tasks_has_them_in_its_report(tmp_path: Path) -> None:
    script = write(tmp_path, "program.py", PROGRAM)
    done = run(["-m", "manycore", "run", "--report=report.json", script], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "20\n100000 5\n", "")
    counted = json.loads((tmp_path / "report.json").read_text())["tasks"]
    assert counted["threads"]["tasks"] == 20 and counted["processes"]["tasks"] == 2
    assert 100_000 <= counted["sent_in_blocks"] < 100_100 and 100_000 <= counted["received_in_blocks"] < 100_100
    assert sum(worker["tasks"] for worker in counted["workers"]) == 22
    done = run(["-m", "manycore", "run", "--report", script], tmp_path)
    assert "  22 tasks: 20 on threads, 2 in processes\n" in done.stderr
    assert re.search(r"sent to processes \S+ k?B in rings and 100 kB out-of-band, received \S+ k?B and 100 kB\n", done.stderr)
    assert re.search(r"ThreadPoolExecutor-0_0  [#.]{10} +\d+ %  \d+ tasks", done.stderr)


def test_the_page_shows_the_load_of_each_worker(tmp_path: Path) -> None:
    script = write(tmp_path, "program.py", PROGRAM)
    done = run(["-m", "manycore", "run", "--report=page.html", script], tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "page.html").read_text()
    assert "<h2>Tasks</h2>" in text and "<h2>Groups</h2>" not in text
    pictures = re.findall(r'aria-label="load of ([^"]+) over time">(.*?)</svg>', text)
    assert {name.partition(" ")[0] for name, _ in pictures} == {"ThreadPoolExecutor-0_0", "ThreadPoolExecutor-0_1", "process"}
    assert all(picture.count("<rect") > 1 for name, picture in pictures if name.startswith("Thread"))


def test_a_program_without_tasks_says_nothing_of_them(tmp_path: Path) -> None:
    script = write(tmp_path, "program.py", "import numpy as np\nprint(float(np.ones(5).sum()))\n")
    done = run(["-m", "manycore", "run", "--report=report.json", script], tmp_path)
    assert done.returncode == 0 and json.loads((tmp_path / "report.json").read_text())["tasks"] is None
