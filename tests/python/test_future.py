"""manycore.futures.Future does what concurrent.futures.Future does, whatever is done to it in which order."""

# Long file: one differential script and what it compares.
from __future__ import annotations

import asyncio
import concurrent.futures as standard
import copy
import itertools
import logging
import pickle
import random
import re
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import _base
from typing import Any

import pytest
from manycore.futures import FIRST_COMPLETED, FIRST_EXCEPTION, Future, as_completed, wait

ADDRESS = re.compile(r"0x[0-9a-f]+|\b\d{9,}\b")


class Interrupting(BaseException):
    """Not an Exception, so a callback that raises it stops the others."""


class Script:
    """One future and everything that can be observed of it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.future = make()
        self.seen: list[Any] = []
        self.waiter = _base._AllCompletedWaiter(3, stop_on_exception=True)

    def callback(self, name: str, failure: BaseException | None = None) -> Callable[[Any], None]:
        def call(future: Any) -> None:
            self.seen.append((name, future is self.future, future._state, future.done()))
            if failure is not None:
                raise failure

        return call

    def with_condition(self) -> Any:
        with self.future._condition:
            return self.future._state

    def do(self, operation: str) -> Any:
        f = self.future
        return {
            "cancel": f.cancel,
            "cancelled": f.cancelled,
            "running": f.running,
            "done": f.done,
            "start": f.set_running_or_notify_cancel,
            "result": lambda: f.result(0),
            "exception": lambda: f.exception(timeout=0),
            "set_result": lambda: f.set_result("a result"),
            "set_none": lambda: f.set_result(result=None),
            "set_exception": lambda: f.set_exception(ValueError("it failed")),
            "set_class": lambda: f.set_exception(KeyError),
            "set_no_exception": lambda: f.set_exception(None),
            "set_nonsense": lambda: f.set_exception(exception=5),
            "callback": lambda: f.add_done_callback(self.callback("plain")),
            "failing": lambda: f.add_done_callback(fn=self.callback("failing", OSError("callback"))),
            "stopping": lambda: f.add_done_callback(self.callback("stopping", Interrupting("stop"))),
            "waiter": lambda: f._waiters.append(self.waiter),
            "condition": self.with_condition,
            "repr": lambda: repr(f),
            "attributes": lambda: (f._state, f._result, repr(f._exception), len(f._waiters), len(f._done_callbacks)),
            "again": f.__init__,
            "own": lambda: vars(f).get("own", "nothing"),
            "set_own": lambda: setattr(f, "own", 7),
            "missing": lambda: f.set_result(),
            "too_many": lambda: f.result(1, 2),
            "wrong_name": lambda: f.result(time=1),
        }[operation]()

    def outcome(self, operation: str) -> Any:
        try:
            answer = self.do(operation)
        except BaseException as error:
            answer = (type(error), "" if isinstance(error, TypeError) else str(error))
        waited = (len(self.waiter.finished_futures), self.waiter.num_pending_calls, self.waiter.event.is_set())
        return ADDRESS.sub("ADDRESS", repr((operation, answer, self.seen, waited)))


OPERATIONS = """
    cancel cancelled running done start result exception set_result set_none set_exception set_class set_no_exception set_nonsense
    callback failing stopping waiter condition repr attributes own set_own missing too_many wrong_name
""".split()


def log_of(run: Callable[[], Any]) -> tuple[Any, list[str]]:
    """What a run gives, and what it logs."""
    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(  # type: ignore[method-assign]
        ADDRESS.sub("ADDRESS", f"{record.levelname} {record.getMessage()} {record.exc_info and record.exc_info[1]!r}")
    )
    logger = logging.getLogger("concurrent.futures")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        return run(), records
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


def assert_same(operations: list[str]) -> None:
    def outcomes(make: Callable[[], Any]) -> list[Any]:
        script = Script(make)
        return [script.outcome(operation) for operation in operations]

    assert log_of(lambda: outcomes(Future)) == log_of(lambda: outcomes(standard.Future))


def test_it_is_a_future_of_the_standard() -> None:
    future = Future()
    assert isinstance(future, standard.Future) and issubclass(Future, standard.Future)
    assert Future.__name__ == "Future" and not {name for name in dir(Future) if name.startswith("_member")}
    assert Future[int].__args__ == (int,)


@pytest.mark.parametrize("first", OPERATIONS)
def test_all_short_sequences_of_operations_end_as_the_standards(first: str) -> None:
    for rest in itertools.product(OPERATIONS, repeat=2):
        assert_same([first, *rest, "attributes", "repr"])


@pytest.mark.parametrize("seed", range(200))
def test_random_sequences_of_operations_end_as_the_standards(seed: int) -> None:
    chance = random.Random(seed)
    assert_same([chance.choice([*OPERATIONS, "again"]) for _ in range(30)])


def test_a_result_waits_for_another_thread_and_a_limit_ends_it() -> None:
    future: Future[int] = Future()
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        future.result(0.02)
    with pytest.raises(TimeoutError):
        future.exception(timeout=0.02)
    assert time.monotonic() - begin >= 0.04
    assert future.running() is False
    threading.Timer(0.02, future.set_result, (5,)).start()
    assert future.result(60) == 5


@pytest.mark.parametrize("timeout", ["soon", float("nan"), 1e300, -1, 0, 1e-9, True, None, 10**10, float("inf")])
def test_limits_are_taken_as_the_standard_takes_them(timeout: Any) -> None:
    def outcome(make: Callable[[], Any]) -> Any:
        future = make()
        if timeout is None or timeout is True:
            threading.Timer(0.01, future.set_result, (1,)).start()
        try:
            return future.result(timeout)
        except Exception as error:
            return type(error)

    assert outcome(Future) == outcome(standard.Future)


@pytest.mark.parametrize("finish", ["set_result", "set_exception", "cancel"])
def test_every_waiting_thread_wakes(finish: str) -> None:
    for touched in (False, True):
        future: Future[int] = Future()
        if touched:
            assert future._condition
        seen: list[Any] = []

        def look(future: Future[int] = future, seen: list[Any] = seen) -> None:
            try:
                seen.append(future.result(60))
            except BaseException as error:
                seen.append(type(error))

        threads = [threading.Thread(target=look) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(0.01)
        {
            "set_result": lambda: future.set_result(1),
            "set_exception": lambda: future.set_exception(OSError()),
            "cancel": future.cancel,
        }[finish]()
        for thread in threads:
            thread.join(60)
        assert seen == [{"set_result": 1, "set_exception": OSError, "cancel": standard.CancelledError}[finish]] * 8


def test_a_state_that_is_set_by_hand_is_whole_when_the_condition_is_free() -> None:
    future: Future[int] = Future()

    def by_hand() -> None:
        with future._condition:
            future._state = _base.FINISHED
            time.sleep(0.02)
            future._exception = OSError("by hand")
            future._condition.notify_all()

    timer = threading.Timer(0.02, by_hand)
    timer.start()
    assert isinstance(future.exception(60), OSError)
    timer.join()
    with pytest.raises(ValueError, match="expected a state of concurrent.futures, got 'OTHER'"):
        future._state = "OTHER"


@pytest.mark.parametrize("when", [FIRST_COMPLETED, FIRST_EXCEPTION, standard.ALL_COMPLETED])
def test_wait_takes_both_kinds_together(when: str) -> None:
    ours: list[Future[int]] = [Future() for _ in range(3)]
    theirs: list[standard.Future[int]] = [standard.Future() for _ in range(3)]
    for number, future in enumerate([*ours, *theirs]):
        threading.Timer(0.005 * number, future.set_result, (number,)).start()
    done, waiting = wait([*ours, *theirs], return_when=when, timeout=60)
    assert done | waiting == {*ours, *theirs} and done
    assert when == FIRST_COMPLETED or not waiting
    assert sorted(future.result() for future in as_completed([*ours, *theirs])) == list(range(6))


def test_threads_that_race_to_end_a_future_have_one_winner() -> None:
    for round_ in range(300):
        future: Future[int] = Future()
        if round_ % 3 == 0:
            assert future._condition
        called: list[Any] = []
        future.add_done_callback(called.append)
        barrier = threading.Barrier(4)
        won: list[str] = []

        def end(how: str, future: Future[int] = future, barrier: threading.Barrier = barrier, won: list[str] = won) -> None:
            barrier.wait()
            try:
                if {
                    "result": lambda: future.set_result(1),
                    "exception": lambda: future.set_exception(OSError()),
                    "cancel": future.cancel,
                }[how]() is not False:
                    won.append(how)
            except standard.InvalidStateError:
                pass

        threads = [threading.Thread(target=end, args=(how,)) for how in ("result", "exception", "cancel")]
        for thread in threads:
            thread.start()
        barrier.wait()
        for thread in threads:
            thread.join()
        assert len(won) == 1 and called == [future], (won, called)


def test_a_subclass_has_its_own_methods_and_state() -> None:
    class Named(Future[Any]):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def set_result(self, result: Any) -> None:
            super().set_result((self.name, result))

    future = Named("first")
    future.set_result(1)
    assert future.result() == ("first", 1) and repr(future).startswith("<Named at 0x")
    without = type("Without", (Future,), {"__init__": lambda self: None})()
    without.set_result(2)
    assert without.result() == 2


def test_pickling_fails_and_copying_works_as_the_standards() -> None:
    texts = []
    for make in (Future, standard.Future):
        future: Any = make()
        future.set_result(4)
        with pytest.raises(TypeError) as caught:
            pickle.dumps(future)
        texts.append(str(caught.value))
        twin = copy.copy(future)
        assert (type(twin), twin.result()) == (make, 4) and twin._condition is future._condition
    assert texts[0] == texts[1]


def test_a_coroutine_awaits_it_from_a_running_loop() -> None:
    async def main() -> None:
        finished: Future[int] = Future()
        finished.set_result(1)
        assert await finished == 1
        later: Future[int] = Future()
        threading.Timer(0.01, later.set_result, (2,)).start()
        assert await later == 2
        assert await asyncio.wrap_future(later) == 2
        failing: Future[int] = Future()
        failing.set_exception(ValueError("it failed"))
        with pytest.raises(ValueError, match="it failed"):
            await failing
        cancelled: Future[int] = Future()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.wrap_future(cancelled), 0.01)
        assert cancelled.cancelled()

    asyncio.run(main())
    with pytest.raises(RuntimeError):
        Future().__await__()


def test_a_signal_handler_runs_while_the_main_thread_waits() -> None:
    class Alarm(Exception):
        pass

    def ring(*_: Any) -> None:
        raise Alarm

    future: Future[int] = Future()
    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with pytest.raises(Alarm):
            future.result(60)
        signal.signal(signal.SIGALRM, lambda *_: future.set_result(3))
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        assert future.result(60) == 3
    finally:
        signal.signal(signal.SIGALRM, before)
