"""pool.options() of processes: who goes first, what comes too late, how often a call runs again, and what errors call it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cancel_tasks as calls
import process_tasks as tasks
import pytest
from manycore.futures import DeadlineMissed, Executor, ProcessPoolExecutor, WorkerDied, cancel


def note(path: str, name: str) -> str:
    with open(path, "a") as file:
        file.write(name + "\n")
    return name


class Held:
    """A pool of one worker that stands still for as long as `gate` is there, so that calls wait together."""

    def __init__(self, folder: Path) -> None:
        self.pool = ProcessPoolExecutor(1)
        self.notes = str(folder / "notes")
        self.gate = folder / "gate"
        self.gate.touch()
        begun = folder / "begun"
        self.pool.submit(stand, str(begun), str(self.gate))
        while not begun.exists():
            time.sleep(0.001)

    def order(self) -> list[str]:
        return Path(self.notes).read_text().split()


def stand(begun: str, gate: str) -> None:
    Path(begun).touch()
    while os.path.exists(gate):
        time.sleep(0.001)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    held = Held(tmp_path)
    yield held
    held.gate.unlink(missing_ok=True)
    held.pool.shutdown()


def test_higher_priorities_begin_first_then_earlier_deadlines_then_earlier_submits(held: Held) -> None:
    pool = held.pool
    submits: list[tuple[str, Any]] = [
        ("low", pool.options(priority=-1).submit),
        ("plain", pool.submit),
        ("named", pool.options(name="n").submit),
        ("high", pool.options(priority=5).submit),
        ("high-by-90", pool.options(priority=5, deadline=90).submit),
        ("high-by-60", pool.options(priority=5, deadline=60).submit),
        ("by-60", pool.options(deadline=60).submit),
        ("plain-too", pool.submit),
        ("high-too", pool.options(priority=5).submit),
    ]
    for name, submit in submits:
        submit(note, held.notes, name)
    held.gate.unlink()
    pool.shutdown()
    assert held.order() == [
        "high-by-60", "high-by-90", "high", "high-too", "by-60", "plain", "named", "plain-too", "low",
    ]  # fmt: skip


def test_an_urgent_call_passes_those_that_wait_in_a_workers_ring(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1) as pool:
        notes = str(tmp_path / "notes")
        for _ in range(50):
            pool.submit(note, notes, "warm").result(60)  # now calls are known to be short, and many go into the ring
        Path(notes).unlink()
        gate = tmp_path / "gate"
        gate.touch()
        pool.submit(stand, str(tmp_path / "begun"), str(gate))
        while not (tmp_path / "begun").exists():
            time.sleep(0.001)
        futures = [pool.submit(note, notes, f"plain-{i}") for i in range(100)]
        futures.append(pool.options(priority=1).submit(note, notes, "urgent"))
        assert cancel(futures[50])
        gate.unlink()
        for future in futures:
            assert future.cancelled() or future.result(60)
    assert Path(notes).read_text().split() == ["urgent", *(f"plain-{i}" for i in range(100) if i != 50)]


def test_a_call_whose_time_has_passed_is_never_run_and_says_so(held: Held) -> None:
    pool = held.pool
    late = pool.options(deadline=0.01, name="quote").submit(note, held.notes, "late")
    large = pool.options(deadline=0.01).submit(tasks.length, b"x" * 1_000_000)
    items = pool.options(deadline=0.01).map(tasks.double, range(100))
    ahead = pool.options(deadline=0.01).map(tasks.double, range(5), buffersize=2)
    soon = pool.options(deadline=60).submit(note, held.notes, "soon")
    time.sleep(0.03)
    held.gate.unlink()
    with pytest.raises(
        DeadlineMissed, match=r"quote: was to begin within 0\.01 s .* 0\.0\d+ s too late, so it was not run"
    ) as caught:
        late.result(60)
    assert caught.value.name == "quote" and 0.01 < caught.value.late < 10
    with pytest.raises(DeadlineMissed, match=r"^length: was to begin within 0\.01 s"):
        large.result(60)
    with pytest.raises(DeadlineMissed, match=r"^double: was to begin within 0\.01 s"):
        list(items)
    with pytest.raises(DeadlineMissed):
        list(ahead)
    assert soon.result(60) == "soon"
    assert pool.submit(tasks.length, b"y" * 1_000_000).result(60) == 1_000_000
    pool.shutdown()
    assert held.order() == ["soon"]


def test_calls_in_time_run_and_their_arguments_arrive() -> None:
    with ProcessPoolExecutor(2) as pool:
        view = pool.options(priority=3, deadline=60, name="n", retries=1)
        assert view.submit(tasks.with_keywords, 1, priority=2, fn=3, self=4).result(60) == (
            (1,),
            {"priority": 2, "fn": 3, "self": 4},
        )
        assert list(view.map(tasks.double, range(5000))) == list(range(0, 10000, 2))
        assert list(view.map(divmod, [7, 8], [2, 3], chunksize=2)) == [(3, 1), (2, 2)]
        assert list(view.map(tasks.double, range(20), buffersize=3)) == list(range(0, 40, 2))
        shown: list[Any] = []
        assert list(view.map(tasks.double, range(20), progress=shown.append)) == list(range(0, 40, 2)) and shown


def test_retries_of_one_call(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1) as pool:
        assert pool.options(retries=1).submit(tasks.die_once, str(tmp_path / "a")).result(60) == "second time"
        timely = pool.options(retries=1, deadline=5).submit(tasks.die_once, str(tmp_path / "b"))
        assert timely.result(60) == "second time"
        assert isinstance(pool.submit(tasks.die_once, str(tmp_path / "c")).exception(60), WorkerDied)
    with ProcessPoolExecutor(1, retries=3) as pool:
        assert isinstance(pool.options(retries=0).submit(tasks.die_once, str(tmp_path / "d")).exception(60), WorkerDied)
        assert pool.options(priority=1).submit(tasks.die_once, str(tmp_path / "e")).result(60) == "second time"


def test_the_name_stands_in_what_a_death_leaves() -> None:
    with ProcessPoolExecutor(1) as pool:
        error = pool.options(name="thumbnail of a.jpg").submit(tasks.die, "kill").exception(60)
        assert isinstance(error, WorkerDied)
        assert error.name == "thumbnail of a.jpg"
        assert str(error).startswith("thumbnail of a.jpg: its worker process")
        other = pool.submit(tasks.die, "kill").exception(60)
        assert isinstance(other, WorkerDied) and other.name == "die"


def test_a_call_with_options_is_cancelled_where_it_stands_and_where_it_runs(held: Held, tmp_path: Path) -> None:
    futures = [held.pool.options(priority=i % 3, deadline=60).submit(note, held.notes, str(i)) for i in range(30)]
    assert all(future.cancel() for future in futures[::2])
    running = held.pool.options(priority=9).submit(calls.catch_for_ever, str(tmp_path / "mark"))
    held.gate.unlink()
    while not (tmp_path / "mark").exists():
        time.sleep(0.001)
    assert cancel(running)
    assert [future.result(60) for future in futures[1::2]] == [str(i) for i in range(1, 30, 2)]
    assert sorted(held.order(), key=int) == [str(i) for i in range(1, 30, 2)]
    assert [int(one) % 3 for one in held.order()] == sorted((i % 3 for i in range(1, 30, 2)), reverse=True)


def test_many_calls_of_mixed_urgency_all_run() -> None:
    with ProcessPoolExecutor(2) as pool:
        views: list[Any] = [pool, pool.options(priority=1), pool.options(priority=-1, deadline=60), pool.options(deadline=30)]
        futures = [views[i % 4].submit(abs, -i) for i in range(4000)]
        assert [future.result(60) for future in futures] == list(range(4000))


def test_options_that_make_no_sense_are_refused() -> None:
    with ProcessPoolExecutor(1) as pool:
        with pytest.raises(ValueError, match="deadline: expected seconds from now"):
            pool.options(deadline=-1)
        with pytest.raises(ValueError, match="retries: expected 0, 1, 2 or 3"):
            pool.options(retries=4)
        with pytest.raises(TypeError, match="missing 1 required positional argument"):
            pool.options(priority=1).submit()  # type: ignore[call-arg]
    with pytest.raises(RuntimeError, match="shutdown"):
        pool.options(priority=1).submit(abs, 1)


def test_executor_takes_options_to_its_threads() -> None:
    with Executor(1) as executor:
        view = executor.options(priority=1, name="n")
        assert view.submit(os.getpid).result(60) == os.getpid()
        assert list(view.map(abs, [-1, -2])) == [1, 2]
    with pytest.raises(RuntimeError, match="shutdown"):
        executor.options(priority=1)
