"""Programs of threads, locks, pools and queues with a known outcome, half of them deadlocks: all must be found within a second, and
none where there is none.

    .venv/bin/python -m tests.fuzz.deadlock_programs --programs 1000 --seed 7

A program of the first kind is a set of threads and tasks, each of which takes two locks of its own and, once all have begun, waits for
what another one has or is: an RLock, a Lock, its end, its result. Who waits for whom is a random graph, so that the outcome follows from
its circles. The second kind fills pools, the third waits for what nobody is left to do, in a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import subprocess
import sys
import threading as standard
import time
from concurrent.futures import ThreadPoolExecutor as StandardPool

import manycore.threading as threading
from manycore.futures import ThreadPoolExecutor
from manycore.threading import deadlock

BATCH = 25
CERTAIN = ("rlock", "join", "future")
# The parts of a thousand programs that are graphs, pools and lonely waits.
SHARES = (("graph", 0.8), ("pool", 0.15), ("lonely", 0.05))


class _Found(list):
    """What was found, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def append(self, entry: tuple[str, str]) -> None:
        self.times.append(time.monotonic())
        super().append(entry)


class Graph:
    """Threads and tasks in which each waits for at most one other."""

    def __init__(self, seed: int, deadlocks: bool) -> None:
        rng = random.Random(seed)
        while True:
            count = rng.randint(2, 6)
            self.is_task = [rng.random() < 0.5 for _ in range(count)]
            self.edges = [self._edge(rng, i, count) for i in range(count)]
            self.pauses = [rng.choice([0, 0, 0.02, 0.2, 0.5]) for _ in range(count)]
            self.expected = self._circles()
            if bool(self.expected) == deadlocks:
                return

    def _edge(self, rng: random.Random, node: int, count: int) -> tuple[str, int] | None:
        if rng.random() < 0.2:
            return None
        target = rng.randrange(count)
        kind = rng.choice(["rlock", "rlock", "lock", "ends", "ends", "timeout"])
        if kind == "ends":
            kind = "future" if self.is_task[target] else "join"
        if target == node and kind in ("rlock", "join", "timeout"):
            return None
        return kind, target

    def _circles(self) -> list[str]:
        """What is to be found: a word for each circle of waits without a limit."""
        found, seen = [], set()
        for start in range(len(self.edges)):
            path: list[int] = []
            node = start
            while node not in path and node not in seen:
                path.append(node)
                edge = self.edges[node]
                if edge is None or edge[0] == "timeout":
                    break
                node = edge[1]
            else:
                if node in path:
                    kinds = [self.edges[i][0] for i in path[path.index(node) :]]  # type: ignore[index]
                    found.append("deadlock" if all(kind in CERTAIN for kind in kinds) else "suspected")
            seen.update(path)
        return sorted(found)

    def run(self) -> str:
        """Run it; an empty text where everything came as expected, else what did not."""
        count = len(self.edges)
        rlocks = [threading.RLock() for _ in range(count)]
        locks = [threading.Lock() for _ in range(count)]
        waiting: list[object] = [None] * count
        begun = standard.Barrier(count + 1)

        def node(i: int) -> None:
            with rlocks[i], locks[i]:
                begun.wait()
                edge = self.edges[i]
                if edge is None:
                    time.sleep(self.pauses[i])
                    return
                kind, target = edge
                if kind == "rlock":
                    with rlocks[target]:
                        pass
                elif kind == "lock":
                    with locks[target]:
                        pass
                elif kind == "timeout":
                    if rlocks[target].acquire(timeout=0.05 + self.pauses[i]):
                        rlocks[target].release()
                elif kind == "join":
                    waiting[target].join()  # type: ignore[attr-defined]
                else:
                    waiting[target].exception()  # type: ignore[attr-defined]

        def quiet(i: int) -> None:
            with contextlib.suppress(threading.DeadlockError, RuntimeError):
                node(i)

        pool = ThreadPoolExecutor(count)
        for i in range(count):
            if self.is_task[i]:
                waiting[i] = pool.submit(quiet, i)
            else:
                waiting[i] = threading.Thread(target=quiet, args=(i,), daemon=True)
                waiting[i].start()  # type: ignore[attr-defined]
        begun.wait()
        began = time.monotonic()
        problem = self._look(began)
        for lock in locks:  # what is only suspected is left to us
            if "suspected" in self.expected and lock.locked():
                lock.release()
        for one in waiting:
            if isinstance(one, standard.Thread):
                standard.Thread.join(one, 10)
                problem = problem or ("a thread goes on waiting" if one.is_alive() else "")
            else:
                try:
                    one.exception(10)  # type: ignore[union-attr]
                except TimeoutError:
                    problem = problem or "a task goes on waiting"
        pool.shutdown(wait=not problem)
        return problem or self._compare(began)

    def _look(self, began: float) -> str:
        end = began + (10 if self.expected else 0)
        while len(deadlock.found) < len(self.expected) and time.monotonic() < end:
            time.sleep(0.01)
        return self._compare(began) if self.expected else ""

    def _compare(self, began: float) -> str:
        return compared(self.expected, began)


_latest = [0.0]  # how many seconds after its beginning the last circle of the last program was found


def compared(expected: list[str], began: float) -> str:
    """What was found against what should have been, within a second."""
    kinds = sorted(kind for kind, _ in deadlock.found)
    if kinds != expected:
        return f"expected {expected}, found {kinds}"
    late = max((moment - began for moment in deadlock.found.times), default=0)  # type: ignore[attr-defined]
    _latest[0] = max(_latest[0], late)
    return f"found after {late:.2f} s" if late > 1 else ""


class Pool:
    """One or two pools whose tasks wait for further ones: a deadlock where no thread is left."""

    def __init__(self, seed: int, deadlocks: bool) -> None:
        rng = random.Random(seed)
        self.pools = rng.randint(1, 2)
        self.threads = rng.randint(1, 4)
        self.roots = self.threads if deadlocks else rng.randint(0, self.threads - 1)
        self.way = rng.choice(["result", "exception", "wait", "as_completed", "map"])
        self.expected = ["deadlock"] if deadlocks else []

    def run(self) -> str:
        from manycore.futures import as_completed, wait

        pools = [ThreadPoolExecutor(self.threads) for _ in range(self.pools)]
        begun = standard.Barrier(self.roots * self.pools + 1)

        def leaf() -> int:
            time.sleep(0.1)
            return 1

        def root(own: int) -> object:
            begun.wait()
            other = pools[(own + 1) % len(pools)]
            if self.way == "map":
                return list(other.map(abs, [1, 2]))
            future = other.submit(leaf)
            if self.way == "wait":
                return wait([future])
            if self.way == "as_completed":
                return [one.result() for one in as_completed([future])]
            return getattr(future, self.way)()

        roots = [pools[i].submit(root, i) for i in range(len(pools)) for _ in range(self.roots)]
        begun.wait()
        began = time.monotonic()
        errors = [future.exception() for future in roots]
        for pool in pools:
            pool.shutdown()
        wrong = [error for error in errors if error is not None and not isinstance(error, threading.DeadlockError)]
        if wrong:
            return f"raised {wrong[0]!r}"
        if self.expected and not any(errors) and self.way != "exception":
            return "nobody got the error"
        # After a victim has gone its thread is free, and the others go on one after the other.
        return compared(self.expected, began)


LONELY = {
    "queue get": ("q = queues.Queue()", "q.get()", "q.put(1)"),
    "queue put": ("q = queues.Queue(1); q.put(1)", "q.put(2)", "q.get()"),
    "queue join": ("q = queues.Queue(); q.put(1)", "q.join()", "q.get(); q.task_done()"),
    "event": ("e = threading.Event()", "e.wait()", "e.set()"),
    "semaphore": ("s = threading.Semaphore(0)", "s.acquire()", "s.release()"),
    "barrier": ("b = threading.Barrier(2)", "b.wait()", "b.wait()"),
    "condition": ("c = threading.Condition()", "with c: c.wait()", "with c: c.notify()"),
    "lock twice": ("l = threading.Lock(); l.acquire()", "l.acquire()", "l.release()"),
    "future": ("from manycore.futures import Future; f = Future()", "f.result()", "f.set_result(1)"),
}
LONELY_PROGRAM = """
import os, sys, time
import threading as standard
import manycore.threading as threading
from manycore.threading import deadlock, queues
def told(level, text):
    print("suspected", time.monotonic() - began, flush=True)
    os._exit(0)
deadlock.report = told
{make}
def free():
    time.sleep(1.3)
    {free}
if {saved}:
    standard.Thread(target=free).start()
began = time.monotonic()
if {joins}:
    def wait():
        {wait}
    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()
else:
    {wait}
print("ended")
"""


class Lonely:
    """A wait that nobody, or a thread that sleeps, is left to end."""

    def __init__(self, seed: int, deadlocks: bool) -> None:
        rng = random.Random(seed)
        self.name = rng.choice(sorted(LONELY))
        self.joins = rng.random() < 0.5
        self.deadlocks = deadlocks
        self.expected = ["suspected"] if deadlocks else []

    def run(self) -> str:
        make, wait, free = LONELY[self.name]
        program = LONELY_PROGRAM.format(make=make, wait=wait, free=free, saved=not self.deadlocks, joins=self.joins)
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
        words = ended.stdout.split()
        _latest[0] = float(words[1]) if words[:1] == ["suspected"] else 0
        if not self.deadlocks:
            return "" if ended.stdout == "ended\n" else f"{self.name}: {ended.stdout} {ended.stderr}"
        if words[:1] != ["suspected"]:
            return f"{self.name}: {ended.stdout} {ended.stderr}"
        return f"found after {words[1]} s" if float(words[1]) > 1 else ""


KINDS = {"graph": Graph, "pool": Pool, "lonely": Lonely}


def kind_of(number: int, programs: int) -> str:
    """Which kind the program of that number is."""
    done = 0.0
    for kind, share in SHARES:
        done += share
        if number < done * programs:
            return kind
    return SHARES[-1][0]


def run_batch(seed: int, programs: int, first: int, last: int) -> None:
    """Run these programs in this process and print an object a line."""
    for number in range(first, last):
        deadlock.flush()
        deadlock.found = _Found()
        kind, deadlocks = kind_of(number, programs), number % 2 == 1
        _latest[0] = 0
        program = KINDS[kind](seed * 1_000_003 + number, deadlocks)
        one = {"number": number, "kind": kind, "deadlock": deadlocks, "problem": program.run(), "seconds": _latest[0]}
        print(json.dumps({**one, "certain": "deadlock" in program.expected}), flush=True)


def run_in_processes(seed: int, programs: int, jobs: int) -> list[dict[str, object]]:
    """All programs, some in each of many processes, so that one that hangs costs only what stands behind it in its own."""

    def run(first: int) -> list[dict[str, object]]:
        last = min(first + BATCH, programs)
        command = [sys.executable, "-m", "tests.fuzz.deadlock_programs", "--seed", str(seed), "--programs", str(programs)]
        command += ["--batch", f"{first},{last}"]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=10 + 4 * (last - first), check=False)
            said, errors = ended.stdout, ended.stderr
        except subprocess.TimeoutExpired as hung:
            said, errors = (hung.stdout or b"").decode(), (hung.stderr or b"").decode()
        found = [json.loads(line) for line in said.splitlines()]
        for number in range(first + len(found), last):
            found.append({"number": number, "kind": kind_of(number, programs), "deadlock": number % 2 == 1})
            found[-1]["problem"] = f"hung, or stood behind one that did: {errors[-2000:]}"
        return found

    with StandardPool(jobs) as pool:
        return [one for found in pool.map(run, range(0, programs, BATCH)) for one in found]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--programs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--batch", help="the first program and the one behind the last, to be run here")
    args = parser.parse_args()
    if args.batch:
        first, last = map(int, args.batch.split(","))
        run_batch(args.seed, args.programs, first, last)
        return 0
    began = time.monotonic()
    results = run_in_processes(args.seed, args.programs, args.jobs)
    wrong = [one for one in results if one["problem"]]
    for one in wrong:
        print(f"program {one['number']} ({one['kind']}, {'deadlock' if one['deadlock'] else 'none'}): {one['problem']}")
    deadlocks = sum(bool(one["deadlock"]) for one in results)
    certain = sum(bool(one.get("certain")) for one in results)
    seconds = sorted(float(one.get("seconds", 0)) for one in results if one["deadlock"])  # type: ignore[arg-type]
    print(
        f"{len(results)} programs of seed {args.seed}, {deadlocks} of them deadlocks, {certain} of these certain: "
        f"{len(wrong)} not as expected; found after {seconds[len(seconds) // 2]:.2f} s (median), {seconds[-1]:.2f} s at the latest; "
        f"in {time.monotonic() - began:.0f} s"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
