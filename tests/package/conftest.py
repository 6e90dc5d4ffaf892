"""One empty environment with the built wheel in it, shared by the tests of this folder."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from installed import ROOT, Installed, numpy_wheel


@pytest.fixture(scope="session")
def wheel() -> Path:
    wheels = sorted((ROOT / "dist").glob("manycore-*.whl"))
    assert len(wheels) == 1, f"expected one wheel in dist/, got {wheels}; run script/wheel"
    return wheels[0]


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("empty") / "environment"
    venv.create(folder, with_pip=False, symlinks=True)
    # The environment is filled from outside, so that it holds nothing but NumPy and the wheel: not even pip.
    environment = Installed(folder)
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet", "--no-index"]
        + [str(numpy_wheel()), str(wheel)],
        check=True,
        env={**os.environ, "PIP_FIND_LINKS": ""},
    )
    return environment
