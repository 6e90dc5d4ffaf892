"""The worker processes of one pool: started, replaced, ended; the pool's own thread; and what the end of the program does."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
import weakref
from collections.abc import Callable
from concurrent.futures._base import LOGGER
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import process as standard
from multiprocessing import util
from multiprocessing.context import BaseContext
from typing import Any

from manycore import _tasks
from manycore.futures.main_names import MainNames, without_a_file_that_is_none
from manycore.futures.process_errors import NOT_USABLE, TERMINATED, broken_error, death_error, ended_error
from manycore.futures.process_map import ChunkedMap
from manycore.futures.worker_main import Descriptor, main, parent_descriptor, part_of_cores

# A worker that ends so often before it is ready will not become ready.
_MOST_FAILED_STARTS = 10
_MOST_TROUBLES = 10  # errors of the pool's own thread before the pool is given up

SHUT_DOWN = "cannot schedule new futures after shutdown"
ENDS = "cannot schedule new futures after interpreter shutdown"


class Team:
    """The worker processes of one pool. Shared by the executor and the background thread, and knows neither."""

    ends_before_program = True  # before the interpreter calls atexit handlers

    def __init__(
        self,
        slots: int,
        context: BaseContext,
        initializer: Callable[..., object] | None,
        initargs: tuple[Any, ...],
        breaks: bool,
    ) -> None:
        self.context = context
        self.forks = context.get_start_method() == "fork"
        self.slots = slots
        self.initializer = initializer
        self.initargs = initargs
        self.breaks = breaks
        self.cores = part_of_cores(slots)  # another one before any worker has started, if that is wanted
        self.processes: dict[int, Any] = {}
        self.thread: threading.Thread | None = None
        self.broken: str | bool = False
        self.ended = False  # by terminate_workers or kill_workers
        self.failed_starts = 0
        self.lock = threading.RLock()
        self.one_by_one = False  # forks too: the first result comes sooner
        self.foreign = False  # another process's, which has forked this one
        self.maps: set[ChunkedMap] = set()  # that have items left to send
        self.core = _tasks.ProcessCore(slots, self.start_missing, broken_error if breaks else death_error)
        self.main_names = MainNames(context.get_start_method())
        self.core.set_main_by_value(self.main_names.by_value)
        if breaks:
            self.core.set_breaking(BrokenProcessPool(NOT_USABLE))
        if self.ends_before_program:
            if _interpreter_ends:
                self.core.refuse(RuntimeError(ENDS))
            _teams.add(self)

    def start_missing(self) -> None:
        """A call found nobody idle. Forks come all at once, before the pool has a thread, the others one by one."""
        with self.lock:
            if self.broken or self.ended:
                return
            wanted = self.slots if self.forks and self.thread is None and not self.one_by_one else 1
            for _ in range(wanted):
                if not self.start_one():
                    break
            if self.thread is None:
                self.start_thread(daemon=False)
                _end_with_process()

    def start_thread(self, daemon: bool) -> None:
        self.thread = threading.Thread(target=_serve, args=(self,), name="ExecutorManagerThread", daemon=daemon)
        self.thread.start()

    def start_one(self) -> bool:
        slot = self.core.prepare()
        if slot < 0:
            return False
        self.main_names.worker_starts()
        try:
            memory = (self.core.descriptor, self.core.blocks_descriptor, self.core.results_descriptor(slot))
            descriptors = tuple(Descriptor(number) for number in (*memory, parent_descriptor()))
            arguments = (descriptors, slot, self.cores, self.initializer, self.initargs)
            process = self.new_process(arguments)
            with warnings.catch_warnings():
                # That this process has threads is our doing; none of them holds a lock that the child will want.
                warnings.filterwarnings("ignore", r"This process .* is multi-threaded", DeprecationWarning)
                with without_a_file_that_is_none():
                    process.start()
        except BaseException:
            self.core.abandon(slot)
            raise
        self.processes[process.pid] = process
        self.core.joined(slot, process.pid)
        return True

    def new_process(self, arguments: tuple[Any, ...]) -> Any:
        return self.context.Process(target=main, args=arguments)  # type: ignore[attr-defined]

    def serve(self) -> bool:
        """A round of the pool's thread: what has happened since the last one. False once all is over."""
        events = self.core.serve()
        for pid, exit_code, asked, was_ready, forced in events or ():
            try:
                self.gone(pid, exit_code, asked, was_ready, forced)
            except BaseException as error:
                # No new worker can be started; without any, nobody would ever run what waits.
                if self.core.live_workers() == 0:
                    self.break_down(f"no worker process can be started: {error}")
        for chunks in list(self.maps):
            try:
                chunks.feed()
            except BaseException as error:
                chunks.end_with(error)
        return events is not None

    def gone(self, pid: int, exit_code: int | None, asked: bool, was_ready: bool, forced: bool) -> None:
        with self.lock:
            process = self.processes.pop(pid, None)
            if process is not None:
                process.join()
                if exit_code is None:
                    exit_code = process.exitcode
            if self.broken or self.ended:
                # What came in the moment when the pool ended, or stood behind a call of this worker.
                if self.broken:
                    self.core.fail_waiting(BrokenProcessPool(TERMINATED))
                elif self.core.live_workers() == 0:
                    self.core.cancel_waiting()
                return
            if forced or (asked and exit_code == 0):
                self.replace()
                return
            self.failed_starts = 0 if was_ready else self.failed_starts + 1
            hopeless = not was_ready and (exit_code is None or exit_code >= 0 or self.failed_starts > _MOST_FAILED_STARTS)
            if self.breaks or hopeless:
                self.break_down(NOT_USABLE)
            else:
                self.replace()

    def replace(self) -> None:
        if self.core.outstanding() > 0 and self.core.live_workers() < self.slots:
            self.start_one()

    def break_down(self, text: str) -> None:
        if not self.broken:
            self.broken = text
            self.core.refuse(BrokenProcessPool(text))
        self.core.stop_retrying()
        for process in list(self.processes.values()):
            with contextlib.suppress(Exception):
                process.terminate()
        self.core.fail_waiting(BrokenProcessPool(TERMINATED))
        for chunks in list(self.maps):
            chunks.end_with(BrokenProcessPool(TERMINATED))
        self.core.shut_down(BrokenProcessPool(text))

    def shut_down(self, cancel_futures: bool, text: str = SHUT_DOWN) -> None:
        if self.foreign:
            return
        for chunks in list(self.maps):
            if cancel_futures:
                chunks.cancel_rest()
                continue
            try:
                chunks.feed(everything=True)
            except BaseException as error:  # what an item raises must not keep other maps from their ends
                chunks.end_with(error)
                if isinstance(error, KeyboardInterrupt):
                    raise
        self.core.shut_down(RuntimeError(text))
        if cancel_futures:
            self.core.cancel_waiting()
        if self.thread is None:
            self.core.detach()

    def leave_to_parent(self) -> None:
        """In a child of fork."""
        self.foreign = True
        self.thread = None
        self.processes = {}
        for chunks in self.maps:
            chunks.lock = threading.RLock()
        self.core.orphan(BrokenProcessPool("this call is the business of the process that forked this one"))

    def end_workers(self, how: str) -> None:
        """By a method of their processes; with "_workers" behind it, `how` is the pool's. Calls that run end with their workers,
        the others are cancelled, and nobody waits: a worker may not heed a signal."""
        with self.lock:
            self.ended = True
            if not self.breaks:
                self.core.set_death_error(ended_error(f"{how}_workers"))
            self.core.stop_retrying()
            processes = list(self.processes.values())
        self.shut_down(cancel_futures=True)
        for process in processes:
            with contextlib.suppress(ProcessLookupError, ValueError):  # it is gone, or closed
                getattr(process, how)()


def _serve(team: Team) -> None:
    """The pool's own thread. What goes wrong in it must not end it: who waits for results would wait for ever."""
    _tasks.never_wait_here()
    troubles = 0
    while True:
        try:
            if not team.serve():
                break
        except BaseException as error:
            LOGGER.critical("Exception in the thread of a process pool", exc_info=error)
            troubles += 1
            if troubles == _MOST_TROUBLES:
                team.break_down(f"the pool's thread failed again and again: {error!r}")
            elif troubles > 2 * _MOST_TROUBLES:
                break
    for process in list(team.processes.values()):
        with contextlib.suppress(Exception):
            process.join()
    team.core.detach()


_teams: weakref.WeakSet[Team] = weakref.WeakSet()
_interpreter_ends = False
_ends_with = 0  # the process that ends its pools


def _end_with_process() -> None:
    """A process of multiprocessing waits for its children before it ends its threads, and so for ever for workers that nobody has
    told to end."""
    global _ends_with
    if _ends_with != os.getpid():
        _ends_with = os.getpid()
        util.Finalize(None, _shut_down_teams, exitpriority=100)


def shut_down_all() -> None:
    """At the interpreter's end; calls that wait are still run. What is asked of pools later, as in an atexit handler, is refused:
    nobody would end their workers."""
    global _interpreter_ends
    _interpreter_ends = True
    _shut_down_teams()


def _shut_down_teams() -> None:
    """Pools that are made later are as good as any: multiprocessing's finalizers may run before the end, as in its tests."""
    global _ends_with
    _ends_with = 0
    teams = list(_teams)
    for team in teams:
        team.shut_down(False, ENDS)
    for team in teams:
        if team.thread is not None:
            team.thread.join()


def leave_to_parent() -> None:
    """In a child of fork. Where it goes on to the interpreter's end, multiprocessing would wait for workers of the parent."""
    for team in list(_teams):
        standard._children.difference_update(team.processes.values())  # type: ignore[attr-defined]
    _teams.clear()


# Before the interpreter's atexit handlers, as the standard's pools.
threading._register_atexit(shut_down_all)  # type: ignore[attr-defined]
