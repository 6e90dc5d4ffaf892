"""The tour is a test: every example gives equal results in plain Python and under manycore."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from manycore.report import tour
from manycore.run.compare import script_tolerance

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
# Three stand for all in the fast run.
FAST = {"async_service", "heat"}
WITHOUT_ARRAYS = {"async_service", "csv_pool", "dining_philosophers"}
ARRAYS_IN_PROCESSES = {"pipeline"}  # of its own, which no report counts


def run_tour(folder, *arguments):
    """The tour as a command, over the scripts of a folder."""
    return subprocess.run(
        [sys.executable, "-m", "manycore.report.tour", "--examples", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_there_are_the_seventeen_programs():
    assert len(SCRIPTS) == 17


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_no_example_knows_manycore_and_each_states_its_tolerance(script):
    text = script.read_text(encoding="utf-8")
    imported = {
        alias.name.split(".")[0] for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for alias in node.names
    }
    assert "manycore" not in text
    assert ("numpy" in imported) is (script.stem not in WITHOUT_ARRAYS)
    assert script_tolerance(script) is not None
    assert tour.quick_arguments(script)


@pytest.mark.parametrize(
    "script",
    [pytest.param(path, marks=[] if path.stem in FAST else [pytest.mark.slow]) for path in SCRIPTS],
    ids=lambda path: path.stem,
)
def test_an_example_gives_the_same_results_under_manycore_and_runs_natively(script, tmp_path):
    copy = tmp_path / script.name
    copy.write_text(script.read_text(encoding="utf-8"), encoding="utf-8")
    stop = tour.visit(copy, quick=True)
    assert stop.differences == []
    if script.stem in WITHOUT_ARRAYS | ARRAYS_IN_PROCESSES:
        return
    assert stop.native_share is not None
    assert stop.native_share >= 0.95
    assert (tmp_path / "output" / f"{script.stem}.npz").exists()
    assert (tmp_path / "output" / f"{script.stem}.png").exists()


def test_a_program_that_differs_is_shown_and_ends_the_tour_with_one(tmp_path):
    (tmp_path / "same.py").write_text("print(1)\n")
    (tmp_path / "other.py").write_text("import sys\nprint('manycore' in sys.modules)\n")
    done = run_tour(tmp_path, "--json", str(tmp_path / "tour.json"))
    assert done.returncode == 1
    assert "DIFFERENT results in other" in done.stdout
    assert "'False' in plain Python, 'True' under manycore" in done.stdout
    programs = {p["name"]: p for p in json.loads((tmp_path / "tour.json").read_text())["programs"]}
    assert programs["same"]["differences"] == []
    assert len(programs["other"]["differences"]) == 1


def test_the_page_has_a_bar_for_each_program_and_the_pictures_that_they_drew(tmp_path):
    (tmp_path / "plain.py").write_text("print(1)\n")
    (tmp_path / "other.py").write_text("import sys\nprint('manycore' in sys.modules)\n")
    draws = (
        "import pathlib\npathlib.Path('output').mkdir(exist_ok=True)\npathlib.Path('output/drawn.png').write_bytes(b'pixels')\n"
    )
    (tmp_path / "drawn.py").write_text(draws)
    done = run_tour(tmp_path, "--page", str(tmp_path / "new" / "tour.html"))
    page = (tmp_path / "new" / "tour.html").read_text(encoding="utf-8")
    assert f"page: {tmp_path}/new/tour.html" in done.stdout
    assert page.count('class="ratio"') == 3
    assert page.count("<img ") == 1
    assert "data:image/png;base64,cGl4ZWxz" in page
    assert "DIFFERENT" in page
    assert "http" not in page


def test_a_program_that_fails_on_both_sides_alike_still_fails_the_tour(tmp_path):
    (tmp_path / "broken.py").write_text("raise SystemExit(3)\n")
    done = run_tour(tmp_path)
    assert done.returncode == 1
    assert "failed in plain Python with exit code 3" in done.stdout
    assert "failed in manycore with exit code 3" in done.stdout


def test_an_unknown_example_is_an_error_that_names_the_choices(tmp_path):
    (tmp_path / "heat.py").write_text("")
    done = run_tour(tmp_path, "cold")
    assert done.returncode == 2
    assert done.stderr == "tour: no example 'cold', expected one of heat\n"


def test_a_folder_without_scripts_is_an_error(tmp_path):
    done = run_tour(tmp_path)
    assert done.returncode == 2
    assert done.stderr == (f"tour: no scripts in {tmp_path}, expected a folder of examples; try --examples FOLDER\n")
