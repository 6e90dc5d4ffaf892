"""pool.options(): who goes first, what comes too late, and what errors call it."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait

import pytest
from manycore.futures import DeadlineMissed, ThreadPoolExecutor


class Held:
    """A pool of one thread that stands still until released, so that calls wait together."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1)
        self.gate = threading.Event()
        self.order: list[object] = []
        begun = threading.Event()

        def stand() -> None:
            begun.set()
            assert self.gate.wait(30)

        self.pool.submit(stand)
        begun.wait()

    def note(self, name: object) -> object:
        self.order.append(name)
        return name


@pytest.fixture
def held() -> Iterator[Held]:
    held = Held()
    yield held
    held.gate.set()
    held.pool.shutdown()


def test_higher_priorities_begin_first_then_earlier_deadlines_then_earlier_submits(held: Held) -> None:
    submits: list[tuple[str, Callable[..., object]]] = [
        ("low", held.pool.options(priority=-1).submit),
        ("plain", held.pool.submit),
        ("named", held.pool.options(name="n").submit),
        ("high", held.pool.options(priority=5).submit),
        ("high, by 90 s", held.pool.options(priority=5, deadline=90).submit),
        ("high, by 60 s", held.pool.options(priority=5, deadline=60).submit),
        ("by 60 s", held.pool.options(deadline=60).submit),
        ("plain too", held.pool.submit),
        ("high too", held.pool.options(priority=5).submit),
    ]
    for name, submit in submits:
        submit(held.note, name)
    held.gate.set()
    held.pool.shutdown()
    assert held.order == [
        "high, by 60 s", "high, by 90 s", "high", "high too", "by 60 s", "plain", "named", "plain too", "low",
    ]  # fmt: skip


def test_a_map_stands_in_the_queue_by_its_options(held: Held) -> None:
    plain = held.pool.submit(held.note, "plain")
    results = held.pool.options(priority=1).map(held.note, [0, 1, 2])
    ahead = held.pool.options(priority=2).map(held.note, [3, 4], buffersize=1)
    shown: list[object] = []
    watched = held.pool.options(priority=3).map(held.note, [5], progress=shown.append)
    held.gate.set()
    assert list(watched) == [5]
    assert held.order.pop(0) == 5
    assert shown
    assert list(results) == [0, 1, 2]
    assert list(ahead) == [3, 4]
    plain.result()
    assert held.order[:5] in ([3, 0, 1, 2, "plain"], [3, 4, 0, 1, 2], [3, 0, 4, 1, 2], [3, 0, 1, 4, 2], [3, 0, 1, 2, 4])


def test_a_call_whose_time_has_passed_is_never_run_and_says_so(held: Held) -> None:
    late = held.pool.options(deadline=0.01, name="quote").submit(held.note, "late")
    unnamed = held.pool.options(deadline=0.0).submit(held.note, "late")
    items = held.pool.options(deadline=0.01).map(held.note, [1, 2])
    soon = held.pool.options(deadline=60).submit(held.note, "soon")
    time.sleep(0.03)
    held.gate.set()
    with pytest.raises(
        DeadlineMissed, match=r"quote: was to begin within 0\.01 s .* 0\.0\d+ s too late, so it was not run"
    ) as caught:
        late.result()
    assert caught.value.name == "quote"
    assert 0.01 < caught.value.late < 10
    assert isinstance(unnamed.exception(), TimeoutError)
    assert str(unnamed.exception()).startswith("Held.note: ")
    with pytest.raises(DeadlineMissed):
        list(items)
    assert soon.result() == "soon"
    assert held.order == ["soon"]


def test_a_late_call_that_was_cancelled_stays_cancelled(held: Held) -> None:
    future = held.pool.options(deadline=0.0, priority=3).submit(held.note, "late")
    assert future.cancel()
    held.gate.set()
    wait([future], 30)
    held.pool.shutdown()
    assert future.cancelled()
    assert held.order == []


def test_shutdown_cancels_calls_wherever_they_stand(held: Held) -> None:
    views = (held.pool.options(priority=-1), held.pool.options(priority=1), held.pool.options(deadline=60), held.pool)
    futures = [view.submit(held.note, "never") for view in views]
    held.pool.options(priority=1).map(held.note, [1, 2])
    held.pool._stop(True)
    assert all(future.cancelled() for future in futures)
    held.gate.set()
    held.pool.shutdown()
    assert held.order == []


def test_arguments_go_to_the_function() -> None:
    def show(*args: object, **keywords: object) -> tuple[object, object]:
        return args, keywords

    with ThreadPoolExecutor(1) as pool:
        assert pool.options(priority=1).submit(show, 1, priority=2, fn=3, self=4).result() == (
            (1,),
            {"priority": 2, "fn": 3, "self": 4},
        )
        assert list(pool.options(priority=1).map(divmod, [7, 8], [2, 3])) == [(3, 1), (2, 2)]


def test_options_that_make_no_sense_are_refused() -> None:
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(ValueError, match="deadline: expected seconds from now, 0 or more, or None, got -1"):
            pool.options(deadline=-1)
        with pytest.raises(ValueError, match="priority: expected an int of 32 bits, got 1.5"):
            pool.options(priority=1.5)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="name: expected a str"):
            pool.options(name=1)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="retries"):
            pool.options(retries=4)
        with pytest.raises(TypeError, match="missing 1 required positional argument"):
            pool.options(priority=1).submit()  # type: ignore[call-arg]


def test_many_calls_of_mixed_urgency_all_run() -> None:
    with ThreadPoolExecutor(3) as pool:
        views = [pool, pool.options(priority=1), pool.options(priority=-1, deadline=60), pool.options(deadline=30)]
        futures = [views[i % 4].submit(abs, -i) for i in range(4000)]
        assert [future.result() for future in futures] == list(range(4000))
