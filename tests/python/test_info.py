"""`manycore info` prints what the process sees, and options with where they come from."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from manycore import _core
from manycore.run import info, options
from test_run_program import run


def test_hardware_versions_and_options_are_printed(tmp_path: Path) -> None:
    done = run(["-m", "manycore", "info"], tmp_path, MANYCORE_THREADS="1")
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line.startswith("  ")}
    usable = len(os.sched_getaffinity(0))
    assert f"usable of {os.cpu_count()}" in rows["cores"] and int(rows["cores"].split()[1]) <= usable
    assert any(level in rows["SIMD"] for level in ("sse4", "avx2", "avx512", "neon", "scalar"))
    assert all(cache in rows["caches"] for cache in ("L1", "L2", "L3"))
    assert "from: " in rows["memory"] or "memory limit" in done.stdout
    assert numpy.__version__ in rows["numpy"] and platform.python_version() in rows["python"]
    assert rows["threads"].endswith("1 (from: environment MANYCORE_THREADS; MANYCORE_THREADS)")
    assert "off (from: default; MANYCORE_EAGER)" in rows["eager"]


def test_every_option_of_the_table_is_a_flag_and_stands_in_the_help(tmp_path: Path) -> None:
    help_text = run(["-m", "manycore", "--help"], tmp_path).stdout
    for command in ("run", "verify", "info"):
        assert run(["-m", "manycore", command, "--help"], tmp_path).stdout == help_text
    for row in options.rows():
        assert f"--{row.name.replace('_', '-')}" in help_text and row.help in help_text
        assert options.environment_name(row) in info.text()


def test_flags_win_over_the_environment_and_are_checked(tmp_path: Path) -> None:
    show = "from manycore import _core; print(_core.get_option('threads'), _core.get_option('eager'))"
    done = run(["-m", "manycore", "run", "--threads=3", "--eager", "-c", show], tmp_path, MANYCORE_THREADS="1")
    assert done.stdout == "3 True\n", done.stderr
    bad = run(["-m", "manycore", "run", "--threads", "many", "-c", "pass"], tmp_path)
    assert bad.returncode == 2 and "expected a whole number" in bad.stderr and "'many'" in bad.stderr
    bad = run(["-m", "manycore", "run", "--simd=avx99", "-c", "pass"], tmp_path)
    assert bad.returncode == 2 and "avx512" in bad.stderr
    bad = run(["-m", "manycore", "run", "--without-passes=drop_unusd", "-c", "pass"], tmp_path)
    assert bad.returncode == 2 and "any of find_common, drop_unused" in bad.stderr and "'drop_unusd'" in bad.stderr
    bad = run(["-m", "manycore", "run", "--blas=/no/such/blas.so", "-c", "pass"], tmp_path)
    assert bad.returncode == 2 and "expected auto, none or a library" in bad.stderr and "'/no/such/blas.so'" in bad.stderr
    bad = run(["-m", "manycore", "run", "--threads"], tmp_path)
    assert (bad.returncode, bad.stderr) == (
        2,
        "manycore: run: option --threads needs a value, expected --threads VALUE, got nothing after it\n",
    )


def test_nonsense_in_the_environment_is_named(tmp_path: Path) -> None:
    for command in (["info"], ["run", "-c", "print(1)"], ["verify", "-c", "print(1)"]):
        done = run(["-m", "manycore", *command], tmp_path, MANYCORE_THREADS="many")
        message = "manycore: MANYCORE_THREADS: expected a whole number that is not negative, got 'many'\n"
        assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


def test_a_mistyped_variable_is_pointed_out(tmp_path: Path) -> None:
    done = run(["-m", "manycore", "info"], tmp_path, MANYCORE_THREAD="2")
    assert done.returncode == 0
    assert "MANYCORE_THREAD" in done.stdout and "not an option; did you mean MANYCORE_THREADS?" in done.stdout


def test_the_machine_is_described_by_the_engine() -> None:
    machine = _core.machine()
    assert 1 <= machine["cores"] <= machine["machine_cores"]
    assert machine["memory_limit"] > 0 and machine["memory_available"] > 0
    assert info.size(machine["l2_bytes"]).endswith("iB")


@pytest.mark.parametrize(("variable", "value"), [("MANYCORE_THREADS", "abc"), ("MANYCORE_SIMD", "avx9")])
def test_a_wrong_environment_variable_is_one_clear_line(variable: str, value: str) -> None:
    environment = {**os.environ, variable: value}
    done = subprocess.run(
        [sys.executable, "-m", "manycore", "run", "-c", "print('ran')"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"manycore: {variable}: expected ")
    assert done.stderr.count("\n") == 1


def test_options_that_list_names_are_read_as_they_were_set() -> None:
    assert _core.get_option("without_passes") == ""
    _core.set_option("without_passes", "find_common,drop_unused")
    try:
        assert _core.get_option("without_passes") == "find_common,drop_unused"
    finally:
        _core.set_option("without_passes", "")
