"""Arrays that several processes write to: NumPy arrays in memory that has no name and goes with the last process that has it."""

from __future__ import annotations

import math
import mmap
import os
import sys
import weakref
from typing import Any

import numpy as np

from manycore.futures.worker_main import Descriptor

__all__ = ["SharedArray", "shared_array"]


class _Memory:
    """A mapping that all who have it write to. Its descriptor is what other processes are sent."""

    def __init__(self, descriptor: int, length: int) -> None:
        self.descriptor = descriptor
        self.mapping = mmap.mmap(descriptor, length)
        self.begin = np.frombuffer(self.mapping, np.uint8).__array_interface__["data"][0]
        self.length = length
        weakref.finalize(self, os.close, descriptor).atexit = False


class SharedArray(np.ndarray[Any, Any]):
    """A `numpy.ndarray` whose elements other processes see. Views of it are shared too; what is computed from it is not.

    Children of fork inherit it. Sent to another process, through a queue, a pipe, a pool or as an argument of a `Process`, it
    arrives as the same memory.
    """

    _memory: _Memory | None = None

    def __array_finalize__(self, other: Any) -> None:
        self._memory = getattr(other, "_memory", None)

    def _offset(self) -> int | None:
        """Where its first element lies in the shared memory; None where it does not."""
        if self._memory is None:
            return None
        offset: int = self.__array_interface__["data"][0] - self._memory.begin
        return offset if 0 <= offset < self._memory.length else None

    def __reduce_ex__(self, protocol: Any) -> Any:
        memory, offset = self._memory, self._offset()
        if memory is None or offset is None:
            return np.asarray(self).__reduce_ex__(protocol)
        return _arrived, (Descriptor(memory.descriptor), memory.length, offset, self.dtype, self.shape, self.strides)


_known: weakref.WeakValueDictionary[tuple[int, int], _Memory] = weakref.WeakValueDictionary()


def _key(descriptor: int) -> tuple[int, int]:
    facts = os.fstat(descriptor)
    return facts.st_dev, facts.st_ino


def _arrived(descriptor: Descriptor, length: int, offset: int, dtype: Any, shape: Any, strides: Any) -> SharedArray:
    """In the process that it was sent to, which may have the memory already."""
    number = descriptor.number
    memory = _known.get(_key(number))
    if memory is None:
        memory = _known[_key(number)] = _Memory(number, length)
    elif memory.descriptor != number:
        os.close(number)
    return _array(memory, offset, dtype, shape, strides)


def _array(memory: _Memory, offset: int, dtype: Any, shape: Any, strides: Any = None) -> SharedArray:
    array = SharedArray(shape, dtype, memory.mapping, offset, strides)
    array._memory = memory
    return array


def _available_bytes() -> int:
    with open("/proc/meminfo") as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return sys.maxsize


def shared_array(shape: int | tuple[int, ...], dtype: Any = float) -> SharedArray:
    """An array of zeros that other processes can write to.

    >>> from manycore.multiprocessing import get_context, shared_array
    >>> numbers = shared_array(3)
    >>> process = get_context("fork").Process(target=numbers.fill, args=(7,))
    >>> process.start(); process.join()
    >>> numbers
    SharedArray([7., 7., 7.])
    """
    kind = np.dtype(dtype)
    if kind.hasobject:
        raise ValueError(f"shared_array: Python objects cannot be shared, got dtype {kind}; try numbers or a fixed-size string")
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    count = math.prod(sizes)
    if any(size < 0 for size in sizes):
        raise ValueError(f"shared_array: negative dimensions are not allowed, got {shape!r}")
    length = max(count * kind.itemsize, 1)
    refusal = f"shared_array: the system has no shared memory left for {length} bytes"
    if length > _available_bytes():  # the system would end processes before it refuses
        raise MemoryError(refusal)
    descriptor = os.memfd_create("manycore-array", os.MFD_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o600)
        os.posix_fallocate(descriptor, 0, length)  # now, and not by a signal when somebody writes
        memory = _Memory(descriptor, length)
    except OSError as error:
        os.close(descriptor)
        raise MemoryError(refusal) from error
    _known[_key(descriptor)] = memory
    return _array(memory, 0, kind, shape)
