"""A pytest plugin for the child processes of a suite: writes down each test's outcome as it comes, so that a crash loses one test only.

Into the file that SUITE_LOG names go lines of JSON: {"start": id} before a test, {"id", "outcome", "text", "native", "fallback"} after
it; the counts are of operations that the engine ran and that NumPy ran for it. Tests that SUITE_DONE lists, one id a line, are left out.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

LOG = open(os.environ["SUITE_LOG"], "a", buffering=1, encoding="utf-8")
OUTCOMES: dict[str, tuple[str, str]] = {}


def counters() -> Any:
    """The extension, when this process runs under `manycore run`."""
    return sys.modules.get("manycore._core")


def write(**entry: Any) -> None:
    LOG.write(json.dumps(entry) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    core = counters()
    if core is not None:
        core.trace_start()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    with open(os.environ["SUITE_DONE"], encoding="utf-8") as file:
        done = set(file.read().splitlines())
    items[:] = [item for item in items if name_of(item.nodeid) not in done]


def name_of(nodeid: str) -> str:
    """One line, whatever a parameter's text holds."""
    return nodeid.partition("::")[2].encode("unicode_escape").decode("ascii")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    name = name_of(item.nodeid)
    write(start=name)
    core = counters()
    if core is not None:
        core.trace_reset()
    OUTCOMES[item.nodeid] = ("passed", "")
    result = yield
    outcome, text = OUTCOMES.pop(item.nodeid)
    counted = core.trace_snapshot() if core is not None else {}
    write(id=name, outcome=outcome, text=text, native=counted.get("native_calls", 0), fallback=counted.get("fallback_calls", 0))
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and OUTCOMES[report.nodeid][0] == "passed":
        OUTCOMES[report.nodeid] = ("skipped", "")
    elif report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        OUTCOMES[report.nodeid] = ("failed", (crash.message if crash else str(report.longrepr))[-2000:])


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        write(id="(collection)", outcome="failed", text=str(report.longrepr)[-2000:], native=0, fallback=0)
