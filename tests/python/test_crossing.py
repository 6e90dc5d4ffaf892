"""The crossing: what a library receives for arrays of ours and what comes back (docs/decisions/0001-crossing.md).

Long file: the call itself and whole programs under `manycore run` are probed by the same functions.
"""

from __future__ import annotations

import collections
import gc
import os
import subprocess
import sys
import sysconfig
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import manycore.numpy as mnp
import numpy
import pytest
from manycore import _core
from test_run_program import both, run, write

call: Callable[..., Any] = _core.crossing_call
callee: Callable[..., Any] = _core.crossing_callee
OURS: type = type(mnp.zeros(1))


class Pair(NamedTuple):
    first: Any
    second: Any


def take(*args: Any, **kwargs: Any) -> Any:
    """A library's function: everything that is an array must be exactly NumPy's."""
    seen = []

    def look(value: Any) -> None:
        assert type(value) is not OURS
        if isinstance(value, list | tuple):
            for item in value:
                look(item)
        elif isinstance(value, dict):
            look(list(value.values()))
        elif type(value) is numpy.ndarray:
            seen.append(value)

    look(args)
    look(kwargs)
    return len(seen)


def is_ours(value: Any) -> bool:
    return type(value) is OURS


@pytest.fixture
def x() -> Any:
    return mnp.asarray([1.0, 2.0, 3.0])


@pytest.mark.parametrize("cross", [call, lambda f, *a, **k: callee(f)(*a, **k)])
def test_arrays_arrive_as_real_ones_wherever_they_stand(x: Any, cross: Callable[..., Any]) -> None:
    assert cross(take, x) == 1
    assert cross(take, 1, x, named=x) == 2
    assert cross(take, [x, 1], (x, "a"), {"k": x}) == 3
    assert cross(take, [[x], ({"k": x},)], deep={"a": [x, (x,)]}) == 4
    assert cross(take, [[[x]]]) == 1
    assert cross(take, 1, "two", [3.0], named=None) == 0


def test_views_share_memory_and_write_through(x: Any) -> None:
    def change(a: Any) -> Any:
        a[0] = 7
        return None

    call(change, x)
    assert x[0] == 7
    call(change, x[1:])
    assert x[1] == 7
    kept = call(lambda a: [a.T], mnp.arange(6.0).reshape(2, 3))
    gc.collect()
    assert kept[0].sum() == 15


def test_real_arrays_that_come_back_become_ours() -> None:
    real = numpy.arange(3.0)
    result = call(lambda: real)
    assert is_ours(result)
    result[0] = 9
    assert real[0] == 9
    for make in (lambda: (numpy.ones(2), 1), lambda: [numpy.ones(2)], lambda: Pair(numpy.ones(2), 1)):
        value = call(make)
        assert is_ours(value[0])
    assert type(call(lambda: Pair(numpy.ones(2), 1))) is Pair
    assert is_ours(call(lambda: {"a": numpy.ones(2)})["a"])
    assert is_ours(call(lambda: collections.OrderedDict(a=numpy.ones(2)))["a"])
    assert type(call(lambda: numpy.float64(1))) is numpy.float64


def test_what_is_not_exactly_an_ndarray_of_our_dtypes_is_left_alone() -> None:
    for value in (
        numpy.ma.ones(2),
        numpy.matrix([[1.0]]),
        numpy.rec.array([(1, 2.0)]),
        numpy.array(["a"]),
        numpy.array([None]),
        numpy.zeros(2, ">f8"),
    ):
        assert call(lambda v=value: v) is value


def test_a_library_keeps_the_containers_that_it_returns() -> None:
    inside = [numpy.ones(2)]
    assert call(lambda: inside) is inside
    assert type(inside[0]) is numpy.ndarray
    shared = (numpy.ones(2), 1)
    assert is_ours(call(lambda: shared)[0])
    assert type(shared[0]) is numpy.ndarray


def test_an_array_that_was_handed_over_comes_back_as_itself(x: Any) -> None:
    assert call(lambda a: a, x) is x
    assert call(lambda a: (a, 1), x)[0] is x
    assert call(lambda items: items[0], [x]) is x
    assert call(lambda out: out, out=x) is x
    same = call(lambda a, b: (a is b, a, b), x, x)
    assert same[0] and same[1] is x and same[2] is x
    assert call(lambda: numpy.add(1, numpy.ones(3), out=numpy.zeros(3))).sum() == 6


def test_lists_of_the_user_stay_the_same_lists(x: Any) -> None:
    items = [x, 1, x]

    def append(values: Any) -> int:
        assert type(values[0]) is numpy.ndarray
        values.append(numpy.ones(1))
        values.append((values[0], 2))
        return id(values)

    assert call(append, items) == id(items)
    assert items[0] is x and items[2] is x and items[1] == 1
    assert is_ours(items[3]) and items[4][0] is x
    call(lambda values: values.reverse(), items)
    assert items[-1] is x and items[0][0] is x
    nested = {"a": [x], "b": x}
    call(lambda values: values.update(c=values["b"]), nested)
    assert nested["a"][0] is x and nested["b"] is x and nested["c"] is x
    pair = (x, 1)
    call(take, pair)
    assert pair[0] is x


def test_containers_are_put_back_when_the_library_raises(x: Any) -> None:
    items, table = [x], {"a": x}

    def fail(*_: Any) -> None:
        raise KeyError("no")

    with pytest.raises(KeyError, match="no"):
        call(fail, items, table)
    assert items[0] is x and table["a"] is x


def test_a_list_may_stand_twice_or_contain_itself(x: Any) -> None:
    items: list[Any] = [x]
    items.append(items)
    call(lambda a, b: None, items, items)
    assert items[0] is x and items[1] is items


def test_long_lists_of_numbers_are_not_searched_and_long_lists_of_arrays_are(x: Any) -> None:
    arrays = [x] * 5000
    assert call(lambda values: sum(type(v) is numpy.ndarray for v in values), arrays) == 5000
    assert arrays[4999] is x
    table = dict.fromkeys(range(5000), x)
    assert call(lambda values: sum(type(v) is numpy.ndarray for v in values.values()), table) == 5000
    assert table[4999] is x
    assert all(is_ours(v) for v in call(lambda: dict.fromkeys(range(5000), numpy.ones(1))).values())
    mixed = [1.0] * 5000 + [x]  # what the search does not find stays ours, and the protocols serve it
    assert call(lambda values: type(values[-1]), mixed) is OURS


def test_methods_of_ours_and_of_containers_take_ours(x: Any) -> None:
    items: list[Any] = []
    call(items.append, x)
    assert items[0] is x
    table: dict[str, Any] = {}
    call(table.setdefault, "a", x)
    assert table["a"] is x
    assert call(x.dot, x) == 14


def test_references_are_neither_lost_nor_kept(x: Any) -> None:
    items, table = [x, (x, 1)], {"a": x}
    gc.collect()
    before = sys.getrefcount(x)
    for _ in range(1000):
        call(take, x, items, table, (x,), named=x)
        call(lambda a: (a, [a]), x)
    gc.collect()
    assert sys.getrefcount(x) - before <= 2  # a cached view may hold one


def test_errors_of_calls_are_those_of_the_callee() -> None:
    with pytest.raises(TypeError, match="^'NoneType' object is not callable$"):
        call(None, 1)
    with pytest.raises(TypeError, match="^'int' object is not callable$"):
        callee(3)(*[1])
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'b'"):
        call(lambda a, b: None, 1)
    with pytest.raises(TypeError, match="no callee"):
        call()


LANGUAGE = """
import asyncio, contextlib, functools, sys
import numpy as np
import scipy.special as special
import pandas as pd
from scipy.optimize import minimize

class Frame(pd.Series):
    def __init__(self, values):
        super().__init__(values)
        self.attrs["made"] = __class__.__name__
    def total(self):
        return super().sum() + self.mean()

def logged(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)
    return inner

@logged
def squash(values, *more, scale=1.0, **rest):
    "doc"
    return special.expit(values * scale), sorted(locals())

def stream(n):
    for i in range(n):
        got = yield special.expit(np.full(2, float(i)))
        if got is not None:
            yield special.expit(got)

async def later(values):
    await asyncio.sleep(0)
    return special.expit(values)

async def gather():
    results = await asyncio.gather(*[later(np.full(1, float(i))) for i in range(3)])
    return [float(r[0]) async for r in aiter_of(results)]

async def aiter_of(items):
    for item in items:
        yield item

x = np.linspace(0.0, 1.0, 5)
print(Frame(x).total(), Frame(x).attrs)
print(squash(x, 1, scale=2.0, other=3), squash.__name__, squash.__doc__)
print([float(special.expit(v)) for v in x if (y := special.expit(v)) > 0.6], float(y))
print({k: float(special.expit(v).sum()) for k, v in {"a": x}.items()})
steps = stream(3)
print(next(steps), steps.send(x), list(steps))
print(asyncio.run(gather()))
print((lambda *a: special.expit(*a))(x))
calls = []
def cost(v):
    calls.append(type(v).__name__)
    return float(((v - x) ** 2).sum())
found = minimize(cost, np.zeros(5))
print(np.round(found.x, 3), set(calls), isinstance(found.x, np.ndarray))
df = pd.DataFrame({"a": x, "b": x * 2})
df["c"] = np.sqrt(x)
print(df.groupby(np.array([0, 0, 1, 1, 1])).sum(), df.to_numpy().shape, df.mean().tolist())
match df.shape:
    case (rows, columns):
        print(rows, columns)
with pd.option_context("display.precision", 2) as nothing, contextlib.suppress(ZeroDivisionError):
    print(df.describe(
        percentiles=[0.5],
    ))
print(special.expit(*[x], **{}), max(special.expit(x), key=abs))
global_names = sorted(n for n in globals() if not n.startswith("__") or "manycore" in n)
print(global_names, sorted(vars()) == sorted(globals()))
"""


@pytest.mark.slow
def test_the_language_means_what_it_means_in_plain_python(tmp_path: Path) -> None:
    script = write(tmp_path, "language.py", LANGUAGE)
    plain, ours = both([script], tmp_path)
    assert plain.returncode == 0, plain.stderr
    assert (ours.stdout, ours.stderr) == (plain.stdout, plain.stderr)


C_EXTENSION = r"""
#include <Python.h>
#include <numpy/arrayobject.h>
static PyObject *sum(PyArrayObject *a) {
  double total = 0;
  for (npy_intp i = 0; i < PyArray_DIM(a, 0); ++i) total += *(double *)PyArray_GETPTR1(a, i);
  return PyFloat_FromDouble(total);
}
static PyObject *by_type(PyObject *self, PyObject *o) {
  if (PyArray_Check(o)) return sum((PyArrayObject *)o);
  return PyErr_Format(PyExc_TypeError, "expected an ndarray, got %s", Py_TYPE(o)->tp_name);
}
static PyObject *by_isinstance(PyObject *self, PyObject *o) {
  if (PyObject_IsInstance(o, (PyObject *)&PyArray_Type) == 1) return sum((PyArrayObject *)o);
  return PyErr_Format(PyExc_TypeError, "expected an ndarray, got %s", Py_TYPE(o)->tp_name);
}
static PyMethodDef methods[] = {{"by_type", by_type, METH_O, 0}, {"by_isinstance", by_isinstance, METH_O, 0}, {0}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "cprobe", 0, -1, methods};
PyMODINIT_FUNC PyInit_cprobe(void) { import_array(); return PyModule_Create(&definition); }
"""


def build_extension(source: Path) -> None:
    target = source.parent / (source.stem + sysconfig.get_config_var("EXT_SUFFIX"))
    command = [
        "cc",
        "-shared",
        "-fPIC",
        "-O1",
        "-DNPY_NO_DEPRECATED_API=NPY_2_0_API_VERSION",
        "-DNPY_TARGET_VERSION=NPY_2_0_API_VERSION",
    ]
    command += [f"-I{sysconfig.get_path('include')}", f"-I{numpy.get_include()}", str(source), "-o", str(target)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no C compiler")
    if done.returncode:
        pytest.skip(f"the compiler cannot build extensions: {done.stderr.splitlines()[:1]}")


def test_compiled_code_beside_the_script_receives_real_arrays(tmp_path: Path) -> None:
    """Our object in the place of an ndarray would be read as one by `by_isinstance`: it must never get there by a call."""
    source = tmp_path / "cprobe.c"
    source.write_text(C_EXTENSION)
    build_extension(source)
    script = write(
        tmp_path,
        "main.py",
        """
        import numpy as np, cprobe
        x = np.arange(5.0)
        print(cprobe.by_type(x), cprobe.by_isinstance(x), cprobe.by_type(x[::2]), cprobe.by_isinstance(*[x]))
        functions = [cprobe.by_type, cprobe.by_isinstance]
        print([f(x) for f in functions], sum(map(cprobe.by_type, [])))
        """,
    )
    plain, ours = both([script], tmp_path)
    assert plain.returncode == 0 and (ours.stdout, ours.stderr, ours.returncode) == (plain.stdout, plain.stderr, 0)


LIBRARIES = {
    "pandas": """
        import pandas as pd
        df = pd.DataFrame(x.reshape(2, 3)); df["n"] = x[:2]
        show(df.sum().tolist(), pd.factorize(x)[1], pd.cut(x, 3).codes, pd.DataFrame({"b": x}).iloc[i].b.tolist(),
             pd.Series(x).groupby(i[[0, 0, 1, 1, 2, 2]]).sum().tolist(), (pd.Series(x) * x).tolist())
        """,
    "scipy": """
        import scipy.linalg, scipy.sparse, scipy.interpolate, scipy.ndimage, scipy.fft, scipy.spatial, scipy.integrate
        show(scipy.linalg.inv(x[:4].reshape(2, 2)), scipy.sparse.csr_matrix(x.reshape(2, 3)) @ x[:3],
             scipy.interpolate.interp1d(x, x)(x), scipy.ndimage.gaussian_filter(x, 1), scipy.fft.fft(x).real,
             scipy.spatial.cKDTree(x.reshape(3, 2)).query(x.reshape(3, 2))[0],
             scipy.integrate.solve_ivp(lambda t, y: -y, (0, 1), x).y[:, -1].round(3))
        """,
    "sklearn": """
        from sklearn.linear_model import LinearRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        pipeline = make_pipeline(StandardScaler(), LinearRegression())
        show(pipeline.fit(x.reshape(-1, 1), x).predict(x.reshape(-1, 1)).round(6), pipeline[0].transform(x.reshape(-1, 1)))
        """,
    "matplotlib": """
        import matplotlib; matplotlib.use("Agg")
        import matplotlib.pyplot as plt
        figure, (left, right) = plt.subplots(1, 2)
        line, = left.plot(x, x * 2); right.imshow(x.reshape(2, 3)); left.hist(x, bins=3)
        figure.savefig("out.png")
        show(line.get_ydata(), left.get_xlim())
        """,
    "PIL": """
        from PIL import Image
        show(Image.fromarray((x.reshape(2, 3) * 20).astype(np.uint8)).size)
        """,
    "cv2": """
        import cv2
        show(cv2.GaussianBlur(x.reshape(2, 3), (3, 3), 0), cv2.resize(x.reshape(2, 3), (4, 4)).shape)
        """,
    "numba": """
        import numba
        show(numba.njit(lambda a: a.sum())(x))
        """,
    "joblib": """
        import joblib
        joblib.dump({"x": x}, "x.joblib")
        show(joblib.load("x.joblib")["x"], joblib.hash(x))
        """,
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.slow
def test_libraries_answer_as_they_do_in_plain_python(tmp_path: Path, library: str) -> None:
    pytest.importorskip(library)
    start = "import numpy as np\ndef show(*values):\n    for v in values: print(np.asarray(v).tolist())\n"
    start += "x = np.linspace(1.0, 2.0, 6); i = np.array([0, 2, 4])\n"
    script = write(tmp_path, "main.py", start + textwrap.dedent(LIBRARIES[library]))
    plain, ours = both([script], tmp_path, MPLCONFIGDIR=str(tmp_path), PYTHONWARNINGS="ignore")
    assert plain.returncode == 0, plain.stderr
    assert (ours.stdout, ours.stderr, ours.returncode) == (plain.stdout, plain.stderr, 0)


@pytest.mark.slow
def test_a_cython_function_with_an_ndarray_argument_gets_one(tmp_path: Path) -> None:
    pytest.importorskip("Cython")
    write(
        tmp_path,
        "cyprobe.pyx",
        """
        cimport numpy as cnp
        cnp.import_array()
        def typed(cnp.ndarray a not None):
            return (<double*> cnp.PyArray_DATA(a))[0]
        """,
    )
    done = run(["-m", "cython", "-3", "cyprobe.pyx"], tmp_path)
    assert done.returncode == 0, done.stderr
    build_extension(tmp_path / "cyprobe.c")
    script = write(tmp_path, "main.py", "import numpy as np, cyprobe\nprint(cyprobe.typed(np.full(3, 7.0)))\n")
    ours = run(["-m", "manycore", "run", script], tmp_path)
    assert (ours.stdout, os.path.basename(ours.stderr)) == ("7.0\n", "")


@pytest.mark.slow
def test_coverage_sees_the_same_lines(tmp_path: Path) -> None:
    pytest.importorskip("coverage")
    script = write(tmp_path, "main.py", LANGUAGE)
    plain = run(["-m", "coverage", "run", "--data-file=plain", script], tmp_path)
    assert plain.returncode == 0, plain.stderr
    ours = run(["-m", "manycore", "run", "-m", "coverage", "run", "--data-file=ours", script], tmp_path)
    assert ours.returncode == 0, ours.stderr
    reports = [
        run(["-m", "coverage", "report", "-m", "--include=main.py", f"--data-file={name}"], tmp_path).stdout
        for name in ("plain", "ours")
    ]
    assert reports[0] == reports[1] and "main.py" in reports[0]
