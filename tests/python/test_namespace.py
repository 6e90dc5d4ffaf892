"""manycore.numpy has every public name of NumPy, each the right kind of thing."""

from __future__ import annotations

import copy
import importlib
import pickle
import pydoc
import subprocess
import sys
import types

import manycore.numpy as np
import numpy
import pytest

PUBLIC = sorted(set(numpy.__all__) | {n for n in dir(numpy) if not n.startswith("_")})
CLASSES_OF_OURS = {"ndarray", "ufunc", "vectorize", "nditer"}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_here_and_of_its_kind(name: str) -> None:
    theirs, ours = getattr(numpy, name), getattr(np, name)
    if isinstance(theirs, numpy.ufunc):
        assert type(ours) is np.ufunc
        assert (ours.nin, ours.nout, ours.types, ours.__doc__) == (theirs.nin, theirs.nout, theirs.types, theirs.__doc__)
    elif isinstance(theirs, types.ModuleType):
        assert isinstance(ours, types.ModuleType)
    elif isinstance(theirs, type):
        assert ours is theirs or name in CLASSES_OF_OURS
    elif callable(theirs) and hasattr(theirs, "__name__"):
        assert ours.__name__ == theirs.__name__
        assert ours.__doc__ == theirs.__doc__
        assert callable(ours)
    elif name not in ("mgrid", "ogrid", "r_", "c_"):
        assert ours is theirs


def test_an_unknown_name_is_the_error_that_numpy_raises() -> None:
    with pytest.raises(AttributeError, match="module 'numpy' has no attribute 'no_such_name'"):
        _ = np.no_such_name
    with pytest.raises(ImportError):
        importlib.import_module("manycore.numpy.no_such_module")


@pytest.mark.parametrize(
    "name", ["linalg", "fft", "random", "ma", "polynomial", "polynomial.polynomial", "lib.stride_tricks", "testing"]
)
def test_submodules_import_by_name(name: str) -> None:
    module = importlib.import_module(f"manycore.numpy.{name}")
    real = importlib.import_module(f"numpy.{name}")
    assert sys.modules[f"manycore.numpy.{name}"] is module
    for public in getattr(real, "__all__", []):
        assert hasattr(module, public)


def test_star_import_brings_numpys_names() -> None:
    namespace: dict[str, object] = {}
    exec("from manycore.numpy import *", namespace)
    assert set(numpy.__all__) - set(namespace) == set()


def test_ufuncs_are_instances_of_numpys_class_and_numpys_of_ours() -> None:
    assert isinstance(np.add, numpy.ufunc)
    assert isinstance(numpy.add, np.ufunc)
    assert issubclass(numpy.ufunc, np.ufunc)
    assert not isinstance(3, np.ufunc)


@pytest.mark.parametrize("name", ["add", "sum", "zeros", "concatenate"])
def test_functions_pickle_as_numpys_and_copy_as_themselves(name: str) -> None:
    ours = getattr(np, name)
    assert pickle.loads(pickle.dumps(ours)) is getattr(numpy, name)
    assert copy.deepcopy(ours) is ours


@pytest.mark.timed
def test_import_costs_at_most_sixty_milliseconds_beyond_numpys() -> None:
    """Medians of fresh processes, interleaved; the limit is that of the issue, doubled for a busy machine."""
    program = "import time, numpy; t = time.perf_counter(); import manycore.numpy; print(time.perf_counter() - t)"
    seconds = sorted(
        float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    )
    assert seconds[2] < 0.12, f"importing took {seconds}"


@pytest.mark.parametrize("name", ["sum", "reshape", "T", "__add__"])
def test_help_of_a_method_taken_from_the_class_shows_numpys_text(name: str) -> None:
    ours, theirs = (pydoc.plain(pydoc.render_doc(getattr(package.ndarray, name))).splitlines() for package in (np, numpy))
    assert ours[2:] == theirs[2:]  # above stands the class of the descriptor
