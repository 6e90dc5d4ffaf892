"""The tour: every script in a folder of examples, in plain Python and under manycore in turn, compared and timed.

``python -m manycore.report.tour`` runs the examples of the checkout; names select some of them. Each run is a fresh
process; the results and their tolerance are judged by ``manycore verify``. A script may state arguments for a small run in
a line ``# quick: ...``, which ``--quick`` uses.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from manycore.report.tour_page import tour_page
from manycore.run.verify import VerifyResult, run_both

COLUMNS = ("program", "plain Python", "manycore", "speed", "results", "bytes processed natively")


@dataclass(frozen=True)
class Stop:
    """One program of the tour. ``differences`` is empty when both runs succeeded with equal results."""

    name: str
    plain_seconds: float
    manycore_seconds: float
    ratio: float
    tolerance: str
    differences: list[str]
    native_share: float | None
    plain_peak_bytes: int
    manycore_peak_bytes: int

    @property
    def cells(self) -> tuple[str, ...]:
        """The row of the table, one text a column."""
        share = "-" if self.native_share is None else f"{100 * self.native_share:.1f} %"
        return (
            self.name,
            f"{self.plain_seconds:.2f} s",
            f"{self.manycore_seconds:.2f} s",
            f"{self.ratio:.2f}x",
            "DIFFERENT" if self.differences else f"equal ({self.tolerance})",
            share,
        )


def examples_folder() -> Path:
    """The examples of the current folder, else those of the checkout that this module lies in."""
    here = Path("examples")
    return here if here.is_dir() else Path(__file__).resolve().parents[3] / "examples"


def select(folder: Path, names: Sequence[str]) -> list[Path]:
    """The scripts of these names (all without names), in alphabetical order."""
    scripts = {path.stem: path for path in sorted(folder.glob("*.py"))}
    if not scripts:
        raise FileNotFoundError(f"tour: no scripts in {folder}, expected a folder of examples; try --examples FOLDER")
    wanted = [Path(name).stem for name in names] or list(scripts)
    for name in wanted:
        if name not in scripts:
            raise ValueError(f"tour: no example {name!r}, expected one of {', '.join(scripts)}")
    return [scripts[name] for name in wanted]


def quick_arguments(script: Path) -> list[str]:
    """The arguments of the script's ``# quick: ...`` line."""
    match = re.search(r"^#\s*quick:\s*(.+?)\s*$", script.read_text(encoding="utf-8"), re.MULTILINE)
    return shlex.split(match.group(1)) if match else []


def visit(script: Path, *, quick: bool = False, repeats: int = 1) -> Stop:
    """Run one script both ways, in its own folder."""
    arguments = quick_arguments(script) if quick else []
    result = run_both([script.name, *arguments], cwd=script.parent, repeats=repeats)
    return Stop(
        name=script.stem,
        plain_seconds=result.plain_seconds,
        manycore_seconds=result.manycore_seconds,
        ratio=result.ratio,
        tolerance=str(result.tolerance),
        differences=_differences(result),
        native_share=result.native_share,
        plain_peak_bytes=result.plain_peak_bytes,
        manycore_peak_bytes=result.manycore_peak_bytes,
    )


def _differences(result: VerifyResult) -> list[str]:
    found = [str(difference) for difference in result.differences]
    for side, code, stderr in zip(
        ("plain Python", "manycore"), result.exit_codes, (result.plain_stderr, result.manycore_stderr), strict=True
    ):
        if code != 0:
            last = stderr.strip().splitlines()[-1:] or ["nothing on stderr"]
            found.append(f"failed in {side} with exit code {code}: {last[0]}")
    return found


def table(stops: Sequence[Stop]) -> str:
    """All stops as a table in markdown."""
    rows = [COLUMNS, *[stop.cells for stop in stops]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = [_line(row, widths) for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"


def verdict(stops: Sequence[Stop]) -> str:
    """One sentence about all of them; the speed of a program that went wrong says nothing."""
    wrong = [stop.name for stop in stops if stop.differences]
    right = [stop for stop in stops if not stop.differences]
    results = f"DIFFERENT results in {', '.join(wrong)}" if wrong else "all results equal"
    sentence = f"{len(stops)} programs, {results}"
    if right:
        mean = math.exp(math.fsum(math.log(stop.ratio) for stop in right) / len(right))
        slowest = min(right, key=lambda stop: stop.ratio)
        sentence += f"; speed {mean:.2f}x on average (geometric), {slowest.ratio:.2f}x at the least ({slowest.name})"
    return sentence


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 1 when a program fails or differs, 2 for a wrong argument."""
    parser = argparse.ArgumentParser(prog="manycore tour", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="examples to run, all without names")
    parser.add_argument("--examples", type=Path, default=None, metavar="FOLDER", help="where the scripts are")
    parser.add_argument("--quick", action="store_true", help="small sizes: are the results equal?")
    parser.add_argument("--repeats", type=int, default=1, metavar="N", help="runs of each; times are medians")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write the results there as well")
    parser.add_argument("--page", type=Path, default=None, metavar="FILE", help="write a page of bars and pictures there as well")
    options = parser.parse_args(arguments)
    try:
        scripts = select(options.examples or examples_folder(), options.names)
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    widths = [max(map(len, [COLUMNS[0], *[script.stem for script in scripts]])), 12, 9, 7, 30, 24]
    print(_line(COLUMNS, widths), flush=True)
    stops = []
    for script in scripts:
        stops.append(visit(script, quick=options.quick, repeats=options.repeats))
        print(_line(stops[-1].cells, widths), flush=True)
        for difference in stops[-1].differences:
            print(f"    {difference}", flush=True)
    print(verdict(stops))
    if options.page:
        options.page.parent.mkdir(parents=True, exist_ok=True)
        options.page.write_text(tour_page(stops, verdict(stops), scripts[0].parent / "output"), encoding="utf-8")
        print(f"page: {options.page}")
    if options.json:
        content = {"summary": table(stops), "verdict": verdict(stops), "programs": [asdict(stop) for stop in stops]}
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return int(any(stop.differences for stop in stops))


if __name__ == "__main__":
    sys.exit(main())
