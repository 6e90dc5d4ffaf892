"""How many operations the programs of a run recorded and how many ran together: a run that did everything at once has tried nothing.

>>> counted = Counted()
>>> counted.programs["accumulating"] = 100
>>> counted.too_few(record_from=0)
'accumulating: 0 operations recorded by 100 programs, expected 10 a program'
"""

from __future__ import annotations

from collections import Counter

from manycore import _core

ENOUGH = 50  # programs of a kind, below which a few that record nothing decide
# About a third of what runs of several hundred programs had.
RECORDED = {"accumulating": 10.0, "lines": 1.0}
RECORDED_BY_DEFAULT = {"accumulating": 10.0, "lines": 0.03}  # one array in twenty is large enough
REUSED = {"accumulating": 0.5}  # programs that ran by the plan of an equal one
GROUPED = {"accumulating": 1.3}  # instructions a group; programs that are looked at after every line have no neighbours


class Counted:
    """By kind of program."""

    def __init__(self) -> None:
        self.programs: Counter[str] = Counter()
        self.recorded: Counter[str] = Counter()
        self.grouped: Counter[str] = Counter()
        self.groups: Counter[str] = Counter()
        self.reused_plans: Counter[str] = Counter()
        self.last = _core.trace_snapshot()

    def add(self, kind: str) -> None:
        """A program of this kind has run since the last one."""
        now = _core.trace_snapshot()
        self.programs[kind] += 1
        for name in ("recorded", "grouped", "groups", "reused_plans"):
            getattr(self, name)[kind] += now[name] - self.last[name]
        self.last = now

    def too_few(self, record_from: int) -> str:
        """What is below its floor, or nothing."""
        for kind, programs in self.programs.items():
            if programs < ENOUGH:
                continue
            floor = (RECORDED_BY_DEFAULT if record_from else RECORDED)[kind]
            if self.recorded[kind] < floor * programs:
                return f"{kind}: {self.recorded[kind]} operations recorded by {programs} programs, expected {floor:g} a program"
            if self.reused_plans[kind] < REUSED.get(kind, 0) * programs and _core.get_option("kept_plans"):
                return (
                    f"{kind}: {self.reused_plans[kind]} plans reused by {programs} programs, expected {REUSED[kind]:g} a program"
                )
            if self.grouped[kind] < GROUPED.get(kind, 0) * self.groups[kind]:
                return f"{kind}: {self.grouped[kind]} operations in {self.groups[kind]} groups, expected {GROUPED[kind]} a group"
        return ""
