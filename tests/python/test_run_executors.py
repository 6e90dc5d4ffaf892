"""Under ``manycore run`` the user's modules get our executors for those of ``concurrent.futures``; libraries keep the standard ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_run_program import assert_same, run, write


def ours(command: list[str], cwd: Path) -> list[str]:
    done = run(["-m", "manycore", "run", *command], cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("kind", ["Thread", "Process"])
@pytest.mark.parametrize(
    "text",
    [
        "from concurrent.futures import NAME",
        "import concurrent.futures; NAME = concurrent.futures.NAME",
        "import concurrent.futures as cf; NAME = cf.NAME",
        "from concurrent import futures; NAME = futures.NAME",
        "from concurrent.futures import *",
        "from concurrent.futures.MODULE import NAME",
        "import concurrent.futures.MODULE; NAME = concurrent.futures.MODULE.NAME",
        "import concurrent, concurrent.futures; NAME = concurrent.futures.NAME",
        "import importlib; NAME = importlib.import_module('concurrent.futures').NAME",
        "import sys, concurrent.futures; NAME = sys.modules['concurrent.futures'].NAME",
        "def load():\n    from concurrent.futures import NAME\n    return NAME\nNAME = load()",
        "from helper import NAME",
        "exec('from concurrent.futures import NAME')",
    ],
)
def test_user_code_gets_our_executor_however_it_asks(tmp_path: Path, text: str, kind: str) -> None:
    def filled(text: str) -> str:
        return text.replace("NAME", f"{kind}PoolExecutor").replace("MODULE", kind.lower())

    write(tmp_path, "helper.py", filled("from concurrent.futures import NAME"))
    script = write(tmp_path, "main.py", filled(f"{text}\nprint(NAME.__module__)\n"))
    assert ours([script], tmp_path) == [f"manycore.futures.{kind.lower()}"]


@pytest.mark.parametrize(
    "text",
    ["from joblib import Parallel", "import joblib; Parallel = joblib.Parallel", "from joblib.parallel import Parallel"]
    + ["import joblib.parallel; Parallel = joblib.parallel.Parallel", "from joblib import *"],
)
@pytest.mark.slow
def test_user_code_gets_our_parallel(tmp_path: Path, text: str) -> None:
    pytest.importorskip("joblib")
    program = "import os\nfrom joblib import delayed\ncalls = [delayed(os.getppid)() for _ in range(4)]\n"
    program += "print(Parallel.__module__, type(Parallel(2)._backend).__name__, set(Parallel(2)(calls)) == {os.getpid()})\n"
    script = write(tmp_path, "main.py", f"{text}\n{program}")
    assert ours([script], tmp_path) == ["manycore.parallel ManycoreBackend True"]
    assert ours(["--executors=0", script], tmp_path) == ["joblib.parallel LokyBackend True"]


@pytest.mark.slow
def test_libraries_keep_joblibs_parallel(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    text = "import joblib, sklearn.utils.parallel as p\nprint(joblib.Parallel in p.Parallel.__mro__, p.Parallel.__mro__[1].__module__)\n"
    assert ours([write(tmp_path, "main.py", text)], tmp_path) == ["False joblib.parallel"]


def test_an_option_leaves_the_standard_executors(tmp_path: Path) -> None:
    text = "from concurrent.futures import ProcessPoolExecutor as P, ThreadPoolExecutor as T\nprint(P.__module__, T.__module__)\n"
    script = write(tmp_path, "main.py", text)
    assert ours(["--executors=0", script], tmp_path) == ["concurrent.futures.process concurrent.futures.thread"]


def test_who_uses_threads_does_not_wait_for_multiprocessing(tmp_path: Path) -> None:
    text = "import sys, concurrent.futures as cf\ncf.ThreadPoolExecutor\nprint('multiprocessing.connection' in sys.modules)\n"
    assert ours([write(tmp_path, "main.py", text)], tmp_path) == ["False"]


def test_a_program_may_put_a_class_of_its_own_there(tmp_path: Path) -> None:
    text = "import concurrent.futures as cf\ncf.ProcessPoolExecutor = int\nfrom concurrent.futures import *\nprint(ProcessPoolExecutor)\n"
    assert ours([write(tmp_path, "main.py", text)], tmp_path) == ["<class 'int'>"]


def test_libraries_and_the_standard_library_keep_theirs(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "main.py",
        "import asyncio, concurrent.futures as cf\n"
        "async def main():\n"
        "    await asyncio.to_thread(print, 'hello')\n"
        "    pool = asyncio.get_running_loop()._default_executor\n"
        "    print(type(pool).__module__, isinstance(pool, cf.Executor))\n"
        "asyncio.run(main())\n",
    )
    assert ours([script], tmp_path) == ["hello", "concurrent.futures.thread True"]


def test_everything_else_of_the_module_is_the_real_one(tmp_path: Path) -> None:
    text = """
import concurrent.futures as cf, pickle, inspect, traceback
import concurrent.futures
print(cf, concurrent, cf.__name__, cf.__file__ == inspect.getfile(cf), cf is concurrent.futures)
print(cf.Future, cf.wait.__module__, cf.FIRST_COMPLETED, sorted(dir(cf)) == sorted(set(dir(cf))), "wait" in dir(cf))
print(issubclass(cf.ThreadPoolExecutor, cf.Executor), cf.ThreadPoolExecutor.__name__)
with cf.ThreadPoolExecutor(2) as pool:
    futures = [pool.submit(pow, 2, n) for n in range(5)]
    print(sorted(future.result() for future in cf.as_completed(futures)), isinstance(futures[0], cf.Future))
    print(pickle.loads(pickle.dumps(cf.ThreadPoolExecutor)) is cf.ThreadPoolExecutor)
cf.nothing
"""
    script = write(tmp_path, "main.py", text)
    assert assert_same([script], tmp_path).returncode == 1
