"""manycore.threading: the standard's primitives that know who has them, and deadlocks that are named."""

import copy
import gc
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading as standard
import time
import weakref

import manycore.threading as threading
import pytest
from manycore import _tasks
from manycore.threading import deadlock

LOCKS = [threading.Lock, threading.RLock]


@pytest.fixture(autouse=True)
def policy():
    deadlock.found.clear()
    yield
    threading.deadlocks(policy="raise", order=False)
    deadlock.flush()


def meet(one, other, errors):
    """Two threads that take two locks in opposite orders; their errors by name."""
    ready = standard.Barrier(2)

    def take(first, second):
        try:
            with first:
                ready.wait()
                with second:
                    pass
        except threading.DeadlockError as error:
            errors[standard.current_thread().name] = error

    threads = [
        threading.Thread(target=take, args=pair, name=name, daemon=True)
        for name, pair in (("first", (one, other)), ("second", (other, one)))
    ]
    for thread in threads:
        thread.start()
    return threads


def test_every_name_of_the_standard_module_is_there():
    for name in standard.__all__:
        assert hasattr(threading, name)
        assert name in threading.__all__
    assert threading.current_thread() is standard.current_thread()
    assert threading._active is standard._active
    with pytest.raises(AttributeError, match=r"module 'manycore.threading' has no attribute 'nothing'"):
        _ = threading.nothing


@pytest.mark.parametrize("name", ["Condition", "Event", "Semaphore", "BoundedSemaphore", "Barrier", "Thread", "Timer"])
def test_our_classes_are_the_standard_ones_too(name):
    assert issubclass(getattr(threading, name), getattr(standard, name))


@pytest.mark.parametrize("make", LOCKS)
def test_a_lock_answers_as_the_standard_one(make):
    lock = make()
    assert lock.acquire() is True
    assert lock._owner == standard.get_ident()
    lock.release()
    assert lock._owner is None
    with pytest.raises(RuntimeError, match="release un"):
        lock.release()
    with lock as taken:
        assert taken is True
    assert lock.acquire(False) is True
    lock.release()
    real = standard.Lock()
    for arguments in [(False, 1), (True, -2), (True, float("nan")), (True, 1e300), (True, None)]:
        with pytest.raises((ValueError, OverflowError, TypeError)) as theirs:
            real.acquire(*arguments)
        with pytest.raises(theirs.type):
            lock.acquire(*arguments)
    with pytest.raises(TypeError):
        make(1)
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(lock)
    with pytest.raises(TypeError, match="cannot pickle"):
        copy.copy(lock)
    reference = weakref.ref(lock)
    del lock
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize("make", LOCKS)
def test_a_lock_that_is_taken_is_waited_for_as_long_as_asked(make):
    lock = make()
    taken, done = standard.Event(), standard.Event()

    def hold():
        with lock:
            taken.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    assert lock.acquire(False) is False
    assert lock.acquire(timeout=0) is False
    before = time.monotonic()
    assert lock.acquire(timeout=0.05) is False
    assert time.monotonic() - before >= 0.05
    standard.Timer(0.05, done.set).start()
    assert lock.acquire() is True
    thread.join()
    lock.release()


def test_many_threads_pass_a_lock_on_without_losing_a_wake_up():
    lock, total = threading.Lock(), [0]

    def count():
        for _ in range(2000):
            with lock:
                value = total[0]
                if value % 100 == 0:
                    time.sleep(0)
                total[0] = value + 1

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total == [16000]


def test_a_lock_knows_the_line_where_it_was_made():
    line = sys._getframe().f_lineno + 1
    lock, condition, event, semaphore = threading.Lock(), threading.Condition(), threading.Event(), threading.Semaphore()
    for thing in (lock, condition, event, semaphore):
        assert thing._made_at[:2] == (__file__, line)


def test_two_threads_in_each_others_way_are_certain_with_reentrant_locks_and_one_of_them_gets_the_error():
    errors = {}
    line = sys._getframe().f_lineno + 1
    threads = meet(threading.RLock(), threading.RLock(), errors)
    for thread in threads:
        thread.join()
    assert len(errors) == 1
    text = str(next(iter(errors.values())))
    assert "wait for each other" in text
    assert f"{__file__}:{line}" in text
    for name in ("first", "second"):
        assert f"{name} waits for the RLock" in text
        assert f"which {name} has" in text
    assert text.count("with second:") == 2
    assert [kind for kind, _ in deadlock.found] == ["deadlock"]


def test_with_plain_locks_it_is_suspected_and_reported(caplog):
    caplog.set_level(logging.WARNING, "manycore")
    one, other = threading.Lock(), threading.Lock()
    meet(one, other, {})
    end = time.monotonic() + 10
    while not deadlock.found and time.monotonic() < end:
        time.sleep(0.02)
    deadlock.flush()
    assert [kind for kind, _ in deadlock.found] == ["suspected"]
    assert "suspected deadlock" in caplog.text


def test_report_reports_what_is_certain_and_leaves_it(caplog):
    caplog.set_level(logging.WARNING, "manycore")
    threading.deadlocks(policy="report")
    errors = {}
    one, other = threading.RLock(), threading.RLock()
    meet(one, other, errors)
    end = time.monotonic() + 10
    while not deadlock.found and time.monotonic() < end:
        time.sleep(0.02)
    deadlock.flush()
    assert "deadlock: " in caplog.text
    assert errors == {}


def test_a_lock_whose_thread_is_over_is_nobodys_to_release():
    lock = threading.RLock()
    thread = threading.Thread(target=lock.acquire)
    thread.start()
    thread.join()
    with pytest.raises(threading.DeadlockError, match="a thread that is over has"):
        lock.acquire()


def test_threads_that_join_each_other_are_found():
    threads, errors = [], []
    ready = standard.Event()

    def join(which):
        ready.wait()
        try:
            threads[which].join()
        except threading.DeadlockError as error:
            errors.append(str(error))

    threads += [threading.Thread(target=join, args=(1,), name="one"), threading.Thread(target=join, args=(0,), name="other")]
    for thread in threads:
        thread.start()
    ready.set()
    for thread in threads:
        standard.Thread.join(thread)
    assert len(errors) == 1
    assert "waits for the end of one" in errors[0]
    assert "waits for the end of other" in errors[0]


def test_an_event_that_nobody_is_left_to_set_is_reported_in_a_program_of_its_own():
    program = """
import logging
import manycore.threading as threading
logging.basicConfig(format="%(message)s")
event = threading.Event()
event.wait()
"""
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) as child:
        said = "".join(child.stderr.readline() for _ in range(2))
        child.kill()
    assert "suspected deadlock: MainThread waits for what nobody can give it any more" in said
    assert "waits for the Event made at <string>:5, which nobody is left to set free" in said


def test_ctrl_c_ends_a_wait_at_once():
    program = """
import manycore.threading as threading, sys
lock = threading.Lock()
lock.acquire()
threading.deadlocks(policy="off")
print("waiting", flush=True)
try:
    lock.acquire()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "waiting\n"
    time.sleep(0.1)
    before = time.monotonic()
    child.send_signal(signal.SIGINT)
    assert child.stdout.readline() == "interrupted\n"
    assert time.monotonic() - before < 5
    assert child.wait() == 0


def test_a_forked_child_waits_for_its_own():
    lock = threading.Lock()
    event = threading.Event()
    thread = threading.Thread(target=event.wait, daemon=True)
    thread.start()
    child = os.fork()
    if child == 0:
        good = _tasks.waits_now() == 0
        with lock:
            pass
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    event.set()
    thread.join()


def test_opposite_orders_are_warned_of_before_they_meet():
    threading.deadlocks(order=True)
    one, other = threading.Lock(), threading.Lock()

    def take(first, second):
        with first:
            line.append(sys._getframe().f_lineno + 1)
            with second:
                pass

    line = []
    for pair in ((one, other), (other, one)):
        thread = threading.Thread(target=take, args=pair)
        thread.start()
        thread.join()
    # Locks made on one line are told apart by themselves.
    assert [kind for kind, _ in deadlock.found] == ["order"]
    assert deadlock.found[0][1].count(f"{__file__}:{line[0]}") == 2
    assert _tasks.lock_counts()[1] >= 4


def test_nobody_searches_while_nobody_waits_long():
    program = """
import manycore.threading as threading
from manycore import _tasks
lock = threading.Lock()
for _ in range(10_000):
    with lock:
        pass
print(_tasks.deadlock_searches(), _tasks.waits_now())
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"0 0\n"


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="deadlocks: policy 'shout' is not known; expected one of raise, report, grow, off"):
        threading.deadlocks(policy="shout")
