"""Under ``manycore run`` the user's modules get our classes for those of ``multiprocessing``; libraries keep the standard ones."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import manycore.multiprocessing
import pytest
from test_run_executors import ours
from test_run_program import assert_same, write


def test_everything_that_the_standard_exports_is_there() -> None:
    for name in multiprocessing.__all__:
        assert hasattr(manycore.multiprocessing, name), name
    assert manycore.multiprocessing.__all__ == multiprocessing.__all__
    names: dict[str, object] = {}
    exec("from manycore.multiprocessing import *", names)
    assert set(multiprocessing.__all__) <= set(names)


@pytest.mark.parametrize(
    "name",
    ["connection", "managers", "shared_memory", "sharedctypes", "process", "util", "reduction", "resource_tracker", "heap"]
    + ["dummy.connection"],
)
def test_submodules_of_which_we_have_none_are_the_standards(name: str) -> None:
    names: dict[str, object] = {}
    exec(f"import multiprocessing.{name} as real, manycore.multiprocessing.{name} as ours", names)
    assert names["ours"] is names["real"]


def test_the_start_method_is_the_standards() -> None:
    context = manycore.multiprocessing.get_context()
    assert context.get_start_method() == multiprocessing.get_start_method()
    assert isinstance(context, type(multiprocessing.get_context()))
    assert manycore.multiprocessing.get_all_start_methods() == multiprocessing.get_all_start_methods()
    assert manycore.multiprocessing.Process is multiprocessing.Process
    with pytest.raises(ValueError, match="cannot find context for 'thread'"):
        manycore.multiprocessing.get_context("thread")


@pytest.mark.parametrize(
    "text",
    [
        "from multiprocessing import Pool",
        "import multiprocessing; Pool = multiprocessing.Pool",
        "import multiprocessing as mp; Pool = mp.get_context('fork').Pool",
        "from multiprocessing.pool import Pool",
        "import multiprocessing.pool; Pool = multiprocessing.pool.Pool",
        "from multiprocessing import pool; Pool = pool.Pool",
        "from multiprocessing import *",
        "from multiprocessing.pool import ThreadPool as Pool",
        "from multiprocessing.dummy import Pool",
    ],
)
@pytest.mark.slow
def test_user_code_gets_our_pool_however_it_asks(tmp_path: Path, text: str) -> None:
    program = "\nwith Pool(1) as pool:\n    print(type(pool).__module__, pool.map(abs, [-1, -2]))\n"
    script = write(tmp_path, "main.py", text + program)
    assert ours([script], tmp_path) == ["manycore.multiprocessing.pool [1, 2]"]
    assert ours(["--executors=0", script], tmp_path) == ["multiprocessing.pool [1, 2]"]


@pytest.mark.slow
def test_a_program_does_the_same_with_both(tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "main.py",
        """
        import multiprocessing, os, sys
        from multiprocessing import Process, Queue, Pool, Lock, Value

        def child(queue, lock, value):
            with lock:
                value.value += 1
            queue.put("from a child")

        def work(x):
            if x == 3:
                raise ValueError("three")
            return x * x

        if __name__ == "__main__":
            multiprocessing.set_start_method("fork")
            queue, lock, value = Queue(), Lock(), Value("i", 0)
            process = Process(target=child, args=(queue, lock, value))
            process.start()
            print(queue.get(), process.join(), value.value)
            with Pool(2) as pool:
                print(pool.map(work, range(3)), list(pool.imap(work, range(3))))
                try:
                    pool.map(work, range(5))
                except ValueError as error:
                    print(error)
        """,
    )
    assert_same([script], tmp_path)
