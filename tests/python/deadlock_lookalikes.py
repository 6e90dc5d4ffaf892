"""Programs that look like deadlocks and are none, by name: each ends by itself with "done", later than a deadlock would be reported.

Long file: one table of programs."""

HEAD = """
import asyncio, concurrent.futures, gc, os, queue, select, signal, socket, subprocess, sys, threading, time, weakref
from concurrent.futures import Future, ThreadPoolExecutor
LATE = 1.3
def later(function, seconds=LATE):
    def run():
        time.sleep(seconds)
        function()
    thread = threading.Thread(target=run)
    thread.start()
    return thread
def started(*targets):
    threads = [threading.Thread(target=target) for target in targets]
    for thread in threads:
        thread.start()
    return threads
"""

PROGRAMS = {
    "a_lock_released_by_a_third_thread": """
lock = threading.Lock()
lock.acquire()
later(lock.release)
lock.acquire()
""",
    "a_thread_that_waits_for_the_lock_of_who_joins_it_which_a_third_thread_releases": """
lock = threading.Lock()
lock.acquire()
thread = started(lock.acquire)[0]
later(lock.release)
thread.join()
""",
    "a_lock_whose_thread_is_over_released_by_another": """
lock = threading.Lock()
started(lock.acquire)[0].join()
later(lock.release)
lock.acquire()
""",
    "a_gate_that_main_opens_for_its_threads": """
gate = threading.Lock()
gate.acquire()
def enter():
    with gate: pass
threads = started(enter, enter, enter)
time.sleep(LATE)
gate.release()
for thread in threads: thread.join()
""",
    "a_pending_future_cancelled_by_a_watchdog": """
pool = ThreadPoolExecutor(1)
inner, ready = [], threading.Event()
def outer():
    inner.append(pool.submit(abs, -1))
    ready.set()
    return inner[0].result()
def watchdog():
    ready.wait()
    time.sleep(LATE)
    inner[0].cancel()
started(watchdog)
assert isinstance(pool.submit(outer).exception(), concurrent.futures.CancelledError)
""",
    "a_full_pool_shut_down_by_a_watchdog": """
pool = ThreadPoolExecutor(1)
def outer(): return pool.submit(abs, -1).result()
future = pool.submit(outer)
later(lambda: pool.shutdown(wait=False, cancel_futures=True))
assert isinstance(future.exception(), concurrent.futures.CancelledError)
""",
    "a_future_completed_by_hand": """
future = Future()
later(lambda: future.set_result(1))
assert future.result() == 1
""",
    "a_future_of_ours_completed_by_a_bare_thread": """
import _thread
from manycore.futures import Future
future = Future()
def complete():
    time.sleep(LATE)
    future.set_result(1)
_thread.start_new_thread(complete, ())
assert future.result() == 1
""",
    "two_locks_with_timeouts_that_give_up": """
one, other = threading.RLock(), threading.RLock()
both = threading.Barrier(2)
def take(first, second):
    with first:
        both.wait()
        assert not second.acquire(timeout=LATE)
        both.wait()
for thread in started(lambda: take(one, other), lambda: take(other, one)): thread.join()
""",
    "a_circle_with_one_timeout": """
one, other = threading.RLock(), threading.RLock()
both = threading.Barrier(2)
def patient():
    with one:
        both.wait()
        with other: pass
def impatient():
    with other:
        both.wait()
        assert not one.acquire(timeout=LATE)
for thread in started(patient, impatient): thread.join()
""",
    "a_join_with_a_timeout_again_and_again": """
event = threading.Event()
thread = started(event.wait)[0]
end = time.monotonic() + LATE
while time.monotonic() < end: thread.join(0.05)
event.set()
thread.join()
""",
    "an_event_set_by_the_handler_of_an_alarm": """
event = threading.Event()
signal.signal(signal.SIGALRM, lambda *_: event.set())
signal.setitimer(signal.ITIMER_REAL, LATE)
event.wait()
""",
    "an_event_set_by_the_handler_of_another_process_s_signal": """
event = threading.Event()
signal.signal(signal.SIGUSR1, lambda *_: event.set())
child = subprocess.Popen(["sh", "-c", f"sleep {LATE}; kill -USR1 {os.getpid()}"])
event.wait()
child.wait()
""",
    "a_join_of_a_thread_that_waits_for_us_which_an_alarm_ends": """
lock = threading.RLock()
class Enough(Exception): pass
def stop(*_): raise Enough
signal.signal(signal.SIGALRM, stop)
signal.setitimer(signal.ITIMER_REAL, LATE)
try:
    with lock:
        thread = started(lock.acquire)[0]
        thread.join()
except Enough: pass
thread.join()
""",
    "a_reader_of_a_socket_that_sets_an_event": """
event = threading.Event()
near, far = socket.socketpair()
def read():
    near.recv(1)
    event.set()
started(read)
child = subprocess.Popen([sys.executable, "-c", f"import time, socket; time.sleep({LATE}); socket.socket(fileno={far.fileno()}).send(b'x')"], pass_fds=[far.fileno()])
event.wait()
child.wait()
""",
    "a_reader_of_a_pipe_from_a_child_process": """
event = threading.Event()
child = subprocess.Popen(["sh", "-c", f"sleep {LATE}; echo x"], stdout=subprocess.PIPE)
def read():
    child.stdout.read()
    event.set()
started(read)
event.wait()
child.wait()
""",
    "a_thread_that_waits_for_a_child_process": """
done = threading.Semaphore(0)
def wait():
    subprocess.run(["sleep", str(LATE)], check=True)
    done.release()
started(wait)
done.acquire()
""",
    "a_selector_in_main_that_wakes_a_thread": """
event = threading.Event()
thread = started(event.wait)[0]
select.select([], [], [], LATE)
event.set()
thread.join()
""",
    "an_event_loop_that_wakes_a_thread_by_its_clock": """
event = threading.Event()
async def main():
    loop = asyncio.get_running_loop()
    loop.call_later(LATE, event.set)
    await loop.run_in_executor(None, event.wait)
asyncio.run(main())
""",
    "a_coroutine_of_another_thread_s_loop": """
loop = asyncio.new_event_loop()
thread = started(loop.run_forever)[0]
assert asyncio.run_coroutine_threadsafe(asyncio.sleep(LATE, 5), loop).result() == 5
loop.call_soon_threadsafe(loop.stop)
thread.join()
""",
    "a_future_of_ours_that_a_loop_completes": """
from manycore.futures import Future
future = Future()
async def main():
    await asyncio.sleep(LATE)
    future.set_result(3)
thread = started(lambda: asyncio.run(main()))[0]
assert future.result() == 3
thread.join()
""",
    "a_task_of_ours_that_a_loop_awaits": """
async def main():
    with ThreadPoolExecutor(1) as pool:
        return await asyncio.wrap_future(pool.submit(time.sleep, LATE))
asyncio.run(main())
""",
    "a_handshake_by_a_condition": """
turn, condition = [0], threading.Condition()
def play(me):
    for _ in range(6):
        with condition:
            while turn[0] != me: condition.wait()
            time.sleep(0.12)
            turn[0] = 1 - me
            condition.notify()
for thread in started(lambda: play(0), lambda: play(1)): thread.join()
""",
    "a_condition_notified_late": """
condition, ready = threading.Condition(), []
def notify():
    with condition:
        ready.append(1)
        condition.notify_all()
later(notify)
with condition:
    assert condition.wait_for(lambda: ready)
""",
    "a_semaphore_as_a_signal": """
go, back = threading.Semaphore(0), threading.Semaphore(0)
def answer():
    go.acquire()
    time.sleep(LATE)
    back.release()
started(answer)
go.release()
back.acquire()
""",
    "a_barrier_with_one_that_comes_late": """
barrier = threading.Barrier(3)
threads = started(barrier.wait, barrier.wait)
time.sleep(LATE)
barrier.wait()
for thread in threads: thread.join()
""",
    "a_timer_that_sets_an_event": """
event = threading.Event()
threading.Timer(LATE, event.set).start()
event.wait()
""",
    "daemon_threads_that_serve_a_queue_for_ever": """
work = queue.Queue()
def serve():
    while True:
        work.get()
        work.task_done()
for _ in range(3): threading.Thread(target=serve, daemon=True).start()
for i in range(10): work.put(i)
work.join()
time.sleep(LATE)
""",
    "a_daemon_thread_that_waits_for_nothing": """
threading.Thread(target=threading.Event().wait, daemon=True).start()
stop = threading.Event()
later(stop.set)
stop.wait()
""",
    "a_queue_with_a_slow_producer": """
work = queue.Queue()
def produce():
    for i in range(4):
        time.sleep(0.4)
        work.put(i)
started(produce)
assert [work.get() for _ in range(4)] == [0, 1, 2, 3]
""",
    "a_full_queue_with_a_slow_reader": """
work, got = queue.Queue(1), []
def consume():
    for _ in range(4):
        time.sleep(0.4)
        got.append(work.get())
thread = started(consume)[0]
for i in range(4): work.put(i)
thread.join()
""",
    "a_queue_that_is_joined_while_somebody_works": """
work = queue.Queue()
def consume():
    work.get()
    time.sleep(LATE)
    work.task_done()
started(consume)
work.put(1)
work.join()
""",
    "a_lock_that_somebody_has_for_long": """
lock, taken = threading.RLock(), threading.Event()
def hold():
    with lock:
        taken.set()
        time.sleep(LATE)
started(hold)
taken.wait()
with lock: pass
""",
    "a_lock_that_somebody_computes_under": """
lock, taken = threading.RLock(), threading.Event()
def hold():
    with lock:
        taken.set()
        end = time.monotonic() + LATE
        while time.monotonic() < end: sum(range(1000))
started(hold)
taken.wait()
with lock: pass
""",
    "a_pool_with_room_for_nested_tasks": """
def nested(depth): return 0 if depth == 0 else pool.submit(nested, depth - 1).result()
def leaf():
    time.sleep(LATE)
    return nested(1)
with ThreadPoolExecutor(3) as pool:
    assert pool.submit(leaf).result() == 0
    assert nested(2) == 0
""",
    "a_full_pool_whose_tasks_are_slow": """
with ThreadPoolExecutor(2) as pool:
    futures = [pool.submit(time.sleep, 0.5) for _ in range(6)]
    concurrent.futures.wait(futures)
""",
    "a_task_that_waits_for_a_queue_that_main_fills": """
work = queue.Queue()
with ThreadPoolExecutor(1) as pool:
    future = pool.submit(work.get)
    time.sleep(LATE)
    work.put(7)
    assert future.result() == 7
""",
    "a_process_that_is_waited_for_with_a_lock_held": """
lock = threading.Lock()
with concurrent.futures.ProcessPoolExecutor(1) as pool:
    with lock:
        pool.submit(time.sleep, LATE).result()
""",
    "a_fork_in_the_middle": """
lock, event = threading.Lock(), threading.Event()
waiting = started(event.wait)[0]
read, write = os.pipe()
with lock:
    child = os.fork()
    if child == 0:
        time.sleep(LATE)
        os.write(write, b"x")
        os._exit(0)
def listen():
    os.read(read, 1)
    event.set()
started(listen)
waiting.join()
os.waitpid(child, 0)
""",
    "a_finalizer_that_sets_an_event": """
event = threading.Event()
class Thing: pass
thing = Thing()
weakref.finalize(thing, event.set)
def drop():
    time.sleep(LATE)
    global thing
    thing = None
started(drop)
event.wait()
""",
    "the_end_of_input_that_lets_a_thread_go": """
event = threading.Event()
thread = started(event.wait)[0]
read, write = os.pipe()
child = subprocess.Popen(["sh", "-c", f"sleep {LATE}"], pass_fds=[write])
os.close(write)
os.read(read, 1)
event.set()
thread.join()
child.wait()
""",
    "opposite_orders_under_a_gate": """
gate, one, other = threading.Lock(), threading.Lock(), threading.Lock()
def take(first, second):
    for _ in range(20):
        with gate, first, second: pass
for thread in started(lambda: take(one, other), lambda: take(other, one)): thread.join()
""",
    "opposite_orders_of_one_thread": """
one, other = threading.Lock(), threading.Lock()
with one, other: pass
with other, one: pass
""",
    "locks_of_one_kind_taken_by_number": """
locks = [threading.Lock() for _ in range(10)]
def move(a, b):
    for _ in range(20):
        with locks[min(a, b)], locks[max(a, b)]: pass
for thread in started(lambda: move(1, 7), lambda: move(7, 1), lambda: move(4, 7), lambda: move(4, 1)): thread.join()
""",
    "a_lock_taken_again_by_its_thread": """
lock = threading.RLock()
condition = threading.Condition(lock)
later(lambda: (condition.acquire(), condition.notify(), condition.release()))
with lock, condition, lock:
    condition.wait()
""",
}
