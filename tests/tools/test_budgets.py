"""What a new thing costs is a promise: an elementwise operation is one row and one kernel line, an option is one row, a fusion pass
is one file, its declaration and its line in the list of passes; one that may be left out is named in the row of that option.

All are added to a copy of the sources, which is built and used. It compiles the whole engine, so it runs with the long tests.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROW = 'MANYCORE_OP(cube, 1, 1, floating, all, "bits")\n'
KERNEL_LINE = "  map(b, Op::cube, Floats{}, [](auto x) { return x * x * x; });\n"
OPTION_ROW = 'MANYCORE_OPTION(planted, integer, "7", "an option that a test planted")\n'
PASS_FILE = """
#include <algorithm>
#include <cstdio>

#include "fuse/pass.h"

namespace manycore::fuse {

// FREEs are there or not, by where in the list of passes the line lands.
void planted(Schedule& schedule) {
  const auto computes = [](const Instruction& instruction) { return instruction.kind != Kind::kFree; };
  std::printf("planted: %d instructions\\n", int(std::ranges::count_if(schedule.program.instructions, computes)));
  std::fflush(stdout);
}

}  // namespace manycore::fuse
"""
PASS_DECLARATION = "void planted(Schedule& schedule);\n"
PASS_LINE = '    {"planted", planted, true},\n'
PROGRAM = """
#include <manycore/operations.h>
#include <cstdio>
int main() {
  const double numbers[] = {-2.0, 0.5, 3.0};
  const manycore::Array cubes = manycore::call("cube", {manycore::Array::from<double>(numbers, {3})});
  for (double cube : cubes.elements<double>()) std::printf("%g ", cube);
}
"""


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    result = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, env={**os.environ, **variables}, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def add_after(path: Path, anchor: str, line: str) -> None:
    """One line more, behind the last line that starts with the anchor."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    position = max(number for number, text in enumerate(lines) if text.startswith(anchor))
    path.write_text("".join([*lines[: position + 1], line, *lines[position + 1 :]]), encoding="utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("budget") / "copy"
    for name in ("CMakeLists.txt", "CMakePresets.json", "cmake", "src", "include", "python"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("*.so*", "__pycache__"))
        else:
            copy.mkdir(exist_ok=True)
            shutil.copy(source, copy / name)
    add_after(copy / "src/op/ops.def", "MANYCORE_OP(square,", ROW)
    add_after(copy / "src/kernel/arithmetic.cpp", "  map(b, Op::square, Floats{}", KERNEL_LINE)
    add_after(copy / "src/base/options.def", "MANYCORE_OPTION(", OPTION_ROW)
    (copy / "src/fuse/planted.cpp").write_text(PASS_FILE)
    add_after(copy / "src/fuse/pass.h", "void place_frees(", PASS_DECLARATION)
    add_after(copy / "src/fuse/passes.cpp", '    {"find_common",', PASS_LINE)
    options = copy / "src/base/options.def"
    named, times = re.subn(r"(without_passes, any_of\([^)]*)\)", r"\1, planted)", options.read_text(encoding="utf-8"))
    assert times == 1
    options.write_text(named, encoding="utf-8")
    # What is asked is whether one line each is enough, so nothing is optimised: minutes less to compile.
    quick = ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O0", f"-DPython_EXECUTABLE={sys.executable}"]
    run("cmake", "--preset", "release", *quick, cwd=copy)
    run("cmake", "--build", "--preset", "release", cwd=copy)
    return copy


@pytest.mark.long
def test_an_elementwise_operation_is_one_row_and_one_kernel_line(copy: Path) -> None:
    (copy / "cube.cpp").write_text(PROGRAM)
    library = copy / "python/manycore"
    command = ["g++", "-std=c++20", "-Iinclude", "cube.cpp", "-o", "cube", f"-L{library}", "-lmanycore", f"-Wl,-rpath,{library}"]
    run(*command, cwd=copy)
    assert run("./cube", cwd=copy) == "-8 0.125 27 "


@pytest.mark.long
def test_an_option_is_one_row(copy: Path) -> None:
    manycore = [sys.executable, "-m", "manycore"]
    path = str(copy / "python")
    assert "planted" in run(*manycore, "info", cwd=copy, PYTHONPATH=path, MANYCORE_PLANTED="41")
    help_text = run(*manycore, "--help", cwd=copy, PYTHONPATH=path)
    assert "--planted" in help_text
    assert "an option that a test planted" in help_text
    assert "19" in run(
        *manycore, "run", "--planted", "19", "-c", "import manycore.run.info as i; print(i.text())", cwd=copy, PYTHONPATH=path
    )


@pytest.mark.long
def test_a_fusion_pass_is_one_file_and_one_line(copy: Path) -> None:
    program = "import manycore.numpy as np; a = np.ones(10); print(float((a * 2.0 + 1.0)[3]))"
    record_all = {"PYTHONPATH": str(copy / "python"), "MANYCORE_RECORD_FROM": "0"}
    assert run(sys.executable, "-c", program, cwd=copy, **record_all).splitlines() == ["planted: 2 instructions", "3.0"]
    left_out = run(sys.executable, "-c", program, cwd=copy, **record_all, MANYCORE_WITHOUT_PASSES="planted")
    assert left_out.splitlines() == ["3.0"]
