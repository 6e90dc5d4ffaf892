"""progress= of every map: what it shows, where, and that it shows nothing where nobody looks."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from manycore.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from manycore.futures.progress import State

from tests.python.process_tasks import fail_at, nap

EXECUTORS: list[Callable[[], Any]] = [
    lambda: ThreadPoolExecutor(2),
    lambda: ProcessPoolExecutor(2),
    lambda: Executor(2),
    lambda: Executor(2, processes="allowed"),
]
every_executor = pytest.mark.parametrize("make", EXECUTORS, ids=["threads", "processes", "executor", "allowed"])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@every_executor
def test_a_function_gets_the_counts(make: Callable[[], Any]) -> None:
    states: list[State] = []
    with make() as executor:
        assert list(executor.map(nap, [0.02] * 30, progress=states.append)) == [0.02] * 30
    assert [state.finished for state in states] == [False] * (len(states) - 1) + [True] and len(states) >= 2
    done = [state.done for state in states]
    assert done == sorted(done) and done[-1] == 30
    first, last = states[0], states[-1]
    assert last.failed == 0 and last.total == 30 and last.left == 0 and last.seconds > 0.25
    assert last.rate == pytest.approx(30 / last.seconds)
    assert first.done < 30 and (first.left is None or first.left > 0)


@every_executor
def test_failures_count_and_the_last_state_comes_before_the_exception(make: Callable[[], Any]) -> None:
    states: list[State] = []
    with make() as executor, pytest.raises(ValueError, match="item 2"):
        list(executor.map(fail_at, range(8), [2] * 8, progress=states.append))
    assert states[-1].finished and states[-1].failed == 1


@every_executor
def test_buffered_maps_have_progress_too(make: Callable[[], Any]) -> None:
    states: list[State] = []
    with make() as executor:
        assert list(executor.map(abs, range(10), buffersize=3, progress=states.append)) == list(range(10))
    assert (states[-1].done, states[-1].finished, states[-1].total) == (10, True, None)


def test_a_map_that_nobody_reads_finishes_too() -> None:
    states: list[State] = []
    with ThreadPoolExecutor(2) as executor:
        executor.map(nap, [0.01] * 4, progress=states.append)
        end = time.monotonic() + 20
        while not (states and states[-1].finished) and time.monotonic() < end:
            time.sleep(0.01)
    assert (states[-1].done, states[-1].finished) == (4, True)


@every_executor
def test_one_line_on_a_terminal(make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with make() as executor:
        list(executor.map(nap, [0.02] * 20, progress=True))
    text = terminal.getvalue()
    assert text.count("\n") == 1 and text.endswith("\n") and text.startswith("\r")
    assert "20/20 done, " in text and "/s in " in text and " left" in text


@every_executor
def test_nothing_where_there_is_no_terminal(make: Callable[[], Any], capfd: pytest.CaptureFixture[str]) -> None:
    with make() as executor:
        list(executor.map(nap, [0.01] * 20, progress=True))
        list(executor.map(nap, [0.01] * 20, progress=False))
    assert capfd.readouterr() == ("", "")


def test_off_means_the_plain_iterator() -> None:
    with ThreadPoolExecutor(1) as executor:
        assert type(executor.map(abs, [1], progress=None)) is type(executor.map(abs, [1]))


def test_tqdm_shows_its_bar_or_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bar:
        def __init__(self, total: int | None) -> None:
            self.total, self.n, self.closed = total, 0, False
            bars.append(self)

        def update(self, by: int) -> None:
            self.n += by

        def set_postfix(self, **_: Any) -> None:
            pass

        def close(self) -> None:
            self.closed = True

    bars: list[Bar] = []
    module = type(sys)("tqdm")
    module.tqdm = Bar  # type: ignore[attr-defined]
    with ThreadPoolExecutor(2) as executor:
        monkeypatch.setitem(sys.modules, "tqdm", module)
        assert list(executor.map(abs, range(50), progress="tqdm")) == list(range(50))
        assert [(bar.total, bar.n, bar.closed) for bar in bars] == [(50, 50, True)]
        monkeypatch.setitem(sys.modules, "tqdm", None)
        with pytest.raises(ModuleNotFoundError, match="needs the package tqdm, which is not installed: pip install tqdm"):
            executor.map(abs, range(50), progress="tqdm")


def test_a_function_that_fails_is_told_and_the_map_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    def fails(state: State) -> None:
        raise RuntimeError("no display")

    with ThreadPoolExecutor(1) as executor:
        assert list(executor.map(nap, [0.05] * 5, progress=fails)) == [0.05] * 5
    assert "no display" in capfd.readouterr().err


@every_executor
def test_other_values_are_refused(make: Callable[[], Any]) -> None:
    with make() as executor, pytest.raises(ValueError, match="progress: expected True, False, 'tqdm' or a function"):
        executor.map(abs, [1], progress="bar")
