"""What the tests of recorded work share."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import manycore.numpy as mnp
import numpy
from manycore import _core

N = 100_000


def pending(np: Any = mnp) -> Any:
    """3, 5, 7, ... of which nothing has been computed yet."""
    result = np.arange(1.0, N + 1) * 2 + 1
    assert np is numpy or _core.is_pending(result)
    return result


EXPECTED = numpy.arange(1.0, N + 1) * 2 + 1


def run_child(program: str, *arguments: str, timeout: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", *arguments, "-c", program]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=timeout, env={**os.environ, **environment}
    )
