"""Compare what two runs of one program left behind: text and files, by value where the format has values.

>>> Tolerance.parse("rtol=1e-12 atol=0")
Tolerance(rtol=1e-12, atol=0.0)
>>> compare_text("mean 0.5\\n", "mean 0.5\\n", EXACT) is None
True
>>> compare_text("mean 0.5\\n", "mean 0.6\\n", EXACT)
"line 1: 'mean 0.5' in plain Python, 'mean 0.6' under manycore"
"""

from __future__ import annotations

import cmath
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

SEPARATORS = re.compile(r"([\s,;()\[\]{}=:]+)")
TEXT_SUFFIXES = frozenset({".csv", ".txt", ".tsv", ".dat"})


@dataclass(frozen=True)
class Tolerance:
    """How far a number may be from plain Python's: ``abs(a - b) <= atol + rtol * abs(b)``; zero and zero mean exactly equal."""

    rtol: float = 0.0
    atol: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("rtol", self.rtol), ("atol", self.atol)):
            if not 0 <= value < math.inf:
                raise ValueError(f"tolerance: {name} is not a tolerance, expected a finite number from 0, got {value}")

    @classmethod
    def parse(cls, text: str) -> Tolerance:
        """Read ``exact`` or ``rtol=... atol=...``, the form of a script's ``# tolerance:`` line."""
        values = {"rtol": 0.0, "atol": 0.0}
        if text.strip() == "exact":
            return cls()
        for part in text.replace(",", " ").split():
            name, _, number = part.partition("=")
            try:
                values[name] = {"rtol": float, "atol": float}[name](number)
            except (KeyError, ValueError):
                raise ValueError(
                    f"tolerance: {part!r} is not a tolerance, expected 'exact' or 'rtol=NUMBER atol=NUMBER', got {text!r}"
                ) from None
        return cls(values["rtol"], values["atol"])

    @property
    def is_exact(self) -> bool:
        return self.rtol == 0 and self.atol == 0

    def accepts(self, ours: complex, plain: complex) -> bool:
        if ours == plain or (cmath.isnan(ours) and cmath.isnan(plain)):
            return True
        return cmath.isfinite(plain) and abs(ours - plain) <= self.atol + self.rtol * abs(plain)

    def __str__(self) -> str:
        return "exact" if self.is_exact else f"rtol={self.rtol:g} atol={self.atol:g}"


EXACT = Tolerance()


def script_tolerance(path: Path) -> Tolerance | None:
    """The tolerance that a script states in a line ``# tolerance: ...``, or None."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    match = re.search(r"^#\s*tolerance:\s*(.+?)\s*$", text, re.MULTILINE)
    return Tolerance.parse(match.group(1)) if match else None


def compare_text(plain: str, ours: str, tolerance: Tolerance) -> str | None:
    """The first difference as a sentence, or None. Numbers within the tolerance count as equal."""
    if plain == ours:
        return None
    plain_lines, our_lines = plain.splitlines(), ours.splitlines()
    for number, (left, right) in enumerate(zip(plain_lines, our_lines, strict=False), 1):
        if left != right and (tolerance.is_exact or not _same_tokens(left, right, tolerance)):
            return f"line {number}: {_short(left)} in plain Python, {_short(right)} under manycore"
    if len(plain_lines) != len(our_lines):
        return f"{len(plain_lines)} lines in plain Python, {len(our_lines)} under manycore"
    if tolerance.is_exact and plain_lines == our_lines:
        return "line ends differ"
    return None


def compare_files(plain: Path, ours: Path, tolerance: Tolerance) -> str | None:
    """The first difference between two files as a sentence, or None."""
    if plain.is_symlink() or ours.is_symlink():
        return _compare_links(plain, ours)
    left, right = plain.read_bytes(), ours.read_bytes()
    if left == right:
        return None
    suffix = plain.suffix.lower()
    if suffix == ".npy":
        return _compare_arrays("", _load(plain), _load(ours), tolerance)
    if suffix == ".npz":
        return _compare_archives(plain, ours, tolerance)
    if suffix in TEXT_SUFFIXES:
        return compare_text(left.decode("utf-8", "replace"), right.decode("utf-8", "replace"), tolerance)
    if len(left) != len(right):
        return f"{len(left)} bytes in plain Python, {len(right)} under manycore"
    at = next(i for i, (x, y) in enumerate(zip(left, right, strict=True)) if x != y)
    return f"byte {at} is {left[at]} in plain Python, {right[at]} under manycore"


def _compare_links(plain: Path, ours: Path) -> str | None:
    left, right = (f"a link to {os.readlink(path)!r}" if path.is_symlink() else "a file" for path in (plain, ours))
    return None if left == right else f"{left} in plain Python, {right} under manycore"


def _load(path: Path) -> Any:
    return numpy.load(path, allow_pickle=False)


def _compare_archives(plain: Path, ours: Path, tolerance: Tolerance) -> str | None:
    with _load(plain) as left, _load(ours) as right:
        if sorted(left.files) != sorted(right.files):
            return f"arrays {sorted(left.files)} in plain Python, {sorted(right.files)} under manycore"
        for name in left.files:
            difference = _compare_arrays(f"array {name!r}: ", left[name], right[name], tolerance)
            if difference:
                return difference
    return None


def _compare_arrays(name: str, plain: Any, ours: Any, tolerance: Tolerance) -> str | None:
    if plain.dtype != ours.dtype:
        return f"{name}dtype {plain.dtype} in plain Python, {ours.dtype} under manycore"
    if plain.shape != ours.shape:
        return f"{name}shape {plain.shape} in plain Python, {ours.shape} under manycore"
    if plain.dtype.kind not in "biufc":
        return None if plain.tobytes() == ours.tobytes() else f"{name}values differ"
    same = (plain == ours) | ((plain != plain) & (ours != ours))
    if not tolerance.is_exact and plain.dtype.kind in "fc":
        same = same | numpy.isclose(ours, plain, rtol=tolerance.rtol, atol=tolerance.atol, equal_nan=True)
    if bool(numpy.all(same)):
        return None
    different = numpy.argwhere(~numpy.asarray(same))
    at = tuple(int(i) for i in different[0])
    return (
        f"{name}{len(different)} of {plain.size} values differ, the first at {at}: "
        f"{plain[at]!r} in plain Python, {ours[at]!r} under manycore"
    )


def _same_tokens(left: str, right: str, tolerance: Tolerance) -> bool:
    lefts, rights = SEPARATORS.split(left), SEPARATORS.split(right)
    if len(lefts) != len(rights):
        return False
    for x, y in zip(lefts, rights, strict=True):
        if x == y or (SEPARATORS.fullmatch(x) and "".join(x.split()) == "".join(y.split())):
            continue  # columns may be wider
        try:
            if not tolerance.accepts(complex(y), complex(x)):
                return False
        except ValueError:
            return False
    return True


def _short(line: str) -> str:
    return repr(line if len(line) <= 100 else line[:97] + "...")
