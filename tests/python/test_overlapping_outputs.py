"""Arrays that hold one element in several places, written through every door: NumPy lets the last write in its order win, so do we,
recorded or not and whatever the threads, and says so as a fallback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import manycore
import manycore.numpy as mnp
import numpy
import pytest
from manycore import _core

ROWS, COLUMNS = 300, 400
SHAPE = (ROWS, COLUMNS)


def strided(dtype: str, elements: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Callable[[Any], tuple[Any, Any]]:
    """Of a module: (the memory, the view of it that repeats itself)."""

    def make(m: Any) -> tuple[Any, Any]:
        memory = m.arange(elements).astype(dtype)
        return memory, m.lib.stride_tricks.as_strided(memory, shape, strides)

    return make


def backwards(make: Callable[[Any], tuple[Any, Any]], *steps: int) -> Callable[[Any], tuple[Any, Any]]:
    def made(m: Any) -> tuple[Any, Any]:
        memory, view = make(m)
        return memory, view[tuple(slice(None, None, step) for step in steps)]

    return made


WINDOWS = strided("f8", ROWS + COLUMNS, SHAPE, (8, 8))
VIEWS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "one element": strided("f8", 1, SHAPE, (0, 0)),
    "one row": strided("f8", COLUMNS, SHAPE, (0, 8)),
    "one column": strided("f8", ROWS, SHAPE, (8, 0)),
    "one column of integers": strided("i4", ROWS, SHAPE, (4, 0)),
    "windows": WINDOWS,
    "wide windows": strided("f8", 100 * ROWS + COLUMNS, SHAPE, (800, 8)),
    "windows from the last row": backwards(WINDOWS, -1, 1),
    "windows from both ends": backwards(WINDOWS, -1, -1),
    "one row from the right": backwards(strided("f8", COLUMNS, SHAPE, (0, 8)), 1, -1),
    "halves of complex numbers": strided("c16", ROWS * COLUMNS, SHAPE, (8 * COLUMNS, 8)),
    "one line of halves": strided("c16", ROWS * COLUMNS, (ROWS * COLUMNS,), (8,)),
    "few halves": strided("c16", 60, (60,), (8,)),
    "the fuzzer's": strided("c16", 13 * 77952 // 16, (7, 13, 8, 21, 29), (0, 77952, 9744, 464, 16)),
}


def operand(m: Any, view: Any, seed: int) -> Any:
    """Different in every element, of the view's shape and dtype; pending where recorded."""
    size = int(numpy.prod(view.shape))
    return ((m.arange(size) * seed % 1009 + 1).reshape(view.shape) + seed).astype(view.dtype)


def in_place(m: Any, view: Any) -> Any:
    view += operand(m, view, 3)
    view *= 2
    view -= view


def selected(m: Any, view: Any) -> Any:
    chosen = operand(m, view, 3).real % 3 == 0
    view[chosen] = operand(m, view, 5)[chosen]


def indexed(m: Any, view: Any) -> Any:
    rows = m.arange(len(view))[::-1]
    view[rows] = operand(m, view, 3)


def divided(m: Any, view: Any) -> Any:
    return m.divmod(operand(m, view, 3), 7, out=(view, m.empty(view.shape, dtype=view.dtype)))


def summed(m: Any, view: Any) -> Any:
    return m.add.reduce(m.stack([operand(m, view, seed) for seed in (3, 5, 7)]), axis=0, out=view)


def product(m: Any, view: Any) -> Any:
    left = operand(m, view, 3)
    return m.matmul(left, m.eye(view.shape[-1], dtype=view.dtype), out=view)


def part(m: Any, view: Any) -> Any:
    view.real = operand(m, view, 3).real


def within(m: Any, view: Any) -> Any:
    view[1:, ::2] = operand(m, view, 3)[1:, ::2]


def shifted(m: Any, view: Any) -> Any:
    view[1:] = view[:-1]


def filled(m: Any, view: Any) -> Any:
    view.fill(4)


DOORS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda m, view: m.add(operand(m, view, 3), operand(m, view, 5), out=view),
    "negative": lambda m, view: m.negative(operand(m, view, 3), out=view),
    "in place": in_place,
    "where": lambda m, view: m.multiply(operand(m, view, 3), 2, out=view, where=operand(m, view, 5).real % 2 == 0),
    "divmod": divided,
    "clip": lambda m, view: m.clip(operand(m, view, 3), 40, 800, out=view),
    "copyto": lambda m, view: m.copyto(view, operand(m, view, 3)),
    "copyto where": lambda m, view: m.copyto(view, operand(m, view, 3), where=operand(m, view, 5).real % 2 == 0),
    "assign": lambda m, view: view.__setitem__(..., operand(m, view, 3)),
    "assign a cast": lambda m, view: view.__setitem__(..., operand(m, view, 3).real.astype("f4")),
    "assign within": within,
    "assign shifted": shifted,
    "fill": filled,
    "mask": selected,
    "index": indexed,
    "sum": summed,
    "cumsum": lambda m, view: m.cumsum(operand(m, view, 3), axis=0, out=view),
    "mean": lambda m, view: m.mean(m.stack([operand(m, view, seed) for seed in (3, 5)]), axis=0, out=view),
    "argmax": lambda m, view: m.argmax(m.stack([operand(m, view, seed).real for seed in (3, 5)]), axis=0, out=view.view("i8")),
    "matmul": product,
    "concatenate": lambda m, view: m.concatenate([operand(m, view, 3)[:7], operand(m, view, 5)[7:]], out=view),
    "sort": lambda m, view: view.sort(axis=0),
    "real part": part,
}


def not_for(door: str, view: str) -> bool:
    one_axis = view in ("one line of halves", "few halves")
    if one_axis or view in ("halves of complex numbers", "the fuzzer's"):
        return door in ("divmod", "argmax") or (one_axis and door in ("assign within", "matmul"))
    return view == "one column of integers" and door in ("mean", "argmax")


CASES = [(view, door) for view in VIEWS for door in DOORS if not not_for(door, view)]


def written(m: Any, view: str, door: str) -> tuple[bytes, str | None]:
    memory, target = VIEWS[view](m)
    error = None
    with numpy.errstate(all="ignore"):
        try:
            DOORS[door](m, target)
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
    return numpy.asarray(memory).tobytes(), error


def refused() -> dict[str, int]:
    """Fallbacks of outputs that repeat themselves, by name."""
    calls: dict[str, int] = {}
    for row in _core.trace_snapshot()["fallbacks"]:
        if row["reason"].startswith("the output holds elements in several places"):
            calls[row["name"]] = calls.get(row["name"], 0) + row["calls"]
    return calls


@pytest.fixture(params=["as usual", "recorded"])
def recording(request: pytest.FixtureRequest) -> Iterator[None]:
    before = _core.get_option("record_from")
    if request.param == "recorded":
        _core.set_option("record_from", 0)
    yield
    manycore.evaluate()
    _core.set_option("record_from", before)


@pytest.mark.usefixtures("recording")
@pytest.mark.parametrize(("view", "door"), CASES)
def test_what_repeats_itself_is_written_as_numpy_writes_it(view: str, door: str) -> None:
    expected = written(numpy, view, door)
    for _ in range(int(os.environ.get("MANYCORE_TEST_REPEATS", "1"))):
        assert written(mnp, view, door) == expected


@pytest.mark.usefixtures("recording")
@pytest.mark.parametrize("door", [door for door in DOORS if door not in ("sort", "argmax")])  # the first is never native
def test_numpy_answers_and_is_counted(door: str) -> None:
    before = sum(refused().values())
    written(mnp, "windows", door)
    assert sum(refused().values()) > before


def test_a_refused_fallback_stores_nothing() -> None:
    _, view = WINDOWS(mnp)
    expected = numpy.asarray(view).copy()
    _core.set_option("fail_on_fallback", 1)
    try:
        with pytest.raises(manycore.FallbackError, match="several places"):
            view[...] = 3
        with pytest.raises(manycore.FallbackError, match="several places"):
            view[mnp.arange(3)] = 3
    finally:
        _core.set_option("fail_on_fallback", 0)
    assert numpy.array_equal(numpy.asarray(view), expected)


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "rows": lambda cube: cube[::2],
    "columns backwards": lambda cube: cube[:, ::-3, ::2],
    "transposed": lambda cube: cube.transpose(1, 2, 0),
    "diagonal": lambda cube: cube.diagonal(0, 0, 2),
    "new axes": lambda cube: cube[:, None, 3:5],
    "nothing": lambda cube: cube[:0],
    "imaginary part": lambda cube: cube.imag,
}


@pytest.mark.usefixtures("recording")
@pytest.mark.parametrize("name", LAYOUTS)
def test_what_does_not_repeat_itself_is_written_natively(name: str) -> None:
    results = []
    before = refused()
    for m in (numpy, mnp):
        cube = m.zeros((11, 13, 17), dtype="c16")
        view = LAYOUTS[name](cube)
        if not view.flags.writeable:
            view.setflags(write=True)
        for door in ("add", "in place", "assign", "fill", "index", "sum"):
            DOORS[door](m, view)
        results.append(numpy.asarray(cube).tobytes())
    assert results[0] == results[1]
    assert refused() == before


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["2", "7"])
def test_ten_runs_on_several_threads_give_numpys_elements(threads: str) -> None:
    environment = {**os.environ, "MANYCORE_THREADS": threads, "MANYCORE_TEST_REPEATS": "10"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow", __file__]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, env=environment, capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
