"""How results lie in memory - strides, contiguity, owner, base - as far as a program can see: operations over arrays of many layouts,
each compared with NumPy's result. Programs that hand memory on (ctypes, buffers, `reshape(copy=False)`, `resize`) depend on it.
"""

from __future__ import annotations

import warnings
from typing import Any

import manycore.numpy as mnp
import numpy
import pytest

ARRAYS = {
    "C order": "m.arange(24.).reshape(2,3,4)",
    "Fortran order": "m.asfortranarray(m.arange(24.).reshape(2,3,4))",
    "transposed": "m.arange(24.).reshape(2,3,4).transpose(1,0,2)",
    "backwards": "m.arange(24.).reshape(2,3,4)[::-1,:,::-1]",
    "an axis of one": "m.arange(12.).reshape(3,1,4)",
    "only axes of one": "m.ones((1,1,1))",
    "empty": "m.zeros((3,0,4))",
    "empty with an axis of one": "m.zeros((0,1,5))",
    "broadcast": "m.broadcast_to(m.arange(4.),(2,3,4))",
    "with gaps": "m.arange(96.).reshape(4,6,4)[::2,::2,:]",
    "Fortran order with an axis of one": "m.zeros((3,1,4),order='F')",
    "integers": "m.arange(24).reshape(2,3,4)",
    "a slice of one": "m.arange(60.).reshape(3,4,5)[:,1:2,:]",
    "swapped": "m.arange(24.).reshape(2,3,4).swapaxes(0,2)",
    "a new axis": "m.arange(8.).reshape(2,4)[:,None,:]",
    "complex": "(m.arange(24.)+1j).reshape(2,3,4)",
    "bool": "(m.arange(24)%2==0).reshape(2,3,4)",
    "int8": "m.arange(24,dtype='i1').reshape(2,3,4)",
    "from a number": "m.array(3.0)[None,None,None]",
}

OPERATIONS = """
    a[0]
    a[...]
    a[:, 0]
    a[..., 0]
    a[None]
    a[:, None]
    a[..., None]
    a[0:1]
    a[:, 0:1]
    a[:, 1:1]
    a[::-1]
    a[:, ::2]
    a[::5]
    a[1:1]
    a[[0]]
    a[[0, 0]]
    a[:, [0]]
    a[..., [0]]
    a[[0], :, [0]]
    a[[0], [0]]
    a[:, [0], [0]]
    a[[[0]]]
    a[m.array([0])]
    a[m.array([], dtype=int)]
    a[:, m.array([], dtype=int)]
    a[..., m.array([[0, 0], [0, 0]])]
    a[a > 3]
    a[a > 1e9]
    a[m.ones(a.shape, bool)]
    a[m.ones(a.shape[0], bool)]
    a[:, m.ones(a.shape[1], bool)]
    a[..., m.ones(a.shape[2], bool)]
    a[None, [0]]
    a[0:1, [0], 0]
    a[0, [0], 0:1]
    a[True]
    a[False]
    a[True, 0]
    a.reshape(-1)
    a.reshape(a.shape[::-1])
    a.reshape(a.shape + (1,))
    a.reshape((1,) + a.shape)
    a.reshape(-1, order='F')
    a.reshape(a.shape[::-1], order='F')
    a.reshape(a.shape[0], -1)
    a.reshape(1, a.size)
    a.reshape(a.size, 1)
    a.reshape(a.size, 1, order='F')
    a.reshape(a.shape, order='A')
    a.T
    a.transpose(2, 0, 1)
    a.swapaxes(0, 1)
    m.moveaxis(a, 0, 2)
    m.rollaxis(a, 2)
    a.squeeze()
    m.expand_dims(a, 1)
    a.ravel()
    a.ravel(order='F')
    a.ravel(order='K')
    a.ravel(order='A')
    a.flatten()
    a.flatten('F')
    a.flatten('K')
    a.copy()
    a.copy('F')
    a.copy('K')
    a.copy('A')
    m.copy(a)
    m.array(a)
    m.array(a, order='C')
    m.array(a, order='F')
    m.array(a, order='K')
    m.array(a, order='A')
    m.array(a, copy=None, order='F')
    m.array(a, copy=None, order='C')
    m.asarray(a, order='F')
    m.ascontiguousarray(a)
    m.asfortranarray(a)
    m.array(a, ndmin=5)
    m.array(a, dtype='f4')
    a.astype('f4')
    a.astype('f4', order='C')
    a.astype('f4', order='F')
    a.astype(a.dtype)
    a.astype(a.dtype, copy=False)
    a.sum()
    a.sum(axis=0)
    a.sum(axis=1)
    a.sum(axis=2)
    a.sum(axis=(0, 1))
    a.sum(axis=(0, 2))
    a.sum(axis=(1, 2))
    a.sum(keepdims=True)
    a.sum(axis=0, keepdims=True)
    a.sum(axis=1, keepdims=True)
    a.sum(axis=2, keepdims=True)
    a.sum(axis=(0, 2), keepdims=True)
    a.sum(axis=(0, 1), keepdims=True)
    a.sum(axis=())
    a.prod(axis=1)
    a.max(axis=0)
    a.max(axis=1, keepdims=True)
    a.mean(axis=0)
    a.mean(axis=1, keepdims=True)
    a.std(axis=2)
    a.var(axis=1, keepdims=True)
    a.any(axis=0)
    a.all(axis=2, keepdims=True)
    a.argmax(axis=0)
    a.argmax(axis=1, keepdims=True)
    a.cumsum(axis=0)
    a.cumsum()
    a.cumprod(axis=2)
    m.diff(a, axis=2)
    a + 1
    a + a
    a + a.T.T
    a + a.copy('F')
    a.copy('F') + a.copy('C')
    a.T + a.T
    a + a[..., :1]
    a[:1] + a
    a[:, :1, :] + a[:1]
    a + m.ones((1, 1, 1))
    m.ones((5, 1, 1, 1)) + a
    m.add(a, 1, order='C')
    m.add(a, 1, order='F')
    m.add(a, 1, order='A')
    m.add(a, a.T.T, order='K')
    m.add(a.T, 1, dtype='f8', casting='unsafe')
    a == a
    a > 2
    ~(a == 1)
    -(a == 1).astype('f8')
    m.sqrt(abs(a).astype('f8'))
    m.negative(a.astype('f8'))
    m.where(a > 2, a, 0)
    m.where(a > 2, a, a.copy('F'))
    m.where(a.T > 2, 1.0, 2.0)
    m.zeros_like(a)
    m.zeros_like(a, order='C')
    m.zeros_like(a, order='F')
    m.empty_like(a)
    m.ones_like(a, dtype='i4')
    m.full_like(a, 3)
    m.zeros_like(a, shape=(2, 3))
    m.concatenate([a, a])
    m.concatenate([a, a], axis=1)
    m.concatenate([a.T, a.T], axis=2)
    m.stack([a, a])
    m.stack([a, a], axis=-1)
    m.take(a, [0], axis=0)
    m.take(a, [0], axis=2)
    m.take(a, [], axis=0)
    m.repeat(a, 2, axis=1)
    m.tile(a, (1, 2, 1))
    m.roll(a, 1, axis=0)
    m.flip(a, 1)
    m.rot90(a)
    m.broadcast_to(a, (2,) + a.shape)
    m.matmul(a.astype('f8'), a.astype('f8').swapaxes(1, 2))
    m.dot(a.astype('f8'), a.astype('f8')[0].T)
    m.clip(a.real, 0, 5)
    m.round(a, 1)
    m.diagonal(a)
    m.diagonal(a, axis1=1, axis2=2)
    m.triu(a)
    m.sort(a, axis=0)
    m.compress([True], a, axis=0)
    a.real
    a.imag
    a.conj()
    a.view('u1')
    a[0].copy()
    m.atleast_2d(a)
    m.atleast_3d(a[0])
    m.abs(a)
    m.isfinite(a)
    m.floor_divide(a.real, 2)
    m.nan_to_num(a)
    m.outer(a, [1, 2])
    m.cumsum(a, axis=1)
    m.minimum(a, a[::-1])
    m.add.outer(a, a[0])
    m.add.accumulate(a, axis=1)
    m.add.reduce(a, axis=(0, 1), keepdims=True)
    m.nonzero(a)[0]
    m.argwhere(a)
    m.pad(a, 1)
    m.average(a, axis=0)
    m.linalg.norm(a, axis=1)
    m.linalg.norm(a, axis=1, keepdims=True)
    m.einsum('ijk->kji', a)
    m.count_nonzero(a, axis=1)
    m.ptp(a.real, axis=1)
    m.mod(a.real.T, 3)
    divmod(a.real, 2)[1]
    m.frexp(a.real.astype('f8'))[0]
    m.modf(a.real.astype('f8'))[1]
    a.byteswap()
    a.take([0], axis=1)
    a.choose([a, a])
    m.select([a > 2], [a])
    m.split(a, 1)[0]
    a[0, 0, 0]
    a[..., 0, 0]
    a[()]
""".strip().splitlines()

# Where ours lies otherwise: the operation, the arrays, and why that stays.
ALL = tuple(ARRAYS)
FILLED = tuple(name for name in ARRAYS if name not in ("empty", "empty with an axis of one", "only axes of one", "from a number"))
OF_ONE = "only the stride of an axis of one element differs, which leads nowhere"
BY_STRIDE = "NumPy lays out the result in the order of strides where some are 0; ours is in C order there"
DIFFERENT: list[tuple[tuple[str, ...], tuple[str, ...], str]] = [
    (("m.nonzero(a)[0]",), ALL, "NumPy's are the columns of one array, ours lie densely"),
    (("a[None, [0]]",), FILLED, OF_ONE),
    (("a[None, [0]]",), ("broadcast",), BY_STRIDE),
    (("a[[0]]", "a[[0, 0]]", "a[[[0]]]", "a[m.array([0])]", "a[True]", "a[True, 0]"), ("a new axis",), OF_ONE),
    (("a[m.ones(a.shape[0], bool)]",), ("a new axis",), OF_ONE),
    (("a[..., [0]]", "a[..., m.array([[0, 0], [0, 0]])]"), ("Fortran order with an axis of one",), OF_ONE),
    (("a[..., m.ones(a.shape[2], bool)]",), ("Fortran order with an axis of one",), OF_ONE),
    (("a[[0]]", "a[[0, 0]]", "a[[[0]]]", "a[m.array([0])]", "a[True]", "a[True, 0]"), ("broadcast",), BY_STRIDE),
    (("a[:, [0]]", "a[m.ones(a.shape[0], bool)]", "a[:, m.ones(a.shape[1], bool)]"), ("broadcast",), BY_STRIDE),
    (("m.count_nonzero(a, axis=1)",), ("broadcast",), BY_STRIDE),
    (("a.reshape(a.shape[::-1])",), ("from a number",), OF_ONE),
    (
        ("m.array(a, ndmin=5)",),
        ("Fortran order", "transposed", "broadcast", "Fortran order with an axis of one", "swapped"),
        OF_ONE,
    ),
    (("m.tile(a, (1, 2, 1))",), ("empty",), "there is no element whose place could be seen"),
    (("m.round(a, 1)",), ("transposed",), "NumPy's loop for decimals lays out anew, ours as other functions do"),
]
KNOWN = {(operation, name): why for operations, names, why in DIFFERENT for operation in operations for name in names}


def state(result: Any) -> Any:
    if isinstance(result, tuple):
        return [state(part) for part in result]
    if not hasattr(result, "flags") or not hasattr(result, "strides") or isinstance(result, numpy.generic):
        return type(result).__name__
    flags = result.flags
    contiguous = (flags.c_contiguous, flags.f_contiguous)
    owner = (flags.owndata, result.base is None, flags.writeable, flags.aligned)
    return {"shape": result.shape, "dtype": result.dtype.str, "strides": result.strides, "contiguous": contiguous, "owner": owner}


def result_of(module: Any, array: str, operation: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return state(eval(operation, {"m": module, "a": eval(array, {"m": module})}))
        except (ValueError, IndexError, TypeError, ZeroDivisionError) as error:
            return type(error).__name__, str(error)


@pytest.mark.parametrize("operation", [operation.strip() for operation in OPERATIONS])
def test_results_lie_in_memory_as_numpys_do(operation: str) -> None:
    different = {}
    for name, array in ARRAYS.items():
        expected, got = result_of(numpy, array, operation), result_of(mnp, array, operation)
        if expected != got:
            different[name] = (expected, got)
    known = {name for listed, name in KNOWN if listed == operation}
    assert set(different) == known, {name: both for name, both in different.items() if name not in known} or known
    for expected, got in different.values():
        assert (expected["shape"], expected["dtype"]) == (got["shape"], got["dtype"])
