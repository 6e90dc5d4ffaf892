"""Each wall is tested by planting the breach that it is there to catch."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "check_layers.py"


def run(root: Path) -> tuple[int, str]:
    result = subprocess.run([sys.executable, str(TOOL), str(root)], capture_output=True, text=True, check=False)
    return result.returncode, result.stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in {
        "src/memory/pool.cpp": '#include "memory/pool.h"\n#include "base/errors.h"\n#include <vector>\n',
        "src/memory/pool.h": '#include "manycore/buffer.h"\n',
        "src/base/errors.h": "#include <string>\n",
        "include/manycore/buffer.h": '#include <cstdint>\n#include "manycore/export.h"\n',
        "python/bindings/module.cpp": '#include <Python.h>\n#include "memory/pool.h"\n',
        "python/manycore/nn/layer.py": "import manycore.numpy as np\nfrom .. import numpy\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_tree_in_order_passes(tree: Path) -> None:
    assert run(tree) == (0, "check_layers: the walls stand\n")


def test_this_project_passes() -> None:
    code, output = run(ROOT)
    assert code == 0, output


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("src/memory/pool.h", '#include "evaluate/evaluate.h"\n', "src/memory/pool.h:1: includes evaluate/evaluate.h"),
        ("src/memory/pool.h", "\n#include <Python.h>\n", "src/memory/pool.h:2: includes Python.h"),
        ("src/kernel/add.cpp", "#include <numpy/arrayobject.h>\n", "src/kernel/add.cpp:1: includes numpy/arrayobject.h"),
        ("src/attic/thing.h", "\n", "src/attic/thing.h:1: folder attic/ is not in the list of rooms"),
        ("include/manycore/array.h", '#include "memory/pool.h"\n', "include/manycore/array.h:1: includes memory/pool.h"),
        ("python/manycore/nn/door.py", "from manycore import _core\n", "door.py:1: uses manycore._core"),
        ("python/manycore/nn/door.py", "from .._core import add\n", "door.py:1: uses manycore._core.add"),
        ("src/base/long.h", "//\n" * 401, "src/base/long.h:400: 401 lines; say"),
        ("src/base/long.h", "// Long file: a table\n" + "//\n" * 800, "src/base/long.h:800: 801 lines, expected at most"),
        ("src/memory/pool.cpp", "inline constexpr int kBlock = 256;\n", "src/memory/pool.cpp:1: an inline constant"),
    ],
)
def test_a_planted_breach_is_caught(tree: Path, path: str, text: str, message: str) -> None:
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text(text)
    code, output = run(tree)
    assert code == 1
    assert message in output


def test_a_long_file_with_its_reason_passes(tree: Path) -> None:
    (tree / "src/base/table.def").write_text("// Long file: one row per operation\n" + "//\n" * 500)
    assert run(tree)[0] == 0
