"""Write the report of a program when it ends: a table on the terminal's error stream, or JSON into a file."""

from __future__ import annotations

import atexit
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from manycore import _core
from manycore.report import tasks
from manycore.report.totals import Report, format_report, from_snapshot

TERMINAL = frozenset({"terminal", "1", "-", "yes", "on", "true"})


def refusal(where: str) -> str | None:
    """Why a report cannot be written there, as far as that shows before the program runs; None when it can."""
    if where in TERMINAL:
        return None
    folder = os.path.dirname(os.path.abspath(where))
    if not os.path.isdir(folder):
        got = f"no folder {os.path.dirname(where)!r}; try mkdir -p {os.path.dirname(where)}"
    elif os.path.isdir(where):
        got = f"a folder; try {os.path.join(where, 'report.json')}"
    elif not os.access(where if os.path.exists(where) else folder, os.W_OK):
        got = "no permission to write there"
    else:
        return None
    return f"--report: cannot write {where!r}, expected a file in a folder that is there, got {got}"


def start(where: str, program: Sequence[str], is_user_file: Callable[[str], bool]) -> None:
    """Begin counting; when this process ends, write to ``where``: ``terminal`` or a file name."""
    began, process, path = time.perf_counter(), os.getpid(), None if where in TERMINAL else os.path.abspath(where)
    # Text that was handed to exec or eval is the user's too, as far as lines go.
    _core.trace_user_rule(lambda name: is_user_file(name) or (name.startswith("<") and not name.startswith("<frozen ")))
    tasks.start()
    as_page = path is not None and path.endswith((".html", ".htm"))
    _core.trace_start(by_line=as_page or bool(_core.get_option("report_by_line")), groups=as_page)

    def finish() -> None:
        if os.getpid() != process:  # a forked child that ends normally is not the program
            return
        _core.evaluate()  # what still waits belongs to the program
        if as_page:
            write_page(program, time.perf_counter() - began, str(path))
        else:
            write(current(program, time.perf_counter() - began), path)

    atexit.register(finish)


def current(program: Sequence[str], seconds: float) -> Report:
    """The report of what was counted so far."""
    snapshot = _snapshot()
    if not _core.get_option("report_by_line"):
        snapshot["lines"] = []  # without native bytes they would show the fallbacks once more, as if nothing else had run
    return from_snapshot(snapshot, program, seconds)


def _snapshot() -> dict[str, Any]:
    machine = _core.machine()
    counted = tasks.current()
    return {
        **_core.trace_snapshot(),
        "tasks": counted if counted.happened else None,
        "peak_bytes": machine["memory_peak"],
        "limit_bytes": machine["memory_limit"],
    }


def write(report: Report, path: str | None) -> None:
    """To a JSON file, or as a table to standard error."""
    if path is None:
        print(format_report(report), file=sys.stderr)
    else:
        _write_text(path, json.dumps(report.to_json(), indent=1) + "\n")


def write_page(program: Sequence[str], seconds: float, path: str) -> None:
    """What was counted so far as one page of HTML, beside what a copy reaches on this machine now."""
    from manycore.report.page import page

    snapshot = {**_snapshot(), "version": _core.__version__}
    _core.trace_start()
    _write_text(path, page(from_snapshot(snapshot, program, seconds), snapshot, copy_bandwidth()))


def copy_bandwidth() -> float | None:
    """Bytes read and written a second when 32 MB are copied by all threads: the best of five. None without memory for it."""
    import manycore.numpy as np

    _core.set_option("eager", "1")
    try:
        source = np.ones(4_000_000)
        target = np.empty_like(source)
        times = []
        for _ in range(5):
            began = time.perf_counter()
            target[...] = source
            times.append(time.perf_counter() - began)
    except MemoryError:
        return None
    return (source.nbytes + target.nbytes) / max(min(times), 1e-9)


def _write_text(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        print(f"manycore: report: cannot write {path!r}, expected a file that can be written, got: {error}", file=sys.stderr)
