"""Every public function of numpy, numpy.linalg and numpy.fft called with a few kinds of arguments: the outcome is NumPy's.

Nobody chose what is called: a function that takes none of the arguments must raise what NumPy raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import manycore.numpy as mnp
import numpy
import pytest
from both import Outcome, data, same_outcome

# They show the machine, run test suites, change the process or hand out memory that was never written.
LEFT_OUT = set(
    "show_config show_runtime test info get_include empty empty_like seterr setbufsize set_printoptions seterrcall".split()
)
LEFT_OUT |= {
    "printoptions",
    "nested_iters",
    "save",
    "savez",
    "savez_compressed",
    "savetxt",
    "from_dlpack",
    "frompyfunc",
    "getbufsize",
}
# What these give belongs to the array's own type or names it.
LEFT_OUT |= {"typename", "asmatrix", "bmat", "shares_memory"}

ARGUMENTS: list[Callable[[dict[str, Any]], tuple[Any, ...]]] = [
    lambda a: (a["f"],),
    lambda a: (a["f"], a["g"]),
    lambda a: (a["v"], a["v"]),
    lambda a: (a["s"],),
    lambda a: (a["i"], 1),
    lambda a: (a["b"], a["f"], a["g"]),
    lambda a: ([a["f"], a["g"]],),
    lambda a: (a["f"], [0, 1]),
    lambda a: (3,),
    lambda a: (),
]


def functions(module: Any) -> list[str]:
    names = [n for n in dir(module) if not n.startswith("_") and n not in LEFT_OUT]
    kinds = (numpy.ufunc, type)
    return [n for n in names if callable(getattr(module, n)) and not isinstance(getattr(module, n), kinds)]


def values(np: Any) -> dict[str, Any]:
    plain = {
        "f": data("float64", (3, 4), 1, special=False),
        "g": data("float64", (3, 4), 2, special=False),
        "i": data("int64", (3, 4), 3, special=False),
        "b": data("bool", (3, 4), 4),
        "v": data("float64", (6,), 5, special=False),
        "s": data("float64", (4, 4), 6, special=False) + 5 * numpy.eye(4),
    }
    return {name: np.array(value) for name, value in plain.items()}


def check(theirs: Any, ours: Any) -> None:
    differences = []
    for number, make in enumerate(ARGUMENTS):
        expected = Outcome(lambda m=make: theirs(*m(values(numpy))))
        got = Outcome(lambda m=make: ours(*m(values(mnp))))
        if expected.error is None and not comparable(expected.value):
            continue
        found = same_outcome(expected, got, allowed_ulps=4.0, layout=False)
        if found:
            differences.append(f"arguments {number}: {found}")
    assert not differences, "\n".join(differences)


def comparable(value: Any) -> bool:
    """Arrays, numbers, text, and tuples of them; iterators and other objects are not compared."""
    if isinstance(value, tuple):
        return all(comparable(part) for part in value)
    holds_objects = getattr(getattr(value, "dtype", None), "hasobject", False)
    return isinstance(value, numpy.ndarray | numpy.generic | int | float | complex) and not holds_objects


@pytest.mark.parametrize("name", functions(numpy))
def test_function_of_numpy(name: str) -> None:
    check(getattr(numpy, name), getattr(mnp, name))


@pytest.mark.parametrize("name", functions(numpy.linalg))
def test_function_of_linalg(name: str) -> None:
    check(getattr(numpy.linalg, name), getattr(mnp.linalg, name))


@pytest.mark.parametrize("name", functions(numpy.fft))
def test_function_of_fft(name: str) -> None:
    check(getattr(numpy.fft, name), getattr(mnp.fft, name))
