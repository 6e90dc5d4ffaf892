"""Programs of the kind that look closely at NumPy itself: they print the same under `manycore run` as in plain Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_run_program import assert_same, run, write

pytestmark = pytest.mark.slow  # a program for each case

PROGRAMS = {
    "errors of nditer, and what its class says": """
        import copy, traceback
        import numpy as np
        a = np.arange(6.0).reshape(2, 3)
        for arguments in (lambda: ([a, np.ones(4)],), lambda: (), lambda: (a, ["foo"]), lambda: (a, [], [], [], [], 1, 2, 3, 4, 5)):
            try:
                np.nditer(*arguments())
            except (TypeError, ValueError):
                traceback.print_exc()
        try:
            class Own(np.nditer):
                pass
        except TypeError:
            traceback.print_exc()
        it = np.nditer([a, None])
        print(type(it) is np.nditer, isinstance(it, np.nditer), type(np.nditer), np.nditer.__doc__[:40], dir(it) == dir(np.nditer))
        other = copy.copy(it)
        for x, y in other:
            y[...] = -x
        print(other.operands[1], isinstance(copy.copy(it), np.nditer), it.iterindex, np.nditer.reset)
        outer, inner = np.nested_iters(a, [[0], [1]])
        print(isinstance(inner, np.nditer), [[float(x) for x in inner] for _ in outer])
    """,
    "the first call of a function that NumPy writes in Python warns at the user's line": """
        import numpy as np
        np.nanmean(np.full(3, np.nan))
        np.nanstd(np.full(3, np.nan))
        import warnings
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            np.nanmedian(np.full(3, np.nan))
            np.nanvar(np.full(3, np.nan))
        print([(w.filename == __file__, w.lineno, str(w.message)) for w in caught])
    """,
    "functions are the same objects after copying and pickling": """
        import copy, pickle
        import numpy as np
        for f in (np.add, np.sum, np.linalg.norm, np.dot, np.ndarray, np.float64):
            print(f.__name__, pickle.loads(pickle.dumps(f)) is f, copy.copy(f) is f, copy.deepcopy(f) is f, copy.deepcopy([f])[0] is f)
    """,
    "names that NumPy does not have": """
        import sys, traceback
        import numpy as np
        def attempt(text):
            try:
                exec(text, globals())
            except Exception:
                traceback.print_exc()
        for text in ("np.foo", "np.bool8", "np.linalg.foo", "np.random.foo", "from numpy import foo", "from numpy.linalg import foo",
                     "import numpy.foo", "np.float_", "np.zero(3)", "getattr(np, 'nothing')", "np.linalg.nrom"):
            attempt(text)
        print(getattr(np, "nothing", 1), hasattr(np, "nothing"), hasattr(np.fft, "nothing"))
    """,
    "the module answers as NumPy": """
        import inspect, sys
        import numpy as np
        from numpy import linalg, random, fft
        import numpy.ma as ma
        for module in (np, linalg, random, fft, ma, np.lib, np.lib.stride_tricks, np.testing, np.polynomial):
            print(module, module.__name__, module.__file__, module.__spec__.name, module.__package__, module.__doc__, type(module))
            print(inspect.ismodule(module), sorted(dir(module)), sorted(module.__all__) if hasattr(module, "__all__") else None)
        print(np.__version__, inspect.getmodule(np.sum).__name__, np.__dict__["sum"] is np.sum, sys.modules["numpy"] is np)
    """,
    "signatures, texts and kinds of functions": """
        import inspect, pydoc
        import numpy as np
        for f in (np.sum, np.mean, np.linalg.norm, np.add, np.dot, np.array, np.concatenate, np.linspace, np.where):
            try:
                print(inspect.signature(f))
            except ValueError as error:
                print(error)
            print(f.__name__, f.__module__, f.__doc__[:60], callable(f))
        print(inspect.isfunction(np.sum), inspect.isroutine(np.sum), inspect.ismethod(np.sum), inspect.isbuiltin(np.sum))
        print(type(np.add), type(np.sum), inspect.getsource(np.sum)[:30], np.sum.__qualname__, np.ndarray)
        print(np.dot, str(np.array), repr(np.add))
        for f in (np.sum, np.add, np.linalg.norm):
            print(pydoc.plain(pydoc.render_doc(f)))
    """,
    "methods of ndarray and their texts": """
        import inspect
        import numpy as np
        a = np.ones(2)
        for name in ("sum", "reshape", "sort", "tolist", "__add__", "shape", "T", "__array__", "astype", "resize"):
            for f in (getattr(np.ndarray, name), getattr(a, name) if name not in ("shape", "T") else np.ndarray.shape):
                try:
                    print(inspect.signature(f) if inspect.isroutine(f) else "an attribute")
                except (TypeError, ValueError):
                    print("no signature")
                print(f.__doc__, inspect.isroutine(f), inspect.isdatadescriptor(f), inspect.ismethoddescriptor(f), f.__name__)
        print(np.random.RandomState, np.random.Generator, np.nditer)
    """,
    "subclasses of ndarray with other bases": """
        import abc, collections
        from typing import Any, Generic, TypeVar
        import numpy as np
        T = TypeVar("T")
        class A(np.ndarray, abc.ABC):
            pass
        class B(np.ndarray, Generic[T]):
            pass
        class M(type):
            pass
        class C(np.ndarray, metaclass=M):
            pass
        class D(abc.ABC, np.ndarray):
            @abc.abstractmethod
            def f(self): ...
        class E(np.ndarray):
            def __array_finalize__(self, other):
                self.unit = getattr(other, "unit", None)
            def __init_subclass__(cls, k=0):
                cls.k = k
        class F(E, k=2):
            pass
        for cls in (A, B, C, D, E, F):
            print(cls, type(cls), cls.__mro__, cls.__bases__, issubclass(cls, np.ndarray))
        x = np.zeros(3).view(A)
        print(isinstance(x, A), isinstance(np.zeros(3), A), isinstance(x, np.ndarray), type(x), x, B[int], F.k)
        print(C((2,)).shape, type(np.arange(3).view(E) + 1), type(type("G", (np.ndarray,), {})((2,))))
    """,
    "types in annotations, dispatch and patterns": """
        import dataclasses, functools, typing
        from typing import Any, Optional, Union
        import numpy as np
        import numpy.typing as npt
        print(np.ndarray[Any, np.dtype[np.float64]], npt.NDArray[np.float64], npt.ArrayLike, Optional[np.ndarray], np.ndarray | None)
        print(typing.get_origin(npt.NDArray[np.int8]), Union[np.ndarray, int])
        @dataclasses.dataclass
        class D:
            x: np.ndarray
            y: npt.NDArray[np.float64] = dataclasses.field(default_factory=lambda: np.zeros(2))
        print(D(np.ones(2)), typing.get_type_hints(D), dataclasses.asdict(D(np.ones(1))), dataclasses.replace(D(np.ones(1)), x=1))
        @functools.singledispatch
        def f(x):
            return "other"
        @f.register(np.ndarray)
        def _(x):
            return "array"
        @f.register
        def _(x: np.float64):
            return "float64"
        print(f(np.zeros(2)), f(1), f(np.float64(1)), f(np.zeros(2, "M8[s]")), f(np.ma.zeros(2)), f(np.zeros(2).view(np.matrix)))
        match np.zeros(3):
            case np.ndarray(shape=(3,), ndim=n) as a:
                print("matched", n, a)
        x, dates = np.ones(2), np.zeros(2, "M8[s]")
        print(type(x) is np.ndarray, type(x) == np.ndarray, type(dates) == np.ndarray, type(np.matrix([1])) == np.ndarray)
        print({np.ndarray: 1}.get(type(dates)), x.__class__ == np.ndarray, x.__class__ != np.ndarray, {np.ndarray} == {x.__class__})
        print(isinstance(x, (list, np.ndarray)), issubclass(np.matrix, np.ndarray), np.ndarray == 1, np.ndarray != int)
    """,
    "names of NumPy that a program replaces": """
        from unittest import mock
        import numpy as np
        import scipy.linalg
        with mock.patch("numpy.random.rand", return_value=3), mock.patch("numpy.linalg.norm", lambda *a: "patched"):
            print(np.random.rand(2), np.linalg.norm([1, 2]))
        with mock.patch.object(np, "sum", lambda a: -1):
            print(np.sum([1, 2]), np.mean([1.0, 2.0]))
        with mock.patch("numpy.linalg.svd", side_effect=ValueError("no")):
            try:
                np.linalg.matrix_rank(np.eye(2))
            except ValueError as error:
                print(error)
        print(np.sum([1, 2]), np.linalg.norm([3, 4]), np.random.rand(2).shape, np.linalg.matrix_rank(np.eye(2)))
        plain = np.median
        np.median = lambda a, **k: "mine"
        from numpy import median
        print(median([1]), np.median([1, 2]), "median" in vars(np))
        np.median = plain
        np.own = 5
        print(np.own, np.median([1, 2]), median is np.median)
        del np.own
        print(hasattr(np, "own"))
    """,
    "iterators over arrays": """
        import numpy as np
        def show(*values):
            print([type(v) is np.ndarray for v in values], *values)
        a = np.arange(6.0).reshape(2, 3)
        f = a.flat
        show(f[1:3], f[[0, 2]], f[a.ravel() > 2], f[4], f.copy(), f.base, f[...])
        print(f.base is a, len(f), f.coords, f.index, next(f), next(f), f.coords, list(f)[-1], isinstance(f, np.flatiter))
        a.flat = 7
        a.flat[2] = 1
        a.flat[[0, 1]] = np.array([5.0, 6.0])
        a.flat = a.T.flat
        show(a, np.array(a.flat), np.sum(a.flat), np.asarray(a.T.flat), a.flat == 7, a + a.flat.copy()[0], sum(a.flat), max(a.flat))
        for x in np.nditer(a):
            show(x)
            break
        with np.nditer(a, op_flags=["readwrite"]) as it:
            for x in it:
                x[...] = 2 * x
            print(it.operands[0] is a, it.nop)
        it = np.nditer([a, None], flags=["external_loop"])
        for x, y in it:
            y[...] = x + 1
        show(it.operands[1], *np.nditer(a, flags=["external_loop"]))
        it = np.nditer(a, flags=["multi_index"])
        while not it.finished:
            print(it.multi_index, it[0], it.value, end=" ")
            it.iternext()
        it.reset()
        print(isinstance(it, np.nditer), it.copy().multi_index, it.has_index)
        print(list(np.ndenumerate(a)), list(np.ndindex(2, 2)), [type(i) for i in np.broadcast(a, 1)][:1])
        show(*a, *np.split(a, 3, axis=1), *np.array_split(a, 2), *np.broadcast_arrays(a, a[0]), *a.T, *np.nonzero(a), *np.meshgrid(a[0], a[0]))
        try:
            a.flat[10]
        except IndexError as error:
            print(error)
        try:
            a.flat + 1
        except TypeError as error:
            print(error)
    """,
    "protocols of the user's classes in texts that are executed": """
        import doctest, json, sys, types
        import numpy as np
        TEXT = '''
        class Wrapped:
            def __init__(self, a): self.a = a
            def __array__(self, dtype=None, copy=None): return self.a
        class Logged:
            def __array_ufunc__(self, ufunc, method, *inputs, **kwargs): return ufunc is np.add, method
            def __array_function__(self, function, types, args, kwargs): return function is np.sum
        '''.replace("\\n        ", "\\n")
        space = {"np": np}
        exec(TEXT, space)
        exec(compile(TEXT, "<made>", "exec"), globals())
        for names in (space, globals()):
            print(np.add(np.ones(2), names["Wrapped"](np.ones(2))), np.asarray(names["Wrapped"](np.ones(2))))
            print(np.add(1, names["Logged"]()), np.sum(names["Logged"]()))
        def f():
            here = 5
            exec("print(here)")
            space = {}
            exec("import json\\nx = here", globals(), {"here": here} | space)
            try:
                exec("import json\\nx = (")
            except SyntaxError as error:
                print(error)
            exec("from __future__ import annotations\\nimport json\\ndef g(x: undefined): pass\\nprint(g.__annotations__)")
            return sorted(locals())
        print(f(), exec, exec.__module__)
        class Documented:
            '''
            >>> class Logged:
            ...     def __array_ufunc__(self, ufunc, method, *inputs, **kwargs): return ufunc is np.add, method
            >>> np.add(1, Logged())
            (True, '__call__')
            '''
        examples = doctest.DocTestFinder().find(Documented, "examples", globs={"np": np})[0]
        print(doctest.DocTestRunner().run(examples))
    """,
    "an array that is given as out comes back": """
        import datetime
        import numpy as np
        a, b = np.ones(3), np.ones(3)
        big, matrix, view = np.zeros(3, ">f8"), np.matrix([1.0, 2.0, 3.0]), np.zeros(3).view(np.recarray)
        for out in (big, matrix, view, np.ma.zeros(3), np.zeros(3, np.longdouble), np.zeros(3)):
            print(np.add(a, b, out=out) is out, np.add(a, b, out) is out, np.multiply(a, 2, out=(out,)) is out)
        for out in (np.zeros(3, ">f8"), np.zeros(3)):
            print(np.cumsum(a, out=out) is out, np.clip(a, 0, 1, out=out) is out, np.take(a, [0, 1, 2], out=out, mode="clip") is out)
            print(np.round(a, 1, out=out) is out, np.einsum("i,i->i", a, b, out=out) is out, out)
        o = np.zeros((), ">f8")
        print(np.sum(a, out=o) is o, a.sum(out=o) is o, np.mean(a, out=o) is o, np.median(a, out=o) is o, np.dot(a, b), o)
        x = np.zeros(3, ">f8")
        y = x
        x += a
        x[1:] *= 2
        print(x is y, x)
    """,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_behaves_as_in_plain_python(name: str, tmp_path: Path) -> None:
    assert assert_same([write(tmp_path, "program.py", PROGRAMS[name])], tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("missing/report.json", "no folder 'missing'; try mkdir -p missing"),
        ("folder", "a folder; try folder/report.json"),
    ],
)
def test_a_report_that_cannot_be_written_is_refused_before_the_program_runs(where: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    script = write(tmp_path, "program.py", "print('ran')\n")
    refused = run(["-m", "manycore", "run", f"--report={where}", script], tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert (
        refused.stderr == f"manycore: --report: cannot write {where!r}, expected a file in a folder that is there, got {text}\n"
    )
    allowed = run(["-m", "manycore", "run", "--report=folder/report.json", script], tmp_path)
    assert (allowed.returncode, allowed.stdout) == (0, "ran\n") and (tmp_path / "folder/report.json").exists()
