"""One way to measure: both sides in one process, interleaved, median of the ratios.

A case is a statement that reads `np`; it is run once with NumPy and once with manycore.numpy in
that name, on equal data made by the case's setup.  Each round times every side once, in turn and
starting with another side each time, so that a change of the clock rate or a busy neighbour hits
all of them; a ratio is formed within a round and the median over the rounds is reported.  Results
are compared before anything is timed: a fast wrong answer is an error, not a measurement.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import statistics
import sys
import timeit
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import manycore
import numpy

from benchmarks import machine

_numbers = itertools.count()
RESULTS = Path(__file__).parent / "results"


@dataclasses.dataclass(frozen=True)
class Case:
    """One statement to time.

    `result` is what is compared (the statement's value if empty); `local` runs before each sample
    and gives a value to the names that the statement itself assigns.
    """

    group: str
    name: str
    statement: str
    setup: str = ""
    result: str = ""
    local: str = "pass"
    rtol: float = 0.0
    bytes_moved: int = 0


@dataclasses.dataclass
class Measurement:
    """Medians over the rounds: seconds per call of each side, ratios of ours to NumPy's time."""

    group: str
    name: str
    statement: str
    numpy_seconds: float
    manycore_seconds: float
    time_ratio: float
    rounds: int
    difference: str = ""
    percent_of_copy: float | None = None


def interleaved(timers: Mapping[str, Callable[[int], float]], loops: int, rounds: int) -> dict[str, list[float]]:
    """Seconds per call, one value a round and side; every round starts with another side."""
    names = list(timers)
    samples: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            samples[name].append(timers[name](loops) / loops)
    return samples


def median_ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """Median over the rounds of above / below."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def loops_for(timer: Callable[[int], float], seconds: float) -> int:
    """How many calls make one sample last about `seconds`."""
    loops = 1
    while True:
        took = timer(loops)
        if took >= seconds / 4 or loops >= 1_000_000:
            return max(1, round(loops * seconds / max(took, 1e-9)))
        loops *= 4


def difference(expected: Any, got: Any, rtol: float) -> str:
    """Empty when both sides computed the same, else what differs, in one line."""
    left, right = numpy.asarray(expected), numpy.asarray(got)
    if left.dtype != right.dtype or left.shape != right.shape:
        return f"{left.dtype}{left.shape} became {right.dtype}{right.shape}"
    numeric = left.dtype.kind in "fc"
    if numpy.array_equal(left, right, equal_nan=numeric):
        return ""
    if numeric and rtol and numpy.allclose(left, right, rtol=rtol, atol=rtol, equal_nan=True):
        return ""
    wrong = numpy.flatnonzero(numpy.asarray(left != right))
    place = int(wrong[0])
    values = f"{left.flat[place]} != {right.flat[place]}"
    return f"{wrong.size} of {left.size} differ, at {place} {values}"


def namespace(module: ModuleType, setup: str) -> dict[str, Any]:
    """The names that a case's statement sees when `np` is `module`: those of a module, as in people's programs."""
    case = ModuleType(f"benchmark_of_{module.__name__}_{next(_numbers)}")
    sys.modules[case.__name__] = case  # code whose names belong to no module is not recorded where it may warn
    names = vars(case)
    names["np"] = module
    exec(compile(setup, "<setup>", "exec"), names)
    return names


def forget(names: dict[str, Any]) -> None:
    """End a namespace and its arrays."""
    del sys.modules[names["__name__"]]
    names.clear()


def result_of(case: Case, names: dict[str, Any]) -> Any:
    """Run the statement once and return what is to be compared."""
    if not case.result:
        return eval(compile(case.statement, "<statement>", "eval"), names)
    exec(compile(f"{case.local}\n{case.statement}", "<statement>", "exec"), names)
    return eval(compile(case.result, "<result>", "eval"), names)


def kept(statement: str, names: dict[str, Any], evaluated: bool) -> str:
    """The statement, with its result kept and what it recorded run, where that is asked for."""
    if not evaluated:
        return statement
    names["_evaluate"] = (lambda: None) if names["np"] is numpy else manycore.evaluate
    try:
        compile(statement, "<statement>", "eval")
    except SyntaxError:
        return f"{statement}; _evaluate()"
    return f"_kept = ({statement}); _evaluate()"


def measure(
    case: Case,
    ours: ModuleType,
    *,
    rounds: int = 15,
    seconds: float = 0.0005,
    copy: tuple[Callable[[int], float], int] | None = None,
    evaluated: bool = False,
) -> Measurement:
    """Compare, then time.  `copy` is a timer of a plain copy and the bytes that one copy moves.

    With `evaluated` a call keeps its result and ends when nothing is left recorded: large operations may be run later.
    """
    sides = {"numpy": namespace(numpy, case.setup), "manycore": namespace(ours, case.setup)}
    timers: dict[str, Callable[[int], float]] = {
        side: timeit.Timer(kept(case.statement, names, evaluated), case.local, globals=names).timeit
        for side, names in sides.items()
    }
    differs = difference(result_of(case, sides["numpy"]), result_of(case, sides["manycore"]), case.rtol)
    loops = loops_for(timers["numpy"], seconds)
    timers["manycore"](min(loops, 1000))
    if copy is not None:
        one_copy = copy[0]

        # One copy a round is enough: it lasts longer than a sample of ours.
        def copy_timer(calls: int) -> float:
            return one_copy(1) * calls

        timers["copy"] = copy_timer
    samples = interleaved(timers, loops, rounds)
    measured = Measurement(
        case.group,
        case.name,
        case.statement,
        statistics.median(samples["numpy"]),
        statistics.median(samples["manycore"]),
        median_ratio(samples["manycore"], samples["numpy"]),
        rounds,
        differs,
    )
    if copy is not None and case.bytes_moved:
        share = case.bytes_moved / copy[1]
        ratio = median_ratio(samples["copy"], samples["manycore"])
        measured.percent_of_copy = 100.0 * share * ratio
    for names in sides.values():
        forget(names)
    return measured


def save(name: str, content: Mapping[str, object]) -> Path:
    """Write results and machine as JSON beside the benchmarks."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine.describe(), **content}, indent=1) + "\n")
    return path


def seconds_text(seconds: float) -> str:
    """A duration with three figures and its unit."""
    for scale, unit in ((1e-9, "ns"), (1e-6, "us"), (1e-3, "ms")):
        if seconds < 999.5 * scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds:.3g} s"


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in markdown, padded so that it also reads well on a screen."""
    lines = [list(header), *[list(row) for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    padded = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in lines]
    padded.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(padded)
