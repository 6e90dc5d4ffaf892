"""manycore.numpy.random: NumPy's generators and its global state, drawing into our memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy
import numpy.random as real

from manycore import _core

if TYPE_CHECKING:
    import types
    from collections.abc import Iterable

# Methods that return or take arrays and have no native version: the base class draws, the result is wrapped.
WRAPPED = """
    beta binomial chisquare choice dirichlet f gamma geometric gumbel hypergeometric laplace logistic lognormal logseries
    multinomial multivariate_hypergeometric multivariate_normal negative_binomial noncentral_chisquare noncentral_f pareto
    permutation permuted poisson power rayleigh shuffle standard_cauchy standard_gamma standard_t triangular vonmises wald
    weibull zipf
""".split()


class GeneratorType(type):
    """isinstance(g, Generator) holds for NumPy's own generators too."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, real.Generator)


class RandomStateType(type):
    """isinstance(s, RandomState) holds for NumPy's own too."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, real.RandomState)


class Generator(real.Generator, metaclass=GeneratorType):
    """numpy.random.Generator whose arrays are ours; the stream is the bit generator's own."""

    __module__ = real.Generator.__module__


class RandomState(real.RandomState, metaclass=RandomStateType):
    """numpy.random.RandomState whose arrays are ours; the stream is the bit generator's own."""

    __module__ = real.RandomState.__module__


# Methods of RandomState that return no arrays that a program computes with.
UNWRAPPED = frozenset(("bytes", "get_state", "set_state", "seed"))


def _wrap(ours: type, base: type, names: Iterable[str]) -> None:
    for name in names:
        function = getattr(base, name)
        setattr(ours, name, _core.function_for(function, name=f"numpy.random.{base.__name__}.{name}"))


def default_rng(seed: Any = None) -> Generator:
    """numpy.random.default_rng"""
    if type(seed) is Generator:
        return seed
    return Generator(real.default_rng(_core.to_real(seed)).bit_generator)


def install(module: types.ModuleType) -> None:
    """Put ours into manycore.numpy.random."""
    _core.add_generator_methods(Generator, real.Generator, numpy.__version__)
    _wrap(Generator, real.Generator, [name for name in WRAPPED if hasattr(real.Generator, name)])
    methods = [name for name in dir(real.RandomState) if not name.startswith("_") and callable(getattr(real.RandomState, name))]
    _wrap(RandomState, real.RandomState, [name for name in methods if name not in UNWRAPPED])
    Generator.__doc__ = real.Generator.__doc__
    RandomState.__doc__ = real.RandomState.__doc__
    _core.function_for(real.default_rng, default_rng)
    vars(module)["Generator"] = Generator
    vars(module)["RandomState"] = RandomState
    for name in real.__all__:  # the methods of the global RandomState do not know their module
        value = getattr(real, name)
        if callable(value) and not isinstance(value, type):
            vars(module)[name] = _core.function_for(value, name=f"numpy.random.{name}")
