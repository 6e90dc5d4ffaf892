"""Matrix products and numpy.linalg have NumPy's bits: the same BLAS and LAPACK, called the same way, or loops in its order."""

from __future__ import annotations

from typing import Any

import manycore.numpy as mnp
import numpy
import pytest
from both import DTYPES, INEXACT, Outcome, data, same_outcome

SHAPES = [
    ((3, 4), (4, 5)), ((1, 4), (4, 5)), ((3, 4), (4, 1)), ((3, 1), (1, 5)), ((1, 7), (7, 1)), ((1, 1), (1, 1)),
    ((40, 33), (33, 50)), ((4,), (4,)), ((4,), (4, 5)), ((3, 4), (4,)), ((0, 4), (4, 5)), ((3, 0), (0, 5)), ((2000,), (2000,)),
]  # fmt: skip
STACKS = [
    ((3, 2, 4), (4, 5)),
    ((2, 1, 3, 4), (5, 4, 2)),
    ((4,), (3, 4, 2)),
    ((3, 2, 4), (4,)),
    ((0, 2, 4), (4, 5)),
    ((50, 3, 3), (50, 3, 3)),
]
# How an operand lies in memory: as made, by columns, every second element, backwards, in a longer row.
LAYOUTS = {
    "C": lambda np, a: a,
    "F": lambda np, a: np.array(a.T, order="C").T,
    "strided": lambda np, a: np.repeat(a, 2, axis=-1)[..., ::2],
    "negative": lambda np, a: np.array(a[::-1], order="C")[::-1],
    "padded": lambda np, a: np.concatenate([a, a], axis=-1)[..., : a.shape[-1]],
}


def check(call: Any) -> None:
    expected = Outcome(lambda: call(numpy))
    got = Outcome(lambda: call(mnp))
    assert same_outcome(expected, got) is None
    assert got.fallbacks == 0, got.reasons
    assert got.native > 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["matmul", "dot"])
def test_products_have_numpys_bits(name: str, dtype: str) -> None:
    for shapes in SHAPES + STACKS if name == "matmul" else SHAPES:
        x, y = (data(dtype, shape, seed, special=False) for seed, shape in enumerate(shapes))
        check(lambda np, x=x, y=y: getattr(np, name)(np.array(x), np.array(y)))


@pytest.mark.parametrize("left", LAYOUTS)
@pytest.mark.parametrize("right", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float64", "complex64", "float16", "int32"])
def test_layouts_take_numpys_routine(dtype: str, left: str, right: str) -> None:
    for m, k, n in [(5, 6, 7), (1, 6, 7), (5, 6, 1), (5, 1, 7), (33, 40, 37)]:
        x, y = data(dtype, (m, k), 1, special=False), data(dtype, (k, n), 2, special=False)
        for name in ("matmul", "dot"):
            check(
                lambda np, x=x, y=y, name=name: getattr(np, name)(LAYOUTS[left](np, np.array(x)), LAYOUTS[right](np, np.array(y)))
            )


@pytest.mark.parametrize("dtype", INEXACT)
def test_a_matrix_times_its_transpose_is_symmetric_as_in_numpy(dtype: str) -> None:
    x = data(dtype, (30, 20), 3, special=False)

    def call(np: Any) -> Any:
        a = np.array(x)
        return a @ a.T, a.T @ a, np.dot(a, a.T), np.dot(a.T, a)

    check(call)


def test_many_axes_of_dot_follow_numpys_order() -> None:
    for a, b in [((2, 3, 4), (5, 4, 2)), ((4,), (2, 4, 3)), ((2, 3, 4), (4,)), ((), (3,)), ((3, 2), ())]:
        for dtype in ("float64", "int64", "complex128", "float16"):
            x, y = data(dtype, a, 1, special=False), data(dtype, b, 2, special=False)
            check(lambda np, x=x, y=y: np.dot(np.array(x), np.array(y)))


def test_conditions_are_warned_about() -> None:
    huge = numpy.full((4, 4), 1e200)
    check(lambda np: np.array(huge) @ np.array(huge))
    check(lambda np: np.array(numpy.full((3, 3), numpy.inf)) @ np.zeros((3, 3)))


@pytest.mark.parametrize(("a", "b"), [((2, 3), (4, 5)), ((3,), (4,)), ((2, 2, 3), (3, 3, 5)), ((), (3,))])
def test_shapes_that_do_not_fit_raise_numpys_error(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    expected = Outcome(lambda: numpy.matmul(numpy.ones(a), numpy.ones(b)))
    got = Outcome(lambda: mnp.matmul(mnp.ones(a), mnp.ones(b)))
    assert expected.error is not None
    assert same_outcome(expected, got) is None


def test_an_output_that_is_an_input_gets_the_product_of_the_old_values() -> None:
    x = data("float64", (20, 20), 4, special=False)

    def call(np: Any) -> Any:
        a = np.array(x)
        np.matmul(a, a, out=a)
        return a

    check(call)


# ---- numpy.linalg

DECOMPOSED = ["float64", "float32", "complex128", "complex64", "int32", "bool"]


def matrices(dtype: str) -> list[Any]:
    """Stacks and single matrices, square, well-conditioned, and their Hermitian products."""
    found = []
    for shape in [(1, 1), (3, 3), (20, 20), (4, 5, 5), (2, 3, 2, 2), (0, 0), (3, 0, 0), (0, 3, 3)]:
        a = data(dtype, shape, 5, special=False)
        found.append(a if a.dtype.kind == "b" else a + 9 * numpy.eye(shape[-1]).astype(a.dtype))
    return found


@pytest.mark.parametrize("dtype", DECOMPOSED)
@pytest.mark.parametrize("name", ["inv", "det", "slogdet", "svd", "qr", "eigh", "eigvalsh", "cholesky"])
def test_decompositions_have_numpys_bits(name: str, dtype: str) -> None:
    for a in matrices(dtype):
        if name in ("eigh", "eigvalsh", "cholesky"):
            wide = a.astype("int32") if dtype == "bool" else a
            a = wide @ numpy.conj(numpy.swapaxes(wide, -1, -2))
        check_linalg(lambda np, a=a: getattr(np.linalg, name)(np.array(a)))


def check_linalg(call: Any) -> None:
    """As check(), but a singular matrix may raise NumPy's error, which NumPy itself then does."""
    expected = Outcome(lambda: call(numpy))
    got = Outcome(lambda: call(mnp))
    assert same_outcome(expected, got) is None
    if expected.error is None:
        assert got.fallbacks == 0, got.reasons
        assert got.native > 0


@pytest.mark.parametrize("dtype", DECOMPOSED)
def test_variants_of_decompositions_have_numpys_bits(dtype: str) -> None:
    for shape in [(6, 4), (4, 6), (3, 5, 2), (4, 0), (0, 4)]:
        a = data(dtype, shape, 6, special=False)
        for full in (True, False):
            check_linalg(lambda np, a=a, full=full: np.linalg.svd(np.array(a), full_matrices=full))
        check_linalg(lambda np, a=a: np.linalg.svd(np.array(a.T), compute_uv=False))
        for mode in ("reduced", "complete", "r"):
            check_linalg(lambda np, a=a, mode=mode: np.linalg.qr(np.array(a), mode))
    square = data(dtype, (5, 5), 7, special=False).astype("complex128" if "complex" in dtype else "float64")
    positive = square @ square.conj().T + numpy.eye(5)
    check_linalg(lambda np: np.linalg.eigh(np.array(positive), "U"))
    check_linalg(lambda np: np.linalg.cholesky(np.array(positive), upper=True))


@pytest.mark.parametrize("dtype", DECOMPOSED)
def test_solutions_have_numpys_bits(dtype: str) -> None:
    for a in matrices(dtype):
        n = a.shape[-1]
        for b in (
            data(dtype, (n,), 8, special=False),
            data(dtype, (n, 3), 9, special=False),
            data(dtype, (2, 1, n, 2), 9, special=False),
        ):
            check_linalg(lambda np, a=a, b=b: np.linalg.solve(np.array(a), np.array(b)))


@pytest.mark.parametrize(
    "call",
    [
        lambda np: np.linalg.inv(np.ones((2, 3))),
        lambda np: np.linalg.inv(np.ones(2)),
        lambda np: np.linalg.inv(np.zeros((2, 2))),
        lambda np: np.linalg.solve(np.eye(2), np.ones(3)),
        lambda np: np.linalg.cholesky(-np.eye(3)),
        lambda np: np.linalg.svd(np.full((2, 2), np.nan)),
        lambda np: np.linalg.inv(np.ones((2, 2), np.float16)),
    ],
)
def test_linalg_errors_are_numpys(call: Any) -> None:
    expected, got = Outcome(lambda: call(numpy)), Outcome(lambda: call(mnp))
    assert expected.error is not None
    assert same_outcome(expected, got) is None
