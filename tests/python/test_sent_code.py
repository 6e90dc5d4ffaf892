"""Functions and classes that cloudpickle sends to processes by value, as joblib and dask do."""

from __future__ import annotations

import pickle
from pathlib import Path

import manycore.numpy as mnp
import numpy
import pytest
from test_run_hook import ours
from test_run_program import run, write

pytestmark = pytest.mark.slow  # a program for each case


def test_code_sent_by_cloudpickle_runs_in_a_plain_process(tmp_path: Path) -> None:
    pytest.importorskip("joblib")
    script = write(
        tmp_path,
        "main.py",
        """
        import joblib, numpy as np, scipy.special

        def work(x):
            return float(scipy.special.expit(x)[0])

        print(joblib.Parallel(2)(joblib.delayed(work)(np.zeros(2)) for _ in range(3)))
        """,
    )
    assert ours([script], tmp_path) == ["[0.5, 0.5, 0.5]"]


@pytest.mark.parametrize(
    "work", ["delayed(work)(i)", "delayed(lambda i: float(np.linalg.norm(np.ones(i))))(i)", "delayed(Model().fit)(i)"]
)
def test_code_that_uses_numpys_modules_is_sent_by_cloudpickle(tmp_path: Path, work: str) -> None:
    pytest.importorskip("joblib")
    text = f"""
        import numpy as np
        from joblib import Parallel, delayed
        from numpy import linalg

        def work(i):
            return float(np.sum(np.arange(i)) + linalg.norm(np.ones(i)))

        class Model:
            def fit(self, i):
                return float(np.linalg.norm(np.ones(i)))

        print(Parallel(2)({work} for i in (1, 4)))
        """
    script = write(tmp_path, "main.py", text)
    plain = run([script], tmp_path).stdout.splitlines()
    assert plain and ours([script], tmp_path) == plain


def test_our_modules_are_numpys_where_they_arrive() -> None:
    assert pickle.loads(pickle.dumps(mnp)) is numpy
    assert pickle.loads(pickle.dumps(mnp.linalg)) is numpy.linalg
