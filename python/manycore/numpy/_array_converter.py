"""What NumPy's Python functions use to read their inputs (`_array_converter`), for our arrays."""

from __future__ import annotations

from typing import Any

import numpy

from manycore import _core


class ArrayConverter:
    """The inputs of one call as arrays, and the way back: scalars in, scalar out."""

    def __init__(self, *inputs: Any) -> None:
        asarray = _core.function_for(numpy.asanyarray)
        self._inputs = inputs
        self._arrays = tuple(asarray(value) for value in inputs)
        self.scalar_input = tuple(self._is_scalar(value) for value in inputs)

    @staticmethod
    def _is_scalar(value: Any) -> bool:
        return numpy.isscalar(value)

    def __len__(self) -> int:
        return len(self._arrays)

    def __getitem__(self, position: int) -> Any:
        return self._arrays[position]

    def as_arrays(self, *, subok: bool = True, pyscalars: str = "convert_if_no_array") -> tuple[Any, ...]:
        numbers = [type(value) in (int, float, complex) for value in self._inputs]
        convert = pyscalars == "convert" or (pyscalars == "convert_if_no_array" and all(numbers))
        return tuple(
            value if number and not convert else array
            for value, number, array in zip(self._inputs, numbers, self._arrays, strict=True)
        )

    def result_type(self, *, extra_dtype: Any = None, ensure_inexact: bool = False) -> numpy.dtype[Any]:
        parts: list[Any] = [
            value if type(value) in (int, float, complex) else array.dtype
            for value, array in zip(self._inputs, self._arrays, strict=True)
        ]
        if extra_dtype is not None:
            parts.append(extra_dtype)
        result: numpy.dtype[Any] = numpy.result_type(*parts)
        if ensure_inexact and not (numpy.issubdtype(result, numpy.inexact) or result.hasobject):
            result = numpy.result_type(*parts, 1.0) if len(parts) > 0 else numpy.dtype(float)
            if not numpy.issubdtype(result, numpy.inexact):
                result = numpy.dtype(float)
        return result

    def wrap(self, array: Any, *, to_scalar: bool | None = None) -> Any:
        if to_scalar is None:
            to_scalar = all(self.scalar_input)
        return array[()] if to_scalar and getattr(array, "ndim", 1) == 0 else array
