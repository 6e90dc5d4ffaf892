"""The examples in NumPy's own documentation, run over NumPy and over manycore.numpy: each prints the same in both."""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import re
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import manycore.numpy as mnp
import numpy
import pytest

# Names whose examples differ, with the reason.
DIFFERENT = {
    "all": "prints identities of objects",
    "any": "prints identities of objects",
    "empty": "prints memory that nobody has written",
    "empty_like": "prints memory that nobody has written",
    "ndarray": "prints memory that nobody has written",
    "ndarray.setflags": "clears ALIGNED; the engine takes aligned arrays only, and an array of ours is one",
}
SKIPPED = re.compile(
    r"plt\.|matplotlib|urllib|time\.sleep|timeit|np\.random\.(?!default_rng\()|default_rng\(\)|\bint\(input|help\("
)


def documented() -> Iterator[tuple[str, str]]:
    for owner, prefix in ((numpy, ""), (numpy.ndarray, "ndarray."), (numpy.linalg, "linalg."), (numpy.fft, "fft.")):
        for name in sorted(getattr(owner, "__all__", [n for n in dir(owner) if not n.startswith("__")])):
            text = getattr(getattr(owner, name), "__doc__", None)
            if isinstance(text, str) and ">>>" in text:
                yield prefix + name, text


class Session:
    """The examples of one text, one after another, in one namespace."""

    def __init__(self, np: Any) -> None:
        self.is_ours = np is mnp
        self.names: dict[str, Any] = {"np": np, "__name__": "examples"}

    def run(self, source: str) -> str:
        """What an example prints, with the value of an expression as the interpreter shows it."""
        if self.is_ours:
            source = re.sub(r"\b(import|from) numpy\b", r"\1 manycore.numpy", source)
        printed = io.StringIO()
        hook = sys.displayhook
        sys.displayhook = lambda value: None if value is None else print(repr(value))
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec(compile(ast.Interactive(ast.parse(source).body), "<example>", "single"), self.names)
        except Exception as error:
            printed.write(f"{type(error).__name__}: {error}")
        finally:
            sys.displayhook = hook
        return re.sub(r"0x[0-9a-f]+", "0x", printed.getvalue()).replace("manycore.numpy", "numpy")


@pytest.mark.long
@pytest.mark.parametrize(("name", "text"), [pytest.param(name, text, id=name) for name, text in documented()])
def test_the_examples_of_numpys_documentation_print_the_same(
    name: str, text: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in DIFFERENT:
        pytest.skip(DIFFERENT[name])
    examples = doctest.DocTestParser().get_examples(text)
    if SKIPPED.search("\n".join(example.source for example in examples)):
        pytest.skip("draws unseeded numbers, plots or reads the network")
    told = []
    for np in (numpy, mnp):
        folder = tmp_path / np.__package__ / str(np is mnp)
        folder.mkdir(parents=True)
        monkeypatch.chdir(folder)
        session = Session(np)
        with numpy.printoptions(), numpy.errstate():
            told.append([(example.source, session.run(example.source)) for example in examples])
    assert told[1] == told[0]


@pytest.mark.long
def test_the_list_of_differences_names_what_is_there() -> None:
    assert set(DIFFERENT) <= {name for name, _ in documented()}
