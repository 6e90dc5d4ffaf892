"""What `Executor.explain` says of maps of which no call was timed."""

from __future__ import annotations

import time

import pytest
from manycore.futures import Executor


@pytest.mark.timed
def test_explain_of_maps_that_were_not_timed_says_what_became_of_them() -> None:
    with Executor(2) as executor:
        assert list(executor.map(abs, [])) == []
        assert str(executor.explain()) == "abs over 0 items: inline, since there was nothing to call"
        assert list(executor.map(abs, [-1, -2, -3])) == [1, 2, 3]
        assert str(executor.explain()) == "abs over 3 items: inline, since they were over before any was timed"
        results = executor.map(time.sleep, [0, "no", *[0.01] * 1000])
        with pytest.raises(TypeError):
            list(results)
        text = str(executor.explain())
        assert text.startswith("sleep over 1002 items: inline, since nobody asked for more results after "), text
        assert text.endswith("before any was timed"), text


def test_explain_of_a_buffered_map_counts_no_items() -> None:
    with Executor(2) as executor:
        assert list(executor.map(abs, [-1, -2, -3], buffersize=2)) == [1, 2, 3]
        text = str(executor.explain())
    assert text == "abs over items taken one by one: threads, since buffersize takes arguments as results are read"
