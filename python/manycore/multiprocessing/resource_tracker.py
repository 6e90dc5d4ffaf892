"""``multiprocessing.resource_tracker`` under the name that programs look for here: the standard's module itself."""

import multiprocessing.resource_tracker as _standard
import sys

sys.modules[__name__] = _standard
