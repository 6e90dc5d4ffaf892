"""Which functions run NumPy's own Python code over our names (_rebase.py), and the few that are written out here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from manycore import _core

if TYPE_CHECKING:
    from collections.abc import Callable

# Python code on top of functions that are native, so that the result is NumPy's and the work is ours. What needs sorting,
# searching or text stays one fallback as a whole: taking it apart would only cross more often.
REBASED = """
    allclose angle append array_equal array_split atleast_1d atleast_2d atleast_3d average block column_stack
    copy corrcoef cov cross cumulative_prod cumulative_sum diag diagflat diff dsplit dstack expand_dims fix flatnonzero
    flip fliplr flipud fromfunction gradient hsplit hstack imag indices isclose iscomplex isneginf isposinf isreal kron
    matrix_transpose meshgrid moveaxis nan_to_num nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmin nanprod nanstd
    nansum nanvar outer polyval ptp real resize roll rollaxis rot90 row_stack select sinc split stack tensordot tile trapezoid
    tri tril triu unstack vander vsplit vstack argwhere apply_along_axis apply_over_axes piecewise
""".split()
REBASED_LINALG = "norm matrix_norm vector_norm multi_dot trace diagonal cross outer tensordot matrix_transpose".split()


# NumPy asks for a sequence where it looks for overrides, before the code that is rebased.
STACKING = frozenset("column_stack dstack hstack row_stack stack vstack".split())


def _rebased(real: Any) -> Callable[[], Callable[..., Any]]:
    def make() -> Callable[..., Any]:
        from manycore.numpy._rebase import rebase

        made: Callable[..., Any] = rebase(real)
        return _of_sequences(made) if real.__name__ in STACKING else made

    return make


def _of_sequences(stack: Callable[..., Any]) -> Callable[..., Any]:
    def of_sequence(*args: Any, **kwargs: Any) -> Any:
        if args and not hasattr(args[0], "__getitem__"):
            raise TypeError("expected a sequence")  # NumPy, given the same, words it
        return stack(*args, **kwargs)

    return of_sequence


def linspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: Any = True,
    retstep: Any = False,
    dtype: Any = None,
    axis: Any = 0,
    **rest: Any,
) -> Any:
    """numpy.linspace between two Python numbers: its own operations, in its own order."""
    plain = isinstance(start, (int, float)) and isinstance(stop, (int, float)) and type(num) is int and not rest and axis == 0
    if not plain or dtype not in (None, float, numpy.float64) or num < 0:
        return _through_numpy("linspace", numpy.linspace, start, stop, num, endpoint, retstep, dtype, axis, **rest)
    delta = float(stop) - float(start)
    intervals = num - 1 if endpoint else num
    step = delta / intervals if intervals > 0 else numpy.nan
    if not -numpy.inf < delta < numpy.inf or step == 0:
        return _through_numpy("linspace", numpy.linspace, start, stop, num, endpoint, retstep, dtype, axis)
    y = _core.function_for(numpy.arange)(0, num, dtype=numpy.float64)
    y *= step if intervals > 0 else delta
    y += float(start)
    if endpoint and num > 1:
        y[-1] = stop
    return (y, numpy.float64(step)) if retstep else y


def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    asarray = _core.function_for(numpy.asanyarray if subok else numpy.asarray)
    broadcast_to = _core.function_for(numpy.broadcast_to)
    arrays = [asarray(argument) for argument in args]
    if not all(type(array) is _core.ndarray for array in arrays):
        made: tuple[Any, ...] = _through_numpy("broadcast_arrays", numpy.broadcast_arrays, *args, subok=subok)
        return made
    shape = numpy.broadcast_shapes(*(array.shape for array in arrays))
    return tuple(array if array.shape == shape else broadcast_to(array, shape) for array in arrays)


def identity(n: Any, dtype: Any = None, **rest: Any) -> Any:
    if rest:
        return _through_numpy("identity", numpy.identity, n, dtype, **rest)
    return _core.function_for(numpy.eye)(n, dtype=dtype)


def trace(a: Any, offset: Any = 0, axis1: Any = 0, axis2: Any = 1, dtype: Any = None, out: Any = None) -> Any:
    array = _core.function_for(numpy.asanyarray)(a)  # a subclass has a trace of its own
    if type(array) is not _core.ndarray:
        return _through_numpy("trace", numpy.trace, a, offset, axis1, axis2, dtype, out)
    return array.diagonal(offset, axis1, axis2).sum(-1, dtype=dtype, out=out)


def vdot(a: Any, b: Any, /) -> Any:
    asarray, ravel, dot = (_core.function_for(f) for f in (numpy.asarray, numpy.ravel, numpy.dot))
    a, b = ravel(asarray(a)), ravel(asarray(b))
    if not (type(a) is type(b) is _core.ndarray):
        return _through_numpy("vdot", numpy.vdot, a, b)
    return dot(a.conj() if a.dtype.kind == "c" else a, b)


def inner(a: Any, b: Any, /) -> Any:
    asarray, dot, tensordot = (_core.function_for(f) for f in (numpy.asarray, numpy.dot, numpy.tensordot))
    a, b = asarray(a), asarray(b)
    if not (type(a) is type(b) is _core.ndarray):
        return _through_numpy("inner", numpy.inner, a, b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if a.ndim == 1 and b.ndim == 1:
        return dot(a, b)
    return tensordot(a, b, (-1, -1))


class NpzFile(numpy.lib.npyio.NpzFile):
    """numpy.lib.npyio.NpzFile whose items are our arrays."""

    __module__ = "numpy.lib.npyio"

    def __getitem__(self, key: str) -> Any:
        return _core.from_real(super().__getitem__(key))


def _loaded(value: Any) -> Any:
    if type(value) is numpy.lib.npyio.NpzFile:
        value.__class__ = NpzFile
    return value


def _nested(iterators: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_core.real_iterator(iterator) for iterator in iterators)


def _through_numpy(name: str, function: Any, *args: Any, **kwargs: Any) -> Any:
    return _core.through_numpy(f"numpy.{name}", "arguments that only NumPy serves", function, *args, **kwargs)


def register() -> None:
    """Tell the function objects about their Python implementations."""
    for name in REBASED:
        real = getattr(numpy, name, None)
        if real is not None:
            _core.function_for(real, make=_rebased(real))
    for name in REBASED_LINALG:
        real = getattr(numpy.linalg, name)
        _core.function_for(real, make=_rebased(real))
    _core.function_for(numpy.load, finish=_loaded)
    _core.function_for(numpy.nested_iters, finish=_nested)
    for implementation in (broadcast_arrays, identity, inner, linspace, trace, vdot):
        _core.function_for(getattr(numpy, implementation.__name__), implementation)


def _rebased_class(name: str) -> Callable[[], Any]:
    def make() -> Any:
        from manycore.numpy._rebase import rebase_class

        return rebase_class(getattr(numpy, name))

    return make


def _rebased_instance(name: str) -> Callable[[], Any]:
    def make() -> Any:
        from manycore.numpy._rebase import rebase_class

        return rebase_class(type(getattr(numpy, name)))()

    return make


# Classes and index helpers, made when asked for.
SPECIAL: dict[str, Callable[[], Any]] = {
    "vectorize": _rebased_class("vectorize"),
    "nditer": lambda: _core.nditer,
    **{name: _rebased_instance(name) for name in ("mgrid", "ogrid", "r_", "c_")},
}
