"""A pytest plugin for joblib_suite.py: each test runs with our backend by its name, and batches that go through it are counted."""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from manycore.parallel import ManycoreBackend, parallel_config

faulthandler.register(signal.SIGUSR1, file=sys.__stderr__, all_threads=True)  # what joblib_suite.py asks for where it hangs
outcomes: dict[str, list[str]] = {}
batches = 0
_submit = ManycoreBackend.submit


def _counted(self: Any, func: Any, callback: Any = None) -> Any:
    global batches
    batches += 1
    return _submit(self, func, callback)


ManycoreBackend.submit = _counted  # type: ignore[method-assign]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    if "CONFIGURED" not in os.environ:  # joblib's own tests choose their backends
        return (yield)
    with parallel_config(backend="manycore"):
        return (yield)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    before = outcomes.get(report.nodeid, ["passed", ""])
    if report.failed:
        outcomes[report.nodeid] = ["failed", str(report.longrepr)[-4000:]]
    elif report.skipped and before[0] != "failed":
        outcomes[report.nodeid] = ["skipped", ""]
    else:
        outcomes[report.nodeid] = before


def pytest_sessionfinish(session: pytest.Session) -> None:
    with open(os.environ["OUTCOMES"], "w", encoding="utf-8") as file:
        json.dump({"outcomes": outcomes, "batches": batches}, file)
