"""What a program's arrays went through: bytes processed natively and by fallback, in total and by line.

The JSON form (``schema`` 1) has these members; later versions only add some:

* ``program``: the command line after ``manycore run``; ``seconds``: wall time from its start to its end;
* ``native_share``: native bytes over all bytes, null when no array was processed; ``native_bytes``, ``native_calls``,
  ``fallback_bytes``, ``fallback_calls``: bytes of operands read plus results written, and operations;
* ``recorded``, ``groups``: operations that were recorded, and the fused groups that they ran in; ``reused_plans``: how often a
  program that equals an earlier one ran by its plan; ``materialised_bytes``: results that the groups wrote to memory,
  ``saved_bytes``: what the operations one by one would have written besides;
* ``peak_bytes``: the most memory that arrays held at once, those that NumPy makes in fallbacks and libraries and free blocks that
  are kept for reuse included; ``limit_bytes``: what they may hold;
* ``tasks``: null, or what `manycore.report.tasks` says of the calls given to executors;
* ``fallbacks``: for each line, function and reason: ``file``, ``line``, ``name``, ``reason``, ``calls``, ``bytes``;
* ``lines``: for each line: ``file``, ``line``, ``native_calls``, ``native_bytes``, ``fallback_calls``, ``fallback_bytes``.

Both lists are ordered by bytes, then calls, largest first.

>>> report = from_snapshot(
...     {"native_calls": 9, "native_bytes": 900, "fallback_calls": 1, "fallback_bytes": 100, "lines": [],
...      "fallbacks": [{"file": "a.py", "line": 3, "name": "einsum", "reason": "not native", "calls": 1, "bytes": 100}]},
...     ["a.py"], 0.5)
>>> report.native_share
0.9
>>> print(format_report(report))
manycore report: a.py
  0.500 s, 90.0 % of 1 kB of array bytes processed natively (9 operations), 100 B by NumPy (1 call)
  fallbacks by line
    a.py:3  einsum  1 call  100 B  not native
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from manycore.report import tasks as task_counts
from manycore.report.words import count_of, place, size

SCHEMA = 1
LINES_SHOWN = 20


@dataclass(frozen=True)
class Fallback:
    """Calls of one NumPy function at one line, for one reason."""

    file: str
    line: int
    name: str
    reason: str
    calls: int
    bytes: int


@dataclass(frozen=True)
class Line:
    """What one line of the program processed."""

    file: str
    line: int
    native_calls: int
    native_bytes: int
    fallback_calls: int
    fallback_bytes: int


@dataclass(frozen=True)
class Report:
    """One run of one program."""

    program: list[str]
    seconds: float
    native_calls: int
    native_bytes: int
    fallback_calls: int
    fallback_bytes: int
    recorded: int
    groups: int
    reused_plans: int
    materialised_bytes: int
    saved_bytes: int
    peak_bytes: int
    limit_bytes: int
    fallbacks: list[Fallback]
    lines: list[Line]
    tasks: task_counts.Tasks | None = None

    @property
    def native_share(self) -> float | None:
        total = self.native_bytes + self.fallback_bytes
        return self.native_bytes / total if total else None

    def to_json(self) -> dict[str, Any]:
        """The documented form, ready for json.dump."""
        return {"schema": SCHEMA, "native_share": self.native_share, **asdict(self)}


def from_snapshot(snapshot: dict[str, Any], program: Sequence[str], seconds: float) -> Report:
    """A report from what ``_core.trace_snapshot()`` counted."""
    fallbacks = [Fallback(**row) for row in snapshot["fallbacks"]]
    lines = [Line(**{field.name: row[field.name] for field in fields(Line)}) for row in snapshot["lines"]]
    fallbacks.sort(key=lambda row: (-row.bytes, -row.calls, row.file, row.line, row.name))
    lines.sort(
        key=lambda row: (-(row.native_bytes + row.fallback_bytes), -(row.native_calls + row.fallback_calls), row.file, row.line)
    )
    totals = {field.name: int(snapshot.get(field.name, 0)) for field in fields(Report) if field.type == "int"}
    return Report(list(program), seconds, **totals, fallbacks=fallbacks, lines=lines, tasks=snapshot.get("tasks"))


def format_report(report: Report) -> str:
    """The table for the terminal."""
    text = [f"manycore report: {' '.join(report.program)}", f"  {report.seconds:.3f} s, {_summary(report)}"]
    if report.groups:
        text.append(
            f"  {count_of(report.recorded, 'operation')} recorded and run in {count_of(report.groups, 'group')}: "
            f"{size(report.materialised_bytes)} written to memory, {size(report.saved_bytes)} saved"
            + (f", {count_of(report.reused_plans, 'plan')} reused" if report.reused_plans else "")
        )
    if report.peak_bytes and report.native_share is not None:
        text.append(f"  memory of arrays: {size(report.peak_bytes)} at the peak, {size(report.limit_bytes)} allowed")
    if report.tasks is not None:
        text.append(task_counts.format_tasks(report.tasks))
    if report.fallbacks:
        text.append("  fallbacks by line")
        cells = [
            (place(row.file, row.line), row.name, count_of(row.calls, "call"), size(row.bytes), row.reason)
            for row in report.fallbacks[:LINES_SHOWN]
        ]
        text += _columns(cells, len(report.fallbacks))
    if report.lines:
        text.append("  array bytes by line")
        lines = [
            (
                place(row.file, row.line),
                f"native {size(row.native_bytes)}",
                f"NumPy {size(row.fallback_bytes)}",
                count_of(row.native_calls + row.fallback_calls, "operation"),
            )
            for row in report.lines[:LINES_SHOWN]
        ]
        text += _columns(lines, len(report.lines))
    return "\n".join(text)


def _summary(report: Report) -> str:
    if report.native_share is None:
        return "no array was processed"
    total = size(report.native_bytes + report.fallback_bytes)
    return (
        f"{100 * report.native_share:.1f} % of {total} of array bytes processed natively "
        f"({count_of(report.native_calls, 'operation')}), {size(report.fallback_bytes)} by NumPy "
        f"({count_of(report.fallback_calls, 'call')})"
    )


def _columns(rows: Sequence[tuple[str, ...]], total: int) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["    " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return lines if total == len(rows) else [*lines, f"    and {total - len(rows)} more"]
