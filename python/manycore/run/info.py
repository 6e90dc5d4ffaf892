"""``manycore info``: the hardware seen, versions, and the options in force with where each comes from.

>>> text().splitlines()[0]
'hardware'
"""

from __future__ import annotations

import difflib
import os
import platform
import sys
from typing import Any

from manycore import __version__, _core
from manycore.run import options


def text() -> str:
    """The whole page."""
    sections = {"hardware": _hardware(_core.machine()), "versions": _versions(), "options": _options()}
    lines: list[str] = []
    for title, rows in sections.items():
        width = max(len(name) for name, _ in rows) + 2
        lines += [title, *(f"  {name:<{width}}{value}" for name, value in rows), ""]
    return "\n".join(lines).rstrip()


def size(count: int) -> str:
    """Bytes in powers of 1024, as caches are named.

    >>> size(32 << 10), size(3 << 29), size(0)
    ('32 KiB', '1.5 GiB', 'unknown')
    """
    if count <= 0:
        return "unknown"
    value, unit = float(count), "B"
    for bigger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, bigger
    return f"{value:.4g} {unit}"


def _hardware(machine: dict[str, Any]) -> list[tuple[str, str]]:
    quota = machine["core_quota"]
    limit = f"; the control group grants {quota:g}" if quota else ""
    used = machine["simd_in_use"]
    return [
        ("processor", machine["model"] or platform.machine()),
        ("cores", f"{machine['cores']} usable of {machine['machine_cores']}{limit}"),
        ("SIMD", machine["simd"] if used == machine["simd"] else f"{used} in use, the processor has {machine['simd']}"),
        ("caches", f"L1 {size(machine['l1_bytes'])}, L2 {size(machine['l2_bytes'])}, L3 {size(machine['l3_bytes'])}"),
        ("memory limit", f"{size(machine['memory_limit'])} (from: {machine['memory_limit_source']})"),
        ("memory free", size(machine["memory_available"])),
    ]


def _versions() -> list[tuple[str, str]]:
    import numpy

    return [
        ("manycore", __version__),
        ("python", f"{platform.python_version()} ({sys.executable})"),
        ("numpy", numpy.__version__),
        ("BLAS", _blas(numpy)),
        ("system", f"{platform.system()} {platform.release()}, {' '.join(platform.libc_ver())}"),
    ]


def _blas(numpy: Any) -> str:
    """The library that NumPy was built with, which manycore uses too."""
    try:
        found = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]
    except (KeyError, TypeError):
        return "unknown"
    return f"{found.get('name', 'unknown')} {found.get('version', '')}".strip()


def _options() -> list[tuple[str, str]]:
    rows = options.rows()
    names = [options.environment_name(row) for row in rows]
    known = [(row.name, f"{_value(row)} (from: {row.source}; {name})") for row, name in zip(rows, names, strict=True)]
    return known + [(name, _mistyped(name, names)) for name in sorted(os.environ) if _is_unknown(name, names)]


def _is_unknown(name: str, names: list[str]) -> bool:
    return name.startswith("MANYCORE_") and name not in names


def _mistyped(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, 1)
    return "in the environment, not an option" + (f"; did you mean {near[0]}?" if near else "")


def _value(row: options.Row) -> str:
    if row.type == "boolean":
        return "on" if row.value else "off"
    if row.type == "size" and row.value > 0:
        return size(row.value)
    return str(row.value) if row.value != "" else "none"
