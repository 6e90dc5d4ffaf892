"""What the trace keeps of fused groups while a report asks for it: members with their lines, bytes, threads, times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import manycore.numpy as mnp
import numpy
import pytest
from manycore import _core

SIZE = 1_000_000
BYTES = 8 * SIZE


@pytest.fixture
def kept() -> Iterator[None]:
    _core.evaluate()
    _core.trace_reset()
    _core.trace_start(by_line=True, groups=True)
    yield
    _core.trace_start()
    _core.trace_reset()


def kinds() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = _core.trace_snapshot()["kinds"]
    return rows


def run_chain(a: Any) -> None:
    b = a * 2.0
    c = b + a
    del b
    _core.evaluate(c)


def members_of_chain() -> list[tuple[str, str, int]]:
    line = run_chain.__code__.co_firstlineno + 1
    return [("multiply", __file__, line), ("add", __file__, line + 1)]


@pytest.mark.usefixtures("kept")
def test_a_group_is_kept_with_its_members_lines_and_bytes() -> None:
    a = mnp.ones(SIZE)
    _core.evaluate(a)
    _core.trace_reset()
    for _ in range(3):
        run_chain(a)
    (row,) = kinds()
    assert row["members"] == members_of_chain()
    assert (row["runs"], row["elements"], row["apart"]) == (3, 3 * SIZE, "")
    assert (row["read_bytes"], row["written_bytes"], row["saved_bytes"]) == (3 * BYTES, 3 * BYTES, 3 * BYTES)
    snapshot = _core.trace_snapshot()
    assert (snapshot["groups"], snapshot["recorded"]) == (3, 6)
    assert (snapshot["materialised_bytes"], snapshot["saved_bytes"]) == (3 * BYTES, 3 * BYTES)
    assert row["seconds"] > 0 and row["threads"] >= 1


@pytest.mark.usefixtures("kept")
def test_the_reason_why_groups_are_apart_is_kept_and_shifted_views_read_their_base_once() -> None:
    a = mnp.ones((1000, 1000))
    _core.evaluate(a)
    _core.trace_reset()
    b = a + 1.0
    c = b[1:-1] + b[2:] + b[:-2]
    _core.evaluate(c)
    first, second = kinds()
    assert first["apart"] == "" and second["apart"] == "another shape"
    assert second["read_bytes"] == BYTES


@pytest.mark.usefixtures("kept")
def test_lines_are_known_where_no_condition_is_reported() -> None:
    a = mnp.ones(SIZE)
    _core.evaluate(a)
    _core.trace_reset()
    with numpy.errstate(all="ignore"):
        run_chain(a)
    (row,) = kinds()
    assert row["members"] == members_of_chain()


@pytest.mark.timed
@pytest.mark.usefixtures("kept")
def test_work_that_a_fallback_waited_for_is_not_its_time() -> None:
    a = mnp.ones(4 * SIZE)
    _core.evaluate(a)
    _core.trace_reset()
    for _ in range(20):
        a = mnp.sin(a)
    mnp.convolve(a[:3], a[:2])
    rows = {row["line"]: row for row in _core.trace_snapshot()["lines"] if row["file"] == __file__}
    line = test_work_that_a_fallback_waited_for_is_not_its_time.__code__.co_firstlineno + 8
    groups = sum(row["seconds"] for row in kinds())
    assert groups > 0.02 and 0 < rows[line]["fallback_seconds"] < groups / 4


@pytest.mark.usefixtures("kept")
def test_slices_say_which_thread_worked_when() -> None:
    a = mnp.ones(SIZE)
    _core.evaluate(a + 1.0)
    lanes = _core.trace_snapshot()["lanes"]
    assert any(lane["starts_groups"] for lane in lanes)
    for lane in lanes:
        ends = 0.0
        for begin, end, kind in lane["slices"]:
            assert ends <= begin <= end and 0 <= kind < len(kinds())
            ends = end


@pytest.mark.usefixtures("kept")
def test_operations_that_run_at_once_and_fallbacks_are_timed_by_line() -> None:
    a = mnp.ones((300, 300))
    b = a @ a
    c = mnp.convolve(b[0], b[1])
    assert c.shape == (599,)
    first = test_operations_that_run_at_once_and_fallbacks_are_timed_by_line.__code__.co_firstlineno + 1
    lines = {row["line"] - first: row for row in _core.trace_snapshot()["lines"] if row["file"] == __file__}
    assert lines[2]["native_seconds"] > 0 == lines[2]["fallback_seconds"]
    assert lines[3]["fallback_seconds"] > 0


def test_nothing_is_kept_unless_asked_for() -> None:
    _core.evaluate(mnp.ones(SIZE) + 1.0)
    snapshot = _core.trace_snapshot()
    assert "kinds" not in snapshot
    _core.trace_start(groups=True)
    assert _core.trace_snapshot()["kinds"] == []
    _core.trace_start()
