"""The kept list of expected failures: one test a line, `path::test -- reason`, sorted; `recorded: ` before the path of one that fails
only where everything is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

KEPT_WITH = "2.4.6"  # NumPy's release that the list was kept with
LIST = Path(__file__).with_name("numpy_expected.txt")


@dataclass(frozen=True)
class Expected:
    reasons: dict[str, str]

    @classmethod
    def read(cls, way: str) -> Expected:
        return cls({name: reason for ways, name, reason in lines() if ways in ("", way)})

    def covers(self, name: str) -> bool:
        return name in self.reasons


def lines() -> list[tuple[str, str, str]]:
    """(way or nothing for all, test id, reason) of each line."""
    found = []
    for line in LIST.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, reason = line.rpartition(" -- ")
            way, colon, rest = name.partition(": ")
            found.append((way, rest, reason) if colon and "/" not in way else ("", name, reason))
    return found
