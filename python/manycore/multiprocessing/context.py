"""The contexts of the standard, with our classes where we have some. Which start method is the program's is the standard's to
know, so that it is the same for libraries, which use the standard's contexts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from multiprocessing import context as standard
from multiprocessing.context import *  # noqa: F403
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manycore.multiprocessing.pool import Pool


class Ours(standard.BaseContext):
    """What is ours in every context."""

    def Pool(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        maxtasksperchild: int | None = None,
    ) -> Pool:
        """A pool of worker processes."""
        from manycore.multiprocessing.pool import Pool

        return Pool(processes, initializer, initargs, maxtasksperchild, context=self.get_context())

    def Queue(self, maxsize: int = 0) -> Any:
        """A queue for processes; `put` does not wait for readers."""
        from manycore.multiprocessing.queues import Queue

        return Queue(maxsize, ctx=self.get_context())

    def JoinableQueue(self, maxsize: int = 0) -> Any:
        """A queue whose readers say when they are done with what they got."""
        from manycore.multiprocessing.queues import JoinableQueue

        return JoinableQueue(maxsize, ctx=self.get_context())

    def SimpleQueue(self) -> Any:
        """A queue without threads; `put` waits for room."""
        from manycore.multiprocessing.queues import SimpleQueue

        return SimpleQueue(ctx=self.get_context())

    def Pipe(self, duplex: bool = True) -> Any:
        """Two connected ends; without `duplex` the first receives and the second sends."""
        from manycore.multiprocessing.pipes import Pipe

        return Pipe(duplex)

    def Lock(self) -> Any:
        """A lock for processes."""
        from manycore.multiprocessing.synchronize import Lock

        return Lock()

    def RLock(self) -> Any:
        """A lock that the thread that has it may acquire again."""
        from manycore.multiprocessing.synchronize import RLock

        return RLock()

    def Semaphore(self, value: int = 1) -> Any:
        """So many places."""
        from manycore.multiprocessing.synchronize import Semaphore

        return Semaphore(value)

    def BoundedSemaphore(self, value: int = 1) -> Any:
        """So many places, and never more."""
        from manycore.multiprocessing.synchronize import BoundedSemaphore

        return BoundedSemaphore(value)

    def get_context(self, method: str | None = None) -> Any:
        """The context of a start method; this one without a name."""
        if method is None:
            return self
        standard.BaseContext.get_context(self, method)  # raises as the standard's where there is none
        return _concrete_contexts[method]


class ForkContext(Ours, standard.ForkContext):
    pass


class SpawnContext(Ours, standard.SpawnContext):
    pass


class ForkServerContext(Ours, standard.ForkServerContext):
    pass


class DefaultContext(Ours, standard.DefaultContext):
    """The program's own context: whatever it has chosen, here or there."""

    def __init__(self) -> None:
        pass

    def get_context(self, method: str | None = None) -> Any:
        if method is None:
            method = standard._default_context.get_start_method()
        return super().get_context(method)

    def set_start_method(self, method: str | None, force: bool = False) -> None:
        standard._default_context.set_start_method(method, force)

    def get_start_method(self, allow_none: bool = False) -> Any:
        return standard._default_context.get_start_method(allow_none)

    def get_all_start_methods(self) -> list[str]:
        methods: list[str] = standard._default_context.get_all_start_methods()
        return methods


_concrete_contexts: dict[str, Any] = {"fork": ForkContext(), "spawn": SpawnContext(), "forkserver": ForkServerContext()}
_default_context = DefaultContext()
get_context = _default_context.get_context
