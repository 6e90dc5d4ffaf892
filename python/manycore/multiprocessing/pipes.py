"""`Pipe`: the standard's connections, between whose ends large arrays and bytes travel in shared memory.

Everything else goes through the pipe or socket as always, so that waiting, the end of a stream and what `send_bytes` sends are
the standard's.
"""

from __future__ import annotations

import os
import weakref
from multiprocessing import connection as standard
from multiprocessing import reduction
from typing import Any

from manycore import _tasks
from manycore.futures.worker_main import Descriptor

__all__ = ["Connection", "Pipe"]

_plain_pipe = standard.Pipe  # whatever stands there later
_MARK = b"mcp1"
_LARGE = 64 << 10
_LOOKED_AT = 16  # entries of a collection


def _is_large(obj: Any, depth: int = 2) -> bool:
    """Does it have large bytes? To be told without pickling it."""
    if isinstance(obj, bytes | bytearray | str):
        return len(obj) >= _LARGE
    if isinstance(obj, tuple | list | dict):
        entries = obj.values() if isinstance(obj, dict) else obj
        return depth > 0 and any(_is_large(entry, depth - 1) for entry, _ in zip(entries, range(_LOOKED_AT), strict=False))
    size = getattr(obj, "nbytes", 0)
    return isinstance(size, int) and size >= _LARGE


class _Memory:
    """Of the two ends of a pipe. In a process that got both, one."""

    def __init__(self, box: _tasks.Mailbox) -> None:
        self.box = box


_known: weakref.WeakValueDictionary[tuple[int, int], _Memory] = weakref.WeakValueDictionary()


def _key(descriptor: int) -> tuple[int, int]:
    facts = os.fstat(descriptor)
    return facts.st_dev, facts.st_ino


class Connection(standard.Connection):
    """One end of a `Pipe`."""

    _memory: _Memory | None = None

    def send(self, obj: Any) -> None:
        memory = self._memory
        if memory is None or self.closed or not self.writable or not _is_large(obj) or (text := memory.box.pack(obj)) is None:
            super().send(obj)
            return
        try:
            self._send_bytes(text)  # type: ignore[attr-defined]
        except BaseException:
            memory.box.discard(text)
            raise

    def recv(self) -> Any:
        self._check_closed()  # type: ignore[attr-defined]
        self._check_readable()  # type: ignore[attr-defined]
        view = self._recv_bytes().getbuffer()  # type: ignore[attr-defined]
        if self._memory is not None and view[:4] == _MARK:
            return self._memory.box.unpack(view)
        return reduction.ForkingPickler.loads(view)


def _end(handle: int, readable: bool, writable: bool, memory: _Memory) -> Connection:
    end = Connection(handle, readable, writable)
    end._memory = memory
    return end


def Pipe(duplex: bool = True) -> tuple[Connection, Connection]:
    """Two connected ends; without `duplex` the first receives and the second sends."""
    memory = _Memory(_tasks.Mailbox())
    _known[_key(memory.box.descriptors[0])] = memory
    ends = []
    for plain in _plain_pipe(duplex):
        ends.append(_end(plain._handle, plain.readable, plain.writable, memory))  # type: ignore[attr-defined]
        plain._handle = None  # type: ignore[attr-defined]
    return ends[0], ends[1]


def _reduced(end: Connection) -> tuple[Any, ...]:
    if end._memory is None:
        return standard.reduce_connection(end)  # type: ignore[attr-defined, no-any-return]
    memory = tuple(map(Descriptor, end._memory.box.descriptors))
    return _arrived, (reduction.DupFd(end.fileno()), end.readable, end.writable, memory)


def _arrived(handle: Any, readable: bool, writable: bool, descriptors: tuple[Descriptor, Descriptor]) -> Connection:
    numbers = [descriptor.number for descriptor in descriptors]
    memory = _known.get(_key(numbers[0]))
    if memory is None:
        memory = _known[_key(numbers[0])] = _Memory(_tasks.Mailbox(0, *numbers))
    else:
        for number in numbers:
            if number not in memory.box.descriptors:
                os.close(number)
    return _end(handle.detach(), readable, writable, memory)


reduction.register(Connection, _reduced)
