"""Programs that are recorded again and again are planned once: same values, same warnings at their own lines, same groups shown."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import manycore
import manycore.numpy as mnp
import numpy
import pytest
from manycore import _core

from tests.python.recorded import N, run_child


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    manycore.evaluate()
    _core.set_option("kept_plans", 64)  # setting an option forgets them
    yield
    manycore.evaluate()
    _core.set_option("kept_plans", 64)


def reused(work: Callable[[], object]) -> int:
    manycore.evaluate()
    before = _core.trace_snapshot()["reused_plans"]
    work()
    manycore.evaluate()
    return int(_core.trace_snapshot()["reused_plans"]) - before


def test_a_loop_plans_its_steps_once_and_has_numpys_bits() -> None:
    def heat(np: Any) -> Any:
        u = np.arange(float(N))
        for step in range(12):
            u[1:-1] += 0.25 / (1 + step) * (u[2:] - 2 * u[1:-1] + u[:-2])
            if np is mnp:
                manycore.evaluate()
        return u

    results: list[Any] = []
    assert reused(lambda: results.append(heat(mnp))) >= 10
    assert numpy.array(results[0]).tobytes() == heat(numpy).tobytes()


def test_reductions_and_what_passes_by_are_planned_once() -> None:
    a, b = mnp.arange(float(N)), mnp.arange(float(N)) * 0.5
    manycore.evaluate()
    x, y = numpy.arange(float(N)), numpy.arange(float(N)) * 0.5
    sums: list[float] = []
    assert reused(lambda: sums.extend(float(((a - b) * k).sum()) for k in range(1, 9))) >= 6
    assert sums == [float(((x - y) * k).sum()) for k in range(1, 9)]


def test_a_result_that_somebody_holds_is_not_taken_for_one_that_nobody_holds() -> None:
    a = mnp.arange(float(N))
    held = []
    for hold in (False, True, False, True):
        t = a + 1
        u = t * 2
        if hold:
            held.append(t)
        del t
        manycore.evaluate()
        assert u[3] == 8
    assert all((numpy.array(t) == numpy.arange(1.0, N + 1)).all() for t in held)


def test_none_is_kept_when_the_option_says_so() -> None:
    def twice() -> None:
        for _ in range(3):
            b = mnp.arange(float(N)) + 1
            c = b * 2
            manycore.evaluate()
            assert c[1] == 4

    _core.set_option("kept_plans", 0)
    assert reused(twice) == 0
    _core.set_option("kept_plans", 64)
    assert reused(twice) >= 1


def test_threads_plan_for_themselves() -> None:
    counts: list[int] = []

    def work() -> None:
        for k in range(5):
            a = mnp.arange(float(N)) + k
            counts.append(int(((a * 2).sum() - a.sum()) == numpy.arange(k, N + k, dtype=float).sum()))

    def both() -> None:
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert reused(both) >= 2
    assert counts == [1] * 10


def test_each_run_warns_at_the_lines_of_its_own() -> None:
    def first(a: Any) -> Any:
        return (a / 0) * (a - 1)

    def second(a: Any) -> Any:
        quotient = a / 0
        return quotient * (a - 1)

    a = mnp.arange(float(N))
    lines = []
    functions = [first, second, first]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")

        def work() -> None:
            for function in functions:
                caught.clear()
                kept = function(a)
                manycore.evaluate()
                assert kept[2] == numpy.inf
                told = [(str(w.message).split(" encountered")[0], w.lineno) for w in caught if str(w.message).endswith("divide")]
                lines.append(sorted(set(told)))

        assert reused(work) == 2
    begins = [function.__code__.co_firstlineno + 1 for function in functions]
    assert lines == [[("divide by zero", begin), ("invalid value", begin)] for begin in begins]


def test_explain_and_dump_show_the_groups_of_what_runs_by_a_kept_plan() -> None:
    shown, ran = [], []

    def work() -> None:
        for _ in range(3):
            a = mnp.arange(float(N))
            manycore.evaluate()
            b = (a + 1) * 2
            c = b[::-1] - a
            shown.append(manycore.explain(c).split("groups")[1])
            before = _core.trace_snapshot()
            manycore.evaluate()
            after = _core.trace_snapshot()
            ran.append([after[name] - before[name] for name in ("groups", "grouped", "materialised_bytes", "saved_bytes")])

    assert reused(work) >= 2
    assert shown[0] == shown[1] == shown[2] and shown[0].count("\n") >= 2
    assert ran[0] == ran[1] == ran[2] and ran[0][0] == 2
    child = run_child(
        "import manycore, manycore.numpy as np\na = np.arange(1e5)\n"
        "for _ in range(3):\n    b = (a + 1) * 2\n    manycore.evaluate()\n",
        MANYCORE_DUMP="groups",
    )
    assert child.stderr.count("add multiply") == 3, child.stderr


def test_what_an_error_state_asks_for_is_told_apart() -> None:
    a = mnp.arange(float(N))
    told = []

    def work() -> None:
        for state in ("ignore", "warn", "ignore", "warn"):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                with numpy.errstate(all=state):
                    b = (a / 0) * 2
                    manycore.evaluate()
                told.append(len(caught))
                assert b[1] == numpy.inf

    assert reused(work) == 2
    assert told[0] == told[2] == 0 and told[1] == told[3] > 0


def test_the_report_counts_reused_plans() -> None:
    from manycore.report import totals

    work = mnp.arange(float(N))
    manycore.evaluate()

    def steps() -> None:
        for _ in range(4):
            kept = (work + 1) * 2
            manycore.evaluate()
            assert kept[0] == 2

    assert reused(steps) == 3
    report = totals.from_snapshot(_core.trace_snapshot(), ["x.py"], 1.0)
    assert report.reused_plans >= 3
    assert "plans reused" in totals.format_report(report)
