"""`manycore.install()` and `%load_ext manycore` do for a session what `manycore run` does for a program."""

from __future__ import annotations

import ast
import builtins
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import manycore
import pytest
from manycore import _core
from test_run_program import ENVIRONMENT, write


@pytest.fixture(autouse=True)
def forget_the_user() -> Iterator[None]:
    """Rewritten code outlives uninstall(), and so does the rule whose code is the user's; other tests begin without one."""
    yield
    _core.set_user_files({}, lambda filename: False)


def python(folder: Path, text: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, write(folder, "main.py", text)], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_install_swaps_numpy_from_then_on_and_uninstall_ends_it(tmp_path: Path) -> None:
    write(tmp_path, "helper.py", "import numpy as np, scipy.special\ndef f(x):\n    return scipy.special.expit(x)\n")
    lines = python(
        tmp_path,
        """
        import numpy as before
        import manycore
        manycore.install()
        import numpy as during, helper, manycore.numpy as ours
        print(before is ours, during is ours, helper.np is ours)
        print("__manycore_call__" in helper.f.__code__.co_names, type(helper.f(during.zeros(2))) is type(during.zeros(2)))
        manycore.uninstall()
        import numpy as after
        print(after is before, float(helper.f(during.zeros(2))[0]))
        """,
    )
    assert lines == ["False True True", "True True", "True 0.5"]


def test_uninstall_puts_everything_back() -> None:
    before = (builtins.__import__, builtins.compile, importlib.import_module, list(sys.meta_path))
    manycore.install(include=["something"])
    manycore.install()
    assert builtins.__import__ is not before[0]
    manycore.uninstall()
    assert (builtins.__import__, builtins.compile, importlib.import_module, list(sys.meta_path)) == before


class Shell:
    """What IPython's shell offers to an extension."""

    def __init__(self) -> None:
        self.ast_transformers: list[Any] = []
        self.user_ns: dict[str, Any] = {"__name__": "__main__"}
        self.cells = 0

    def push(self, names: dict[str, Any]) -> None:
        self.user_ns.update(names)

    def run(self, text: str) -> None:
        tree: Any = ast.parse(text)
        for transformer in self.ast_transformers:
            tree = transformer.visit(tree)
        self.cells += 1
        exec(compile(tree, f"<ipython-input-{self.cells}>", "exec"), self.user_ns)


def test_cells_of_a_notebook_cross_and_remember_names() -> None:
    import numpy

    shell = Shell()
    shell.run("import numpy as np")
    assert shell.user_ns["np"] is numpy
    manycore.load_ipython_extension(shell)
    try:
        import manycore.numpy as ours

        assert shell.user_ns["np"] is ours
        shell.run("import numpy.linalg as la, scipy.sparse as sparse\nm = sparse.eye(2).tocsr()")
        shell.run("r = m.dot(np.ones(2))")
        assert type(shell.user_ns["r"]) is type(ours.ones(2))
        assert shell.user_ns["la"] is ours.linalg
    finally:
        manycore.unload_ipython_extension(shell)
    assert shell.ast_transformers == []


def test_a_real_ipython_shell_loads_the_extension() -> None:
    interactive = pytest.importorskip("IPython.core.interactiveshell")
    shell = interactive.InteractiveShell.instance()
    try:
        shell.run_cell("%load_ext manycore")
        result = shell.run_cell("import numpy as np, manycore.numpy\nnp is manycore.numpy")
        assert result.result is True
    finally:
        shell.run_cell("%unload_ext manycore")
        interactive.InteractiveShell.clear_instance()


def test_the_package_offers_its_few_names() -> None:
    assert SimpleNamespace(**{name: getattr(manycore, name) for name in manycore.__all__}).__version__ == manycore.__version__
    assert manycore.__version__.count(".") == 2
