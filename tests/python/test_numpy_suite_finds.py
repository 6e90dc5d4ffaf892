"""What NumPy's own tests found: each behaves as in NumPy now, with its values, warnings and errors."""

from __future__ import annotations

import contextlib
import gc
import inspect
import subprocess
import sys
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import manycore.numpy as mnp
import numpy
import pytest

BOOLS = b"\xff\x02\x01\x00" * 3


def nan_of(m: Any, dtype: str) -> Any:
    return m.array([numpy.nan], dtype=dtype)


def rows(m: Any) -> Any:
    return (m.ones(2) for _ in range(3))


def accumulated_into_repeated_elements(m: Any) -> Any:
    out = m.lib.stride_tricks.as_strided(m.zeros(1, dtype="i2"), (5,), (0,))
    return m.add.accumulate(m.arange(1, 6, dtype="i2"), out=out)


def masked(m: Any) -> Any:
    return m.ma.array([[1.5, 2.0], [3.0, 4.0]], mask=[[True, False], [False, False]])


def set_text_of_sin(m: Any) -> Any:
    text = numpy.sin.__doc__
    try:
        m.sin.__doc__ = "half a circle"
        return numpy.sin.__doc__
    finally:
        with contextlib.suppress(AttributeError):
            m.sin.__doc__ = text


CASES: dict[str, Callable[[Any], Any]] = {
    "a bool whose byte is above 1 counts once": lambda m: m.frombuffer(BOOLS, dtype=bool).sum(),
    "such bools by columns": lambda m: m.frombuffer(BOOLS, dtype=bool).reshape(3, 4).sum(axis=0),
    "such bools with a step": lambda m: m.frombuffer(BOOLS, dtype=bool)[::2].sum(),
    "accumulate into one repeated element": accumulated_into_repeated_elements,
    "vdot of objects conjugates": lambda m: m.vdot(m.array([1j, 2], dtype=object), m.array([1j, 2], dtype=object)),
    "inner of objects": lambda m: m.inner(m.array([1j, 2], dtype=object), m.array([1j, 2], dtype=object)),
    "where reports a number that overflows": lambda m: m.where(True, m.array([1, 2.0], dtype="f4"), 1e150),
    "where without out warns": lambda m: m.add(m.arange(3), m.arange(3), where=m.arange(3) > -1),
    "a third argument of maximum warns": lambda m: m.maximum(1.0, 2.0, m.zeros(())),
    "a third argument of minimum warns": lambda m: m.minimum(m.ones(2), 2.0, m.zeros(2)),
    "concatenate takes out or dtype": lambda m: m.concatenate([m.ones(2), m.ones(2)], out=m.zeros(4), dtype="f8"),
    "copyto refuses an integer that is not of the default dtype": lambda m: m.copyto(m.arange(3, dtype="u1"), 3, casting="equiv"),
    "copyto takes one that is": lambda m: m.copyto(m.arange(3), 3, casting="no"),
    "nanmin of long double warns of a slice": lambda m: m.nanmin(nan_of(m, "g")),
    "nanmax of a real array warns of a slice": lambda m: m.nanmax(numpy.array([numpy.nan])),
    "an unknown version of the array API": lambda m: m.zeros(3).__array_namespace__(api_version="foo"),
    "trace of a masked array leaves the masked out": lambda m: m.trace(masked(m)),
    "trace of a matrix": lambda m: m.trace(m.matrix([[1, 2], [3, 4]])),
    "broadcast_arrays keeps subclasses when told": lambda m: [
        type(a).__name__ for a in m.broadcast_arrays(masked(m), m.ones(1), subok=True)
    ],
    "apply_along_axis of a matrix": lambda m: m.apply_along_axis(lambda row: row * 2, 0, m.matrix([[1, 2], [3, 4]])),
    "resize with an order": lambda m: m.eye(3).resize(order=1),
    "resize with two wrong keywords": lambda m: m.eye(3).resize(3, 7, refcheck=False, order=1),
    "resize with a text as refcheck": lambda m: m.eye(3).resize(refcheck="hi"),
    "the protocol called without a tuple": lambda m: m.ones(1).__array_function__(m.sum, (m.ndarray,), [m.ones(2)], {}),
    "the protocol called without a dict": lambda m: m.ones(1).__array_function__(m.sum, (m.ndarray,), (m.ones(2),), ()),
    "the text of a universal function can be set": set_text_of_sin,
    "no arguments of the class": lambda m: m.ndarray[()],
    "three arguments of the class": lambda m: m.ndarray[1, 2, 3],
    "a known version of the array API": lambda m: m.zeros(3).__array_namespace__(api_version="2022.12").sum(m.ones(2)),
    "the protocol called with a ufunc of ours": lambda m: m.zeros(3).__array_ufunc__(m.add, "__call__", m.zeros(3), 1.0),
    **{
        f"{name} of a generator": lambda m, name=name: getattr(m, name)(rows(m))
        for name in ("hstack", "vstack", "dstack", "stack", "column_stack")
    },
    **{
        f"{name} of a list": lambda m, name=name: getattr(m, name)(list(rows(m)))
        for name in ("hstack", "vstack", "dstack", "stack", "column_stack")
    },
}


def outcome(case: Callable[[Any], Any], m: Any) -> tuple[Any, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value: Any = repr(case(m))
        except Exception as error:
            value = (type(error), str(error))
    return value, [f"{warning.category.__name__}: {warning.message}" for warning in caught]


@pytest.mark.parametrize("name", CASES)
def test_it_is_as_in_numpy(name: str) -> None:
    assert outcome(CASES[name], mnp) == outcome(CASES[name], numpy)


def test_a_modules_dictionary_holds_what_numpys_holds() -> None:
    assert vars(mnp._core.umath)["invert"] is mnp.invert
    assert {name for name in vars(numpy.linalg) if not name.startswith("_")} <= set(vars(mnp.linalg)) | set(sys.modules)


def test_a_name_that_numpy_has_not_is_set_and_deleted_in_both() -> None:
    mnp.added_by_a_program = 3  # type: ignore[attr-defined]
    assert numpy.added_by_a_program == 3  # type: ignore[attr-defined]
    del mnp.added_by_a_program  # type: ignore[attr-defined]
    assert not hasattr(numpy, "added_by_a_program")


def test_the_methods_of_ufuncs_say_their_signatures() -> None:
    for name in ("reduce", "accumulate", "reduceat", "outer", "at"):
        assert inspect.signature(getattr(mnp.ufunc, name)) == inspect.signature(getattr(numpy.ufunc, name))
        assert getattr(mnp.ufunc, name).__doc__ == getattr(numpy.ufunc, name).__doc__
    assert mnp.ufunc.resolve_dtypes.__doc__ == numpy.ufunc.resolve_dtypes.__doc__


def test_a_bit_generator_takes_an_array_of_ours_as_its_seed(tmp_path: Path) -> None:
    program = tmp_path / "seeds.py"
    program.write_text(
        "import numpy as np\nfrom numpy.random import SeedSequence\nseed = np.arange(3)\n"
        "print(np.random.PCG64(seed).random_raw(), SeedSequence(seed).generate_state(2), np.random.MT19937(seed).random_raw())\n"
    )
    printed = [
        subprocess.run([sys.executable, *way, str(program)], capture_output=True, text=True, check=True).stdout
        for way in ([], ["-m", "manycore", "run"])
    ]
    assert printed[0] == printed[1] != ""


def test_a_deprecated_name_warns_each_time_that_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def old_names(name: str) -> int:
        warnings.warn(f"{name} is old", DeprecationWarning, stacklevel=2)
        return 3

    monkeypatch.setattr(numpy.fft, "__getattr__", old_names, raising=False)
    for _ in range(2):
        with pytest.warns(DeprecationWarning, match="some_name is old"):
            assert mnp.fft.some_name == 3


def test_nditers_methods_are_found_in_its_class() -> None:
    assert mnp.nditer.iternext.__doc__ == numpy.nditer.iternext.__doc__
    assert set(dir(numpy.nditer)) <= set(dir(mnp.nditer))


@pytest.mark.parametrize("make", [lambda f: mnp.frompyfunc(f, 1, 1), mnp.vectorize])
def test_a_function_that_a_program_made_universal_goes_when_nobody_holds_it(make: Callable[[Any], Any]) -> None:
    class Doubler:
        def __call__(self, x: float) -> float:
            return 2 * x

    doubler = Doubler()
    gone = weakref.ref(doubler)
    universal = make(doubler)
    assert universal(mnp.arange(3)).tolist() == [0, 2, 4]
    del universal, doubler
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    "text",
    [
        "np.ones(3).any(keepdims='a')",
        "np.ones(3).min(keepdims=None)",
        "np.sum(np.ones(3), keepdims=None)",
        "np.add.reduce(np.ones(3), keepdims=[])",
        "np.sum(np.ones((2, 3)), keepdims=2, axis=1)",
        "np.sum(np.ones((2, 3)), keepdims=np.True_, axis=1)",
        "np.ones(3).astype(np.ones(3))",
        "np.zeros(3, np.ones(3))",
        "np.ones(3).conj(x=1)",
        "np.ones(3).conjugate(x=1)",
        "np.zeros(5, 'uint8').__setitem__(np.array([True, False, True]), -1)",
        "np.zeros(5, 'uint8').__setitem__(np.array([7]), -1)",
        "np.zeros(5, 'uint8').__setitem__(np.array([1]), -1)",
    ],
)
def test_wrong_arguments_are_refused_in_numpys_words(text: str) -> None:
    def outcome(module: ModuleType) -> tuple[Any, ...]:
        try:
            return ("value", repr(eval(text, {"np": module})))
        except Exception as error:
            return (type(error), str(error))

    assert outcome(mnp) == outcome(numpy)
