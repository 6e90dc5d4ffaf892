"""The harness of benchmarks/ measures what it says; no test here depends on how fast the machine is."""

import json
import sys
import types
from pathlib import Path

import numpy
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks import harness, large, large_cases, machine, tiny


def test_every_round_times_every_side_and_starts_with_another_one():
    order = []

    def timer(name):
        def run(loops):
            order.append((name, loops))
            return {"a": 3.0, "b": 6.0}[name]

        return run

    samples = harness.interleaved({"a": timer("a"), "b": timer("b")}, loops=3, rounds=3)
    assert [name for name, _ in order] == ["a", "b", "b", "a", "a", "b"]
    assert {loops for _, loops in order} == {3}
    assert samples == {"a": [1.0] * 3, "b": [2.0] * 3}


def test_the_ratio_is_the_median_of_the_ratios_and_not_the_ratio_of_the_medians():
    above, below = [1.0, 10.0, 6.0], [1.0, 2.0, 3.0]
    assert harness.median_ratio(above, below) == 2.0
    assert numpy.median(above) / numpy.median(below) == 3.0


def test_a_wrong_result_is_named_and_not_only_timed():
    wrong = types.ModuleType("wrong")
    wrong.__dict__.update(vars(numpy))
    wrong.add = lambda a, b: numpy.where(numpy.arange(a.size) == 2, 0.0, a + b)
    case = harness.Case("g", "add", "np.add(a, a)", "a = np.arange(1.0, 6.0)")
    assert harness.measure(case, numpy, rounds=1, seconds=1e-5).difference == ""
    assert harness.measure(case, wrong, rounds=1, seconds=1e-5).difference == ("1 of 5 differ, at 2 6.0 != 0.0")


def test_another_dtype_or_shape_is_a_difference():
    assert harness.difference(numpy.zeros(2), numpy.zeros(2, "f4"), 1e-3)
    assert harness.difference(numpy.zeros(2), numpy.zeros((2, 1)), 1e-3)
    assert harness.difference(numpy.array([1.0]), numpy.array([1.0 + 1e-9]), 0.0)
    assert not harness.difference(numpy.array([1.0]), numpy.array([1.0 + 1e-9]), 1e-8)
    assert not harness.difference(numpy.array([numpy.nan]), numpy.array([numpy.nan]), 0.0)


def test_percent_of_copy_relates_bytes_and_times_of_the_same_rounds():
    case = harness.Case("g", "copy", "np.copyto(b, a)", "a, b = np.ones(9), np.ones(9)", "b", bytes_moved=500)
    measured = harness.measure(case, numpy, rounds=3, seconds=1e-5, copy=(lambda loops: 2.0 * loops, 1000))
    expected = 100 * 0.5 * 2.0 / measured.manycore_seconds
    assert measured.percent_of_copy == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("case", tiny.cases()[::7] + large_cases.cases(2000), ids=lambda case: f"{case.group}: {case.name}")
def test_every_case_runs_and_its_results_compare(case):
    measured = harness.measure(case, numpy, rounds=1, seconds=1e-6)
    assert measured.difference == ""
    assert measured.time_ratio > 0


def test_results_are_saved_with_the_machine_they_were_measured_on(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "RESULTS", tmp_path / "results")
    case = large_cases.cases(1000)[0]
    measured = [harness.measure(case, numpy, rounds=1, seconds=1e-6)]
    path = harness.save("large", {"summary": large.summary(measured), "cases": [vars(measured[0])]})
    saved = json.loads(path.read_text())
    assert saved["machine"]["cores"] >= 1
    assert saved["machine"]["versions"]["numpy"] == numpy.__version__
    assert saved["machine"]["date"][:2] == "20"
    assert saved["cases"][0]["name"] == case.name
    assert "writing" in saved["summary"]


def test_the_simd_level_is_the_widest_whose_flags_are_all_there(monkeypatch):
    for flags, level in [("sse4_1 sse4_2 avx2 fma", "AVX2"), ("sse4_1 sse4_2 avx2", "SSE4"), ("asimd", "NEON")]:
        text = f"model name\t: Test\nflags\t\t: {flags}\n"
        monkeypatch.setattr(Path, "read_text", lambda self, encoding, text=text: text)
        assert machine.processor() == ("Test", level)


def test_a_group_without_cases_is_left_out_of_the_summary():
    case = tiny.cases()[0]
    measured = [harness.measure(case, numpy, rounds=1, seconds=1e-6)]
    assert "array op array" in tiny.summary(measured)
    assert "indexing" not in tiny.summary(measured)
