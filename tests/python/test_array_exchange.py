"""Memory shared with NumPy and others: zero-copy both ways, buffers, DLPack, interfaces, who keeps whom alive."""

from __future__ import annotations

import gc
import io
import threading
from typing import Any

import manycore.numpy as mnp
import numpy as np
import pytest
from both import DTYPES, Outcome, data
from manycore import _core
from test_array_index import LAYOUTS, ours_of


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_real_view_has_our_memory_and_layout(dtype: str, layout: str) -> None:
    ours = LAYOUTS[layout](ours_of(data(dtype, (6, 12), 1)))
    real = _core.to_real(ours)
    assert type(real) is np.ndarray
    assert (real.shape, real.strides, real.dtype) == (ours.shape, ours.strides, ours.dtype)
    assert real.flags.writeable == ours.flags.writeable
    assert _core.to_real(ours) is real
    assert np.asarray(ours).tobytes() == ours.tobytes()
    if ours.size:
        real.flat[0] = 1
        assert ours.flat[0] == 1
        assert real.ctypes.data == ours.ctypes.data == ours.__array_interface__["data"][0]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_ours_over_a_real_array_has_its_memory_and_layout(dtype: str, layout: str) -> None:
    real = LAYOUTS[layout](data(dtype, (6, 12), 1))
    ours = _core.from_real(real)
    assert type(ours) is mnp.ndarray
    assert (real.shape, real.strides, real.dtype) == (ours.shape, ours.strides, ours.dtype)
    assert _core.to_real(ours) is real
    if ours.size:
        ours[(0,) * ours.ndim] = 1
        assert real.flat[0] == 1


def test_what_is_not_ours_comes_back_as_it_is() -> None:
    swapped = np.arange(3, dtype=">i4")
    unaligned = np.ndarray((2,), "f8", bytearray(24), 1)
    for real in (np.array(["a"]), np.array([None]), swapped, unaligned, np.ma.array([1.0]), np.zeros(2).view(np.recarray)):
        assert _core.from_real(real) is real


def test_a_round_trip_gives_the_same_object() -> None:
    ours = mnp.arange(4.0)
    assert _core.from_real(_core.to_real(ours)) is ours
    real = np.arange(4.0)
    assert _core.to_real(_core.from_real(real)) is real


def test_a_real_view_of_a_view_comes_back_with_our_base() -> None:
    ours = mnp.arange(12.0).reshape(3, 4).copy()
    back = _core.from_real(_core.to_real(ours)[1:, ::2])
    assert back.base is ours
    assert np.shares_memory(np.asarray(back), np.asarray(ours))


def test_memory_lives_as_long_as_anything_shows_it() -> None:
    real = np.asarray(mnp.arange(1000.0)[10:20])
    buffer = memoryview(mnp.arange(1000.0))
    exported = np.from_dlpack(mnp.arange(1000.0))
    kept = [mnp.full(1000, 7.0) for _ in range(50)]
    assert real.tolist() == list(range(10, 20)) and buffer[999] == 999.0 and exported[5] == 5.0
    assert len(kept) == 50


def test_the_owner_of_foreign_memory_dies_with_the_last_view() -> None:
    gone: list[str] = []

    class Owner(np.ndarray):
        def __del__(self) -> None:
            gone.append("gone")

    owner = np.ndarray.__new__(Owner, (8,))
    ours = _core.from_real(np.asarray(owner))
    view = ours[2:]
    del owner, ours
    gc.collect()
    assert not gone
    del view
    gc.collect()
    assert gone == ["gone"]


def test_a_changed_layout_drops_the_old_real_view() -> None:
    ours = mnp.arange(6.0).copy()
    old = _core.to_real(ours)
    ours.shape = (2, 3)
    assert _core.to_real(ours).shape == (2, 3) and old.shape == (6,)
    _core.to_real(ours).shape = (3, 2)  # a library that reshapes what it was given
    assert ours.shape == (2, 3) and _core.to_real(ours).shape == (2, 3)
    ours.flags.writeable = False
    assert not _core.to_real(ours).flags.writeable


def test_array_protocol_obeys_dtype_and_copy() -> None:
    ours = mnp.arange(4.0).copy()
    assert ours.__array__() is ours.__array__()
    assert np.shares_memory(np.asarray(ours), ours.__array__())
    assert not np.shares_memory(np.array(ours), ours.__array__())
    assert np.array(ours, copy=None).ctypes.data == ours.ctypes.data
    assert ours.__array__("float32").dtype == np.float32
    assert not np.shares_memory(ours.__array__(copy=True), ours.__array__())
    with pytest.raises(ValueError, match="Unable to avoid copy"):
        ours.__array__("float32", copy=False)


@pytest.mark.parametrize("dtype", DTYPES)
def test_buffers_equal_numpys(dtype: str) -> None:
    base = data(dtype, (6, 12), 1)
    for name, view in LAYOUTS.items():
        theirs, ours = view(base), view(ours_of(base))
        expected, got = memoryview(theirs), memoryview(ours)
        for attribute in ("format", "itemsize", "ndim", "shape", "strides", "readonly", "c_contiguous", "f_contiguous", "nbytes"):
            assert getattr(expected, attribute) == getattr(got, attribute), (name, attribute)
        assert expected.tobytes() == got.tobytes()


def test_buffers_write_through_and_respect_read_only() -> None:
    ours = mnp.zeros(4)
    memoryview(ours)[1] = 5.0
    assert ours[1] == 5.0
    assert io.BytesIO(np.arange(4.0).tobytes()).readinto(ours) == 32
    assert ours.tolist() == [0.0, 1.0, 2.0, 3.0]
    ours.flags.writeable = False
    assert memoryview(ours).readonly
    with pytest.raises((TypeError, ValueError)):
        io.BytesIO(b"1" * 32).readinto(ours)
    strided = mnp.zeros((4, 4))[:, 1]
    assert str(Outcome(lambda: io.BytesIO(b"").readinto(strided)).error) == str(
        Outcome(lambda: io.BytesIO(b"").readinto(np.zeros((4, 4))[:, 1])).error
    )


def test_dlpack_goes_both_ways_without_a_copy() -> None:
    ours = mnp.arange(6.0).reshape(2, 3)
    theirs = np.from_dlpack(ours)
    theirs[1, 2] = 9.0
    assert ours[1, 2] == 9.0 and ours.__dlpack_device__() == (1, 0)
    back = mnp.from_dlpack(np.arange(3.0))
    assert type(back) is mnp.ndarray and back.tolist() == [0.0, 1.0, 2.0]
    assert not np.shares_memory(np.from_dlpack(ours, copy=True), np.asarray(ours))


def test_interfaces_describe_the_memory() -> None:
    ours = mnp.arange(12.0).reshape(3, 4)[:, ::2]
    interface = ours.__array_interface__
    assert interface["shape"] == (3, 2) and interface["typestr"] == "<f8" and interface["strides"] == (32, 16)

    class Through:
        __array_interface__ = interface
        keeps = ours

    assert np.asarray(Through()).tolist() == ours.tolist()
    assert type(ours.__array_struct__).__name__ == "PyCapsule"
    assert ours.ctypes.shape[:] == [3, 2]


def test_foreign_owners_are_released_when_threads_end() -> None:
    gone: list[int] = []

    class Owner(np.ndarray):
        def __del__(self) -> None:
            gone.append(threading.get_ident())

    def work() -> None:
        ours = _core.from_real(np.asarray(np.ndarray.__new__(Owner, (200_000,))))
        ours[...] = 1.0
        assert float(ours.sum()) == 200_000.0

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert len(gone) == 4


def test_numpys_functions_of_files_take_ours(tmp_path: Any) -> None:
    ours = mnp.arange(12.0).reshape(3, 4)
    np.save(tmp_path / "a.npy", ours)
    np.savez(tmp_path / "a.npz", a=ours)
    ours.tofile(tmp_path / "a.bin")
    assert np.array_equal(np.load(tmp_path / "a.npy"), np.asarray(ours))
    assert np.array_equal(np.load(tmp_path / "a.npz")["a"], np.asarray(ours))
    assert np.array_equal(np.fromfile(tmp_path / "a.bin"), np.asarray(ours).ravel())
