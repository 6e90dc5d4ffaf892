"""Casts warn as NumPy's do, whether they run at once or are recorded."""

from __future__ import annotations

import warnings
from types import ModuleType

import manycore
import manycore.numpy as mnp
import numpy
import pytest
from manycore import _core

CASTS = [
    ("uint16", "float16", 65535),
    ("int32", "float16", 70000),
    ("float64", "float32", 1e300),
    ("float64", "complex64", 1e300),
    ("complex128", "complex64", 1e300),
    ("float64", "int32", 1e300),
    ("float32", "float64", 1e30),
]


def warned(module: ModuleType, given: str, to: str, value: float, size: int) -> list[str]:
    a = module.full(size, value, dtype=given)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        module.add(a, a * 0, out=module.zeros(size, dtype=to), casting="unsafe")
        (a + a * 0).astype(to)
        manycore.evaluate()
    return sorted(str(warning.message) for warning in seen)


@pytest.mark.parametrize("size", [10, 50_000])
@pytest.mark.parametrize(("given", "to", "value"), CASTS)
def test_casts_warn_as_numpys_do(given: str, to: str, value: float, size: int) -> None:
    assert warned(mnp, given, to, value, size) == warned(numpy, given, to, value, size)


@pytest.mark.parametrize("record_from", [0, 10**9])
@pytest.mark.parametrize("to", ["float32", "float64", "complex64", "complex128", "int32", "bool"])
def test_every_float16_widens_to_numpys_bits_and_warnings(to: str, record_from: int) -> None:
    """Signalling NaN among them, which NumPy's own narrowing makes."""
    halves = numpy.arange(1 << 16, dtype=numpy.uint16).view(numpy.float16)

    def cast(module: ModuleType) -> tuple[bytes, list[str]]:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            result = module.array(halves).astype(to)
            manycore.evaluate()
        return numpy.asarray(result).tobytes(), [str(warning.message) for warning in seen]

    before = _core.get_option("record_from")
    _core.set_option("record_from", record_from)
    try:
        assert cast(mnp) == cast(numpy)
    finally:
        _core.set_option("record_from", before)


@pytest.mark.parametrize("payload", [1, 0x2000, 0x3FFFFF, 0x400000, 0x400001, 0x600000])
def test_nan_narrow_to_numpys_float16(payload: int) -> None:
    bits = numpy.full(37, 0x7F800000 + payload, dtype=numpy.uint32)
    bits[::3] |= 0x80000000
    expected = bits.view(numpy.float32).astype(numpy.float16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = mnp.array(bits.view(numpy.float32)).astype("float16")
    assert numpy.asarray(result).tobytes() == expected.tobytes()
