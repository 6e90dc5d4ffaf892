"""``manycore verify``: run a program in plain Python and under manycore and compare everything that it left behind.

Each run is a fresh process in the same folder. Between the runs the files that the first one wrote are carried away and
the earlier state is put back, so both start alike; at the end the files of the plain run lie where the program wrote them.

>>> result = run_both(["-c", "print(6 * 7)"])
>>> result.equal, result.exit_codes
(True, (0, 0))
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from manycore.report.words import size
from manycore.run import measured
from manycore.run.compare import EXACT, Tolerance, compare_files, compare_text, script_tolerance
from manycore.run.written_files import Left, WatchedFolders


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same: ``where`` is ``stdout``, ``exit code`` or a file's name."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass
class Run:
    """One run of the program: seconds of wall time, the memory of its largest process at its peak, and what it left behind."""

    seconds: float
    exit_code: int
    peak_bytes: int
    stdout: str
    stderr: str
    left: Left = field(default_factory=Left)
    native_share: float | None = None


@dataclass
class VerifyResult:
    """Both runs and what differs between them. ``native_share`` is None when no array bytes were processed at all."""

    plain_seconds: float
    manycore_seconds: float
    plain_peak_bytes: int
    manycore_peak_bytes: int
    differences: list[Difference]
    tolerance: Tolerance
    native_share: float | None
    exit_codes: tuple[int, int]
    files: list[str]
    plain_stdout: str
    manycore_stdout: str
    plain_stderr: str
    manycore_stderr: str
    notes: list[str]

    @property
    def equal(self) -> bool:
        return not self.differences

    @property
    def ratio(self) -> float:
        """How many times faster than plain Python."""
        return self.plain_seconds / self.manycore_seconds


def run_both(
    argv: Sequence[str],
    *,
    tolerance: Tolerance | None = None,
    repeats: int = 1,
    cwd: str | os.PathLike[str] | None = None,
    environment: dict[str, str] | None = None,
    run_options: Sequence[str] = (),
) -> VerifyResult:
    """Run ``python *argv`` and ``manycore run *argv`` in turn, ``repeats`` times each, and compare.

    ``argv`` is what would follow ``python``: a script and its arguments, ``-m module ...`` or ``-c code ...``. Without
    ``tolerance`` the script's own ``# tolerance:`` line decides, else results must be exactly equal. Seconds and peaks of
    memory are medians of the repeats; files and output are compared after the first.
    """
    if not argv:
        raise ValueError("verify: no program given, expected a script, -m MODULE or -c CODE")
    if repeats < 1:
        raise ValueError(f"verify: repeats, expected a number of runs from 1, got {repeats}")
    folder = Path(cwd or os.getcwd())
    script = None if argv[0] in ("-m", "-c", "-") else folder / argv[0]
    if script is not None and not script.exists():
        raise FileNotFoundError(f"verify: no file {argv[0]!r} in {folder}")
    if tolerance is None:
        tolerance = (script_tolerance(script) if script else None) or EXACT
    env = {**os.environ, **(environment or {})}
    if env.get("PYTHONPATH"):  # relative entries mean this process's folder
        env["PYTHONPATH"] = os.pathsep.join(os.path.abspath(entry) for entry in env["PYTHONPATH"].split(os.pathsep))
    with tempfile.TemporaryDirectory(prefix="manycore-verify-") as name:
        kept = Path(name)
        for part in ("backup", "plain", "manycore", "again"):
            (kept / part).mkdir()
        watched = WatchedFolders(_roots(argv, folder, script), kept / "backup")
        plain_command = [sys.executable, *argv]
        our_command = [sys.executable, "-m", "manycore", "run", *run_options]
        plains, ours = [], []
        for number in range(repeats):
            plains.append(_run(plain_command, folder, env, kept))
            _collect(plains[-1], watched, kept / "plain" / str(number))
            report = kept / "manycore" / f"report-{number}.json"
            extra = {"MANYCORE_REPORT": str(report), "MANYCORE_REPORT_BY_LINE": "0"}
            ours.append(_run([*our_command, *argv], folder, {**env, **extra}, kept))
            ours[-1].native_share = _native_share(report)
            _collect(ours[-1], watched, kept / "manycore" / str(number))
        differences = _differences(plains[0], ours[0], folder, tolerance)
        notes = [f"{path} was too large to put back between the runs" for path in watched.not_restored]
        names = sorted(_shown(path, folder) for path in plains[0].left.files)
        plains[0].left.put_back()
    return VerifyResult(
        plain_seconds=_median([run.seconds for run in plains]),
        manycore_seconds=_median([run.seconds for run in ours]),
        plain_peak_bytes=int(_median([run.peak_bytes for run in plains])),
        manycore_peak_bytes=int(_median([run.peak_bytes for run in ours])),
        differences=differences,
        tolerance=tolerance,
        native_share=ours[0].native_share,
        exit_codes=(plains[0].exit_code, ours[0].exit_code),
        files=names,
        plain_stdout=plains[0].stdout,
        manycore_stdout=ours[0].stdout,
        plain_stderr=plains[0].stderr,
        manycore_stderr=ours[0].stderr,
        notes=notes,
    )


def _roots(argv: Sequence[str], folder: Path, script: Path | None) -> list[Path]:
    """Folders to watch: the working folder, the script's, and every path that stands among the arguments."""
    roots = [folder]
    if script is not None:
        roots.append(script.parent if script.is_file() else script)
    for argument in argv[1:]:
        value = argument.partition("=")[2] if argument.startswith("--") else argument
        if os.sep in value and len(value) < 4096 and (folder / value).resolve().parent.is_dir():
            roots.append(folder / value)
    return roots


def _run(command: list[str], folder: Path, environment: dict[str, str], kept: Path) -> Run:
    result = kept / "measured.json"
    command = [sys.executable, "-I", "-S", measured.__file__, str(result), *command]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe) as process:
        try:
            written = process.communicate()
        except BaseException:
            process.terminate()  # which ends the program too
            raise
    stdout, stderr = (text.decode("utf-8", "replace") for text in written)
    if not result.exists():
        raise RuntimeError(f"verify: could not run {command[5:]}, got: {stderr.strip()}")
    found = json.loads(result.read_text())
    result.unlink()
    return Run(found["seconds"], found["exit_code"], found["peak_bytes"], stdout, stderr)


def _collect(run: Run, watched: WatchedFolders, into: Path) -> None:
    into.mkdir()
    run.left = watched.collect(into)


def _native_share(report: Path) -> float | None:
    try:
        share = json.loads(report.read_text())["native_share"]
    except (OSError, ValueError, KeyError):
        return None
    return None if share is None else float(share)


def _differences(plain: Run, ours: Run, folder: Path, tolerance: Tolerance) -> list[Difference]:
    found = []
    if plain.exit_code != ours.exit_code:
        what = f"{plain.exit_code} in plain Python, {ours.exit_code} under manycore"
        last = ours.stderr.strip().splitlines()[-1:] or plain.stderr.strip().splitlines()[-1:]
        found.append(Difference("exit code", what + "".join(f" ({line})" for line in last)))
    text = compare_text(plain.stdout, ours.stdout, tolerance)
    if text:
        found.append(Difference("stdout", text))
    return found + _differences_of_files(plain.left, ours.left, folder, tolerance)


def _differences_of_files(plain: Left, ours: Left, folder: Path, tolerance: Tolerance) -> list[Difference]:
    found: list[Difference] = []
    for path in sorted({*plain.files, *ours.files, *plain.removed, *ours.removed}):
        texts = []
        if path in plain.files and path in ours.files:
            texts.append(_compare_written(plain.files[path], ours.files[path], tolerance))
        for what, in_plain, in_ours in (
            ("written", path in plain.files, path in ours.files),
            ("removed", path in plain.removed, path in ours.removed),
        ):
            if in_plain != in_ours:
                texts.append(f"{what} by plain Python only" if in_plain else f"{what} under manycore only")
        found.extend(Difference(_shown(path, folder), text) for text in texts if text)
    return found


def _compare_written(plain: Path, ours: Path, tolerance: Tolerance) -> str | None:
    try:
        return compare_files(plain, ours, tolerance)
    except Exception as error:  # a file that its suffix does not describe, such as text named x.npy
        return f"differs and cannot be read as {plain.suffix}: {error}"


def _shown(path: Path, folder: Path) -> str:
    return os.path.relpath(path, folder.resolve())


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def format_result(result: VerifyResult) -> str:
    """The text that ``manycore verify`` prints."""
    lines = []
    if result.equal:
        what = f"stdout, exit code {result.exit_codes[0]}" + (f" and {', '.join(result.files)}" if result.files else "")
        lines.append(f"equal: {what} (tolerance: {result.tolerance})")
    else:
        lines.append(f"different (tolerance: {result.tolerance}):")
        lines.extend(f"  {difference}" for difference in result.differences)
    lines.extend(f"note: {note}" for note in result.notes)
    lines.append(
        f"plain Python {result.plain_seconds:.3f} s, manycore {result.manycore_seconds:.3f} s, ratio {result.ratio:.2f}x"
    )
    lines.append(
        f"peak memory: plain Python {size(result.plain_peak_bytes)}, manycore {size(result.manycore_peak_bytes)} "
        "(the largest process of each)"
    )
    if result.native_share is not None:
        lines.append(f"array bytes processed natively: {100 * result.native_share:.1f} %")
    return "\n".join(lines)
