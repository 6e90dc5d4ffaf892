"""Casts warn as NumPy's do, whether they run at once or are recorded."""

from __future__ import annotations

import warnings
from types import ModuleType

import manycore
import manycore.numpy as mnp
import numpy
import pytest

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
