"""The section of the report's page about tasks: numbers by place, and a picture of each worker's load over time."""

from __future__ import annotations

from html import escape

from manycore.report.tasks import WORKERS_SHOWN, Place, Tasks, Worker, deaths
from manycore.report.words import duration, size

COLOURS = {"thread": "group", "process": "native"}
WIDTH, HEIGHT = 480, 22


def tasks_section(tasks: Tasks) -> str:
    """HTML without the title."""
    return _places(tasks) + _travelled(tasks) + _workers(tasks)


def _row(cells: list[str]) -> str:
    return "<tr>" + f"<td>{cells[0]}</td>" + "".join(f'<td class="n">{cell}</td>' for cell in cells[1:]) + "</tr>"


def _table(titles: list[str], rows: list[str]) -> str:
    head = f"<th>{titles[0]}</th>" + "".join(f'<th class="n">{title}</th>' for title in titles[1:])
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _places(tasks: Tasks) -> str:
    rows = [_row([words, *_numbers(place)]) for words, place in tasks.places]
    if tasks.native_tasks:
        rows.append(_row(["native tasks", f"{tasks.native_tasks:,}", "", "", ""]))
    if not rows:
        return "<p>No task ended.</p>"
    return _table(["Ran", "Tasks", "Time in calls", "Waited, median", "At most"], rows)


def _numbers(place: Place) -> list[str]:
    times = (place.busy_seconds, place.waited_median, place.waited_longest)
    return [f"{place.tasks:,}", *map(duration, times)]


def _travelled(tasks: Tasks) -> str:
    text = f'<p class="apart">{escape(deaths(tasks))}.</p>' if tasks.worker_deaths or tasks.lost_tasks else ""
    if not tasks.processes.tasks and not tasks.sent_in_rings:
        return text
    unchanged = f", {size(tasks.sent_unchanged)} of it unchanged and not copied again" if tasks.sent_unchanged else ""
    rows = [
        _row(["sent to processes", size(tasks.sent_in_rings), size(tasks.sent_in_blocks) + unchanged]),
        _row(["received", size(tasks.received_in_rings), size(tasks.received_in_blocks)]),
    ]
    return _table(["Arguments and results", "In rings", "Out-of-band"], rows) + text


def _workers(tasks: Tasks) -> str:
    if not tasks.workers:
        return ""
    rows = [_worker(worker) for worker in tasks.workers[:WORKERS_SHOWN]]
    left_out = len(tasks.workers) - WORKERS_SHOWN
    more = f"<p>and {left_out} more</p>" if left_out > 0 else ""
    return _table(["Worker", "Tasks", "Busy", f"Load over {duration(tasks.span_seconds)}"], rows) + more


def _worker(worker: Worker) -> str:
    return _row([escape(worker.name), f"{worker.tasks:,}", f"{100 * worker.busy_share:.0f} %", _load(worker)])


def _load(worker: Worker) -> str:
    """A column for each part of the time, as high as the worker was busy in it."""
    each = WIDTH / max(len(worker.load), 1)
    columns = "".join(
        f'<rect x="{number * each:.1f}" y="{HEIGHT * (1 - share):.1f}" width="{each + 0.1:.1f}" height="{HEIGHT * share:.1f}" '
        f'fill="var(--{COLOURS[worker.kind]})"/>'
        for number, share in enumerate(worker.load)
        if share > 0.004
    )
    return (
        f'<svg class="load" shape-rendering="crispEdges" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="load of {escape(worker.name)} over time"><rect x="0" y="0" width="{WIDTH}" height="{HEIGHT}" '
        f'fill="var(--track)"/>{columns}</svg>'
    )
