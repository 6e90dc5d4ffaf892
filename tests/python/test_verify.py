"""`manycore verify`: two processes, everything that they leave behind compared."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy
import pytest
from manycore.run.compare import EXACT, Tolerance, compare_files, compare_text, script_tolerance
from manycore.run.verify import format_result, run_both
from manycore.run.written_files import WatchedFolders
from test_run_program import ENVIRONMENT, run, write

# A program that behaves differently under manycore, as no right one does: it asks who runs it.
CHEAT = "import os, sys\nours = 'manycore' in sys.modules\n"


def test_equal_runs_are_equal_and_leave_the_plain_runs_files(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "program.py",
        """
        import numpy as np, pathlib, sys
        pathlib.Path("out").mkdir(exist_ok=True)
        np.save("out/a.npy", np.arange(3.0))
        np.savez("out/b.npz", x=np.ones(2))
        np.savetxt("out/c.csv", np.eye(2), delimiter=",")
        with open("log.txt", "a") as log:
            log.write("started\\n")
        print("mean", np.arange(3.0).mean(), sys.argv[1:])
        sys.exit(3)
        """,
    )
    write(tmp_path, "log.txt", "before\n")
    result = run_both([script, "x"], cwd=tmp_path)
    assert result.equal, result.differences
    assert result.exit_codes == (3, 3)
    assert result.files == ["log.txt", "out/a.npy", "out/b.npz", "out/c.csv"]
    assert (tmp_path / "log.txt").read_text() == "before\nstarted\n"  # both runs began with the same file
    assert numpy.load(tmp_path / "out/a.npy").tolist() == [0, 1, 2]
    assert result.plain_seconds > 0 and result.manycore_seconds > 0 and result.ratio > 0
    assert result.native_share is not None and 0 <= result.native_share <= 1
    assert format_result(result).startswith("equal: stdout, exit code 3 and log.txt, out/a.npy")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "difference"),
    [
        ("print(1 + ours)", "stdout: line 1: '1' in plain Python, '2' under manycore"),
        ("sys.exit(4 + ours)", "exit code: 4 in plain Python, 5 under manycore"),
        ("open('f.bin', 'wb').write(bytes([1, 2 + ours]))", "f.bin: byte 1 is 2 in plain Python, 3 under manycore"),
        ("if ours: os.remove('program.py')", "program.py: removed under manycore only"),
        ("if not ours: os.remove('program.py')", "program.py: removed by plain Python only"),
        ("os.symlink('b' if ours else 'a', 'link')", "link: a link to 'a' in plain Python, a link to 'b' under manycore"),
        ("open('link', 'w') if ours else os.symlink('a', 'link')", "link: a link to 'a' in plain Python, a file under manycore"),
        ("if ours: open('extra', 'w')", "extra: written under manycore only"),
        ("if not ours: open('extra', 'w')", "extra: written by plain Python only"),
        ("open('t.csv', 'w').write(f'a,{1 + ours}')", "t.csv: line 1: 'a,1' in plain Python, 'a,2' under manycore"),
        (
            "import numpy as np; np.save('a.npy', np.array([1.0, 2.0 + ours]))",
            "a.npy: 1 of 2 values differ, the first at (1,): np.float64(2.0) in plain Python, np.float64(3.0) under manycore",
        ),
        (
            "import numpy as np; np.savez('a.npz', x=np.ones(2 + ours))",
            "a.npz: array 'x': shape (2,) in plain Python, (3,) under manycore",
        ),
        (
            "import numpy as np; np.save('a.npy', np.ones(2, 'f4' if ours else 'f8'))",
            "a.npy: dtype float64 in plain Python, float32 under manycore",
        ),
    ],
)
def test_every_difference_is_found_and_named(tmp_path: Path, text: str, difference: str) -> None:
    result = run_both([write(tmp_path, "program.py", CHEAT + text)], cwd=tmp_path)
    assert [str(found) for found in result.differences] == [difference]


def test_numbers_within_the_stated_tolerance_are_equal(tmp_path: Path) -> None:
    text = CHEAT + "import numpy as np\nv = 1.0 + 1e-9 * ours\nprint('value:', v)\nnp.save('a.npy', np.array([v]))\n"
    script = write(tmp_path, "program.py", text)
    assert not run_both([script], cwd=tmp_path).equal
    assert run_both([script], cwd=tmp_path, tolerance=Tolerance(rtol=1e-8)).equal
    script = write(tmp_path, "program.py", "# tolerance: rtol=1e-8 atol=0\n" + text)
    result = run_both([script], cwd=tmp_path)
    assert result.equal and str(result.tolerance) == "rtol=1e-08 atol=0"


def test_both_runs_start_without_the_folders_and_links_of_the_other(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "program.py",
        """
        import os
        os.makedirs("out/empty")
        open("out/run1.txt", "w").write("1")
        os.symlink("run1.txt", "out/latest")
        os.symlink("out", "newest")
        os.replace("old.txt", "renamed.txt")
        os.rmdir("gone")
        os.unlink("moved"); os.symlink("b", "moved")
        """,
    )
    write(tmp_path, "old.txt", "old\n")
    (tmp_path / "gone").mkdir()
    (tmp_path / "moved").symlink_to("a")
    result = run_both([script], cwd=tmp_path, repeats=2)
    assert result.equal, result.differences
    assert result.exit_codes == (0, 0)
    assert result.files == ["moved", "newest", "out/latest", "out/run1.txt", "renamed.txt"]
    assert (tmp_path / "out/empty").is_dir() and (tmp_path / "newest").readlink() == Path("out")
    assert (tmp_path / "renamed.txt").read_text() == "old\n" and not (tmp_path / "old.txt").exists()
    assert (tmp_path / "moved").readlink() == Path("b")


@pytest.mark.slow
def test_the_command_prints_times_and_fails_on_a_difference(tmp_path: Path) -> None:
    write(tmp_path, "same.py", "print(1)")
    write(tmp_path, "other.py", CHEAT + "print(ours)")
    good = run(["-m", "manycore", "verify", "same.py"], tmp_path)
    assert good.returncode == 0 and good.stdout.startswith("equal: stdout, exit code 0 (tolerance: exact)\nplain Python ")
    assert "ratio" in good.stdout
    bad = run(["-m", "manycore", "verify", "--repeats", "2", "other.py"], tmp_path)
    assert bad.returncode == 1 and bad.stdout.startswith("different (tolerance: exact):\n  stdout: line 1:")
    none = run(["-m", "manycore", "verify", "no.py"], tmp_path)
    assert (none.returncode, none.stdout) == (2, "") and "no file 'no.py'" in none.stderr
    module = run(["-m", "manycore", "verify", "--rtol=0.5", "-m", "same"], tmp_path)
    assert module.returncode == 0 and "rtol=0.5" in module.stdout


@pytest.mark.slow
def test_the_peak_of_memory_is_each_process_own(tmp_path: Path) -> None:
    """Of a chain NumPy holds an intermediate result besides the input and the result; fused it is never there."""
    script = write(tmp_path, "chain.py", "import numpy as np\na = np.full(8_000_000, 0.5)\nb = np.sqrt(np.sin(a))\nprint(b[7])\n")
    held = bytearray(b"x") * 400_000_000  # what the process that compares holds does not count
    result = run_both([script], cwd=tmp_path, tolerance=Tolerance(rtol=1e-12))
    assert len(held) == 400_000_000 and result.equal, result.differences
    array = 64_000_000
    assert 3 * array < result.plain_peak_bytes < 5 * array
    assert 2 * array < result.manycore_peak_bytes < result.plain_peak_bytes - 0.8 * array
    assert "peak memory: plain Python 2" in format_result(result)


def test_a_program_that_dies_of_a_signal_is_compared_too(tmp_path: Path) -> None:
    result = run_both(["-c", "import os; os.kill(os.getpid(), 9)"], cwd=tmp_path)
    assert result.equal and result.exit_codes == (-9, -9)


def test_both_sides_run_the_same_interpreter(tmp_path: Path) -> None:
    result = run_both(["-c", "import sys; print(sys.executable)"], cwd=tmp_path)
    assert result.equal and result.plain_stdout.strip() == sys.executable


def test_text_is_compared_number_by_number() -> None:
    loose = Tolerance(rtol=1e-6)
    assert compare_text("a=1.0000000 [2.5, nan]\n", "a=1.0000001 [2.5,  nan]\n", loose) is None
    assert compare_text("a=1.0\n", "b=1.0\n", loose) == "line 1: 'a=1.0' in plain Python, 'b=1.0' under manycore"
    assert compare_text("1\n2\n", "1\n", loose) == "2 lines in plain Python, 1 under manycore"
    assert compare_text("1.0\n", "1.00\n", EXACT) == "line 1: '1.0' in plain Python, '1.00' under manycore"
    assert compare_text("inf\n", "1e308\n", loose) is not None
    assert compare_text("(1.0+2.0j)\n", "(1.0+2.0000001j)\n", loose) is None
    assert compare_text("(1.0+2.0j)\n", "(1.0+2.1j)\n", loose) is not None


def test_arrays_are_compared_by_value(tmp_path: Path) -> None:
    def written(name: str, values: object) -> Path:
        numpy.save(tmp_path / name, values)
        return tmp_path / name

    nan = numpy.array([numpy.nan, 1.0])
    assert compare_files(written("a.npy", nan), written("b.npy", nan.copy()), EXACT) is None
    assert (
        compare_files(written("a.npy", numpy.asfortranarray(numpy.eye(3) * 2)), written("b.npy", numpy.eye(3) * 2), EXACT) is None
    )
    assert compare_files(written("a.npy", numpy.array([10])), written("b.npy", numpy.array([11])), Tolerance(rtol=1)) is not None
    assert compare_files(written("a.npy", numpy.array(["x"])), written("b.npy", numpy.array(["y"])), EXACT) == "values differ"


def test_a_tolerance_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text("# tolerance: about right\n")
    with pytest.raises(
        ValueError, match="^tolerance: 'about' is not a tolerance, expected 'exact' or 'rtol=NUMBER atol=NUMBER', got"
    ):
        script_tolerance(path)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--repeats=0", "manycore: verify: repeats, expected a number of runs from 1, got 0\n"),
        ("--rtol=-1", "manycore: tolerance: rtol is not a tolerance, expected a finite number from 0, got -1.0\n"),
        ("--atol=nan", "manycore: tolerance: atol is not a tolerance, expected a finite number from 0, got nan\n"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, option: str, message: str) -> None:
    done = run(["-m", "manycore", "verify", option, "-c", "print(1)"], tmp_path)
    assert (done.returncode, done.stderr) == (2, message)


def test_an_interrupt_ends_the_program_too_and_is_one_line(tmp_path: Path) -> None:
    """Ctrl-C at a terminal reaches the program by itself; here only the command is told, and the program goes with it."""
    script = write(
        tmp_path,
        "wait.py",
        """
        import multiprocessing, os, time
        def wait(_):
            open(f"{os.getpid()}.pid", "w").close()
            time.sleep(60)
        if __name__ == "__main__":
            with multiprocessing.Pool(2) as pool:
                pool.map(wait, range(2), chunksize=1)
        """,
    )
    command = [sys.executable, "-m", "manycore", "verify", script]
    process = subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while len(list(tmp_path.glob("*.pid"))) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout, stderr) == (130, "", "manycore: verify: interrupted\n")
    pids = [int(path.stem) for path in tmp_path.glob("*.pid")]
    while any(_is_alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.01)
    assert len(pids) == 2 and not any(_is_alive(pid) for pid in pids)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_file_that_goes_while_files_are_collected_is_another_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, backup, away = (tmp_path / name for name in ("folder", "backup", "away"))
    for each in (folder, backup, away):
        each.mkdir()
    watched = WatchedFolders([folder], backup)
    (folder / "kept.txt").write_text("kept")
    monkeypatch.setattr(watched, "written", lambda: [folder / "gone.txt", folder / "kept.txt"])
    left = watched.collect(away)
    assert list(left.files) == [folder / "kept.txt"] and left.files[folder / "kept.txt"].read_text() == "kept"


def test_a_reader_who_has_enough_ends_info_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "manycore", "info"],
        env=ENVIRONMENT,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")
