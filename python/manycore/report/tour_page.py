"""The tour as one page of HTML: its ratios as bars and the pictures that the programs drew, all inside the file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from manycore.report.page_style import STYLE
from manycore.report.words import size

if TYPE_CHECKING:
    from manycore.report.tour import Stop

TOUR_STYLE = """
.ratio { display: grid; grid-template-columns: minmax(110px, 150px) 1fr 70px; gap: 4px 12px; align-items: center; margin: 8px 0; }
.ratio .bar { width: 100%; height: 14px; margin: 0; position: relative; }
.ratio .bar u { position: absolute; top: 0; height: 100%; width: 2px; background: var(--ink); }
.ratio small { grid-column: 2 / 4; color: var(--soft); }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 480px), 1fr)); gap: 16px; }
figure { margin: 0; }
figure img { width: 100%; height: auto; border-radius: 6px; background: #ffffff; display: block; }
figcaption { color: var(--soft); font-size: 13px; margin-top: 4px; }
"""


def tour_page(stops: Sequence[Stop], verdict: str, pictures: Path) -> str:
    """``pictures`` is the folder where the programs left theirs, as NAME.png."""
    longest = max([1.0, *(stop.ratio for stop in stops)])
    bars = "".join(_bar(stop, longest) for stop in stops)
    drawn = "".join(_picture(pictures / f"{stop.name}.png") for stop in stops)
    shown = (
        f'<section><h2>Pictures</h2><p>What the programs drew.</p><div class="pictures">{drawn}</div></section>' if drawn else ""
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>manycore tour</title><style>{STYLE}{TOUR_STYLE}</style></head>\n"
        f"<body><main><h1>The tour</h1><p>{escape(verdict)}</p>"
        "<section><h2>Speed</h2><p>Plain Python's time over manycore's, whole processes; the mark stands at 1.</p>"
        f"{bars}</section>{shown}</main></body></html>\n"
    )


def _bar(stop: Stop, longest: float) -> str:
    right = not stop.differences
    native = "" if stop.native_share is None else f", {100 * stop.native_share:.1f} % of bytes native"
    results = f"equal ({stop.tolerance})" if right else "DIFFERENT"
    width = 100 * stop.ratio / longest if right else 0.0
    return (
        f'<div class="ratio"><span>{escape(stop.name)}</span><div class="bar"><i style="width:{width:.1f}%;'
        f'background:var(--group)"></i><u style="left:{100 / longest:.1f}%"></u></div>'
        f'<b class="n">{f"{stop.ratio:.2f}x" if right else "-"}</b>'
        f"<small>{stop.plain_seconds:.2f} s → {stop.manycore_seconds:.2f} s, peak memory {size(stop.plain_peak_bytes)} → "
        f"{size(stop.manycore_peak_bytes)}, {escape(results)}{native}</small></div>"
    )


def _picture(path: Path) -> str:
    if not path.is_file():
        return ""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    name = escape(path.stem)
    return f'<figure><img alt="{name}" src="data:image/png;base64,{data}"><figcaption>{name}</figcaption></figure>'
