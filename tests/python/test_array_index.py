"""Indexing against NumPy: every kind of index, read and written, on every layout; a seeded fuzz of whole expressions."""

from __future__ import annotations

import operator
from typing import Any

import manycore.numpy as mnp
import numpy as np
import pytest
from both import Outcome, data, same_outcome
from manycore import _core

LAYOUTS = {
    "C": lambda a: a,
    "F": lambda a: a.T,
    "strided": lambda a: a[::2, 1::3],
    "negative": lambda a: a[::-1, ::-2],
    "stretched": lambda a: a[:, None, 0],
    "row": lambda a: a[2],
    "zero_dim": lambda a: a[1, 2:3].reshape(()),
    "empty": lambda a: a[:0],
    "three": lambda a: a.reshape(3, 2, -1),
}


def ours_of(real: Any) -> Any:
    """Our array of equal data over memory of the engine."""
    ours = mnp.ndarray(real.shape, real.dtype)
    np.asarray(ours)[...] = real
    return ours


def crossed(index: Any) -> Any:
    """The index with our arrays in the place of NumPy's."""
    if isinstance(index, tuple):
        return tuple(crossed(item) for item in index)
    return ours_of(index) if type(index) is np.ndarray and index.dtype != object else index


class Indices:
    """Random index expressions; `strange` ones may raise or are left to NumPy."""

    def __init__(self, seed: int, strange: float = 0.0) -> None:
        self.rng = np.random.default_rng(seed)
        self.strange = strange

    def integer(self, extent: int) -> Any:
        reach = extent + (2 if self.rng.random() < self.strange else 0)
        if reach == 0:
            return 0
        value = int(self.rng.integers(-reach, reach))
        kind = self.rng.integers(0, 6)
        return [value, value, value, np.int64(value), np.int8(value), np.array(value)][kind]

    def slice(self, extent: int) -> slice:
        def bound() -> int | None:
            return None if self.rng.random() < 0.4 else int(self.rng.integers(-extent - 2, extent + 3))

        step = None if self.rng.random() < 0.5 else int(self.rng.choice([-3, -2, -1, 1, 2, 3]))
        return slice(bound(), bound(), step)

    def integers(self, extent: int, shape: tuple[int, ...]) -> Any:
        if extent == 0:
            return np.zeros((0,), np.int64)
        reach = extent + (1 if self.rng.random() < self.strange else 0)
        values = self.rng.integers(-reach, reach, shape)
        if self.rng.random() < 0.3:
            return values.tolist()
        return values.astype(self.rng.choice(["int64", "int32", "int8"]))

    def expression(self, shape: tuple[int, ...]) -> Any:
        """A tuple of items or one item."""
        advanced = self.rng.random() < 0.5
        common = [(3,), (2, 3), (1,), (3, 1)][self.rng.integers(0, 4)]
        items: list[Any] = []
        axis = 0
        ellipsis_allowed = True
        while axis < len(shape) and self.rng.random() < 0.8:
            choice = self.rng.random()
            if choice < 0.2:
                items.append(self.integer(shape[axis]))
                axis += 1
            elif choice < 0.5:
                items.append(self.slice(shape[axis]))
                axis += 1
            elif choice < 0.6:
                items.append(None)
            elif choice < 0.7 and ellipsis_allowed:
                ellipsis_allowed = False
                items.append(Ellipsis)
                axis += int(self.rng.integers(0, len(shape) - axis + 1))
            elif choice < 0.73:
                items.append(bool(self.rng.integers(0, 2)))
            elif advanced and choice < 0.9:
                items.append(self.integers(shape[axis], common))
                axis += 1
            elif advanced:
                used = int(self.rng.integers(1, len(shape) - axis + 1))
                items.append(self.rng.random(shape[axis : axis + used]) < 0.5)
                axis += used
        if self.rng.random() < self.strange:
            items.append(self.rng.choice(np.array([0, None, "text", 1.5, Ellipsis], dtype=object)))
        return items[0] if len(items) == 1 and self.rng.random() < 0.7 else tuple(items)


def bases(dtype: str = "float64") -> list[tuple[str, Any, Any]]:
    base = data(dtype, (6, 12), 7)
    return [(name, view(base.copy()), view(ours_of(base))) for name, view in LAYOUTS.items()]


def check_read(name: str, theirs: Any, ours: Any, index: Any) -> str | None:
    expected = Outcome(lambda: theirs[index])
    got = Outcome(lambda: ours[crossed(index)])
    difference = same_outcome(expected, got)
    if not difference and expected.error is None:
        if got.fallbacks:
            difference = f"fell back: {got.reasons}"
        elif isinstance(expected.value, np.ndarray):
            shares = np.shares_memory(expected.value, theirs), np.shares_memory(np.asarray(got.value), np.asarray(ours))
            flags = expected.value.flags.num & ~4, got.value.flags.num & ~4  # not OWNDATA: where our data came from may differ
            if shares[0] != shares[1] or flags[0] != flags[1]:
                difference = f"shares memory, flags: expected {shares[0], flags[0]}, got {shares[1], flags[1]}"
    return difference and f"{name} {theirs.shape}[{index!r}]: {difference}"


def report(failures: list[str | None]) -> None:
    found = [f for f in failures if f]
    assert not found, f"{len(found)} of {len(failures)} cases differ:\n" + "\n".join(found[:8])


def test_reading_by_random_index_equals_numpy_without_fallback() -> None:
    indices = Indices(1)
    report([check_read(n, t, o, indices.expression(t.shape)) for _ in range(300) for n, t, o in bases()])


def test_reading_by_strange_index_equals_numpy() -> None:
    indices = Indices(2, strange=0.4)
    failures = []
    for _ in range(150):
        for name, theirs, ours in bases("int16"):
            index = indices.expression(theirs.shape)
            difference = same_outcome(Outcome(lambda t=theirs, i=index: t[i]), Outcome(lambda o=ours, i=index: o[crossed(i)]))
            failures.append(difference and f"{name} {theirs.shape}[{index!r}]: {difference}")
    report(failures)


def random_value(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Something to assign to a result of this shape: a number, or an array that broadcasts to it."""
    kind = rng.integers(0, 8)
    if kind == 0:
        return int(rng.integers(-5, 6))
    if kind == 1:
        return float(rng.normal())
    if kind == 2:
        return np.float32(rng.normal())
    stretched = [1 if rng.random() < 0.2 else extent for extent in shape]
    stretched = stretched[int(rng.integers(0, len(stretched) + 1)) if rng.random() < 0.2 else 0 :]
    dtype = str(rng.choice(["float64", "float64", "float32", "int64", "bool"]))
    value = data(dtype, tuple(stretched), int(rng.integers(0, 1000)), special=False)
    if kind == 3:
        return value.tolist()
    return value


def check_write(rng: np.random.Generator, name: str, theirs: Any, ours: Any, index: Any) -> str | None:
    selected = Outcome(lambda: theirs[index])
    shape = np.shape(selected.value) if selected.error is None else (2,)
    value = random_value(rng, shape)
    expected = Outcome(lambda: operator.setitem(theirs, index, value))
    got = Outcome(lambda: operator.setitem(ours, crossed(index), crossed(value)))
    difference = same_outcome(expected, got)
    if not difference and not np.array_equal(theirs, np.asarray(ours), equal_nan=True):
        difference = f"expected {theirs!r}, got {ours!r}"
    return difference and f"{name} {theirs.shape}[{index!r}] = {value!r}: {difference}"


@pytest.mark.parametrize("dtype", ["float64", "int16", "complex64"])
def test_writing_by_random_index_equals_numpy(dtype: str) -> None:
    indices = Indices(3, strange=0.05)
    rng = np.random.default_rng(4)
    failures = []
    for _ in range(120):
        for name, theirs, ours in bases(dtype):
            if name != "stretched":  # writing one element through several addresses is not defined
                failures.append(check_write(rng, name, theirs, ours, indices.expression(theirs.shape)))
    report(failures)


def test_writing_what_overlaps_equals_numpy() -> None:
    indices = Indices(5)
    failures = []
    for round_number in range(400):
        base = data("float64", (6, 12), round_number, special=False)
        theirs, ours = base.copy(), ours_of(base)
        target, source = indices.expression(base.shape), indices.expression(base.shape)
        expected = Outcome(lambda t=theirs, a=target, b=source: operator.setitem(t, a, t[b]))
        got = Outcome(lambda o=ours, a=target, b=source: operator.setitem(o, crossed(a), o[crossed(b)]))
        difference = same_outcome(expected, got)
        if not difference and not np.array_equal(theirs, np.asarray(ours)):
            difference = f"expected {theirs!r}, got {ours!r}"
        failures.append(difference and f"a[{target!r}] = a[{source!r}]: {difference}")
    report(failures)


@pytest.mark.parametrize(
    "index",
    [
        (slice(None), [0, 2]),
        ([0, 1], slice(None), [1, 0]),
        (0, slice(None), [1, 0]),
        (slice(None), 0, [1, 0]),
        ([0, 1], None, [1, 0]),
        ([0, 1], Ellipsis, [1, 0]),
        (Ellipsis, [[0, 1], [1, 0]]),
        (None, [0, 1], [1, 0], None),
        (slice(None), np.array([True, False, True]), 1),
        (np.array([[True, False, True]] * 2), [0]),
        (True, [0, 1]),
        (slice(None), True, slice(None)),
        (False,),
        ([],),
        ([[]],),
        np.array([], dtype=np.int64),
        (np.int64(1), np.uint8(2), -1),
        (np.array(1), slice(None)),
        (),
        Ellipsis,
    ],
    ids=repr,
)
def test_placement_of_index_dimensions_equals_numpy(index: Any) -> None:
    theirs = np.arange(24.0).reshape(2, 3, 4)
    assert check_read("case", theirs, ours_of(theirs), index) is None


@pytest.mark.parametrize(
    "index",
    [7, -8, (0, 9), (1, 2, 3), "x", 1.5, [1.5], (slice(None), 7), ([0, 7],), ([0, 1], [0, 1, 2]), np.ones((2, 2), bool), (..., ...),
     slice(0, 1, 0), slice(0.5, None), 10**30, (None,) * 70, {}, [0, "a"]],
    ids=repr,
)  # fmt: skip
def test_wrong_index_raises_numpys_exception(index: Any) -> None:
    theirs = np.arange(12.0).reshape(3, 4)
    ours = ours_of(theirs)
    assert Outcome(lambda: theirs[index]).error is not None
    assert same_outcome(Outcome(lambda: theirs[index]), Outcome(lambda: ours[index])) is None
    expected = Outcome(lambda: operator.setitem(theirs, index, 1.0))
    assert same_outcome(expected, Outcome(lambda: operator.setitem(ours, index, 1.0))) is None


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("int8", 300), ("int8", -1), ("uint8", -1), ("int64", 2**70), ("int64", 2.7), ("int64", float("nan")), ("int8", 300.0),
     ("float32", 1e300), ("float16", 70000.0), ("float64", 1j), ("complex64", 1j), ("bool", 2), ("float64", "1.5"),
     ("float64", "x"), ("float64", None), ("int64", np.float64("nan")), ("float64", np.complex128(1 + 2j)), ("int32", np.int64(2**40)),
     ("float64", [1.0, 2.0]), ("float64", np.ones(2)), ("float64", np.ones(1)), ("float64", [[1.0]])],
    ids=repr,
)  # fmt: skip
def test_storing_a_value_converts_or_raises_as_numpy(dtype: str, value: Any) -> None:
    for index in (1, slice(None), (Ellipsis,), [0, 1], np.array([True, False, True])):
        theirs = np.ones(3, dtype)
        ours = ours_of(theirs)
        expected = Outcome(lambda t=theirs, i=index: operator.setitem(t, i, value))
        got = Outcome(lambda o=ours, i=index: operator.setitem(o, crossed(i), crossed(value)))
        assert same_outcome(expected, got) is None, index
        assert np.array_equal(theirs, np.asarray(ours), equal_nan=True), index


def test_augmented_assignment_through_an_index_equals_numpy() -> None:
    for index in (2, slice(1, None, 2), [0, 3, 3], np.array([True, False] * 3), (slice(None), 1)):
        theirs = np.arange(24.0).reshape(6, 4)
        ours = ours_of(theirs)
        theirs[index] += 1.5
        ours[index] += 1.5
        assert np.array_equal(theirs, np.asarray(ours))


def test_duplicate_indices_store_the_last_value() -> None:
    ours = mnp.zeros(3)
    ours[[0, 0, 2, 2, 2]] = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert ours.tolist() == [2.0, 0.0, 5.0]


def test_read_only_destination_is_refused_with_numpys_words() -> None:
    ours = mnp.arange(4.0)
    ours.flags.writeable = False
    for index in (0, slice(None), [0, 1], np.ones(4, bool)):
        with pytest.raises(ValueError, match="^assignment destination is read-only$"):
            ours[index] = 1.0
    assert ours.tolist() == [0.0, 1.0, 2.0, 3.0]


def test_views_of_views_name_the_owner_as_base() -> None:
    ours = mnp.arange(24.0).reshape(4, 6).copy()
    assert ours.base is None
    assert ours[1:].base is ours
    assert ours[1:][::2, 1].base is ours
    assert ours.T.reshape(6, 4).base is ours
    assert ours[[0, 1]].base is None


def test_index_reads_and_writes_do_not_fall_back() -> None:
    ours = ours_of(np.arange(24.0).reshape(4, 6))
    before = _core.trace_snapshot()["fallback_calls"]
    ours[1, 2], ours[1], ours[:, 1], ours[..., None], ours[[0, 1]], ours[ours > 3], ours[:, ours[0] > 2]
    ours[1, 2] = 1.0
    ours[0] = ours[1]
    ours[[0, 1]] = 2.0
    ours[ours > 5] = 0.0
    ours[:, [1, 2]] += 1.0
    assert _core.trace_snapshot()["fallback_calls"] == before


def test_positions_outside_an_axis_are_numpys_errors() -> None:
    theirs = np.arange(24.0).reshape(2, 3, 4)
    ours = ours_of(theirs)
    big = 2**40
    outside = [2, -3, big, -big, 2**70, (0, 3), (1, -4, 0), (slice(None), 3), (..., 4), (0, None, big), (0, 0, 0, 0), np.int64(2)]
    for index in outside:
        assert not same_outcome(Outcome(lambda i=index: theirs[i]), Outcome(lambda i=index: ours[i])), index
        expected = Outcome(lambda i=index: operator.setitem(theirs, i, 1.0))
        assert expected.error is not None
        assert not same_outcome(expected, Outcome(lambda i=index: operator.setitem(ours, i, 1.0))), index


def test_slices_with_every_bound_equal_numpy() -> None:
    theirs = np.arange(5.0)
    ours = ours_of(theirs)
    bounds = [None, -(2**70), -(2**40), -7, -5, -2, -1, 0, 1, 4, 5, 9, 2**40, 2**70]
    for start in bounds:
        for stop in bounds:
            for step in (None, 1, 2, -1, -3, 2**40, -(2**40)):
                index = slice(start, stop, step)
                expected, got = theirs[index], ours[index]
                assert np.array_equal(expected, np.asarray(got)) and expected.strides == got.strides, index
