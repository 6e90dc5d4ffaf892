"""The report as one page of HTML that needs nothing else: no scripts, no network, light and dark.

>>> from manycore.report.totals import from_snapshot
>>> empty = {"native_calls": 0, "native_bytes": 0, "fallback_calls": 0, "fallback_bytes": 0, "fallbacks": [], "lines": []}
>>> text = page(from_snapshot(empty, ["a.py"], 0.5), {**empty, "kinds": [], "lanes": [], "passes": []}, None)
>>> "<h1>a.py</h1>" in text and "No array work was recorded" in text
True
"""

from __future__ import annotations

import linecache
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from manycore.report.page_style import STYLE
from manycore.report.tasks_section import tasks_section
from manycore.report.timeline import COLOURS, timeline
from manycore.report.totals import Report
from manycore.report.words import duration, place, size

LINES_SHOWN, GROUPS_SHOWN = 30, 30
TASKS = (
    "Calls given to executors. They waited from their submit, or the begin of their map, until they began. Coloured is where a "
    "worker was busy in calls, from the begin of the first task to the end of the last."
)
SMALL = 65536  # bytes that a group moves, below which its bandwidth says nothing


@dataclass
class LineTime:
    """Seconds at one line: its share of fused groups, operations that ran at once, and NumPy's calls."""

    groups: float = 0.0
    native: float = 0.0
    numpy: float = 0.0

    @property
    def total(self) -> float:
        return self.groups + self.native + self.numpy


def page(report: Report, snapshot: dict[str, Any], copy_bandwidth: float | None) -> str:
    """The whole page. ``copy_bandwidth`` is in bytes read and written a second, None where it was not measured."""
    # A program of tasks alone is told nothing of arrays.
    of_arrays = report.native_share is not None or report.tasks is None
    body = [
        f"<h1>{escape(' '.join(report.program))}</h1>",
        "<p>What the program's arrays and tasks went through, as <code>manycore run --report</code> saw it.</p>",
        _tiles(report, copy_bandwidth, of_arrays),
        *([_section("Tasks", TASKS, tasks_section(report.tasks))] if report.tasks is not None else []),
        *(_array_sections(report, snapshot, copy_bandwidth) if of_arrays else []),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>manycore report: {escape(' '.join(report.program))}</title><style>{STYLE}</style></head>\n"
        f"<body><main>\n{chr(10).join(body)}\n"
        f"<footer>manycore {escape(str(snapshot.get('version', '')))}</footer></main></body></html>\n"
    )


def _array_sections(report: Report, snapshot: dict[str, Any], copy_bandwidth: float | None) -> list[str]:
    kinds = sorted(
        ({**kind, "number": number} for number, kind in enumerate(snapshot["kinds"]) if kind["runs"]),
        key=lambda kind: -float(kind["seconds"]),
    )
    colours = {kind["number"]: min(rank, COLOURS - 1) for rank, kind in enumerate(kinds)}
    times = line_times(snapshot)
    return [
        _section(
            "Time by line",
            "Time of array work only. A fused group's time is divided equally among its instructions, and each part belongs "
            "to the line that recorded it, not to the line that asked for the value.",
            _lines(report, times),
        ),
        _section(
            "Groups",
            "Instructions that ran together as one loop, block by block, by time. Bandwidth is bytes read and written a second; "
            "the bar is its share of what a plain copy reaches on this machine. More than the whole: data came from the "
            "caches; less: arithmetic, new memory or other programs took the time.",
            _groups(kinds, copy_bandwidth, colours),
        ),
        _section("Why neighbours are apart", "Each reason, and how often a group began because of it.", _reasons(kinds)),
        _section("Fallbacks", "Calls that NumPy computed, since the engine has no implementation.", _fallbacks(report)),
        _section(
            "Timeline",
            "When each thread worked on which group; the colours are those of the table above.",
            timeline(snapshot, colours),
        ),
        _section(
            "Passes",
            "What planning took: each pass over the recorded programs that were like none before them.",
            _passes(snapshot),
        ),
    ]


def line_times(snapshot: dict[str, Any]) -> dict[tuple[str, int], LineTime]:
    """Seconds by file and line."""
    times: dict[tuple[str, int], LineTime] = {}
    for kind in snapshot["kinds"]:
        for _, file, line in kind["members"]:
            times.setdefault((file, line), LineTime()).groups += kind["seconds"] / len(kind["members"])
    for row in snapshot["lines"]:
        time = times.setdefault((row["file"], row["line"]), LineTime())
        time.native += row["native_seconds"]
        time.numpy += row["fallback_seconds"]
    return times


def _section(title: str, text: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2><p>{escape(text)}</p>{content}</section>"


def _table(head: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], left_out: int = 0) -> str:
    """``head`` are titles with their class; cells are HTML."""
    titles = "".join(f'<th class="{kind}">{escape(title)}</th>' for title, kind in head)
    lines = []
    for row in rows:
        cells = (f'<td class="{kind}">{cell}</td>' for cell, (_, kind) in zip(row, head, strict=True))
        lines.append(f"<tr>{''.join(cells)}</tr>")
    more = f"<p>and {left_out} more</p>" if left_out > 0 else ""
    return f'<div class="wide"><table><thead><tr>{titles}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>{more}'


def _tiles(report: Report, copy_bandwidth: float | None, of_arrays: bool) -> str:
    tiles = [(duration(report.seconds), "wall time")]
    if report.tasks is not None:
        tiles.append((f"{report.tasks.tasks:,}", "tasks in executors"))
    if of_arrays:
        tiles += _array_tiles(report, copy_bandwidth)
    return '<div class="tiles">' + "".join(f'<div class="tile"><b>{b}</b><span>{s}</span></div>' for b, s in tiles) + "</div>"


def _array_tiles(report: Report, copy_bandwidth: float | None) -> list[tuple[str, str]]:
    share = "-" if report.native_share is None else f"{100 * report.native_share:.1f} %"
    tiles = [
        (share, "of array bytes native"),
        (f"{report.recorded:,} → {report.groups:,}", "recorded operations → groups"),
        (f"{report.reused_plans:,}", "times a program ran by the plan of an equal one"),
        (size(report.materialised_bytes), "written to memory by groups"),
        (size(report.saved_bytes), "saved: never written"),
        (size(report.peak_bytes), f"memory of arrays at the peak, of {size(report.limit_bytes)}"),
        (f"{size(report.fallback_bytes)}", f"by NumPy in {report.fallback_calls:,} calls"),
    ]
    if copy_bandwidth:
        tiles.append((f"{copy_bandwidth / 1e9:.3g} GB/s", "a copy's bandwidth here"))
    return tiles


def _bar(parts: Sequence[tuple[str, float]]) -> str:
    """Parts of a whole of 1, each with its colour."""
    pieces = (f'<i style="width:{100 * part:.2f}%;background:var(--{colour})"></i>' for colour, part in parts if part > 0)
    return f'<div class="bar">{"".join(pieces)}</div>'


def _source(file: str, line: int) -> str:
    return f'<code class="source">{escape(linecache.getline(file, line).strip())}</code>'


def _lines(report: Report, times: dict[tuple[str, int], LineTime]) -> str:
    processed = {(row.file, row.line): row.native_bytes + row.fallback_bytes for row in report.lines}
    order = sorted(times.items(), key=lambda item: (-item[1].total, item[0]))
    if not order:
        return "<p>No array work was timed.</p>"
    longest = max(order[0][1].total, 1e-12)
    rows = []
    for (file, line), time in order[:LINES_SHOWN]:
        parts = [("group", time.groups / longest), ("native", time.native / longest), ("numpy", time.numpy / longest)]
        there = f'<span class="place">{escape(place(file, line))}</span>{_source(file, line)}'
        rows.append((there, duration(time.total), _bar(parts), size(processed.get((file, line), 0))))
    keys = "".join(
        f'<span><i class="key" style="background:var(--{colour})"></i>{text}</span>'
        for colour, text in (("group", "fused groups"), ("native", "ran at once"), ("numpy", "NumPy"))
    )
    head = [("Line", "first"), ("Time", "n"), ("", ""), ("Array bytes", "n")]
    return f'<div class="keys">{keys}</div>{_table(head, rows, len(order) - LINES_SHOWN)}'


def _names(kind: dict[str, Any]) -> str:
    """The operations in order, runs of equal ones joined."""
    joined: list[tuple[str, int]] = []
    for name, _, _ in kind["members"]:
        if joined and joined[-1][0] == name:
            joined[-1] = (name, joined[-1][1] + 1)
        else:
            joined.append((name, 1))
    shown = [escape(name) + (f" ×{count}" if count > 1 else "") for name, count in joined]
    return "".join(f'<code class="op">{name}</code>' for name in shown) or "groups of many other kinds"


def _where(kind: dict[str, Any]) -> str:
    lines: dict[str, set[int]] = {}
    for _, file, line in kind["members"]:
        lines.setdefault(file, set()).add(line)
    places = [place(file, min(found)) + "".join(f", {line}" for line in sorted(found)[1:]) for file, found in lines.items()]
    return escape("; ".join(places))


def _groups(kinds: Sequence[dict[str, Any]], copy_bandwidth: float | None, colours: dict[int, int]) -> str:
    if not kinds:
        return "<p>No array work was recorded.</p>"
    rows = []
    for kind in kinds[:GROUPS_SHOWN]:
        moved = kind["read_bytes"] + kind["written_bytes"]
        rate = moved / max(kind["seconds"], 1e-9)
        share = rate / copy_bandwidth if copy_bandwidth else 0.0
        reason = f'<div class="apart">apart: {escape(kind["apart"])}</div>' if kind["apart"] else ""
        colour = f"c{colours[kind['number']]}"
        key = f'<i class="key" style="background:var(--{colour})"></i>'
        bar = _bar([(colour, min(share, 1.0))]) if copy_bandwidth else ""
        of_copy = f" ({100 * share:.0f} %)" if copy_bandwidth else ""
        rows.append(
            (
                f'{key}{_names(kind)}<div class="place">{_where(kind)}</div>{reason}',
                f"{kind['runs']:,}",
                duration(kind["seconds"]),
                str(kind["threads"]),
                size(kind["read_bytes"]),
                size(kind["written_bytes"]),
                size(kind["saved_bytes"]),
                f"{rate / 1e9:.3g} GB/s{of_copy}{bar}" if moved >= SMALL * kind["runs"] else "",
            )
        )
    head = [("Instructions", "first"), *((title, "n") for title in ("Runs", "Time", "Threads", "Read", "Written", "Saved"))]
    return _table([*head, ("Bandwidth, of a copy's", "n")], rows, len(kinds) - GROUPS_SHOWN)


def _reasons(kinds: Sequence[dict[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for kind in kinds:
        if kind["apart"]:
            counts[kind["apart"]] = counts.get(kind["apart"], 0) + kind["runs"]
    if not counts:
        return "<p>No two neighbours were apart.</p>"
    order = sorted(counts.items(), key=lambda item: -item[1])
    return _table([("Reason", ""), ("Groups", "n")], [(escape(reason), f"{count:,}") for reason, count in order])


def _fallbacks(report: Report) -> str:
    if not report.fallbacks:
        return "<p>None.</p>"
    rows = [
        (
            f'<span class="place">{escape(place(row.file, row.line))}</span>',
            f"<code>{escape(row.name)}</code>",
            f"{row.calls:,}",
            size(row.bytes),
            escape(row.reason),
        )
        for row in report.fallbacks[:LINES_SHOWN]
    ]
    head = [("Line", ""), ("Function", ""), ("Calls", "n"), ("Bytes", "n"), ("Reason", "")]
    return _table(head, rows, len(report.fallbacks) - LINES_SHOWN)


def _passes(snapshot: dict[str, Any]) -> str:
    rows = [
        (f"<code>{escape(name)}</code>", f"{runs:,}", duration(seconds), duration(seconds / runs if runs else 0.0))
        for name, seconds, runs in snapshot["passes"]
    ]
    return _table([("Pass", ""), ("Programs", "n"), ("Time", "n"), ("Each", "n")], rows)
