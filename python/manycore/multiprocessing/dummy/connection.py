"""``multiprocessing.dummy.connection`` itself."""

import multiprocessing.dummy.connection as _standard
import sys

sys.modules[__name__] = _standard
