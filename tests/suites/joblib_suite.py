"""joblib's own tests of Parallel and scikit-learn's, with manycore's backend.

    .venv/bin/python -m tests.suites.joblib_suite                    joblib's
    .venv/bin/python -m tests.suites.joblib_suite --fast             those of them that run with every backend, with ours
    .venv/bin/python -m tests.suites.joblib_suite --scikit-learn     and those of scikit-learn that run things in parallel
    .venv/bin/python -m tests.suites.joblib_suite --show             what the failures said as well

Both packages carry their tests in their wheels. joblib's run with ours as the default backend, and those that run with every
backend with ours too; scikit-learn's run under ``parallel_config(backend="manycore")``. Child interpreters know the backend by a
sitecustomize.py. A run in which no batch went through us fails, and so does one in which a test fails that joblib_expected.txt does
not name with a reason, or passes that it names.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.suites.cpython_suite import end_with_its_stacks

ROOT = Path(__file__).resolve().parents[2]
EXPECTED = Path(__file__).with_name("joblib_expected.txt")
FOLDER = ROOT / ".cache" / "joblib-suite"
# Once joblib.parallel is there, so that interpreters without joblib start as they did.
REGISTER = """
import importlib.abc, importlib.machinery, sys


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "joblib":
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        execute = spec.loader.exec_module

        def then_register(module):
            execute(module)
            import manycore.parallel

        spec.loader.exec_module = then_register
        return spec


sys.meta_path.insert(0, Finder())
"""
SCIKIT_LEARN = ("ensemble", "model_selection", "linear_model", "decomposition")


def package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"joblib_suite: {name} is not installed; script/setup installs it")
    return Path(spec.origin).parent


def run(
    name: str, paths: list[Path], extra: dict[str, str], arguments: list[str], seconds: int
) -> tuple[dict[str, list[str]], int]:
    """Outcomes by test id, and how many batches went through our backend."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "sitecustomize.py").write_text(REGISTER)
    (FOLDER / "pytest.ini").write_text(
        "[pytest]\nmarkers =\n  timeout: not enforced\n  thread_unsafe: not asked\n  no_cover: not asked\n"
    )
    out = FOLDER / f"{name}.json"
    out.unlink(missing_ok=True)
    search = [str(FOLDER), str(ROOT / "python"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, **extra, "OUTCOMES": str(out), "PYTHONPATH": os.pathsep.join(filter(None, search))}
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(FOLDER / "pytest.ini"), "--rootdir", str(paths[0].parent), "-p"]
    command += ["tests.suites.joblib_plugin", "-p", "no:cacheprovider", "-p", "no:warnings", *arguments, *map(str, paths)]
    with (
        open(FOLDER / f"{name}.log", "w") as log,
        subprocess.Popen(command, stdout=log, stderr=log, cwd=FOLDER, env=environment, start_new_session=True) as process,
    ):
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            print(f"joblib_suite: {name} has not ended after {seconds} s", flush=True)
            end_with_its_stacks(process)
            return {}, 0
    if not out.exists():
        print((FOLDER / f"{name}.log").read_text(errors="replace")[-8000:])
        return {}, 0
    found = json.loads(out.read_text())
    return found["outcomes"], found["batches"]


def report(name: str, outcomes: dict[str, list[str]], batches: int, show: bool) -> bool:
    known = [line.partition(" -- ")[0] for line in EXPECTED.read_text().splitlines() if line and not line.startswith("#")]
    by = {kind: [test for test, (outcome, _) in outcomes.items() if outcome == kind] for kind in ("passed", "failed", "skipped")}
    unexpected = [test for test in by["failed"] if not any(part in test for part in known)]
    mended = [part for part in known if any(part in test for test in by["passed"])]
    print(
        f"{name}: {len(by['passed'])} passed, {len(by['skipped'])} skipped, {len(by['failed'])} failed "
        f"({len(by['failed']) - len(unexpected)} expected); {batches} batches through our backend"
    )
    for test in unexpected:
        print(f"  fails unexpectedly: {test}" + (f"\n{outcomes[test][1]}" if show else ""))
    for part in mended:
        print(f"  passes though it is listed: {part}")
    return batches > 0 and not unexpected and not mended


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scikit-learn", action="store_true")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("-k", help="as pytest's", default="")
    args = parser.parse_args()
    words = args.k or ("manycore" if args.fast else "")
    chosen = ["-k", words] if words else []
    seconds = 300 if args.fast else 1200
    tests = [package("joblib") / "test" / "test_parallel.py"]
    good = report(
        "joblib", *run("joblib", tests, {"JOBLIB_TESTS_DEFAULT_PARALLEL_BACKEND": "manycore"}, chosen, seconds), args.show
    )
    if args.scikit_learn:
        folders = [package("sklearn") / name / "tests" for name in SCIKIT_LEARN]
        good &= report("scikit-learn", *run("scikit-learn", folders, {"CONFIGURED": "1"}, chosen, 3600), args.show)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
