"""The scripts say what they take, before they install or build anything, from whichever folder they are called."""

import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "script"


def call(name: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPTS / name, *arguments], cwd=folder, capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize("name", ["run", "test", "build", "setup", "lint"])
def test_help_is_the_head_of_the_script(name: str, tmp_path: Path) -> None:
    done = call(name, "--help", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"script/{name}" in done.stdout
    assert all(f"# {line}" in (SCRIPTS / name).read_text(encoding="utf-8") for line in done.stdout.splitlines())


@pytest.mark.parametrize("name", ["test", "build", "setup", "lint"])
def test_an_unknown_argument_is_named_and_the_choices_follow(name: str, tmp_path: Path) -> None:
    done = call(name, "--bad", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{name}: '--bad' is not known\n") and f"script/{name}" in done.stderr


def test_a_missing_program_is_said_before_anything_is_set_up(tmp_path: Path) -> None:
    done = call("run", "nofile.py", folder=tmp_path)
    assert (done.returncode, done.stderr) == (2, "run: no file 'nofile.py', expected a Python script\n")


def test_a_sanitizer_has_to_be_named(tmp_path: Path) -> None:
    done = call("sanitize", folder=tmp_path)
    assert done.returncode == 2 and "script/sanitize asan" in done.stderr
