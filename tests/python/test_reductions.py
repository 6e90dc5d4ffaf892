"""Reductions against the installed NumPy, bit for bit: operation x dtype x layout x axes, asserting that our loops ran."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import manycore.numpy as mnp
import numpy as np
import pytest
from both import DTYPES, INEXACT, Outcome, data, layouts_of, same_outcome
from manycore import _core

METHODS = "sum prod min max mean var std all any argmin argmax".split()
UFUNCS = "fmin fmax logical_xor bitwise_and bitwise_or bitwise_xor".split()
SCANS = "add multiply minimum maximum fmin fmax".split()
# NumPy's loop for complex64 has no vectors where a stride is negative, and rounds there without fused multiply-adds.
ULPS = {("prod", "complex64", "negative"): 64.0}


@pytest.fixture(autouse=True)
def restored_threads() -> Iterator[None]:
    before = _core.get_option("threads")
    yield
    _core.set_option("threads", str(before))


def check(expected: Outcome, got: Outcome, note: Any, allowed_ulps: float = 0.0, native: bool = True) -> None:
    assert same_outcome(expected, got, allowed_ulps) is None, (note, same_outcome(expected, got, allowed_ulps))
    if expected.error is None and native:
        assert got.fallbacks == 0 and got.native > 0, (note, got.reasons)


def axes_of(array: np.ndarray[Any, Any]) -> Iterator[Any]:
    yield None
    yield from range(array.ndim)
    if array.ndim > 1:
        yield (0, 1)
        yield -1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", METHODS)
def test_methods_equal_numpy_in_every_layout(name: str, dtype: str) -> None:
    base = data(dtype, (24, 37), seed=len(name) * 100 + DTYPES.index(dtype), special=False)
    for layout, theirs, ours in layouts_of(base):
        for axis, keepdims in itertools.product(axes_of(theirs), (False, True)):
            if name.startswith("arg") and isinstance(axis, tuple):
                continue
            expected = Outcome(lambda: getattr(theirs, name)(axis=axis, keepdims=keepdims))
            got = Outcome(lambda: getattr(ours, name)(axis=axis, keepdims=keepdims))
            # Means of nothing, and what leaves the finite range in a variance, warn in NumPy's words: they are NumPy's.
            native = not (name in ("mean", "var", "std") and expected.warnings)
            check(expected, got, (name, dtype, layout, axis, keepdims), ULPS.get((name, dtype, layout), 0.0), native)


@pytest.mark.parametrize("dtype", INEXACT)
@pytest.mark.parametrize("name", ["sum", "min", "max", "mean", "var", "argmax", "argmin", "any"])
def test_special_values_and_their_warnings_equal_numpys(name: str, dtype: str) -> None:
    base = data(dtype, (24, 37), seed=3)
    for layout, theirs, ours in layouts_of(base):
        for axis in axes_of(theirs):
            if name.startswith("arg") and isinstance(axis, tuple):
                continue
            expected = Outcome(lambda: getattr(theirs, name)(axis=axis))
            got = Outcome(lambda: getattr(ours, name)(axis=axis))
            if name in ("min", "max") and expected.error is None:
                # The sign of a zero depends on how NumPy's vectors are joined.
                expected.value, got.value = expected.value + 0, got.value + 0
            check(expected, got, (name, dtype, layout, axis), native=name not in ("mean", "var") or not expected.warnings)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UFUNCS)
def test_ufunc_reductions_equal_numpy(name: str, dtype: str) -> None:
    base = data(dtype, (13, 21), seed=5, special=False)
    for layout, theirs, ours in layouts_of(base):
        for axis in axes_of(theirs):
            expected = Outcome(lambda: getattr(np, name).reduce(theirs, axis=axis))
            got = Outcome(lambda: getattr(mnp, name).reduce(ours, axis=axis))
            check(expected, got, (name, dtype, layout, axis))


# Around the pairwise tree's block (128), NumPy's buffer (8192) and what we give to threads.
LENGTHS = [1, 7, 8, 9, 127, 128, 129, 136, 1000, 4097, 8191, 8192, 8193, 16384, 20001, 100003, 300007]


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("dtype", INEXACT)
def test_sums_have_numpys_bits_at_every_length_and_thread_count(dtype: str, threads: int) -> None:
    _core.set_option("threads", str(threads))
    for length in LENGTHS:
        theirs = data(dtype, (length,), seed=length, special=False)
        ours = mnp.array(theirs)
        for name in ("sum", "mean", "var"):
            for step in (1, 2, -1):
                expected = Outcome(lambda: getattr(theirs[::step], name)())
                got = Outcome(lambda: getattr(ours[::step], name)())
                check(expected, got, (name, dtype, length, step, threads), native=not expected.warnings)


def random_view(rng: np.random.Generator, dtype: str) -> tuple[Any, Any]:
    """A view with random axis order, gaps, steps and directions; NumPy's and ours."""
    ndim = int(rng.integers(1, 5))
    shape = [int(n) for n in np.exp(rng.uniform(0, np.log((40000, 250, 50, 14)[ndim - 1]), ndim))]
    if rng.random() < 0.3:
        shape[rng.integers(ndim)] = int(rng.choice([1, 2, 8, 127, 128, 129, 4097, 8192, 8193, 9000]))
    while np.prod(shape) > 200_000:
        shape[int(np.argmax(shape))] //= 3
    steps = [int(rng.choice([1, 1, 1, 2, 3])) for _ in shape]
    gaps = [int(rng.choice([0, 0, 1, 2])) for _ in shape]
    whole = [n * step + gap for n, step, gap in zip(shape, steps, gaps, strict=True)]
    base = data(dtype, tuple(whole), seed=int(rng.integers(1 << 30)), special=False)
    index = tuple(slice(0, n * step, step) for n, step in zip(shape, steps, strict=True))
    flips = tuple(slice(None, None, -1) if rng.random() < 0.15 else slice(None) for _ in shape)
    order = rng.permutation(ndim).tolist() if rng.random() < 0.5 else list(range(ndim))
    return base[index][flips].transpose(order), mnp.array(base)[index][flips].transpose(order)


@pytest.mark.parametrize("seed", range(40))
def test_random_layouts_axes_and_dtypes_have_numpys_bits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(12):
        dtype = str(rng.choice(DTYPES))
        theirs, ours = random_view(rng, dtype)
        count = int(rng.integers(0, theirs.ndim + 1))
        axis = None if rng.random() < 0.3 else tuple(rng.permutation(theirs.ndim)[:count].tolist())
        name = str(rng.choice(["sum", "sum", "mean", "var", "max", "prod"]))
        options: dict[str, Any] = {"axis": axis, "keepdims": bool(rng.random() < 0.3)}
        if name in ("sum", "mean") and np.dtype(dtype).kind not in "c" and rng.random() < 0.3:
            options["dtype"] = str(rng.choice(["float32", "float64"]))
        expected = Outcome(lambda: getattr(theirs, name)(**options))
        got = Outcome(lambda: getattr(ours, name)(**options))
        note = (name, dtype, theirs.shape, theirs.strides, options)
        native = name in ("sum", "max", "prod") or not expected.warnings
        check(expected, got, note, ULPS.get((name, dtype, "negative"), 0.0), native)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sum", "prod", "max", "min", "any", "all"])
def test_masks_and_initial_values_equal_numpys(name: str, dtype: str) -> None:
    base = data(dtype, (24, 37), seed=9, special=False)
    mask = np.random.default_rng(9).random((24, 37)) < 0.7
    ours, our_mask = mnp.array(base), mnp.array(mask)
    initial = {"initial": 1} if name in ("max", "min", "prod") else {}
    for axis in axes_of(base):
        expected = Outcome(lambda: getattr(base, name)(axis=axis, where=mask, **initial))
        got = Outcome(lambda: getattr(ours, name)(axis=axis, where=our_mask, **initial))
        check(expected, got, (name, dtype, axis))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["mean", "var", "std"])
def test_masked_means_and_variances_equal_numpys(name: str, dtype: str) -> None:
    base = data(dtype, (24, 37), seed=10, special=False)
    # What is left to NumPy: float16's roundings and the absolute values of complex numbers.
    native = name == "mean" or not (dtype == "float16" or "complex" in dtype)
    for layout, theirs, ours in layouts_of(base):
        if theirs.ndim == 0:
            continue
        full = np.random.default_rng(10).random(theirs.shape) < 0.7
        row = full[:1] if theirs.ndim == 2 else full
        nowhere = full & (np.arange(theirs.shape[-1]) != 3)  # nothing to take in a column, which NumPy warns of
        for mask in (full, row, nowhere):
            for axis in axes_of(theirs):
                for keepdims in (False, True):
                    options: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
                    if name != "mean" and keepdims:
                        options["ddof"] = 1
                    expected = Outcome(lambda: getattr(np, name)(theirs, where=mask, **options))
                    got = Outcome(lambda: getattr(mnp, name)(ours, where=mnp.array(mask), **options))
                    in_engine = native and not expected.warnings and not (dtype == "float16" and np.ndim(expected.value) == 0)
                    check(expected, got, (name, dtype, layout, mask.shape, options), native=in_engine)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SCANS)
def test_running_reductions_equal_numpy(name: str, dtype: str) -> None:
    base = data(dtype, (24, 37), seed=11, special=False)
    for layout, theirs, ours in layouts_of(base):
        for axis in range(theirs.ndim):
            expected = Outcome(lambda: getattr(np, name).accumulate(theirs, axis=axis))
            got = Outcome(lambda: getattr(mnp, name).accumulate(ours, axis=axis))
            check(expected, got, (name, dtype, layout, axis))


@pytest.mark.parametrize("dtype", ["float64", "int8", "bool", "float16"])
def test_results_go_into_outputs_of_other_layouts_and_dtypes(dtype: str) -> None:
    base = data(dtype, (24, 37), seed=13, special=False)
    ours = mnp.array(base)
    for target in ("float64", "complex128"):
        for axis, extent in ((0, 37), (1, 24)):
            theirs_out, ours_out = np.zeros(2 * extent, target)[::2], mnp.zeros(2 * extent, target)[::2]
            expected = Outcome(lambda: np.sum(base, axis=axis, out=theirs_out))
            got = Outcome(lambda: mnp.sum(ours, axis=axis, out=ours_out))
            assert got.value is ours_out
            check(expected, got, (dtype, target, axis))
            assert np.array_equal(np.asarray(ours_out), theirs_out)


def test_a_sum_into_its_own_input_reads_before_it_writes() -> None:
    theirs = np.arange(12.0).reshape(3, 4)
    ours = mnp.array(theirs)
    np.sum(theirs, axis=0, out=theirs[1])
    mnp.sum(ours, axis=0, out=ours[1])
    assert np.array_equal(np.asarray(ours), theirs)


BAD_CALLS = [
    lambda m, a: a.sum(axis=5),
    lambda m, a: a.max(axis=-3),
    lambda m, a: a.sum(axis=(0, -2)),
    lambda m, a: a[:0].max(axis=0),
    lambda m, a: a[:0].argmin(),
    lambda m, a: m.argmax(a[:0], axis=0),
    lambda m, a: m.minimum.reduce(a, where=a > 0),
    lambda m, a: m.sum(a, axis=1, out=m.zeros(3)),
    lambda m, a: m.sum(a, axis=1, out=m.zeros((2, 2))),
    lambda m, a: m.argmax(a, axis=1, out=m.zeros(24)),
    lambda m, a: m.bitwise_and.reduce(a),
    lambda m, a: m.add.accumulate(a, axis=7),
]


@pytest.mark.parametrize("number", range(len(BAD_CALLS)))
def test_errors_are_numpys_word_for_word(number: int) -> None:
    base = data("float64", (24, 37), seed=17, special=False)
    expected = Outcome(lambda: BAD_CALLS[number](np, base))
    got = Outcome(lambda: BAD_CALLS[number](mnp, mnp.array(base)))
    assert expected.error is not None
    assert same_outcome(expected, got) is None


@pytest.mark.parametrize("dtype", DTYPES)
def test_counting_equals_numpy(dtype: str) -> None:
    base = data(dtype, (24, 37), seed=19, special=False)
    for layout, theirs, ours in layouts_of(base):
        for axis in axes_of(theirs):
            expected = Outcome(lambda: np.count_nonzero(theirs, axis=axis))
            got = Outcome(lambda: mnp.count_nonzero(ours, axis=axis))
            check(expected, got, (dtype, layout, axis))


def test_the_simd_option_decides_and_changes_no_bits() -> None:
    ours = mnp.array(data("float64", (100_003,), seed=23, special=False))
    expected = float(np.asarray(ours).sum())
    try:
        for level in ("sse4", "avx2", "avx512"):
            _core.set_option("simd", level)
            if _core.machine()["simd"] == level:  # the machine's best: lower ones are there too, higher ones are not
                assert _core.machine()["simd_in_use"] == level
            assert float(ours.sum()) == expected
    finally:
        _core.set_option("simd", "auto")


@pytest.mark.parametrize("dtype", ["int64", "float16", "float32", "float64", "complex128"])
@pytest.mark.parametrize("name", ["mean", "var", "std"])
def test_broadcast_arrays_have_numpys_means_and_variances(name: str, dtype: str) -> None:
    """The mean of an input that does not move along an axis lies in another order than the dense copy of the input."""
    for shape, target in [((3, 3), (2, 3, 3)), ((1, 3), (2, 1, 3)), ((4, 1, 5), (4, 6, 5)), ((20,), (90, 20))]:
        array = data(dtype, shape, seed=5, special=False)
        theirs, ours = np.broadcast_to(array, target), mnp.broadcast_to(mnp.array(array), target)
        for axis in (None, *range(len(target))):
            expected = Outcome(lambda: getattr(theirs, name)(axis=axis))
            check(expected, Outcome(lambda: getattr(ours, name)(axis=axis)), (name, dtype, target, axis))


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("name", ["minimum", "maximum", "fmin", "fmax"])
def test_complex_numbers_that_are_nan_in_one_part_are_nan(name: str, dtype: str) -> None:
    parts = [0.0, 1.0, -1.0, np.inf, -np.inf, np.nan]
    numbers = [complex(real, imaginary) for real in parts for imaginary in parts]
    pairs = np.array(list(itertools.product(numbers, numbers)), dtype=dtype)
    for array in (pairs, pairs.T.copy().T):
        for call in ("reduce", "accumulate"):
            theirs = getattr(getattr(np, name), call)(array, axis=1)
            ours = getattr(getattr(mnp, name), call)(mnp.array(array), axis=1)
            np.testing.assert_array_equal(np.asarray(ours), theirs)
