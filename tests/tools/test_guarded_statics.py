"""No static of a function is made behind a guard in the engine: a child forked while another thread makes one would wait for ever."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[2] / "python" / "manycore" / "libmanycore.so"


@pytest.mark.skipif(shutil.which("nm") is None, reason="needs binutils")
def test_the_engine_has_no_guards_but_of_threads_own_statics() -> None:
    listed = subprocess.run(["nm", "-C", LIBRARY], capture_output=True, text=True, check=True).stdout
    guards = [line.split(" ", 2) for line in listed.splitlines() if "guard variable for " in line]
    if "no symbols" in listed or not guards:
        pytest.skip("the library is stripped")
    # Those of thread-local statics lie at small offsets of the thread's own block.
    shared = [name.partition("for ")[2] for address, _, name in guards if int(address, 16) > 0x4000]
    assert shared == [], "use base::Lasting (src/base/lasting.h) or a constinit object"
