"""Whether a pickle names something of `__main__` is read from its instructions: the word alone is data."""

from __future__ import annotations

import pickle
import subprocess
import sys
import types
import warnings
from typing import Any

import numpy
import pytest
from manycore import _tasks


class Named:
    """Stands for a class of the program."""


@pytest.fixture
def of_main(monkeypatch: pytest.MonkeyPatch) -> type:
    made = type("Made", (Named,), {"__module__": "__main__"})
    monkeypatch.setattr(sys.modules["__main__"], "Made", made, raising=False)
    return made


VALUES: list[Any] = [
    "__main__",
    ["__main__", "__main__", ("__main__", 1.5, b"__main__", bytearray(b"__main__"))],
    {"__main__": {"Made", "__main__"}, 1: frozenset({2**70, -1, 300, 70000})},
    warnings.filters,
    [None, True, False, numpy.arange(3), numpy.float64(2), types.SimpleNamespace(name="__main__"), range(3), 1j],
    ["x" * 300, "__main__" * 40, list(range(300)), [[str(i)] for i in range(300)], "__main__"],
]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_word_in_data_is_not_a_name(value: Any, of_main: type) -> None:
    assert not _tasks.names_main(pickle.dumps(value, 5))
    for named in (of_main, of_main()):
        for both in ([value, named], [named, value], {"__main__": named}, [named, "__main__", named]):
            assert _tasks.names_main(pickle.dumps(both, 5))


def test_what_cannot_be_read_may_be_a_name() -> None:
    assert not _tasks.names_main(b"")
    for data in (b"\x8c\x08__main__\xff", b"\x8c\x80__main__", pickle.dumps(["__main__"], 0), b"\x8c\x08__main__h\x09"):
        assert _tasks.names_main(data)


def test_calls_with_filters_of_warnings_are_not_pickled_twice() -> None:
    program = """
import warnings
from manycore.futures import ProcessPoolExecutor, main_names
def mine(x): return x
asked = []
main_names.MainNames.by_value = lambda *_: asked.append(1)
if __name__ == "__main__":
    with ProcessPoolExecutor(1) as pool:
        pool.submit(len, [warnings.filters, {1, 2}]).result()
        print(len(asked))
        pool.submit(mine, 1).result()
        print(len(asked) > 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "0\nTrue\n"
