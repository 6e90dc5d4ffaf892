"""``python -m manycore``: the same as the command ``manycore``."""

import sys

from manycore.run.command import main

if __name__ == "__main__":
    sys.exit(main())
