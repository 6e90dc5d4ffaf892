"""manycore.futures.ThreadPoolExecutor keeps what the documentation of the standard one says, and what its users rely on."""

# Long file: every promise of one class.
from __future__ import annotations

import concurrent.futures
import contextlib
import contextvars
import decimal
import gc
import itertools
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from manycore import _tasks
from manycore.futures import BrokenThreadPool, CancelledError, Future, ThreadPoolExecutor, as_completed, wait

from tests.python.recorded import run_child

STANDARD = concurrent.futures.ThreadPoolExecutor
VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


def capture(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
    return args, kwargs


def printed(program: str) -> str:
    done = run_child("from manycore.futures import ThreadPoolExecutor\nimport atexit, os, sys, threading, time\n" + program)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True


ASK_FORTY_TIMES = """
begin = time.monotonic()
for _ in range(20):  # each start waits for the GIL twice, some 5 ms
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
"""


def test_a_worker_that_always_has_work_lets_others_have_the_interpreter() -> None:
    """The standard gives the GIL away within 5 ms; ours once kept it for 15 s at a time."""
    program = f"""
def again():
    pool.submit(again)
pool = ThreadPoolExecutor(1)
pool.submit(again)
{ASK_FORTY_TIMES}
print(time.monotonic() - begin, flush=True)
os._exit(0)
"""
    assert float(printed(program)) < 10


def test_a_worker_that_calls_c_functions_only_lets_others_have_the_interpreter() -> None:
    """CPython looks for requests where it evaluates Python code; here there is none."""
    program = f"""
import itertools
from manycore import _tasks
pool = ThreadPoolExecutor(1)
results = pool.map(abs, itertools.repeat(1, 5_000_000))
{ASK_FORTY_TIMES}
print(_tasks.tasks_run(), flush=True)
os._exit(0)
"""
    assert 0 < int(printed(program)) < 5_000_000


def test_tasks_run_on_threads_of_the_pool_and_are_counted() -> None:
    before = _tasks.tasks_run()
    with ThreadPoolExecutor(3, thread_name_prefix="mine") as pool:
        assert isinstance(pool, STANDARD) and isinstance(pool, concurrent.futures.Executor)
        future = pool.submit(threading.current_thread)
        assert type(future) is Future and future.result() in pool._threads
        assert future.result().name == "mine_0" and future.result() is not threading.current_thread()
        assert set(pool.map(lambda _: threading.get_ident(), range(50))) <= {thread.ident for thread in pool._threads}
    assert _tasks.tasks_run() - before == 51


def test_arguments_of_every_kind_arrive() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(capture).result() == ((), {})
        assert pool.submit(capture, 1, 2, x=3).result() == ((1, 2), {"x": 3})
        assert pool.submit(capture, 1, self=2, fn=3).result() == ((1,), {"self": 2, "fn": 3})
        for wrong in (lambda: pool.submit(), lambda: pool.submit(fn=capture), lambda: pool.submit(arg=1)):  # type: ignore[call-arg]
            with pytest.raises(TypeError):
                wrong()


def test_exceptions_reach_the_future_with_their_traceback() -> None:
    def fails() -> None:
        raise KeyError("inside")

    with ThreadPoolExecutor(1) as pool:
        error = pool.submit(fails).exception()
        assert isinstance(error, KeyError) and error.__traceback__ is not None
        assert error.__traceback__.tb_frame.f_code.co_name == "fails"
        for base in (SystemExit, KeyboardInterrupt, GeneratorExit):
            with pytest.raises(base):
                pool.submit(lambda base=base: (_ for _ in ()).throw(base())).result()
        assert pool.submit(abs, -1).result() == 1 and len(pool._threads) == 1


@pytest.mark.parametrize("kind", ["submit", "map"])
def test_tasks_that_block_on_each_other_all_run_at_once(kind: str) -> None:
    barrier = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        if kind == "submit":
            futures = [pool.submit(barrier.wait, 60) for _ in range(4)]
            assert sorted(future.result() for future in futures) == [0, 1, 2, 3]
        else:
            assert sorted(pool.map(lambda _: barrier.wait(60), range(4))) == [0, 1, 2, 3]
        assert len(pool._threads) == 4


def test_an_idle_thread_is_used_again_before_one_is_started() -> None:
    with ThreadPoolExecutor(8) as pool:
        idents = {pool.submit(threading.get_ident).result() for _ in range(200)}
        assert len(idents) == len(pool._threads) == 1


def test_no_more_threads_than_asked_for() -> None:
    gate = threading.Semaphore(0)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(60):
            pool.submit(gate.acquire)
        assert len(pool._threads) == 4
        assert pool._work_queue.qsize() == pool._waiting and not pool._work_queue.empty()
        gate.release(60)


def test_tasks_begin_in_the_order_of_their_submission() -> None:
    begun: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        results = pool.map(begun.append, range(100))
        for number in range(100, 300):
            pool.submit(begun.append, number)
        assert list(results) == [None] * 100
    assert begun == list(range(300))


def test_a_waiting_task_can_be_cancelled_and_a_running_one_cannot() -> None:
    gate, begun = threading.Event(), threading.Event()
    ran: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(lambda: (begun.set(), gate.wait(60)))
        assert begun.wait(60) and not running.cancel() and running.running()
        waiting = [pool.submit(ran.append, number) for number in range(4)]
        assert waiting[1].cancel() and waiting[3].cancel() and waiting[1].cancelled()
        with pytest.raises(CancelledError):
            waiting[1].result()
        gate.set()
        assert set(as_completed(waiting, timeout=60)) == set(waiting)
    assert ran == [0, 2]


def test_map_gives_results_in_order_lazily_and_lets_go_of_them() -> None:
    class Result:
        pass

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(pow, range(10), itertools.repeat(2))) == [number**2 for number in range(10)]
        assert list(pool.map(pow, range(10), range(10), chunksize=3)) == [number**number for number in range(10)]
        assert list(pool.map(capture)) == [] and list(pool.map(capture, [])) == []
        assert list(pool.map(capture, [1, 2, 3], "ab")) == [((1, "a"), {}), ((2, "b"), {})]
        for result in pool.map(lambda _: Result(), range(5)):
            reference = weakref.ref(result)
            del result
            assert reference() is None
        with pytest.raises(TypeError):
            pool.map(abs, 5)  # type: ignore[arg-type]


def test_maps_arguments_are_freed_when_their_calls_have_run() -> None:
    class Argument:
        pass

    with ThreadPoolExecutor(1) as pool:
        arguments = [Argument() for _ in range(5)]
        references = [weakref.ref(argument) for argument in arguments]
        results = pool.map(lambda _: None, arguments)
        arguments.clear()
        assert within(60, lambda: not any(reference() for reference in references))
        assert list(results) == [None] * 5


def test_an_error_ends_a_map_and_what_has_not_begun_is_cancelled() -> None:
    ran: list[int] = []
    gate = threading.Event()

    def work(number: int) -> int:
        ran.append(number)
        if number == 2:
            raise ValueError("two")
        if number == 3:
            gate.wait(60)
        return number

    with ThreadPoolExecutor(1) as pool:
        results = pool.map(work, range(100))
        assert next(results) == 0 and next(results) == 1
        with pytest.raises(ValueError, match="two"):
            next(results)
        with pytest.raises(StopIteration):
            next(results)
        gate.set()
    assert len(ran) <= 4


def test_a_map_that_nobody_looks_at_runs_and_one_that_was_dropped_half_way_stops() -> None:
    ran: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        pool.map(ran.append, range(50))
    assert sorted(ran) == list(range(50))

    gate = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        results: Any = pool.map(lambda number: number if number == 0 else gate.wait(60), range(10))
        assert next(results) == 0
        del results
        assert pool._waiting == 0
        gate.set()


def test_a_maps_limit_counts_from_its_call() -> None:
    gate = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(gate.wait, 60)
        with contextlib.closing(pool.map(capture, [1, 2], timeout=0.01)) as results, pytest.raises(TimeoutError):  # type: ignore[type-var]
            next(results)
        assert pool._waiting == 0
        gate.set()
        assert first.result()
        with pytest.raises(TypeError):
            pool.map(abs, [1], timeout="soon")  # type: ignore[arg-type]


def test_a_map_over_a_slow_generator_begins_with_its_first_item() -> None:
    begun = threading.Event()

    def arguments() -> Iterator[int]:
        yield 1
        assert begun.wait(60), "the first call waits for the second argument"
        yield 2

    with ThreadPoolExecutor(1) as pool:
        assert list(pool.map(lambda number: (begun.set(), number)[1], arguments())) == [1, 2]


def test_an_iterable_that_fails_ends_the_map_at_its_call() -> None:
    ran: list[int] = []

    def arguments() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    with ThreadPoolExecutor(1) as pool, pytest.raises(OSError, match="no more"):
        pool.map(ran.append, arguments())
    assert ran == [1]


def test_a_buffered_map_takes_no_more_arguments_than_it_may() -> None:
    taken: list[int] = []

    def arguments() -> Iterator[int]:
        for number in itertools.count():
            taken.append(number)
            yield number

    with ThreadPoolExecutor(2) as pool:
        results = pool.map(abs, arguments(), buffersize=3)
        assert len(taken) == 3
        assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
        assert len(taken) == 8
        with pytest.raises(TypeError, match="buffersize must be an integer or None"):
            pool.map(abs, [1], buffersize="3")  # type: ignore[arg-type]
        for size in (0, -1):
            with pytest.raises(ValueError, match="buffersize must be None or > 0"):
                pool.map(abs, [1], buffersize=size)
        assert list(pool.map(abs, [-1, -2], buffersize=10, timeout=60)) == [1, 2]
        results.close()  # type: ignore[attr-defined]


def test_a_subclass_that_changes_submit_changes_map() -> None:
    class Doubling(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            return super().submit(lambda: 2 * fn(*args, **kwargs))

    with Doubling(1) as pool:
        assert list(pool.map(abs, [-1, -2])) == [2, 4]


@pytest.mark.parametrize("make", [ThreadPoolExecutor, STANDARD])
def test_wrong_arguments_are_refused_as_the_standard_refuses_them(make: Any) -> None:
    for workers in (0, -1):
        with pytest.raises(ValueError, match="max_workers must be greater than 0"):
            make(workers)
    with pytest.raises(TypeError, match="initializer must be a callable"):
        make(1, initializer=5)
    with pytest.raises(TypeError):
        make("2")
    pool = make()
    assert pool._max_workers == STANDARD()._max_workers
    pool.shutdown()
    for text in ("cannot schedule new futures after shutdown",) * 2:
        with pytest.raises(RuntimeError, match=text):
            pool.submit(abs, 1)
        with pytest.raises(RuntimeError, match=text):
            pool.map(abs, [1])
    pool.shutdown(wait=False, cancel_futures=True)


def test_shutdown_waits_for_everything_or_cancels_what_has_not_begun() -> None:
    ran: list[int] = []
    pool = ThreadPoolExecutor(2)
    for number in range(50):
        pool.submit(ran.append, number)
    pool.shutdown()
    assert sorted(ran) == list(range(50)) and not any(thread.is_alive() for thread in pool._threads)

    gate, begun = threading.Event(), threading.Event()
    pool = ThreadPoolExecutor(1)
    first = pool.submit(lambda: (begun.set(), gate.wait(60)))
    rest = [pool.submit(abs, -1) for _ in range(10)]
    mapped = pool.map(abs, [-1])
    assert begun.wait(60)
    pool.shutdown(wait=False, cancel_futures=True)
    gate.set()
    assert wait(rest, timeout=60).not_done == set() and all(future.cancelled() for future in rest)
    assert first.result()[1]
    with pytest.raises(CancelledError):
        next(mapped)


def test_a_pool_that_is_dropped_finishes_its_work_and_its_threads_end() -> None:
    pool = ThreadPoolExecutor(2)
    results = pool.map(abs, range(-5, 5))
    futures = [pool.submit(time.sleep, 0.001) for _ in range(10)]
    threads, reference = pool._threads, weakref.ref(pool)
    del pool
    assert reference() is None
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads) and all(future.done() for future in futures)
    assert list(results) == [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]


def test_the_pool_holds_neither_arguments_nor_results() -> None:
    class Thing:
        def method(self) -> Thing:
            return Thing()

    with ThreadPoolExecutor(1) as pool:
        thing = Thing()
        future = pool.submit(thing.method)
        result = weakref.ref(future.result())
        reference = weakref.ref(thing)
        del thing
        assert within(60, lambda: reference() is None) and result() is not None
        del future
        assert result() is None


def test_cycles_through_a_pool_are_collected() -> None:
    class Owner:
        def initialize(self) -> None:
            pass

    owner = Owner()
    owner.pool = ThreadPoolExecutor(1, initializer=owner.initialize)  # type: ignore[attr-defined]
    reference = weakref.ref(owner)
    del owner
    gc.collect()
    assert reference() is None


def test_an_initializer_runs_once_in_each_thread() -> None:
    seen: list[Any] = []
    barrier = threading.Barrier(3)
    with ThreadPoolExecutor(3, initializer=lambda *args: seen.append((threading.get_ident(), args)), initargs=(1, "a")) as pool:
        idents = set(pool.map(lambda _: (barrier.wait(60), threading.get_ident())[1], range(3)))
    assert {ident for ident, _ in seen} == idents and len(seen) == 3 and {args for _, args in seen} == {(1, "a")}


def test_a_failing_initializer_breaks_the_pool(caplog: pytest.LogCaptureFixture) -> None:
    gate = threading.Event()

    def fails() -> None:
        gate.wait(60)
        raise ValueError("no start")

    text = "A thread initializer failed, the thread pool is not usable anymore"
    with ThreadPoolExecutor(1, initializer=fails) as pool:
        futures = [pool.submit(abs, 1) for _ in range(3)]
        mapped = pool.map(abs, [1, 2])
        cancelled = pool.submit(abs, 1)
        assert cancelled.cancel()
        gate.set()
        for future in futures:
            with pytest.raises(BrokenThreadPool, match=text):
                future.result(60)
        with pytest.raises(BrokenThreadPool, match=text):
            next(mapped)
        assert pool._broken == text
        with pytest.raises(BrokenThreadPool, match=text):
            pool.submit(abs, 1)
    assert "Exception in initializer:" in caplog.text and "no start" in caplog.text


def test_tasks_see_the_context_of_their_submitter_and_change_only_a_copy() -> None:
    def change() -> tuple[str, str]:
        before = VARIABLE.get()
        VARIABLE.set("the task's")
        return before, VARIABLE.get()

    with ThreadPoolExecutor(1) as pool:
        for name in ("first", "second"):
            token = VARIABLE.set(name)
            assert pool.submit(change).result() == (name, "the task's")
            assert list(pool.map(lambda _: change(), range(2))) == [(name, "the task's")] * 2
            VARIABLE.reset(token)
        assert pool.submit(VARIABLE.get).result() == "unset"
        with decimal.localcontext(decimal.Context(prec=7)):
            assert str(pool.submit(lambda: decimal.Decimal(1) / 3).result()) == "0.3333333"


@pytest.mark.parametrize("inherits", [None, False, True])
def test_what_an_initializer_sets_stays_visible_unless_asked_otherwise(inherits: bool | None) -> None:
    with ThreadPoolExecutor(1, initializer=lambda: VARIABLE.set("the thread's"), inherit_context=inherits) as pool:
        expected = "unset" if inherits else "the thread's"
        assert pool.submit(VARIABLE.get).result() == expected and list(pool.map(lambda _: VARIABLE.get(), [1])) == [expected]


def test_callbacks_run_on_the_thread_that_ran_the_task(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Any] = []
    gate = threading.Event()

    def stops(_: Any) -> None:
        raise SystemExit("not an Exception")

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(gate.wait, 60)
        future.add_done_callback(lambda done: seen.append((done.result(), threading.current_thread() in pool._threads)))
        stopped = pool.submit(abs, -1)
        stopped.add_done_callback(stops)
        gate.set()
        assert pool.submit(abs, -2).result() == 2
    assert seen == [(True, True)] and stopped.result() == 1 and "Exception in worker" in caplog.text


def test_waiters_wake_before_a_finalizer_of_the_arguments_that_waits_for_them() -> None:
    released = threading.Event()

    class Waits:
        def __del__(self) -> None:
            if threading.current_thread() is not threading.main_thread():
                assert released.wait(60)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(abs, 1).result()
        for _ in range(20):
            released.clear()
            assert pool.submit(lambda _: 5, Waits()).result(60) == 5
            released.set()


def test_many_threads_submit_to_one_pool() -> None:
    def submits(pool: ThreadPoolExecutor, base: int) -> int:
        futures = [pool.submit(int, base + number) for number in range(300)]
        return sum(future.result() for future in futures)

    with ThreadPoolExecutor(4) as pool, ThreadPoolExecutor(6) as outer:
        sums = [outer.submit(submits, pool, 1000 * number) for number in range(6)]
        assert [future.result(60) for future in sums] == [300 * 1000 * n + 299 * 150 for n in range(6)]


def test_a_program_ends_after_its_tasks_and_before_its_exit_handlers() -> None:
    program = """
atexit.register(lambda: print("handler"))
pool = ThreadPoolExecutor(2)
pool.submit(lambda: (time.sleep(0.2), print("task")))
pool.map(lambda number: print("item", number), range(2))
"""
    assert sorted(printed(program).split("\n")[:-2]) == ["item 0", "item 1", "task"] and printed(program).endswith("handler\n")
    program = """
def late():
    try:
        pool.submit(abs, 1)
    except RuntimeError as error:
        print(error)
atexit.register(late)
pool = ThreadPoolExecutor(2)
"""
    assert printed(program) == "cannot schedule new futures after interpreter shutdown\n"


def test_a_task_may_submit_while_the_program_ends_as_in_the_standard() -> None:
    program = """
import concurrent.futures
def run(kind):
    def again():
        time.sleep(0.1)
        try:
            pool.submit(print, "late")
        except RuntimeError as error:
            print(error)
    pool = kind(1)
    pool.submit(again)
run({kind})
"""
    standard = printed(program.format(kind="concurrent.futures.ThreadPoolExecutor"))
    assert printed(program.format(kind="ThreadPoolExecutor")) == standard


def test_a_forked_child_starts_anew() -> None:
    program = """
gate = threading.Event()
pool = ThreadPoolExecutor(2)
running = [pool.submit(gate.wait) for _ in range(2)]
waiting = pool.submit(print, "once")
child = os.fork()
if child == 0:
    assert waiting.cancelled() and not pool._threads
    assert pool.submit(int, 5).result(30) == 5
    assert list(pool.map(int, "123")) == [1, 2, 3]
    pool.shutdown()
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
gate.set()
waiting.result()
pool.shutdown()
"""
    assert printed("import warnings\nwarnings.simplefilter('ignore')\n" + program) == "once\n"


def test_an_idle_pool_takes_no_processor_time() -> None:
    with ThreadPoolExecutor(8) as pool:
        barrier = threading.Barrier(8)
        list(pool.map(lambda _: barrier.wait(60), range(8)))
        time.sleep(0.01)
        begin = time.process_time()
        time.sleep(0.3)
        assert time.process_time() - begin < 0.003


def test_a_task_that_forks_ends_in_the_child() -> None:
    program = """
def forks():
    child = os.fork()
    if child == 0:
        os._exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
os.register_at_fork(before=lambda: time.sleep(0.005))  # others submit meanwhile
with ThreadPoolExecutor(4) as pool:
    futures = []
    for _ in range(8):
        futures.append(pool.submit(forks))
        time.sleep(0.001)
    print({future.result() for future in futures})
"""
    assert printed("import warnings\nwarnings.simplefilter('ignore')\n" + program) == "{3}\n"
