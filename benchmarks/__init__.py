"""Speed of manycore beside NumPy's, both measured in one run; see harness.py for the method."""

import os
import sys

# NumPy's side is NumPy as it is without manycore: with memory from the engine's pool its large operations cost it up to half as
# much (numpy_memory.py measures that). Only where a benchmark is the program, not where a test imports one.
if any(argument.startswith("benchmarks.") for argument in sys.orig_argv):
    os.environ.setdefault("MANYCORE_NUMPY_MEMORY", "0")
