"""Programs whose work accumulates: nothing looks at an array for many lines, so that what was recorded is fused and reordered.

Each runs twice under manycore, every operation at once on one thread and recorded with settings drawn from its seed (blocks of a few
elements, one to seven threads, passes left out), and both must end with the same bits, the same exceptions and the same warnings. That
what runs at once is what NumPy gives is the matter of the other programs.
"""

from __future__ import annotations

import copy
import pickle
import random
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import manycore
import manycore.numpy as mnp
import numpy
from manycore import _core

from tests.fuzz.random_program import SCALARS, ProgramWriter, arrays_of, module_space

SHAPES = [(5,), (40,), (700,), (7, 11), (64, 40), (40, 64), (3, 4, 5), (2, 36, 40), (200, 3), (33, 1), (40000,), (210, 170)]
PASSES = ["find_common", "drop_unused", "insert_frees", "align_shapes", "place_frees"]
OPERATORS = ["+", "-", "*", "/", "+", "-", "*", "<", ">=", "=="]
FUNCTIONS = "sqrt exp absolute negative floor isfinite sin log square sign".split()
STATES = ["all='ignore'", "all='raise'", "divide='raise'", "over='ignore'", "invalid='ignore', divide='warn'"]
EXPORTS = ["numpy.asarray({})", "numpy.from_dlpack({})", "numpy.asarray(memoryview({}))", "{}.__array__()"]
try:
    import torch  # shares the memory like the others; too large to ask of everybody (CONTRIBUTING.md)
except ModuleNotFoundError:
    torch = None
else:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.from_numpy(numpy.broadcast_to(0, 3))  # it warns of memory that may not be written, once in a process
    EXPORTS += ["torch.from_numpy(numpy.asarray({}))", "torch.from_dlpack({})"]
THREADS = 3


class AccumulatingWriter(ProgramWriter):
    """Mostly arrays of one shape, chains of operations over them, and views that overlap what is written."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.base = self.random.choice(SHAPES)
        self.held = 0

    def shape(self) -> tuple[int, ...]:
        r = self.random.random()
        if r < 0.8:
            return self.base
        if r < 0.9:
            return tuple(1 if self.random.random() < 0.5 else extent for extent in self.base)
        return self.base[1:] if r < 0.95 else super().shape()

    def line(self) -> str:
        r = self.random.random()
        if len(self.arrays) < 4 or r < 0.35:
            line = super().line()
        else:
            makers = [self.chain, self.chain, self.chain, self.overlapping, self.overlapping, self.stencil, self.steps]
            makers += [self.ending, self.ending, self.view_of_view, self.copied, self.export, self.written_outside, self.errors]
            makers += [self.refused, self.select, self.into, self.into, self.along_rows, self.reshaped, self.together]
            line = self.random.choice(makers)()
        if self.random.random() < 0.06:
            return f"on_thread({self.random.randrange(THREADS)}, {line!r})"
        return line

    def expression(self) -> str:
        a, r = self.pick(), self.random
        text = a
        for _ in range(r.choice([1, 2, 2, 3, 5])):
            choice = r.random()
            if choice < 0.65:
                text = f"({text} {r.choice(OPERATORS)} {self.matching(a)})"
            elif choice < 0.8:
                text = f"np.{r.choice(FUNCTIONS)}({text})"
            elif choice < 0.9:
                text = f"({r.choice(SCALARS)} * {text})"
            else:
                text = f"np.where({text} > 1, {text}, {self.matching(a)})"
        return text

    def chain(self) -> str:
        target = self.name() if self.random.random() < 0.6 else self.pick()
        return f"{target} = {self.expression()}"

    def ending(self) -> str:
        r = self.random
        name = r.choice("sum sum mean min max prod any all var std count_nonzero argmax".split())
        ndim = len(self.base)
        axis = r.choice(["None", "0", "-1", "(0, -1)" if ndim > 1 else "0", "1" if ndim > 1 else "None"])
        keep = ", keepdims=True" if name not in ("count_nonzero", "argmax") and r.random() < 0.2 else ""
        if "(" in axis and name == "argmax":
            axis = "None"
        operand = self.expression() if r.random() < 0.7 else self.pick()
        return f"{self.name()} = np.{name}({operand}, axis={axis}{keep})"

    def overlapping(self) -> str:
        a, r = self.pick(), self.random
        return r.choice(
            [
                f"{a}[1:] += {a}[:-1]",
                f"{a}[:-1] = {a}[1:] * 2",
                f"{a}[::-1] = {a}",
                f"{a}[...] = {a}[::-1]",
                f"np.add({a}[1:], {a}[:-1], out={a}[:-1])",
                f"np.multiply({a}[::-1], {self.matching(a)}, out={a})",
                f"{a} *= {a}[::-1]",
                f"{a}.T[...] = {a}.T[::-1] + 1",
                f"{a}[::2] -= {a}[1::2]",
                f"{a}[{self.slices(self.arrays[a].shape)}] *= {r.choice(SCALARS)}",
                f"{a}[{self.slices(self.arrays[a].shape)}] = {self.expression()}",
            ]
        )

    def into(self) -> str:
        a, r = self.pick(), self.random
        function = r.choice("add subtract multiply divide maximum less equal hypot logical_or".split())
        return f"np.{function}({a}, {self.matching(a)}, out={self.pick()}, casting='unsafe')"

    def stencil(self) -> str:
        a, b = self.pick(), self.pick()
        return f"{a}[1:-1] = ({b}[:-2] + {b}[2:]) * 0.5 - {b}[1:-1]"

    def steps(self) -> str:
        a, b = self.pick(), self.pick()
        body = self.random.choice(
            [f"{a} += {b} * 0.5", f"{a} = {a} * 0.5 + {b}", f"{a}, {b} = {b} + 1, {a}", f"{a}[1:-1] += {a}[2:] - {a}[:-2]"]
        )
        return f"for _ in range({self.random.choice([2, 3, 8])}): {body}"

    def product(self) -> str:
        """Of small arrays: how BLAS adds up large ones depends on its threads."""
        small = [name for name, array in self.arrays.items() if array.size <= 5000]
        return f"{self.name()} = {self.random.choice(small)} @ {self.random.choice(small)}" if small else self.chain()

    def select(self) -> str:
        a = self.pick()
        return f"{self.name()} = " + self.random.choice(
            [
                f"np.clip({a}, -1, 3)",
                f"np.where({a} > {self.matching(a)}, {a}, 0)",
                f"np.maximum({a}, {self.matching(a)}).astype('f4')",
            ]
        )

    def along_rows(self) -> str:
        a, r = self.pick(), self.random
        name = r.choice(["max", "min", "sum", "mean", "any"])
        rows = f"{a} {r.choice('-/*')} {a}.{name}(axis={r.choice(['-1', '0'])}, keepdims=True)"
        return f"{self.name()} = " + r.choice(
            [rows, f"np.exp({rows})", f"({rows}).sum(axis=-1)", f"({rows}) * {self.matching(a)}"]
        )

    def reshaped(self) -> str:
        a, r = self.pick(), self.random
        shape, flat = self.arrays[a].shape, self.arrays[a].size
        # Large columns would meet large rows, and the results not fit into any memory.
        to = r.choice(["-1", f"{shape}", f"{shape[::-1]}", *([f"({flat}, 1)", f"(1, {flat})"] if flat <= 1000 else [])])
        return f"{self.name()} = " + r.choice(
            [
                f"{self.expression()}.reshape({to})",
                f"({a} + 1).reshape({to}) * {a}.reshape({to})",
                f"({a} * 2).reshape(-1).sum()",
                f"({a} + 1).reshape({to}).reshape({shape}) - {a}",
            ]
        )

    def together(self) -> str:
        """At the same time on several threads: they read what all see, and each makes an array of its own."""
        lines = [self.random.choice([self.chain_of_own, self.ending])() for _ in range(self.random.choice([2, 3]))]
        return f"together({lines!r})"

    def chain_of_own(self) -> str:
        return f"{self.name()} = {self.expression()}"

    def view_of_view(self) -> str:
        a = self.pick()
        shape = self.arrays[a].shape
        inner = self.random.choice(
            ["", ".T", "[::-1]", "[..., ::2]", ".reshape(-1)", "[None]", ".real", ".imag", ".swapaxes(0, -1)"]
        )
        return f"{self.name()} = {a}[{self.slices(shape)}]{inner}"

    def copied(self) -> str:
        a = self.pick()
        return f"{self.name()} = " + self.random.choice(
            [
                f"{a}.copy()",
                f"np.array({a})",
                f"copy.copy({a})",
                f"copy.deepcopy({a})",
                f"pickle.loads(pickle.dumps({a}))",
                f"+{a}",
            ]
        )

    def export(self) -> str:
        self.held += 1
        a = self.pick()
        export = self.random.choice(EXPORTS)
        return f"e{self.held} = {export.format(a)}"

    def written_outside(self) -> str:
        if not self.held:
            return self.export()
        e = f"e{self.random.randint(1, self.held)}"
        return self.random.choice([f"{e}[...] = 2", f"{e} += 1", f"{e}[...] = {e}[::-1].copy()", f"del {e}", f"{e} = {e}[1:]"])

    def errors(self) -> str:
        line = self.random.choice([self.chain, self.overlapping, self.into, self.ending])()
        if self.random.random() < 0.6:
            return f"with np.errstate({self.random.choice(STATES)}): {line}"
        lines = [line, self.chain(), self.overlapping(), self.chain() if self.random.random() < 0.7 else self.refused()]
        return f"with np.errstate({self.random.choice(STATES)}):\n    " + "\n    ".join(lines)

    def refused(self) -> str:
        a = self.pick()
        return self.random.choice(
            [
                f"{self.name()} = {a} + np.ones({(*self.base, 3)})[:, :2]",
                f"{a}[...] = np.ones(({len(self.base)}, 2, 77))",
                f"{a} += 1j",
                f"{self.name()} = {a}[{10**6}]",
                f"{self.name()} = {self.expression()} + undefined",
            ]
        )


def settings_of(seed: int) -> dict[str, Any]:
    r = random.Random(seed * 7 + 1)
    return {
        "record_from": 0 if r.random() < 0.85 else 32768,
        "block_elements": r.choice([0, 0, 1, 3, 16, 100]),
        "chunk_elements": r.choice([0, 1, 5, 64, 1000]),
        "stream_from": r.choice([0, 1]),
        "threads": r.choice([1, 2, 2, 3, 7]),
        "without_passes": ",".join(name for name in PASSES if r.random() < 0.08),
    }


DEFAULTS = {name: _core.get_option(name) for name in (*settings_of(0), "eager")}  # what the environment asked for


def set_options(options: dict[str, Any]) -> None:
    _core.evaluate()
    for name, value in options.items():
        _core.set_option(name, value)


class Run:
    """The program once; `looks` are the lines after which an array is read. What ran `before` it under the same options leaves its plans."""

    def __init__(self, lines: list[str], looks: dict[int, int], options: dict[str, Any], before: list[str] | None = None) -> None:
        set_options({**DEFAULTS, **options})
        if before is not None:
            self.run(before, looks)
        self.run(lines, looks)
        set_options(DEFAULTS)

    def run(self, lines: list[str], looks: dict[int, int]) -> None:
        self.errors: list[str] = []
        self.seen: list[Any] = []
        pool = [ThreadPoolExecutor(1) for _ in range(2 * THREADS)]
        space = module_space()
        space.update({"np": mnp, "numpy": numpy, "torch": torch, "copy": copy, "pickle": pickle})
        space["on_thread"] = lambda k, line: pool[k].submit(exec, line, space).result()
        space["together"] = lambda own: run_together(pool[THREADS:], own, space)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for number, line in enumerate(lines):
                try:
                    exec(compile(line, f"line {number}", "exec"), space)
                    self.errors.append("")
                except Exception as error:
                    self.errors.append(f"{type(error).__name__}: {error}")
                if number in looks:
                    names = sorted(arrays_of(space))
                    if names:
                        name = names[looks[number] % len(names)]
                        self.seen.append((name, numpy.array(value_of(space[name]))))
            manycore.evaluate()
        self.values = {name: numpy.array(value_of(value)) for name, value in arrays_of(space).items()}
        self.types = {name: type(value) for name, value in arrays_of(space).items()}
        # BLAS loses the conditions that its own threads met, so how many threads it has decides, in NumPy too.
        heard = [w for w in caught if "thread" not in w.filename and not str(w.message).endswith("encountered in matmul")]
        self.warnings = sorted((w.filename, str(w.message)) for w in heard)
        for executor in pool:
            executor.shutdown()
        space.clear()


def run_together(pool: list[ThreadPoolExecutor], lines: list[str], space: dict[str, Any]) -> None:
    """Each line on a thread of its own; the first one's exception, if several raise."""
    running = [executor.submit(exec, line, space) for executor, line in zip(pool, lines, strict=False)]
    raised = [done.exception() for done in running]
    for error in raised:
        if error is not None:
            raise error


def value_of(value: Any) -> Any:
    """Not the array itself: memory that was handed out is watched, and what touches it no longer recorded."""
    return value.copy() if isinstance(value, mnp.ndarray) else value


def unlike(expected: Any, got: Any) -> bool:
    if expected.dtype != got.dtype or expected.shape != got.shape:
        return True
    if expected.tobytes() == got.tobytes():
        return False
    if expected.dtype.kind not in "fc":
        return True
    # The sign and payload of a NaN are the processor's.
    parts = [(expected, got)] if expected.dtype.kind == "f" else [(expected.real, got.real), (expected.imag, got.imag)]
    with numpy.errstate(all="ignore"):
        return not all(bool(numpy.all((x == y) & (numpy.signbit(x) == numpy.signbit(y)) | (x != x) & (y != y))) for x, y in parts)


def run_accumulating(lines: list[str], seed: int) -> str:
    """Empty, or what went wrong."""
    settings, r = settings_of(seed), random.Random(seed * 7 + 2)
    often = r.choice([0.0, 0.0, 0.05, 0.2])
    looks = {number: r.randrange(1000) for number in range(len(lines)) if r.random() < often}
    # A program much like it, so that plans fit, and some that nearly do are there too.
    before = [line for line in lines if r.random() < 0.9] if r.random() < 0.5 else None
    at_once, recorded = Run(lines, looks, {"eager": True, "threads": 1}), Run(lines, looks, settings, before)
    for number, (expected, got) in enumerate(zip(at_once.errors, recorded.errors, strict=True)):
        if expected != got:
            return f"line {number + 1}: {lines[number]}\n  at once: {expected or 'no error'}\n  recorded: {got or 'no error'}\n  {settings}"
    for (name, expected), (_, got) in zip(at_once.seen, recorded.seen, strict=True):
        if unlike(expected, got):
            return f"{name}, read on the way: at once {expected!r}, recorded {got!r}\n  {settings}, looks {looks}"
    for name, expected in at_once.values.items():
        if at_once.types[name] is not recorded.types[name] or unlike(expected, recorded.values[name]):
            return f"{name}: at once {expected!r}, recorded {recorded.values[name]!r}\n  {settings}, looks {looks}"
    if at_once.warnings != recorded.warnings:
        return f"warnings: at once {at_once.warnings}, recorded {recorded.warnings}\n  {settings}, looks {looks}"
    return ""
