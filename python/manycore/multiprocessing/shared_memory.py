"""``multiprocessing.shared_memory`` under the name that programs look for here: the standard's module itself."""

import multiprocessing.shared_memory as _standard
import sys

sys.modules[__name__] = _standard
