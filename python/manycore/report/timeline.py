"""The timeline of the report's page: a lane a thread, a rectangle for each stretch of work on one kind of group.

>>> slices = [(0.0, 1.0, 0), (2.0, 3.0, 1)]
>>> text = timeline({"lanes": [{"starts_groups": True, "slices": slices}]}, {0: 0, 1: 1})
>>> text.count("<rect") - text.count("--track")
2
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

COLOURS = 8  # of groups, by time; all others share the last
WIDTH, LEFT, LANE, GAP = 1100, 92, 22, 8
Slice = tuple[float, float, int]


def timeline(snapshot: dict[str, Any], colours: dict[int, int]) -> str:
    """SVG as text; ``colours`` gives each kind of group the number of its colour."""
    lanes = sorted((lane for lane in snapshot["lanes"] if lane["slices"]), key=lambda lane: not lane["starts_groups"])
    if not lanes:
        return "<p>No group ran.</p>"
    first = min(lane["slices"][0][0] for lane in lanes)
    last = max(lane["slices"][-1][1] for lane in lanes)
    scale = (WIDTH - LEFT) / max(last - first, 1e-9)
    parts, counts = [], {True: 0, False: 0}
    for number, lane in enumerate(lanes):
        own = bool(lane["starts_groups"])
        counts[own] += 1
        top = number * (LANE + GAP)
        name = f"{'program' if own else 'worker'} {counts[own]}"
        parts.append(f'<text x="0" y="{top + 15}">{name}</text>')
        parts.append(f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT}" height="{LANE}" rx="2" fill="var(--track)"/>')
        for begin, end, kind in _joined(lane["slices"], 1 / scale):
            left, width = LEFT + (begin - first) * scale, max((end - begin) * scale, 0.6)
            parts.append(
                f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{LANE}" '
                f'fill="var(--c{colours.get(kind, COLOURS - 1)})"/>'
            )
    bottom = len(lanes) * (LANE + GAP)
    for step in range(5):
        anchor = ("start", "middle", "middle", "middle", "end")[step]
        x, time = LEFT + (WIDTH - LEFT) * step / 4, (last - first) * step / 4
        parts.append(f'<text x="{x:.0f}" y="{bottom + 12}" text-anchor="{anchor}">{1000 * time:.4g} ms</text>')
    return (
        f'<div class="wide"><svg viewBox="0 0 {WIDTH} {bottom + 18}" style="min-width:640px" role="img" '
        f'aria-label="groups by thread over time">{"".join(parts)}</svg></div>'
    )


def _joined(slices: Sequence[Slice], pixel: float) -> list[Slice]:
    """Neighbours of one kind that lie closer than a pixel are one, so that a long program stays a small page."""
    result: list[Slice] = []
    for begin, end, kind in slices:
        if result and begin - result[-1][1] < pixel and (kind == result[-1][2] or end - result[-1][0] < pixel):
            result[-1] = (result[-1][0], max(end, result[-1][1]), result[-1][2])
        else:
            result.append((begin, end, kind))
    return result
