"""What runs together: for each small program the values equal NumPy's bit for bit, and so many groups ran and wrote so many bytes.

A program that needs one more group, or writes a temporary to memory that stayed in the cache before, fails here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import manycore
import manycore.numpy as mnp
import numpy
import pytest
from manycore import _core

from tests.python.both import equal_values
from tests.python.fusion_programs import PROGRAMS, Arrays


def run(program: Callable[[Any], Any], np: Any) -> Any:
    """The values, with every input and temporary gone."""
    return program(Arrays(np))


@pytest.mark.parametrize("name", PROGRAMS)
def test_groups_and_bytes(name: str) -> None:
    program, groups, written = PROGRAMS[name]
    expected = run(program, numpy)
    manycore.evaluate()
    before = _core.trace_snapshot()
    got = run(program, mnp)
    manycore.evaluate()
    after = _core.trace_snapshot()
    assert equal_values(expected, got, layout=False) is None
    ran = {key: after[key] - before[key] for key in ("recorded", "groups", "grouped", "materialised_bytes", "fallback_calls")}
    assert ran["recorded"] > 0, ran
    assert (ran["groups"], ran["materialised_bytes"]) == (groups, written), ran
    assert ran["fallback_calls"] == 0, ran
