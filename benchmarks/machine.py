"""What a measurement depends on: processor, cores, SIMD level, library versions, date."""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

# From the widest down: the first level whose flags are all present is the one in use.
SIMD_LEVELS = {
    "AVX-512": {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"},
    "AVX2": {"avx2", "fma"},
    "SSE4": {"sse4_1", "sse4_2"},
    "NEON": {"asimd"},
}
LIBRARIES = ("numpy", "manycore", "scipy", "pandas", "matplotlib", "scikit-learn", "numexpr")


def processor() -> tuple[str, str]:
    """Name and SIMD level as /proc/cpuinfo tells them, or "unknown" elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown", "unknown"
    fields = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    level = next((name for name, needed in SIMD_LEVELS.items() if needed <= flags), "none known")
    return fields.get("model name", platform.machine()), level


def describe() -> dict[str, object]:
    """The machine and the software of this run, ready for JSON."""
    name, simd = processor()
    versions = {"python": platform.python_version()}
    for library in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[library] = importlib.metadata.version(library)
    if "manycore" not in versions:
        import manycore

        versions["manycore"] = manycore.__version__
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "processor": name,
        "cores": len(os.sched_getaffinity(0)),
        "simd": simd,
        "system": f"{platform.system()} {platform.release()}",
        "versions": versions,
    }
