"""`manycore run` behaves as plain Python does: both are run as processes on the same files and compared."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

ENVIRONMENT = {
    key: value for key, value in os.environ.items() if not key.startswith("MANYCORE_") and key != "PYTHONDONTWRITEBYTECODE"
}
# The tests run in folders of their own: a relative path to the package would lead nowhere there.
ENVIRONMENT["PYTHONPATH"] = os.pathsep.join(os.path.abspath(p) for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p)


def run(command: list[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**ENVIRONMENT, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def both(command: list[str], cwd: Path, **environment: str) -> tuple[subprocess.CompletedProcess[str], ...]:
    return run(command, cwd, **environment), run(["-m", "manycore", "run", *command], cwd, **environment)


def assert_same(command: list[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    plain, ours = both(command, cwd, **environment)
    assert (ours.stdout, ours.stderr, ours.returncode) == (plain.stdout, plain.stderr, plain.returncode)
    return ours


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return name


def test_main_module_is_that_of_plain_python(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "sub/show.py",
        """
        import sys, inspect, traceback
        print(sys.argv, __file__, __name__, __package__, __spec__, type(__loader__), __annotations__, __builtins__)
        print([k for k in globals() if k.startswith("__")])
        print(sys.path, sys.modules["__main__"].__dict__ is globals())
        print(len(inspect.stack()))
        traceback.print_stack()
        def depth(n):
            try:
                return depth(n + 1)
            except RecursionError:
                return n
        print(depth(0))
        """,
    )
    assert_same([script, "--flag", "value"], tmp_path)


def test_command_text_and_module_are_run_as_python_runs_them(tmp_path: Path) -> None:
    write(tmp_path, "package/__init__.py", "print('package', __name__)\n")
    write(tmp_path, "package/__main__.py", "import sys\nprint(sys.argv, __package__, __spec__.name, sys.path[0])\n")
    assert_same(["-c", "import sys; print(sys.argv, sys.path[0], sorted(globals()))", "a"], tmp_path)
    assert_same(["-m", "package", "a", "-b"], tmp_path)
    assert_same(["package", "x"], tmp_path)
    assert_same(["-m", "package.missing"], tmp_path)
    assert_same(["-cprint(7)"], tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "import sys; sys.exit()",
        "import sys; sys.exit(0)",
        "import sys; sys.exit(3)",
        "import sys; sys.exit('stopped by hand')",
        "import sys; sys.exit([1])",
        "raise SystemExit",
        "raise KeyboardInterrupt",
        "1 / 0",
        "import os; os._exit(7)",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "def f(:\n  pass",
        "return 3",
        "x = 'unclosed",
        "raise ExceptionGroup('many', [ValueError(1), TypeError(2)])",
        "import atexit; atexit.register(print, 'bye'); raise ValueError('x') from KeyError('y')",
        "import sys; sys.excepthook = lambda *a: print('hook', a[0], a[2].tb_frame.f_code.co_name, a[2].tb_next); 1/0",
        "import threading; t = threading.Thread(target=lambda: 1 / 0, name='T'); t.start(); t.join()",
    ],
)
def test_exit_status_and_messages_are_those_of_plain_python(tmp_path: Path, text: str) -> None:
    assert_same([write(tmp_path, "end.py", text)], tmp_path)


@pytest.mark.parametrize(
    "source",
    [
        b"x = 'caf\xe9'\n",
        b"# coding: latin-1\nprint(ascii('caf\xe9'))\n1 / 0  # \xe9\n",
        b"# coding: utf-8\n# \xe9\n",
        b"# coding: nothing\n",
        b"print(1)\0\n",
        b"\xef\xbb\xbfprint(1)\r\n1 / 0",
    ],
)
def test_files_that_are_no_utf_8_are_read_as_python_reads_them(tmp_path: Path, source: bytes) -> None:
    (tmp_path / "text.py").write_bytes(source)
    plain, ours = (
        subprocess.run([sys.executable, *command, "text.py"], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, check=False)
        for command in ([], ["-m", "manycore", "run"])
    )
    assert (ours.stdout, ours.stderr, ours.returncode) == (plain.stdout, plain.stderr, plain.returncode)


@pytest.mark.parametrize("path", ["./main.py", "part/../main.py", "part/./link.py", ".//main.py", "./part", "part/", "."])
def test_the_path_of_a_program_is_kept_as_it_was_given(tmp_path: Path, path: str) -> None:
    write(tmp_path, "main.py", "import sys\nprint(__file__, sys.argv, sys.path[0])\n1 / 0\n")
    write(tmp_path, "part/__main__.py", "import sys\nprint(__file__, sys.argv, sys.path[0])\n1 / 0\n")
    write(tmp_path, "__main__.py", "import sys\nprint(__file__, sys.argv, sys.path[0])\n")
    (tmp_path / "part/link.py").symlink_to(tmp_path / "main.py")
    assert_same([path], tmp_path)


def test_tracebacks_keep_lines_columns_and_frames(tmp_path: Path) -> None:
    write(
        tmp_path,
        "model.py",
        """
        import _pytest.outcomes as lib
        from pluggy import HookspecMarker, PluginManager

        def deep(value):
            manager = PluginManager("x")
            return (manager
                .get_plugins()
                .union([1], value,
                       3))

        class Thing(PluginManager):
            def __init__(self):
                super().__init__("x", 2, 3, 4, 5)

        def broken():
            HookspecMarker(*5)

        def twice():
            PluginManager(**{"project_name": 1}, **{"project_name": 2})

        def named():
            lib.no_such_function(1)
        """,
    )
    script = write(
        tmp_path,
        "main.py",
        """
        import traceback, model
        for call in (lambda: model.deep(7), model.Thing, model.broken, model.twice, model.named):
            try:
                call()
            except BaseException:
                traceback.print_exc()
        import bad_syntax
        """,
    )
    write(tmp_path, "bad_syntax.py", "import pluggy\npluggy.HookspecMarker('x')\nif :\n")
    ours = assert_same([script], tmp_path)
    assert "^" in ours.stderr and "multiple values" in ours.stderr


def test_warnings_name_the_users_line(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "warn.py",
        r"""
        import warnings, pluggy
        def old():
            warnings.warn("old", DeprecationWarning, stacklevel=2)
        old()
        pluggy.HookspecMarker("x")
        warnings.warn("top", stacklevel=5)
        print("\d" if 1 is 1 else 2)
        """,
    )
    assert_same([script], tmp_path)
    strict = [run(["-W", "error", *command, script], tmp_path) for command in ([], ["-m", "manycore", "run"])]
    assert strict[0].returncode == strict[1].returncode == 1
    assert strict[0].stderr == strict[1].stderr


def test_a_missing_script_is_named_with_a_guess(tmp_path: Path) -> None:
    write(tmp_path, "heat.py", "")
    done = run(["-m", "manycore", "run", "heta.py"], tmp_path)
    assert done.returncode == 2
    assert done.stderr == "manycore: run: no file 'heta.py', expected a Python script; did you mean 'heat.py'?\n"


def test_unknown_options_name_the_choices(tmp_path: Path) -> None:
    done = run(["-m", "manycore", "run", "--thread", "2", "x.py"], tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("manycore: run: option '--thread' is not known; did you mean --threads? choices: --threads, ")
    done = run(["-m", "manycore", "walk"], tmp_path)
    assert done.returncode == 2
    assert done.stderr == "manycore: command 'walk' is not known; choices: run, check, verify, info\n"


def test_devices_are_named_where_one_is_not_known(tmp_path: Path) -> None:
    command = ["-m", "manycore", "run"]
    allowed = run([*command, "--device", "cpu", "-c", "print(1)"], tmp_path, MANYCORE_DEVICE="cpu")
    assert (allowed.returncode, allowed.stdout) == (0, "1\n")
    refused = run([*command, "--device", "abacus", "-c", "print(1)"], tmp_path)
    assert (refused.returncode, refused.stdout, refused.stderr) == (
        2,
        "",
        "manycore: device: expected one of cpu, got 'abacus'\n",
    )
    refused = run([*command, "-c", "print(1)"], tmp_path, MANYCORE_DEVICE="abacus")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "manycore: MANYCORE_DEVICE: expected one of cpu, got 'abacus'\n"


def test_options_end_at_two_dashes_and_an_empty_value_is_refused(tmp_path: Path) -> None:
    script = write(tmp_path, "show.py", "import sys\nprint(sys.argv)\n")
    ended = run(["-m", "manycore", "run", "--threads=1", "--", script, "--", "-a"], tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "['show.py', '--', '-a']\n")
    write(tmp_path, "--odd.py", "import sys\nprint(sys.argv)\n")
    assert run(["-m", "manycore", "run", "--", "--odd.py"], tmp_path).stdout == "['--odd.py']\n"
    assert run(["-m", "manycore", "run", "--", "-c", "print(7)"], tmp_path).stdout == "7\n"
    assert run(["-m", "manycore", "run", "--"], tmp_path).stderr.startswith("manycore: run: no program given, expected a script")
    for option, form in (("--report", "--report[=FILE]"), ("--blas", "--blas=TEXT"), ("--include", "--include=PKG")):
        refused = run(["-m", "manycore", "run", f"{option}=", script], tmp_path)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr == f"manycore: run: option {option}, expected {form}, got nothing after the equals sign\n"


@pytest.mark.parametrize("name", ["random", "json", "difflib", "subprocess", "numbers"])
@pytest.mark.slow
def test_a_file_named_as_a_module_is_found_before_it_as_in_plain_python(tmp_path: Path, name: str) -> None:
    write(tmp_path, f"folder/{name}.py", "print('mine', __name__)\n")
    script = write(tmp_path, "folder/use.py", f"import os, {name}\nprint(os.path.basename({name}.__file__), dir({name}))\n")
    assert_same([script], tmp_path)
    assert_same(["use.py"], tmp_path / "folder")
    assert_same(["-m", "use"], tmp_path / "folder")
    assert_same(["-c", f"import {name}; print({name}.__file__)"], tmp_path / "folder")
    plain, ours = (run(["-P", *command, "use.py"], tmp_path / "folder") for command in ([], ["-m", "manycore", "run"]))
    assert (ours.stdout, ours.stderr, ours.returncode) == (plain.stdout, plain.stderr, plain.returncode)
    report = run(["-m", "manycore", "run", "--report", "use.py"], tmp_path / "folder")
    assert report.returncode == 0 and report.stdout.startswith("mine"), report.stderr


def test_a_program_with_a_numpy_of_its_own_is_run_by_plain_python(tmp_path: Path) -> None:
    write(tmp_path, "numpy.py", "print('mine')\ndef ones(n): return [1] * n\n")
    write(tmp_path, "use.py", "import sys, numpy as np\nprint(np.ones(3), np.__file__, sys.argv)\nsys.exit(4)\n")
    for command in (["use.py", "a b"], ["-m", "use", "-x"]):
        plain, ours = both(command, tmp_path)
        assert (ours.stdout, ours.returncode) == (plain.stdout, plain.returncode) and plain.returncode == 4
        what = f"the program's own numpy in {str(tmp_path)!r} stands in NumPy's place"
        assert ours.stderr == f"manycore: run: {what}, so plain Python runs the program\n"
    refused = run(["-m", "manycore", "run", "--fail-on-fallback", "use.py"], tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "") and "expected NumPy itself" in refused.stderr


@pytest.mark.timed
def test_ctrl_c_ends_the_process_as_plain_python_does(tmp_path: Path) -> None:
    script = write(tmp_path, "wait.py", "import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    results = []
    # A test run that itself was started in the background ignores SIGINT, and its children would inherit that.
    heed = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    for command in ([script], ["-m", "manycore", "run", script]):
        process = subprocess.Popen(
            [sys.executable, "-c", heed, *command],
            cwd=tmp_path,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        while "S" not in Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]:
            pass  # until it sleeps
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        errors = process.stderr.read()
        results.append((process.wait(30), errors))
        assert time.monotonic() - start < 5
        process.stdout.close()
        process.stderr.close()
    assert results[0] == results[1]
    assert results[0][0] == -signal.SIGINT


def test_standard_input_is_run_as_python_runs_it(tmp_path: Path) -> None:
    text = "import sys\nprint(sys.argv, list(globals()), __file__, __cached__)\n1 / 0\n"
    plain, ours = (
        subprocess.run(
            [sys.executable, *command, "-", "a"],
            cwd=tmp_path,
            env=ENVIRONMENT,
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        for command in ([], ["-m", "manycore", "run"])
    )
    assert (ours.stdout, ours.stderr, ours.returncode) == (plain.stdout, plain.stderr, plain.returncode)


def test_an_interrupt_while_numpy_is_imported_is_no_import_error(tmp_path: Path) -> None:
    write(tmp_path, "first/numpy/__init__.py", "raise KeyboardInterrupt\n")  # what Ctrl-C comes to in the middle of the import
    path = os.pathsep.join([str(tmp_path / "first"), ENVIRONMENT["PYTHONPATH"]])
    plain, ours = both(["-c", "import numpy"], tmp_path, PYTHONPATH=path)
    assert ours.returncode == plain.returncode == -signal.SIGINT
    assert ours.stderr.endswith("KeyboardInterrupt\n") and "ImportError" not in ours.stderr
