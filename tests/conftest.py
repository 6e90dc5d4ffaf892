"""For every test: Ctrl-C means what it means in a terminal, and the clock of a busy machine is asked more than once."""

import signal

import pytest

# What runs in the background of a shell without job control ignores SIGINT and passes that on to its children, which tests interrupt.
# A handler here is not passed on: children start with the default.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is marked `timed` runs up to three times more, with pytest-rerunfailures; its closing line counts those runs."""
    if not config.pluginmanager.hasplugin("rerunfailures"):
        return
    for item in items:
        if item.get_closest_marker("timed"):
            item.add_marker(pytest.mark.flaky(reruns=3, reruns_delay=1))
