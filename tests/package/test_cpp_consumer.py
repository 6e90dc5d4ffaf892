"""The C++ examples, built as a project of its own with find_package(manycore) and run."""

import subprocess
from pathlib import Path

from installed import ROOT, Installed

EXPECTED = "".join((ROOT / "examples/cpp" / name).read_text() for name in ("expected.txt", "queens_expected.txt"))


def build_and_run(prefix: Path, build: Path) -> str:
    configure = ["cmake", "-S", str(ROOT / "examples/cpp"), "-B", str(build), "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}"]
    for command in (configure, ["cmake", "--build", str(build)]):
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
    programs = [str(build / name) for name in ("standardize", "queens")]
    return "".join(subprocess.run([program], capture_output=True, text=True, check=True).stdout for program in programs)


def test_it_runs_against_an_installed_prefix(tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    subprocess.run(["cmake", "--install", str(ROOT / "build/dev"), "--prefix", str(prefix)], check=True, capture_output=True)
    assert not list(prefix.rglob("*.py")), "a C++ prefix holds no Python"
    assert build_and_run(prefix, tmp_path / "build") == EXPECTED


def test_it_runs_against_the_wheel(installed: Installed, tmp_path: Path) -> None:
    assert build_and_run(installed.site / "manycore", tmp_path / "build") == EXPECTED


def test_another_version_is_refused(tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    subprocess.run(["cmake", "--install", str(ROOT / "build/dev"), "--prefix", str(prefix)], check=True, capture_output=True)
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(p CXX)\nfind_package(manycore 9 REQUIRED)\n"
    )
    command = ["cmake", "-G", "Ninja", "-S", str(tmp_path), "-B", str(tmp_path / "b"), f"-DCMAKE_PREFIX_PATH={prefix}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "manycore" in result.stderr
