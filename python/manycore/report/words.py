"""Numbers and places in the words of a report."""

from __future__ import annotations

import os


def place(file: str, line: int) -> str:
    """A file and line, relative to the working folder where the file lies in it."""
    near = os.path.relpath(file) if os.path.isabs(file) else file
    return f"{file if near.startswith('..') else near}:{line}"


def count_of(number: int, what: str) -> str:
    """
    >>> count_of(1, "task"), count_of(12_000, "task")
    ('1 task', '12,000 tasks')
    """
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def size(count: int) -> str:
    """Bytes with three significant digits, in powers of 1000.

    >>> size(999), size(12_345_678)
    ('999 B', '12.3 MB')
    """
    value, unit = float(count), "B"
    for bigger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, bigger
    return f"{count} B" if unit == "B" and count < 1000 else f"{value:.3g} {unit}"


def duration(seconds: float) -> str:
    """With three significant digits.

    >>> duration(0), duration(0.0000123), duration(0.0123), duration(12.3)
    ('0 s', '12.3 µs', '12.3 ms', '12.3 s')
    """
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds == 0 or seconds * scale >= 0.9995:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"
