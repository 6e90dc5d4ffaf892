"""Arrays that workers see as files: those backed by a `numpy.memmap`, and with ``mmap_mode="r+"`` or ``"w+"`` all large ones.

They go by the file's name, so what a worker writes to them all others see, and the program, whose memory the file is.
"""

from __future__ import annotations

import io
import os
import pickle
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

_SHARED_MEMORY = "/dev/shm"
_DEPTH = 2  # of containers among the arguments, in which memmaps are looked for


class FileArrays:
    """Of one `Parallel` call. The folder for its files is made when the first is written and goes with `close`."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.place = options.get("temp_folder") or os.environ.get("JOBLIB_TEMP_FOLDER")
        smallest = options.get("max_nbytes")
        self.written_by_all = smallest is not None and options.get("mmap_mode") in ("r+", "w+")
        self.smallest = smallest or 0
        self.folder: str | None = None
        self.written: dict[int, tuple[Any, str]] = {}  # by id, which the array that is kept keeps

    def prepared(self, batch: Callable[[], Any]) -> Callable[[], Any]:
        """What is sent in the batch's place."""
        if "numpy" not in sys.modules or not (self.written_by_all or _has_memmap(batch)):
            return batch
        return _Prepared(batch, self)

    def name_of(self, array: Any) -> str:
        """Of the file that holds a copy of the array; it is written once."""
        if id(array) not in self.written:
            if self.folder is None:
                place = self.place or (_SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None)
                self.folder = tempfile.mkdtemp(prefix="manycore-parallel-", dir=place)
            name = os.path.join(self.folder, str(len(self.written)))
            array.tofile(name)
            self.written[id(array)] = array, name
        return self.written[id(array)][1]

    def close(self) -> None:
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder = None
        self.written.clear()


class _Prepared:
    """A batch that is pickled with arrays as files."""

    def __init__(self, batch: Callable[[], Any], files: FileArrays) -> None:
        self.batch = batch
        self.files = files

    def __call__(self) -> Any:  # where pickling is not needed
        return self.batch()

    def __reduce__(self) -> tuple[Any, ...]:
        buffers: list[pickle.PickleBuffer] = []
        return _load, (_dumped(self.batch, self.files, buffers), *buffers)


def _load(data: bytes, *buffers: Any) -> Any:
    return pickle.loads(data, buffers=buffers)


def _dumped(batch: Any, files: FileArrays, buffers: list[pickle.PickleBuffer]) -> bytes:
    import cloudpickle  # type: ignore[import-untyped]
    import numpy

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, entry: Any) -> Any:
            if isinstance(entry, numpy.ndarray):
                backing = backing_memmap(entry)
                if backing is not None:
                    return _reduced(entry, backing)
                if files.written_by_all and entry.nbytes >= files.smallest and not entry.dtype.hasobject:
                    entry = numpy.ascontiguousarray(entry) if not entry.flags.forc else entry
                    order = "C" if entry.flags.c_contiguous else "F"
                    return numpy.memmap, (files.name_of(entry), entry.dtype, "r+", 0, entry.shape, order)
            return super().reducer_override(entry)

    file = io.BytesIO()
    Pickler(file, protocol=5, buffer_callback=buffers.append).dump(batch)
    return file.getvalue()


def backing_memmap(array: Any) -> Any:
    """The `numpy.memmap` whose memory the array looks at; None where there is none."""
    import numpy

    while array is not None:
        if isinstance(array, numpy.memmap) and array.filename is not None and not isinstance(array.base, numpy.memmap):
            return array
        array = getattr(array, "base", None)
    return None


def _reduced(array: Any, backing: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    import numpy

    low, high = numpy.lib.array_utils.byte_bounds(array)
    start = numpy.lib.array_utils.byte_bounds(backing)[0]
    mode = "r+" if backing.mode == "w+" else backing.mode  # a file that is made anew is made once
    first = array.__array_interface__["data"][0]
    span = (backing.offset + (low - start), high - low, first - low)
    return open_view, (str(backing.filename), array.dtype, mode, span, array.shape, array.strides, array.flags.writeable)


def open_view(name: str, dtype: Any, mode: str, span: tuple[int, int, int], shape: Any, strides: Any, writeable: bool) -> Any:
    """An array of these strides over ``span``: offset in the file, bytes, and where in them the first element is."""
    import numpy

    offset, size, first = span
    if size == 0:
        return numpy.empty(shape, dtype)
    data = numpy.memmap(name, numpy.uint8, mode, offset, (size,))  # type: ignore[call-overload]
    view = numpy.ndarray.__new__(numpy.memmap, shape, dtype, data, first, strides)
    view.filename, view.offset, view.mode = data.filename, offset + first, mode
    view.flags.writeable = writeable and mode != "r"
    return view


def _has_memmap(batch: Any) -> bool:
    memmap = sys.modules["numpy"].memmap
    for values in getattr(batch, "items", ()):
        for value in _within(values[1:], _DEPTH + 1):
            if hasattr(value, "__array_interface__") and (isinstance(value, memmap) or backing_memmap(value) is not None):
                return True
    return False


def _within(value: Any, depth: int) -> Iterator[Any]:
    if depth > 0 and isinstance(value, dict):
        value = tuple(value.values())
    if depth > 0 and isinstance(value, tuple | list):
        for entry in value:
            yield from _within(entry, depth - 1)
    else:
        yield value
