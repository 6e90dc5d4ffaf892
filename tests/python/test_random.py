"""Random numbers: NumPy's streams bit for bit, drawn into our memory, and its global state shared by both sides."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import manycore.numpy as np
import numpy
import pytest
from both import Outcome, same_outcome
from manycore import _core

Draw = Callable[[Any], Any]

# fmt: off
NATIVE: dict[str, Draw] = {
    "random": lambda g: g.random(1001),
    "random shape": lambda g: g.random((3, 5)),
    "random float32": lambda g: g.random(77, dtype="float32"),
    "standard_normal": lambda g: g.standard_normal((7, 11)),
    "standard_normal float32": lambda g: g.standard_normal(33, dtype=numpy.float32),
    "standard_exponential": lambda g: g.standard_exponential(100),
    "normal": lambda g: g.normal(2.0, 3, size=501),
    "normal keywords": lambda g: g.normal(loc=1, size=(2, 2)),
    "uniform": lambda g: g.uniform(-2, 5.5, 300),
    "exponential": lambda g: g.exponential(2.5, size=64),
    "integers": lambda g: g.integers(10, size=1000),
    "integers range": lambda g: g.integers(-50, 50, (10, 20)),
    "integers endpoint": lambda g: g.integers(0, 255, 999, dtype="uint8", endpoint=True),
    "integers int8": lambda g: g.integers(-128, 127, 999, dtype=numpy.int8),
    "integers int16": lambda g: g.integers(-5, 3000, 1001, dtype="int16"),
    "integers int32": lambda g: g.integers(-7, 2**31 - 1, 1001, dtype="int32"),
    "integers uint64": lambda g: g.integers(0, 2**62, 1001, dtype="uint64"),
    "integers one value": lambda g: g.integers(3, 4, 10),
    "empty": lambda g: g.random(0),
}
WRAPPED: dict[str, Draw] = {
    "choice": lambda g: g.choice(100, size=10, replace=False),
    "permutation": lambda g: g.permutation(20),
    "gamma": lambda g: g.gamma(2.0, size=50),
    "poisson": lambda g: g.poisson(3.0, (4, 4)),
    "normal of arrays": lambda g: g.normal(numpy.arange(3.0), 1.0),
    "integers bool": lambda g: g.integers(0, 2, 20, dtype=bool),
    "multivariate_normal": lambda g: g.multivariate_normal([0, 1], [[2, 0.3], [0.3, 1]], 5),
}
RAISES: dict[str, Draw] = {
    "negative scale": lambda g: g.normal(0, -1.0, 5),
    "empty range": lambda g: g.integers(5, 5, 3),
    "range of dtype": lambda g: g.integers(0, 300, 3, dtype="uint8"),
    "high below low": lambda g: g.uniform(3, 1, 4),
    "negative size": lambda g: g.random(-1),
    "keyword": lambda g: g.random(3, colour=1),
}
# fmt: on


# More than one part of a draw that can be interrupted.
PARTS: dict[str, Draw] = {
    "random": lambda g: g.random(8_500_001),
    "standard_exponential": lambda g: g.standard_exponential(1_100_001),
    "normal": lambda g: g.normal(1, 2, size=1_100_001),
    "random float32": lambda g: g.random(2_100_003, dtype="float32"),
    "integers": lambda g: g.integers(0, 1000, 1_100_001),
    "integers int32": lambda g: g.integers(0, 1000, 2_100_001, dtype="int32"),
    "integers uint8": lambda g: g.integers(0, 200, 2_100_003, dtype="uint8"),
    "integers int16": lambda g: g.integers(0, 30_000, 2_100_003, dtype="int16"),
}


def both(draw: Draw, seed: int = 12345) -> tuple[Outcome, Outcome]:
    theirs, ours = numpy.random.default_rng(seed), np.random.default_rng(seed)
    # The second draw sees that the stream stands where NumPy's does.
    return Outcome(lambda: (draw(theirs), theirs.random(3))), Outcome(lambda: (draw(ours), ours.random(3)))


@pytest.mark.parametrize("name", NATIVE)
def test_native_stream_equals_numpys_bit_for_bit(name: str) -> None:
    expected, got = both(NATIVE[name])
    assert same_outcome(expected, got) is None, same_outcome(expected, got)
    assert got.fallbacks == 0, got.reasons
    assert got.native == 2


@pytest.mark.parametrize("name", WRAPPED)
def test_other_distributions_are_numpys_and_give_our_arrays(name: str) -> None:
    expected, got = both(WRAPPED[name])
    assert same_outcome(expected, got) is None, same_outcome(expected, got)
    # NumPy's multivariate_normal is Python code that draws through our standard_normal.
    assert got.fallbacks == (0 if name == "multivariate_normal" else 1)


@pytest.mark.parametrize("name", RAISES)
def test_wrong_arguments_raise_numpys_exception(name: str) -> None:
    expected, got = both(RAISES[name])
    assert expected.error is not None
    assert same_outcome(expected, got) is None, same_outcome(expected, got)


def test_one_number_is_a_python_or_numpy_scalar() -> None:
    theirs, ours = numpy.random.default_rng(3), np.random.default_rng(3)
    for draw in (lambda g: g.random(), lambda g: g.normal(), lambda g: g.integers(9), lambda g: g.uniform(1, 2)):
        expected, got = draw(theirs), draw(ours)
        assert (type(expected), expected) == (type(got), got)


def test_generator_is_numpys_class_and_pickles_as_it() -> None:
    ours = np.random.default_rng(5)
    assert isinstance(ours, numpy.random.Generator)
    assert isinstance(numpy.random.default_rng(5), np.random.Generator)
    again = pickle.loads(pickle.dumps(ours))
    assert again.random(4).tolist() == ours.random(4).tolist()
    assert np.random.default_rng(ours) is ours
    assert np.random.Generator(np.random.PCG64(5)).random() == np.random.default_rng(5).random()


def test_out_argument_is_filled_and_returned() -> None:
    ours, out = np.random.default_rng(9), np.zeros(6)
    assert ours.random(out=out) is out
    assert out.tolist() == numpy.random.default_rng(9).random(6).tolist()


def test_shuffle_works_in_place_on_ours() -> None:
    theirs, ours = numpy.arange(30), np.arange(30)
    numpy.random.default_rng(1).shuffle(theirs)
    np.random.default_rng(1).shuffle(ours)
    assert ours.tolist() == theirs.tolist()


def test_the_global_state_is_numpys_own() -> None:
    np.random.seed(42)
    first = np.random.rand(5)
    numpy.random.seed(42)
    assert first.tolist() == numpy.random.rand(5).tolist()
    assert isinstance(first, np.ndarray)
    np.random.seed(42)
    np.random.normal(size=3)
    state = numpy.random.get_state()[2]
    numpy.random.seed(42)
    numpy.random.normal(size=3)
    assert numpy.random.get_state()[2] == state


def test_a_fallback_is_named_by_its_module() -> None:
    _core.trace_reset()
    np.random.poisson(2.0, 5)
    assert [row["name"] for row in _core.trace_snapshot()["fallbacks"]] == ["numpy.random.poisson"]


@pytest.mark.parametrize("count", [1, 3, 16384, 100_003])
def test_uniform_numbers_drawn_by_jumping_ahead_are_numpys_stream(count: int) -> None:
    ours, theirs = np.random.default_rng(5), numpy.random.default_rng(5)
    for _ in range(2):
        # A 32-bit draw between leaves half a word in the generator, which must survive.
        assert ours.integers(0, 9, 3, dtype="int32").tolist() == theirs.integers(0, 9, 3, dtype="int32").tolist()
        assert numpy.array_equal(ours.random(count), theirs.random(count))
        assert numpy.array_equal(ours.uniform(-3.0, 7.0, count), theirs.uniform(-3.0, 7.0, count))
        assert ours.bit_generator.state == theirs.bit_generator.state


@pytest.mark.parametrize("name", PARTS)
def test_long_draws_continue_numpys_stream(name: str) -> None:
    expected, got = both(lambda g: (PARTS[name](g), g.random(3), g.integers(0, 9, 3, dtype="int32")))
    assert same_outcome(expected, got) is None
    assert got.fallbacks == 0
