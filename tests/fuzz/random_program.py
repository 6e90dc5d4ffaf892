"""Random NumPy programs, run line by line under NumPy and under manycore; after every line all live arrays must agree.

Every other program, drawn by its seed, is of the second kind: nobody looks while it runs (tests/fuzz/accumulating.py).

``python -m tests.fuzz.random_program --seconds N --seed S`` runs programs until the time is up; each is made from its own
seed, so that ``--seed S --programs 1`` repeats one. A failure prints the shortest program found that shows it.
"""

from __future__ import annotations

import argparse
import copy
import pickle
import random
import sys
import time
import types
import warnings
from collections.abc import Callable
from typing import Any

import manycore.numpy as mnp
import numpy
from manycore import _core

from tests.fuzz.counted import Counted

DTYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128".split()
COMMON = "bool int32 int64 uint8 float32 float64 float64 complex128".split()
BINARY = "+ - * / // % ** & | ^ < <= == != > >=".split()
IN_PLACE = "+= -= *= /= //= %= &= |= ^=".split()
UNARY = """negative absolute square sqrt sign rint floor isfinite logical_not conjugate exp sin log1p invert signbit
    reciprocal""".split()
CALLS = "maximum minimum fmax add subtract multiply logical_and hypot arctan2 copysign fmod equal less".split()
REDUCTIONS = "sum prod min max any all mean var argmin argmax cumsum".split()
FALLBACKS = [f"np.{name}" for name in ("unique({a})", "argsort({a}, axis=None, kind='stable')", "median({a})", "pad({a}, 1)")]
SCALARS = ["0", "1", "2", "3", "-1", "0.5", "-2.5", "True", "2j", "np.float32(1.5)", "np.int8(3)", "100", "1000"]
# Subnormal, infinite, not a number, both zeros and the largest; real numbers only: what complex products of them give depends on
# the order of operations.
ODD = "numpy.nan, numpy.inf, -numpy.inf, 0.0, -0.0, 1.5, -2.0, 3.0"
SPECIAL = {
    "float16": f"[{ODD}, 6e-8, -5e-7, 65504.0]",
    "float32": f"[{ODD}, 1e-45, -1e-40, 3e38]",
    "float64": f"[{ODD}, 5e-324, -1e-310, 1.7e308]",
}
SPECIAL_SHARE = 0.15
MOST_LIVE = 10
LINES = 25


class ProgramWriter:
    """Writes one line at a time, knowing the shapes that NumPy's side has by now."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.arrays: dict[str, Any] = {}  # NumPy's side
        self.count = 0

    def name(self) -> str:
        self.count += 1
        return f"a{self.count}"

    def pick(self) -> str:
        # Of a long column and a long row the results would not fit into any memory.
        fits = [n for n, a in self.arrays.items() if a.size <= 5000 or 1 not in a.shape]
        return self.random.choice(fits or list(self.arrays))

    def operand(self) -> str:
        return self.random.choice(SCALARS) if self.random.random() < 0.25 else self.pick()

    def matching(self, name: str) -> str:
        """Mostly an array that broadcasts with this one."""
        shape = self.arrays[name].shape
        fits = [n for n, a in self.arrays.items() if a.shape == shape or a.size == 1 or a.shape == shape[1:]]
        return self.random.choice(fits) if fits and self.random.random() < 0.85 else self.operand()

    def line(self) -> str:
        if not self.arrays or (len(self.arrays) < 3 and self.random.random() < 0.7):
            return self.create()
        if len(self.arrays) > MOST_LIVE:
            return f"del {self.random.choice(list(self.arrays))}"
        makers: list[tuple[int, Callable[[], str]]] = [
            (2, self.create),
            (6, self.view),
            (6, self.binary),
            (3, self.unary),
            (4, self.in_place),
            (5, self.assign),
            (3, self.index),
            (4, self.reduce),
            (2, self.cast),
            (2, self.join),
            (2, self.call_into),
            (1, self.fall_back),
            (1, self.product),
        ]
        weights, functions = zip(*makers, strict=True)
        return self.random.choices(functions, weights)[0]()

    def shape(self) -> tuple[int, ...]:
        r = self.random
        if r.random() < 0.05:
            return (r.choice([3000, 40000]),)
        return tuple(r.choice([0, 1, 2, 3, 3, 4, 5, 9]) if r.random() < 0.9 else 1 for _ in range(r.choice([0, 1, 1, 2, 2, 3])))

    def create(self) -> str:
        shape, k = self.shape(), self.random.randrange(1000)
        dtype = self.random.choice(COMMON if self.random.random() < 0.7 else DTYPES)
        low = -6 if numpy.dtype(dtype).kind in "ifc" else 0
        source = f"numpy.random.default_rng({k}).integers({low}, 9, {shape})"
        if numpy.dtype(dtype).kind in "fc" and self.random.random() < 0.7:
            source = f"({source} / 3)"
        if numpy.dtype(dtype).kind == "f" and self.random.random() < SPECIAL_SHARE:
            source = f"numpy.random.default_rng({k}).choice({SPECIAL[dtype]}, {shape})"
        order = ", order='F'" if self.random.random() < 0.2 else ""
        return f"{self.name()} = np.array({source}.astype('{dtype}'){order})"

    def slices(self, shape: tuple[int, ...]) -> str:
        r, parts = self.random, []
        for extent in shape:
            choice = r.random()
            if choice < 0.3:
                parts.append(":")
            elif choice < 0.8:
                start, stop = r.choice(["", "1", "-2"]), r.choice(["", "-1", str(extent)])
                parts.append(
                    f"{start}:{stop}:{r.choice(['', '2', '-1'])}" if r.random() < 0.8 else f"::{r.choice(['-1', '-2', '3'])}"
                )
            elif choice < 0.9 and extent:
                parts.append(str(r.randrange(-extent, extent)))
            else:
                parts.append("None, :")
        return ", ".join(parts) or "..."

    def view(self) -> str:
        a = self.pick()
        shape, r = self.arrays[a].shape, self.random.random()
        if r < 0.6:
            return f"{self.name()} = {a}[{self.slices(shape)}]"
        if r < 0.75:
            return f"{self.name()} = {a}.T"
        if r < 0.85:
            return f"{self.name()} = {a}.reshape(-1)"
        if r < 0.95:
            return f"{self.name()} = np.broadcast_to({a}, {(2, *shape)})"
        return f"{self.name()} = {a}.real"

    def binary(self) -> str:
        a = self.pick()
        left, right = (a, self.matching(a)) if self.random.random() < 0.7 else (self.operand(), a)
        return f"{self.name()} = {left} {self.random.choice(BINARY)} {right}"

    def unary(self) -> str:
        name, a = self.random.choice(UNARY), self.pick()
        return f"{self.name()} = np.{name}({without_nan(a) if name == 'signbit' else a})"

    def in_place(self) -> str:
        a = self.pick()
        return f"{a} {self.random.choice(IN_PLACE)} {self.matching(a)}"

    def assign(self) -> str:
        a, r = self.pick(), self.random.random()
        shape = self.arrays[a].shape
        value = self.random.choice(SCALARS) if self.random.random() < 0.5 else self.pick()
        if value in self.arrays and self.arrays[a].dtype.kind in "iu" and not in_integer_range(self.arrays[value]):
            value = "3"
        if r < 0.5:
            return f"{a}[{self.slices(shape)}] = {value}"
        if r < 0.75:
            return f"{a}[{a} > 0] = {self.random.choice(SCALARS)}"
        if shape and shape[0]:
            index = [self.random.randrange(-shape[0], shape[0]) for _ in range(3)]
            return f"{a}[np.array({index})] = {value}"
        return f"{a}[...] = {value}"

    def index(self) -> str:
        a, r = self.pick(), self.random.random()
        shape = self.arrays[a].shape
        if r < 0.4:
            # A NumPy scalar's own indexing gives an array of NumPy's.
            return f"{self.name()} = {a if shape else f'np.asarray({a})'}[{a} != 0]"
        if shape:
            limit = max(shape[0], 1) + (self.random.random() < 0.1)
            index = [self.random.randrange(-limit, limit) for _ in range(self.random.choice([0, 1, 4]))]
            return f"{self.name()} = {a}[np.array({index}, dtype=int)]"
        return f"{self.name()} = {a}[()]"

    def reduce(self) -> str:
        a, r = self.pick(), self.random
        ndim = self.arrays[a].ndim
        axis = "None" if r.random() < 0.4 or not ndim else str(r.randrange(-ndim, ndim))
        name = r.choice(REDUCTIONS)
        keep = ", keepdims=True" if name != "cumsum" and r.random() < 0.2 else ""
        # Which of two zeros is the least depends on NumPy's vector width (docs/decisions/0003).
        one_zero = " + 0" if name in ("min", "max") and self.arrays[a].dtype.kind in "fc" else ""
        return f"{self.name()} = np.{name}({a}, axis={axis}{keep}){one_zero}"

    def cast(self) -> str:
        a = self.pick()
        dtype = self.random.choice(DTYPES if in_integer_range(self.arrays[a]) else DTYPES[9:])
        return f"{self.name()} = {a}.astype('{dtype}')"

    def join(self) -> str:
        a, r = self.pick(), self.random.random()
        b = self.matching(a)
        if r < 0.4:
            return f"{self.name()} = np.where({a} > 0, {a}, {b})"
        if r < 0.7:
            return f"{self.name()} = np.concatenate([{a}, {self.pick()}], axis=None)"
        return f"{self.name()} = np.stack([{a}, {a}], axis=-1)"

    def call_into(self) -> str:
        a, out = self.pick(), self.pick()
        name, b = self.random.choice(CALLS), self.matching(a)
        return f"np.{name}({a}, {without_nan(b) if name == 'copysign' else b}, out={out})"

    def product(self) -> str:
        return f"{self.name()} = {self.pick()} @ {self.pick()}"

    def fall_back(self) -> str:
        return f"{self.name()} = " + self.random.choice(FALLBACKS).format(a=self.pick())


def without_nan(operand: str) -> str:
    """The sign of a NaN depends on the processor, and on NumPy's vector width where a reduction chose between several."""
    return f"np.where({operand} == {operand}, {operand}, 1)"


def in_integer_range(array: Any) -> bool:
    """Casts of other values to integers are undefined in C, and NumPy's answer differs between its own loops."""
    if array.dtype.kind not in "fc":
        return True
    with numpy.errstate(all="ignore"):
        return bool(numpy.all((array.real > -1) & (array.real < 127)))


def run_line(line: str, namespace: dict[str, Any]) -> str:
    """Runs it; the exception as text, or nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(line, namespace)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def arrays_of(namespace: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in namespace.items() if name[0] == "a" and name[1:].isdigit()}


# Products and complex arithmetic are rounded in an order of their own; both sides go on from NumPy's values.
CLOSE = 1e-9, 1e-3


def difference(theirs: Any, ours: Any) -> str:
    """Empty, or how the two differ. Values that differ by rounding only are made equal."""
    # A copy: memory that was handed out is watched, and what touches it no longer recorded.
    expected, got = numpy.asarray(theirs), numpy.asarray(ours.copy() if isinstance(ours, mnp.ndarray) else ours)
    if expected.dtype != got.dtype or expected.shape != got.shape:
        return f"expected {expected.dtype} {expected.shape}, got {got.dtype} {got.shape}"
    if isinstance(theirs, numpy.ndarray) != isinstance(ours, mnp.ndarray):
        return f"expected a {type(theirs)}, got a {type(ours)}"
    if numpy.array_equal(expected, got, equal_nan=expected.dtype.kind in "fc"):
        return ""
    if expected.dtype.kind in "fc":
        tolerance = CLOSE[0] if expected.dtype in (numpy.float64, numpy.complex128) else CLOSE[1]
        with numpy.errstate(all="ignore"):
            if numpy.allclose(expected, got, rtol=tolerance, atol=tolerance, equal_nan=True):
                if isinstance(ours, mnp.ndarray) and ours.flags.writeable:
                    ours[...] = expected
                return ""
    where = numpy.argwhere(numpy.atleast_1d((expected != got) & ~((expected != expected) & (got != got))))
    return f"expected {expected!r}, got {got!r}, first at {where[:1].tolist()}"


def module_space() -> dict[str, Any]:
    """The names of a module: only what the code of one does is recorded, where it stands outlives it."""
    module = sys.modules["fuzzed_program"] = types.ModuleType("fuzzed_program")
    return module.__dict__


def run_program(lines: list[str]) -> str:
    """Empty, or what went wrong and where."""
    ours = module_space()
    ours.update({"np": mnp, "numpy": numpy})
    spaces: list[dict[str, Any]] = [{"np": numpy, "numpy": numpy}, ours]
    for number, line in enumerate(lines):
        errors = [run_line(line, space) for space in spaces]
        if errors[0] != errors[1]:
            return f"line {number + 1}: {line}\n  NumPy: {errors[0] or 'no error'}\n  manycore: {errors[1] or 'no error'}"
        made = arrays_of(ours)
        for name, value in arrays_of(spaces[0]).items():
            found = difference(value, made[name])
            if found:
                return f"line {number + 1}: {line}\n  {name}: {found}"
    return ""


def write_program(seed: int, writer: ProgramWriter | None = None, length: int = LINES) -> list[str]:
    writer = writer or ProgramWriter(seed)
    lines: list[str] = []
    space: dict[str, Any] = {"np": numpy, "numpy": numpy, "copy": copy, "pickle": pickle}
    space["on_thread"] = lambda _, line: exec(line, space)
    space["together"] = lambda own: [exec(line, space) for line in own]
    for _ in range(length):
        line = writer.line()
        lines.append(line)
        run_line(line, space)
        writer.arrays = {name: numpy.asarray(value) for name, value in arrays_of(space).items()}
    return lines


def shorten(lines: list[str], run: Callable[[list[str]], str] = run_program) -> list[str]:
    """Leave out what the failure does not need, from the end."""
    for i in reversed(range(len(lines))):
        fewer = lines[:i] + lines[i + 1 :]
        problem = run(fewer)
        if problem and "NameError" not in problem:
            lines = fewer
    return lines


def of_seed(seed: int, kind: str) -> tuple[list[str], Callable[[list[str]], str]]:
    """The program, and what runs it."""
    from tests.fuzz import accumulating  # it builds on this module

    if kind == "lines" or (kind == "both" and random.Random(seed * 11).random() < 0.5):
        return write_program(seed), run_program
    lines = write_program(seed, accumulating.AccumulatingWriter(seed), 2 * LINES)
    return lines, lambda program: accumulating.run_accumulating(program, seed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--programs", type=int, default=0, help="stop after this many; 0 means when the time is up")
    parser.add_argument("--kind", choices=("both", "lines", "accumulating"), default="both")
    parser.add_argument("--failures", type=int, default=1, help="go on until this many failures were found")
    options = parser.parse_args()
    end, seed, failures, counted = time.monotonic() + options.seconds, options.seed, 0, Counted()
    record_from = _core.get_option("record_from")
    while time.monotonic() < end and (not options.programs or seed < options.seed + options.programs):
        lines, run = of_seed(seed, options.kind)
        problem = run(lines)
        counted.add("lines" if run is run_program else "accumulating")
        if problem:
            failures += 1
            short = shorten(lines, run)
            print(f"seed {seed}: {run(short) or problem}\nThe program:\n    " + "\n    ".join(short))
            if failures >= options.failures:
                break
        seed += 1
    snapshot = _core.trace_snapshot()
    calls = f"{snapshot['native_calls']} native calls, {snapshot['fallback_calls']} fallbacks"
    calls += f", {snapshot['recorded']} operations recorded, {snapshot['grouped']} in {snapshot['groups']} groups, {snapshot['reused_plans']} plans reused"
    print(f"{seed - options.seed} programs, {calls}, {failures} failures")
    few = counted.too_few(record_from)
    if few:
        print(few)
    return 1 if failures or few else 0


if __name__ == "__main__":
    from tests.fuzz.random_program import main as imported_main  # one module, whichever way it was started

    sys.exit(imported_main())
