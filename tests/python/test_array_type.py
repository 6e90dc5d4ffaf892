"""The array type as a class: identity, creation, subclassing, pickles, copies, protocols of Python."""

from __future__ import annotations

import abc
import copy
import functools
import gc
import pickle
import subprocess
import sys
import threading
import weakref
from typing import Any

import manycore.numpy as mnp
import numpy as np
import pytest
from both import DTYPES, Outcome, data, same_outcome
from test_array_index import ours_of


def test_it_is_a_type_of_its_own_that_answers_to_numpys_name() -> None:
    ours = mnp.zeros(3)
    assert type(ours) is mnp.ndarray is not np.ndarray
    assert mnp.ndarray.__name__ == "ndarray" and mnp.ndarray.__module__ == "numpy"
    assert isinstance(ours, np.ndarray) and isinstance(ours, mnp.ndarray)
    assert isinstance(np.zeros(3), mnp.ndarray)
    assert isinstance(np.zeros(3).view(np.recarray), mnp.ndarray)
    assert issubclass(np.memmap, mnp.ndarray) and issubclass(np.ndarray, mnp.ndarray)
    assert not isinstance([1.0], mnp.ndarray) and not issubclass(int, mnp.ndarray)
    with pytest.raises(TypeError):
        issubclass(3, mnp.ndarray)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments",
    [((2, 3),), (4,), ((2, 3), "int8"), ((), np.float32), ((2, 3), complex, None, 0, None, "F"), ((0, 3),),
     (np.int64(3),), ([2, 2], np.dtype("u2")), ((-1,),), ("x",), ((2, 3), "f8", bytearray(48)), ((3,), "i2", bytearray(16), 4),
     ((2, 2), "f4", bytearray(32), 4, (4, 8)), ((9,), "f8", bytearray(8)), ((2,), "nonsense"), (), ((2,), "f8", None, 0, (16,))],
    ids=repr,
)  # fmt: skip
def test_creation_by_calling_the_type_equals_numpy(arguments: tuple[Any, ...]) -> None:
    expected, got = Outcome(lambda: np.ndarray(*arguments)), Outcome(lambda: mnp.ndarray(*arguments))
    assert type(expected.error) is type(got.error) and str(expected.error) == str(got.error)
    if expected.error is None:
        assert type(got.value) is mnp.ndarray
        for name in ("shape", "strides", "dtype"):
            assert getattr(expected.value, name) == getattr(got.value, name)
        assert expected.value.flags.num == got.value.flags.num


@pytest.mark.parametrize("dtype", ["U3", "S2", "O", "M8[s]", ">f8", "g", [("a", "i4"), ("b", "f8")]], ids=repr)
def test_arrays_of_other_dtypes_stay_numpys(dtype: Any) -> None:
    made = mnp.ndarray((2,), dtype)
    assert type(made) is np.ndarray and made.dtype == np.dtype(dtype)


def test_an_unaligned_array_stays_numpys() -> None:
    made = mnp.ndarray((2,), "f8", bytearray(24), 1)
    assert type(made) is np.ndarray and not made.flags.aligned
    assert mnp.ndarray((2,), "i1", bytearray(24), 1).strides == (1,)


def test_a_subclass_in_python_is_a_subclass_of_numpys_type() -> None:
    class Tagged(mnp.ndarray):  # type: ignore[misc]
        def __new__(cls, values: Any, tag: str = "none") -> Any:
            made = np.asarray(values).view(cls)
            made.tag = tag
            return made

        def __array_finalize__(self, source: Any) -> None:
            self.tag = getattr(source, "tag", "none")

        def __getitem__(self, index: Any) -> Any:
            return mnp.ndarray.__getitem__(self, index)

        def total(self) -> Any:
            return mnp.ndarray.sum(self)

    assert Tagged.__mro__ == (Tagged, np.ndarray, object)
    tagged = Tagged([1.0, 2.0], "red")
    assert (tagged + 1).tag == "red" and tagged[1:].tag == "red" and tagged.total() == 3.0
    assert isinstance(tagged, mnp.ndarray)
    view = ours_of(np.arange(3.0)).view(Tagged)
    assert type(view) is Tagged and view.tag == "none"
    assert type(mnp.ndarray.__new__(Tagged, (2,))) is Tagged
    ours = mnp.arange(3.0)
    ours.view(Tagged)[0] = 7.0
    assert ours[0] == 7.0


def test_a_subclass_instance_views_as_a_plain_array() -> None:
    class Tagged(mnp.ndarray):  # type: ignore[misc]
        pass

    source = mnp.arange(3.0)
    tagged = source.view(Tagged)
    for view in (tagged.view(mnp.ndarray), tagged.view(type=mnp.ndarray), mnp.ndarray.view(tagged, mnp.ndarray)):
        assert type(view) is mnp.ndarray
        view[0] += 1.0
    assert source[0] == 3.0 and tagged[0] == 3.0
    both = tagged.view("i8", mnp.ndarray)
    assert type(both) is mnp.ndarray and both.dtype == np.int64
    assert type(tagged.view(np.ndarray)) is np.ndarray and type(tagged.view("i8")) is Tagged
    with pytest.raises(ValueError, match="output type twice"):
        tagged.view(mnp.ndarray, type=mnp.ndarray)
    words = np.array(["a"]).view(np.recarray)
    assert words.view(mnp.ndarray).tolist() == ["a"]


def test_a_subclass_with_other_bases_and_its_keywords() -> None:
    class Mixin:
        def __init_subclass__(cls, colour: str = "none", **keywords: Any) -> None:
            super().__init_subclass__(**keywords)
            cls.colour = colour

    class Both(Mixin, mnp.ndarray, colour="blue"):  # type: ignore[misc]
        pass

    assert Both.colour == "blue" and Both.__mro__ == (Both, Mixin, np.ndarray, object)
    assert type(mnp.ndarray) in type(mnp.ndarray).__mro__ and not issubclass(type(mnp.ndarray), abc.ABCMeta)


def test_methods_taken_from_the_class_serve_both_kinds_of_array() -> None:
    for array in (np.arange(3.0), mnp.arange(3.0)):
        assert mnp.ndarray.sum(array) == 3.0
        assert mnp.ndarray.shape.__get__(array) == (3,)
        assert mnp.ndarray.__len__(array) == 3
        assert functools.partial(mnp.ndarray.mean)(array) == 1.0
    assert mnp.ndarray.sum.__name__ == "sum" and "sum" in repr(mnp.ndarray.sum)


def test_single_dispatch_on_the_type_takes_both_kinds_of_array() -> None:
    @functools.singledispatch
    def kind(value: Any) -> str:
        return "other"

    kind.register(mnp.ndarray, lambda value: "array")
    assert kind(mnp.zeros(1)) == kind(np.zeros(1)) == "array" and kind(3) == "other"


def test_the_type_cannot_be_changed_and_takes_subscripts() -> None:
    with pytest.raises(TypeError, match="immutable type 'numpy.ndarray'"):
        mnp.ndarray.colour = 1
    assert str(mnp.ndarray[Any, np.dtype[np.float64]]).startswith("numpy.ndarray[")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_load_as_plain_numpy_arrays(protocol: int) -> None:
    for dtype in DTYPES:
        theirs = data(dtype, (3, 4), 1)[:, ::-1]
        loaded = pickle.loads(pickle.dumps(ours_of(theirs), protocol))
        assert type(loaded) is np.ndarray and loaded.dtype == theirs.dtype
        assert loaded.tobytes() == theirs.tobytes()


def test_pickles_load_where_manycore_is_absent() -> None:
    text = pickle.dumps(mnp.arange(4.0)).hex()
    program = f"import sys, pickle; print(pickle.loads(bytes.fromhex('{text}')).tolist(), 'manycore' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env={})
    assert done.stdout.split() == ["[0.0,", "1.0,", "2.0,", "3.0]", "False"]


def test_the_class_itself_pickles_as_numpys() -> None:
    assert pickle.loads(pickle.dumps([mnp.ndarray, 3])) == [np.ndarray, 3]
    assert copy.deepcopy(mnp.ndarray) is mnp.ndarray


def test_large_buffers_travel_out_of_band() -> None:
    ours = mnp.arange(1000.0)
    buffers: list[pickle.PickleBuffer] = []
    stream = pickle.dumps(ours, 5, buffer_callback=buffers.append)
    assert len(stream) < 500 and len(buffers) == 1
    assert np.array_equal(pickle.loads(stream, buffers=buffers), np.arange(1000.0))


def test_copies_are_ours_and_independent() -> None:
    ours = mnp.arange(6.0).reshape(2, 3).T
    for made in (copy.copy(ours), copy.deepcopy(ours), copy.deepcopy([ours])[0], ours.copy()):
        assert type(made) is mnp.ndarray and made.base is None
        made[0, 0] = 9.0
        assert ours[0, 0] == 0.0
    assert copy.copy(ours).strides == ours.strides


def test_weak_references_die_with_the_array() -> None:
    ours = mnp.zeros(3)
    seen: list[bool] = []
    reference = weakref.ref(ours, lambda _: seen.append(True))
    assert reference() is ours
    del ours
    assert reference() is None and seen == [True]


def test_reference_counts_are_numpys() -> None:
    ours, theirs = mnp.zeros(3), np.zeros(3)
    assert sys.getrefcount(ours) == sys.getrefcount(theirs)
    view, real_view = ours[1:], theirs[1:]
    assert sys.getrefcount(ours) == sys.getrefcount(theirs)
    del view, real_view
    np.asarray(ours)
    assert sys.getrefcount(ours) == sys.getrefcount(theirs)


def resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.parametrize(
    "work",
    [
        lambda: np.asarray(mnp.zeros(20_000)),
        lambda: np.asarray(mnp.zeros(20_000)[1:])[1:],
        lambda: mnp.zeros(20_000)[:, None].T,
        lambda: memoryview(mnp.zeros(20_000)),
        lambda: np.from_dlpack(mnp.zeros(20_000)),
        lambda: repr(mnp.zeros(20_000)),
        lambda: mnp.zeros(20_000)[[1, 2]],
        lambda: mnp.zeros(20_000).flags,
        lambda: mnp.zeros(20_000).ctypes.data,
        lambda: list(mnp.zeros((10, 2000))),
        lambda: pickle.dumps(mnp.zeros(20_000)),
        lambda: Outcome(lambda: mnp.zeros(20_000)["x"]).error,
        lambda: mnp.ndarray.sum(mnp.zeros(20_000)),
        lambda: setattr(mnp.zeros(20_000), "shape", (100, 200)),
    ],
)
def test_nothing_leaks(work: Any) -> None:
    for _ in range(50):
        work()
    gc.collect()
    before = resident()
    for _ in range(500):
        work()
    gc.collect()
    assert resident() - before < 500 * 160_000 / 4


def test_truth_length_and_numbers_of_arrays_raise_numpys_errors() -> None:
    for shape in ((), (0,), (1,), (2,), (1, 1)):
        theirs = np.ones(shape)
        ours = ours_of(theirs)
        for call in (bool, len, iter, int, float, complex, hash, lambda a: [1][a]):
            expected, got = Outcome(lambda c=call, a=theirs: c(a)), Outcome(lambda c=call, a=ours: c(a))
            assert type(expected.error) is type(got.error) and str(expected.error) == str(got.error), (shape, call)
            assert expected.warnings == got.warnings


def test_text_follows_numpys_print_options() -> None:
    ours = mnp.arange(2000.0) / 3
    with np.printoptions(precision=2, threshold=10):
        assert repr(ours) == repr(np.arange(2000.0) / 3)
    assert str(ours) == str(np.arange(2000.0) / 3)


def test_unpacking_starred_and_membership() -> None:
    first, *rest = mnp.arange(4)
    assert first == 0 and type(first) is np.int64 and rest == [1, 2, 3]
    assert 2 in mnp.arange(4) and 9 not in mnp.arange(4)
    assert [row.tolist() for row in mnp.arange(4).reshape(2, 2)] == [[0, 1], [2, 3]]


def test_threads_read_and_write_their_own_arrays() -> None:
    results: list[float] = []

    def work(seed: int) -> None:
        a = mnp.arange(200_000.0) + seed
        for _ in range(5):
            a[1:-1] = (a[2:] + a[:-2]) / 2
            a[a > 100] = 1.0
        results.append(float(a.sum()))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 1, 1, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 1 and len(results) == 4


def test_scalars_come_back_with_numpys_types() -> None:
    for dtype in DTYPES:
        theirs = data(dtype, (5,), 2)
        ours = ours_of(theirs)
        assert same_outcome(Outcome(lambda t=theirs: tuple(t)), Outcome(lambda o=ours: tuple(o))) is None
        assert type(ours[0]) is type(theirs[0])
        assert type(ours.item(0)) is type(theirs.item(0))
