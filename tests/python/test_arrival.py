"""Real arrays that reach the user's code without a call of the user's become ours: attributes and items of library objects, what
loops yield, arguments of callbacks, what pickle and NumPy's own objects hold (python/manycore/run/arrivals.py).
"""

from __future__ import annotations

import ast
import gc
import importlib.util
import pickle
import textwrap
from pathlib import Path
from typing import Any

import manycore.numpy as mnp
import numpy
import pytest
from manycore import _core
from manycore.run import import_hook
from manycore.run.transform import ARGUMENTS, ARRIVED, ITEMS, UNPICKLED, transform
from test_run_program import assert_same, run, write

FOREIGN = frozenset({"lib", "numba"})
HELPERS = {"__manycore_call__": "c", ARRIVED: "A", ITEMS: "I", ARGUMENTS: "AA", UNPICKLED: "U"}


def rewritten(text: str) -> str:
    tree = ast.parse(text)
    transform(tree, FOREIGN.__contains__)
    compile(tree, "<test>", "exec")
    made = ast.unparse(tree)
    for name, short in HELPERS.items():
        made = made.replace(name, short)
    return made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("r.x", "A(r.x)"),
        ("r.x.T", "A(r.x.T)"),
        ("r['a']", "A(r['a'])"),
        ("r['a'].values[0, 1:]", "A(r['a'].values[0, 1:])"),
        ("r.x[i]", "A(r.x[i])"),
        ("[r[k] for k in r.files]", "[A(r[k]) for k in I(r.files)]"),
        ("for a, b in r.split(): a", "for a, b in I(c(r.split)):\n    a"),
        ("r.x.sum()", "c(r.x.sum)"),
        ("f(r.x, r['a'])", "f(A(r.x), A(r['a']))"),
        ("r.x + 1", "A(r.x) + 1"),
        ("x[r.i] = r.x", "x[A(r.i)] = A(r.x)"),
    ],
)
def test_reads_of_library_objects_are_wrapped_once_a_chain(text: str, expected: str) -> None:
    assert rewritten(f"import lib\nr = lib.f()\n{text}").removeprefix("import lib\nr = c(lib.f)\n") == expected


@pytest.mark.parametrize(
    "text",
    [
        "r[0]",
        "r[i, 1:]",
        "r.shape",
        "r.x = 1",
        "del r.x",
        "lib.CONSTANT",
        "lib.sub.Class",
        "y: lib.A = 1",
        "y: r.A = 1",
        "@r.decorate\ndef g(a: r.A) -> r.B:\n    pass",
        "class C(r.Base):\n    pass",
        "try:\n    pass\nexcept r.Error:\n    pass",
        "match y:\n    case r.A:\n        pass",
        "for i in range(3):\n    d[i]",
    ],
)
def test_what_cannot_be_an_array_stays(text: str) -> None:
    plain = ast.unparse(ast.parse(f"import lib\nr = lib.f()\n{text}"))
    assert rewritten(plain) == plain.replace("lib.f()", "c(lib.f)", 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "def f(x, *a, k=1): return x\nlib.g(f)",
            "def f(x, *a, k=1):\n    x = A(x)\n    k = A(k)\n    a = AA(a)\n    return x\nc(lib.g, f)",
        ),
        ("def f(x):\n 'doc'\n return x\nlib.g([f])", 'def f(x):\n    """doc"""\n    x = A(x)\n    return x\nc(lib.g, [f])'),
        ("lib.g(key=lambda x, y: x)", "c(lib.g, key=lambda x, y: x if ((x := A(x)), (y := A(y))) else None)"),
        ("f = lambda: 1\nlib.g(f)", "f = lambda: 1\nc(lib.g, f)"),
        (
            "class C:\n def f(self, x): return x\n def g(self): lib.g(self.f)",
            "class C:\n\n    def f(self, x):\n        x = A(x)\n        return x\n\n    def g(self):\n        c(lib.g, self.f)",
        ),
        ("import numba\n@numba.njit\ndef f(x): return lib.h(x)", "import numba\n\n@numba.njit\ndef f(x):\n    return lib.h(x)"),
    ],
)
def test_parameters_of_functions_that_a_library_is_given(text: str, expected: str) -> None:
    assert rewritten(f"import lib\n{text}") == ast.unparse(ast.parse(f"import lib\n{expected}"))


def test_pickle_is_recognised_under_any_name() -> None:
    assert rewritten("import pickle as p\np.loads(b)") == "import pickle as p\nU(p.loads(b))"
    assert rewritten("from pickle import load\nload(f)") == "from pickle import load\nU(load(f))"
    assert rewritten("import json as p\np.loads(b)") == "import json as p\np.loads(b)"


# The helpers ----------------------------------------------------------------------------------------------------------


def test_an_array_that_others_hold_arrives_as_the_same_object() -> None:
    real = numpy.ones(3)
    first = _core.arrived(real)
    assert type(first) is mnp.ndarray and _core.arrived(real) is first
    assert _core.to_real(first) is real
    first[0] = 5
    assert real[0] == 5
    del first
    gc.collect()
    again = _core.arrived(real)
    assert again[0] == 5
    again.shape = (3, 1)
    assert real.shape == (3, 1) and _core.arrived(real) is again
    again.flags.writeable = False
    assert not real.flags.writeable and _core.arrived(real) is again


def test_an_array_that_came_back_from_numpy_and_escapes_is_recognised() -> None:
    holder: list[Any] = []
    ours = mnp.einsum("i,i->i", mnp.ones(2), mnp.ones(2))
    _core.crossing_call(lambda a: holder.append(a), ours)
    assert type(holder[0]) is numpy.ndarray and _core.arrived(holder[0]) is ours


def test_what_is_no_plain_array_arrives_as_itself() -> None:
    for value in (1, "a", [numpy.ones(2)], numpy.matrix([1]), numpy.ma.zeros(2), numpy.zeros(2, "M8[s]"), None):
        assert _core.arrived(value) is value
    pair = (1, 2)
    assert _core.arrived_arguments(pair) is pair


@pytest.mark.parametrize("plain", [range(3), "ab", {"a": 1}, [1, 2], (), {1}, 5, b"x"])
def test_loops_over_plain_values_walk_over_them_directly(plain: Any) -> None:
    assert _core.arrived_items(plain) is plain


def test_loops_over_iterators_give_ours() -> None:
    pairs = [(numpy.ones(1), 2)]
    assert [type(a) for a, _ in _core.arrived_items(pairs)] == [mnp.ndarray]
    assert type(pairs[0][0]) is numpy.ndarray
    closed = []

    def generate() -> Any:
        try:
            yield numpy.ones(1)
            yield 7
        finally:
            closed.append(1)

    assert [type(x) for x in _core.arrived_items(generate())] == [mnp.ndarray, int]
    for _ in _core.arrived_items(generate()):
        break
    assert closed == [1, 1]
    with pytest.raises(TypeError, match="'int' object is not iterable"):
        iter(_core.arrived_items(5))


def test_methods_of_real_arrays_are_ours_and_run_natively() -> None:
    real = numpy.arange(4.0)
    before = _core.trace_snapshot()["native_calls"]
    assert _core.crossing_call(real.sum) == 6.0
    assert type(_core.crossing_call(real.copy)) is mnp.ndarray
    assert _core.trace_snapshot()["native_calls"] > before
    _core.crossing_call(real.setflags, write=False)
    assert not real.flags.writeable


def test_what_pickle_made_is_the_users() -> None:
    import_hook.policy = import_hook.policy or import_hook.UserCode()
    _core.set_user_class_rule(import_hook.is_user_class)
    array = numpy.ones(2)
    value = [array, (array, {"k": [array]}), numpy.add, numpy.sum, numpy.ndarray, numpy.ma.zeros(2), [0.5] * 5000]
    value.append(value)
    made = _core.unpickled(value)
    assert made[0] is made[1][0] is made[1][1]["k"][0] and type(made[0]) is mnp.ndarray
    assert made[2] is mnp.add and made[3] is mnp.sum and made[4] is mnp.ndarray
    assert type(made[5]) is numpy.ma.MaskedArray and made[7] is made
    for original in (mnp.add, mnp.sum, mnp.linalg.norm):
        assert _core.unpickled(pickle.loads(pickle.dumps(original))) is original


# Whole programs -------------------------------------------------------------------------------------------------------


def test_programs_see_ours_wherever_plain_python_sees_arrays(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "arrive.py",
        """
        import io, pickle, multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        import numpy as np
        from numpy.polynomial import Polynomial

        def show(label, *values):
            print(label, [type(v) is np.ndarray for v in values])

        class Plain:
            def __init__(self):
                self.w, self.deep = np.ones(3), {"k": [(np.zeros(1), 5)]}

        class Slots:
            __slots__ = ("a", "b")

        def work(x):
            return type(x) is np.ndarray, x * 2

        if __name__ == "__main__":
            a = np.arange(6.0)
            p = pickle.loads(pickle.dumps(Plain()))
            s = Slots()
            s.a = a
            s = pickle.loads(pickle.dumps(s))
            show("pickle", pickle.loads(pickle.dumps(a)), p.w, p.deep["k"][0][0], s.a)
            print(pickle.loads(pickle.dumps(np.add)) is np.add, pickle.load(io.BytesIO(pickle.dumps([np.sum])))[0] is np.sum)
            file = io.BytesIO()
            np.savez(file, a=a)
            file.seek(0)
            with np.load(file) as z:
                show("npz", z["a"], z.f.a, *[v for k, v in z.items()], *z.values())
                print(z, type(z), len(z), list(z))
            q, r = Polynomial(a), np.poly1d([1.0, 2.0])
            show("polynomial", q.coef, q(a), q.roots(), (q * q).coef, q.linspace(3)[0], r.c, r(a), r.roots)
            m = np.ma.array(a)
            show("masked", m.data, m.filled(0), np.matrix(a).A, np.matrix(a).A1)
            t = np.random.RandomState(0)
            show("random", t.rand(3), t.permutation(5), t.normal(size=2))
            print(t.rand(), isinstance(t, np.random.RandomState), t.choice(5, 2), t)
            np.apply_along_axis(lambda v: (show("along", v), v)[1], 0, a)
            np.piecewise(a, [a > 1], [lambda v: (show("piece", v), v)[1]])
            with multiprocessing.Pool(1) as pool:
                print([(x, type(y) is np.ndarray) for x, y in pool.map(work, [a])])
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                print([(x, type(y) is np.ndarray) for x, y in pool.map(work, [a])])
            class K:
                f = np.sum
                g = np.add
            print(K.f(a), K().g(1, 2))
            try:
                K().f()
            except TypeError as error:
                print("TypeError")
        """,
    )
    assert_same([script], tmp_path)


@pytest.mark.skipif(
    not all(importlib.util.find_spec(n) for n in ("scipy", "pandas", "sklearn")), reason="libraries not installed"
)
@pytest.mark.slow
def test_library_objects_give_ours(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "libraries.py",
        """
        import functools
        import numpy as np
        import pandas as pd
        import scipy.integrate as si
        import scipy.optimize as so
        from sklearn.datasets import load_digits
        from sklearn.linear_model import LinearRegression
        from sklearn.model_selection import KFold

        def show(label, *values):
            print(label, [type(v) is np.ndarray for v in values])

        df = pd.DataFrame({"a": [1.0, 2, 3], "b": [4.0, 5, 6]})
        show("frame", df["a"].values, df.values, df.to_numpy(), df.values.T, df.values[0], df.values[:, 1], df.values.copy())
        model = LinearRegression().fit(df[["a"]].values, df["b"].values)
        show("model", model.coef_, model.coef_.reshape(-1))
        print(model.coef_ is model.coef_, model.coef_.shape, df.values.sum())
        for number, (train, test) in enumerate(KFold(3).split(df.values)):
            show(number, train, test)
        digits = load_digits()
        show("digits", digits.images, digits.images[3], digits["data"])

        def f(x):
            show("f", x)
            return (x**2).sum()

        r = so.minimize(f, np.ones(2), options={"maxiter": 1})
        show("result", r.x, r.jac, r["x"])
        print(r.x is r.x)
        show("lambda", so.root(lambda x: (show("root", x), x - 1)[1], np.zeros(1)).x)

        class Decay:
            k = 2.0
            def rhs(self, t, y):
                assert type(y) is np.ndarray
                return -self.k * y
            def run(self):
                return si.solve_ivp(self.rhs, (0, 1), np.ones(2))

        s = Decay().run()
        show("ivp", s.y, s.t, s.y[0])
        def g(a, x):
            show("partial", x)
            return a * x.sum()
        print(so.approx_fprime(np.ones(2), functools.partial(g, 2.0)))
        coefficients = model.coef_
        coefficients.flags.writeable = False
        try:
            model.coef_[0] = 1
        except ValueError as error:
            print(error)
        """,
    )
    assert_same([script], tmp_path)


def test_work_of_numpys_own_objects_is_counted(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "count.py",
        """
        import numpy as np
        p = np.polynomial.Polynomial([1.0, 2.0])
        x = np.ones(1000)
        y = p(x)
        """,
    )
    ours = run(["-m", "manycore", "run", "--report", script], tmp_path)
    assert "a method of an object of NumPy's own" in ours.stderr
    refused = run(["-m", "manycore", "run", "--fail-on-fallback", script], tmp_path)
    assert refused.returncode == 1 and "FallbackError" in refused.stderr


def test_tracebacks_do_not_show_the_helpers(tmp_path: Path) -> None:
    text = """
        import numpy as np
        import traceback
        rng = np.random.default_rng(0)
        for call in (
            lambda: rng.choice([1, 2], p=[0.5]),
            lambda: np.random.RandomState(0).choice([1, 2], p=[0.5]),
            lambda: np.load("missing.npy"),
        ):
            try:
                call()
            except Exception:
                traceback.print_exc()
        """
    assert_same([write(tmp_path, "trace.py", textwrap.dedent(text))], tmp_path)
