"""The import hook: user code gets manycore.numpy for NumPy, libraries keep the real one, and nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_run_program import ENVIRONMENT, both, run, write


def ours(command: list[str], cwd: Path, **environment: str) -> list[str]:
    done = run(["-m", "manycore", "run", *command], cwd, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "text",
    [
        "import numpy as np",
        "import numpy; np = numpy",
        "import numpy.linalg; np = numpy",
        "import numpy.ma; np = numpy",
        "from numpy import zeros; import numpy as np; assert np.zeros is zeros",
        "import importlib; np = importlib.import_module('numpy')",
        "from importlib import import_module as load; np = load('numpy')",
        "import sys, numpy; np = sys.modules['numpy']",
        "import sys, numpy; np = sys.modules.get('numpy')",
        "from sys import modules; import numpy; np = modules['numpy']",
        "import sys as s, numpy; np = s.modules[numpy.__name__.rpartition('.')[2]]",
        "np = __import__('numpy')",
        "np = __import__('numpy.linalg', fromlist=['norm']) and __import__('numpy')",
        "exec('import numpy as np')",
        "np = eval('__import__(\"numpy\")')",
        "space = {}; exec('import numpy as np', space); np = space['np']",
        "exec(compile('import numpy as np', '<generated>', 'exec'))",
        "def load():\n    import numpy as inner\n    return inner\nnp = load()",
        "class Holder:\n    import numpy as inner\nnp = Holder.inner",
        "import helper; np = helper.np",
        "import package.part; np = package.part.np",
        "from package import part; np = part.np",
        "import importlib.util as u\ns = u.spec_from_file_location('other', 'helper.py'); m = u.module_from_spec(s)\n"
        "s.loader.exec_module(m); np = m.np",
        "import runpy; np = runpy.run_path('helper.py')['np']",
    ],
)
def test_user_code_gets_our_numpy_however_it_asks(tmp_path: Path, text: str) -> None:
    write(tmp_path, "helper.py", "import numpy as np")
    write(tmp_path, "package/__init__.py", "")
    write(tmp_path, "package/part.py", "from .inner import np")
    write(tmp_path, "package/inner.py", "import numpy as np")
    script = write(tmp_path, "main.py", "MARK\nimport manycore.numpy as expected\nprint(np is expected)\n".replace("MARK", text))
    assert ours([script], tmp_path) == ["True"]


def test_a_program_may_put_another_module_in_numpys_place(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "main.py",
        """
        import sys, types
        import numpy as before
        kept = dict(sys.modules)
        sys.modules["numpy"] = None
        try:
            import numpy
        except ModuleNotFoundError as error:
            print(error)
        sys.modules["numpy"] = fake = types.ModuleType("numpy")
        import numpy
        print(numpy is fake, sys.modules["numpy"] is fake)
        sys.modules["numpy"] = kept["numpy"]
        import numpy as after
        print(after is before)
        """,
    )
    plain, run_ours = both([script], tmp_path)
    assert (run_ours.stdout, run_ours.stderr) == (plain.stdout, plain.stderr)


def test_libraries_keep_the_real_numpy(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "main.py",
        """
        import sys, gc
        import scipy.linalg, scipy.special
        import numpy, manycore.numpy
        real = [m for n, m in sys.modules.items() if n == "numpy"][0]
        print(numpy is manycore.numpy, scipy.linalg._basic.np is real, real is not numpy)
        """,
    )
    assert ours([script], tmp_path) == ["True True True"]


def test_errors_of_imports_are_those_of_plain_python(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "main.py",
        """
        import importlib, traceback
        for text in ("import numpy.nothing", "from numpy.nothing import x", "import no_such_package",
                     "importlib.import_module('numpy.nothing')", "import helper"):
            try:
                exec(text)
            except Exception:
                traceback.print_exc()
        """,
    )
    write(tmp_path, "helper.py", "import numpy\n\n\ndef f():\n    return 1 / 0\n\n\nf()\n")
    plain, run_ours = both([script], tmp_path)
    assert run_ours.stderr == plain.stderr


def test_included_packages_are_the_users_and_excluded_ones_are_not(tmp_path: Path) -> None:
    site = tmp_path / "somewhere" / "site-packages"
    write(site, "library.py", "import numpy as np")
    write(tmp_path, "local.py", "import numpy as np")
    script = write(
        tmp_path,
        "main.py",
        "import library, local, manycore.numpy as ours\nprint(library.np is ours, local.np is ours)",
    )
    path = {"PYTHONPATH": f"{site}:{ENVIRONMENT['PYTHONPATH']}"}
    assert ours([script], tmp_path, **path) == ["False True"]
    assert ours(["--include", "library", script], tmp_path, **path) == ["True True"]
    assert ours(["--exclude=local", script], tmp_path, **path) == ["False False"]


def test_editable_installs_are_the_users_code(tmp_path: Path) -> None:
    """Both kinds that installers write into site-packages: a path in a .pth file, and an import hook that it starts."""
    site = tmp_path / "environment" / "site-packages"
    write(tmp_path, "first/by_path.py", "import numpy as np, pluggy\ndef f():\n    return pluggy.HookspecMarker('x')\n")
    write(tmp_path, "second/source/by_hook/__init__.py", "import numpy as np\n")
    write(site, "one.pth", f"{tmp_path}/first\nimport editable_finder\n")
    write(
        site,
        "editable_finder.py",
        f"""
        import sys
        from importlib.util import spec_from_file_location
        class Finder:
            @staticmethod
            def find_spec(name, path=None, target=None):
                if name == "by_hook":
                    return spec_from_file_location(name, {str(tmp_path / "second/source/by_hook/__init__.py")!r})
        sys.meta_path.append(Finder)
        """,
    )
    script = write(
        tmp_path / "work",
        "main.py",
        f"""
        import site, manycore.numpy as ours
        site.addsitedir({str(site)!r})
        import by_path, by_hook
        print(by_path.np is ours, by_hook.np is ours, "__manycore_call__" in by_path.f.__code__.co_names)
        """,
    )
    assert ours([script], tmp_path / "work") == ["True True True"]


def test_bytecode_never_mixes_with_plain_pythons(tmp_path: Path) -> None:
    write(
        tmp_path,
        "helper.py",
        "import pluggy\nmarker = pluggy.HookspecMarker('x')\nnames = marker.__init__.__code__.co_names\n"
        "def f():\n    return pluggy.HookspecMarker('x')\n",
    )
    script = write(tmp_path, "main.py", "import helper\nprint('__manycore_call__' in helper.f.__code__.co_names)\n")
    for _ in range(2):
        plain, run_ours = both([script], tmp_path)
        assert (plain.stdout, run_ours.stdout) == ("False\n", "True\n")
    names = sorted(path.name for path in (tmp_path / "__pycache__").iterdir())
    assert len(names) == 2 and sum("manycore" in name for name in names) == 1
    write(tmp_path, "helper.py", "def f():\n    return 12345678\n")  # a changed source is compiled again
    assert ours([script], tmp_path) == ["False"]


def test_no_bytecode_is_written_when_python_was_told_so(tmp_path: Path) -> None:
    write(tmp_path, "helper.py", "x = 1")
    ours(["-c", "import helper"], tmp_path, PYTHONDONTWRITEBYTECODE="1")
    assert not (tmp_path / "__pycache__").exists()


CHILD = """
import multiprocessing as mp
import sys
import numpy as np
import scipy.special

def work(x):
    import manycore.numpy
    return np is manycore.numpy, "__manycore_call__" in work.__code__.co_names, float(scipy.special.expit(x)[0])

if __name__ == "__main__":
    context = mp.get_context(sys.argv[1])
    with context.Pool(1) as pool:
        print(pool.map(work, [np.zeros(3)]))
    process = context.Process(target=work, args=(np.zeros(2),))
    process.start()
    process.join()
    print(process.exitcode)
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_run_under_the_hook(tmp_path: Path, method: str) -> None:
    assert ours([write(tmp_path, "main.py", CHILD), method], tmp_path) == ["[(True, True, 0.5)]", "0"]


@pytest.mark.slow
def test_pytest_keeps_its_assertion_rewriting(tmp_path: Path) -> None:
    write(
        tmp_path,
        "test_it.py",
        """
        import numpy as np
        import manycore.numpy
        import scipy.special

        def value():
            return scipy.special.expit(0)

        def test_numpy():
            assert np is manycore.numpy
            assert "__manycore_call__" in value.__code__.co_names

        def test_fails():
            assert value() == 2
        """,
    )
    for _ in range(2):  # the second time from pytest's own cache
        done = run(["-m", "manycore", "run", "-m", "pytest", "-q", "-p", "no:cacheprovider"], tmp_path)
        assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
        assert "where" in done.stdout and "= value()" in done.stdout and "__manycore" not in done.stdout
    plain = run(["-m", "pytest", "-q", "-p", "no:cacheprovider"], tmp_path)
    assert "2 failed" in plain.stdout  # plain Python runs plain bytecode


def test_doctest_and_unittest_run_as_user_code(tmp_path: Path) -> None:
    text = """
        import unittest

        def same():
            '''
            >>> import numpy as np, manycore.numpy
            >>> np is manycore.numpy
            True
            '''

        class Case(unittest.TestCase):
            def test_numpy(self):
                import numpy, manycore.numpy
                self.assertIs(numpy, manycore.numpy)
        """
    write(tmp_path, "case.py", text)
    assert ours(["-m", "doctest", "case.py"], tmp_path) == []
    done = run(["-m", "manycore", "run", "-m", "unittest", "case"], tmp_path)
    assert done.returncode == 0 and "Ran 1 test" in done.stderr


@pytest.mark.slow
def test_coverage_pdb_and_tracing_see_the_users_lines(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "main.py",
        """
        import sys, pluggy
        seen = []
        def trace(frame, event, argument):
            if frame.f_code.co_filename == __file__:
                seen.append((frame.f_code.co_name, event, frame.f_lineno))
                return trace
        def work(n):
            marker = pluggy.HookspecMarker(
                "x"
            )
            values = [marker(firstresult=True) for i in range(n)]
            with open(__file__) as f:
                text = f.read()
            return locals().keys()
        sys.settrace(trace)
        names = work(2)
        sys.settrace(None)
        print(seen, sorted(names))
        """,
    )
    plain, run_ours = both([script], tmp_path)
    assert run_ours.stdout == plain.stdout
    commands = "b work\nc\nn\nn\np n\nw\nc\nq\n"
    write(tmp_path, ".pdbrc", commands)
    plain, run_ours = both(["-m", "pdb", script], tmp_path)
    assert run_ours.stdout == plain.stdout


@pytest.mark.slow
def test_the_report_of_children_does_not_replace_the_parents(tmp_path: Path) -> None:
    script = write(tmp_path, "main.py", CHILD)
    ours(["--report=report.json", script, "spawn"], tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["program"] == ["main.py", "spawn"]


HOLDERS = """\
import numpy as np
import pandas as pd

class Holder:
    def __init__(self, values):
        self.values = np.asarray(values)

    def __len__(self):
        return len(self.values)

    def __array__(self, dtype=None, copy=None):
        if dtype is not None:
            return self.values.astype(dtype)
        return self.values

class Child(Holder):
    def __array__(self, dtype=None, copy=None):
        return super().__array__(dtype)

for holder in (Holder([1.0, 4.0]), Child([9, 16])):
    print(np.asarray(holder), np.arange(2.0) + holder, np.sqrt(holder), np.array([holder, holder]), np.asarray(holder, "f4"))
    print(np.concatenate([holder, np.ones(1)]), pd.Series(np.asarray(holder)).sum(), np.polyfit(np.arange(2), holder, 1).round(3))
"""


def test_objects_with_an_array_method_are_arrays_to_numpy(tmp_path: Path) -> None:
    script = write(tmp_path, "main.py", HOLDERS)
    plain, through = both([script], tmp_path)
    assert plain.returncode == 0, plain.stderr
    assert (through.returncode, through.stdout, through.stderr) == (plain.returncode, plain.stdout, plain.stderr)


OVERRIDES = """\
import numpy as np

HANDLED = {np.mean: lambda x: "mean of mine"}

class Mine(np.lib.mixins.NDArrayOperatorsMixin):
    def __init__(self, values):
        self.values = np.asarray(values)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        "What is said here stays the documentation."
        if ufunc is np.multiply:
            return "product"
        inputs = [x.values if isinstance(x, Mine) else x for x in inputs]
        return ufunc in {np.add, np.sin}, isinstance(ufunc, np.ufunc), getattr(ufunc, method)(*inputs, **kwargs)

    def __array_function__(self, func, types, args, kwargs):
        if func is np.sum:
            return "sum of mine"
        return HANDLED[func](*args, **kwargs) if func in HANDLED else NotImplemented

class Tagged(np.ndarray):
    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        print(ufunc is np.add, method)
        inputs = [x.view(np.ndarray) if isinstance(x, Tagged) else x for x in inputs]
        return super().__array_ufunc__(ufunc, method, *inputs, **kwargs)

    def __array_function__(self, func, types, args, kwargs):
        print(func is np.concatenate)
        return super().__array_function__(func, types, args, kwargs)

m, t = Mine([1, 2]), np.arange(3).view(Tagged)
print(m + 1, 2 * m, np.arange(2) + m, np.sin(m), np.add.reduce(m), np.multiply(m, 2), np.sum(m), np.mean(m))
print(t + 1, np.arange(3) * t, np.concatenate([t, t]), type(np.concatenate([t, t])), t.sum(), Mine.__array_ufunc__.__doc__)
np.std(m)
"""


def test_overrides_are_given_the_programs_own_functions(tmp_path: Path) -> None:
    script = write(tmp_path, "main.py", OVERRIDES)
    plain, through = both([script], tmp_path)
    assert "no implementation found for 'numpy.std'" in plain.stderr
    assert through.stdout == plain.stdout and through.stderr.splitlines()[-1] == plain.stderr.splitlines()[-1]
