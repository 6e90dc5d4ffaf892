"""Under ``manycore run`` the user's modules get our executors for those of ``concurrent.futures``; libraries keep the standard ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_run_program import assert_same, run, write

MODULE = "print(ThreadPoolExecutor.__module__)"


def ours(command: list[str], cwd: Path) -> list[str]:
    done = run(["-m", "manycore", "run", *command], cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "text",
    [
        "from concurrent.futures import ThreadPoolExecutor",
        "import concurrent.futures; ThreadPoolExecutor = concurrent.futures.ThreadPoolExecutor",
        "import concurrent.futures as cf; ThreadPoolExecutor = cf.ThreadPoolExecutor",
        "from concurrent import futures; ThreadPoolExecutor = futures.ThreadPoolExecutor",
        "from concurrent.futures import *",
        "from concurrent.futures.thread import ThreadPoolExecutor",
        "import concurrent.futures.thread; ThreadPoolExecutor = concurrent.futures.thread.ThreadPoolExecutor",
        "import concurrent, concurrent.futures; ThreadPoolExecutor = concurrent.futures.ThreadPoolExecutor",
        "import importlib; ThreadPoolExecutor = importlib.import_module('concurrent.futures').ThreadPoolExecutor",
        "import sys, concurrent.futures; ThreadPoolExecutor = sys.modules['concurrent.futures'].ThreadPoolExecutor",
        "def load():\n    from concurrent.futures import ThreadPoolExecutor\n    return ThreadPoolExecutor\nThreadPoolExecutor = load()",
        "from helper import ThreadPoolExecutor",
        "exec('from concurrent.futures import ThreadPoolExecutor')",
    ],
)
def test_user_code_gets_our_executor_however_it_asks(tmp_path: Path, text: str) -> None:
    write(tmp_path, "helper.py", "from concurrent.futures import ThreadPoolExecutor")
    script = write(tmp_path, "main.py", f"{text}\n{MODULE}\n")
    assert ours([script], tmp_path) == ["manycore.futures.thread"]
    assert ours(["--executors=0", script], tmp_path) == ["concurrent.futures.thread"]


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
