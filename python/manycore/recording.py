"""Look at recorded work before it runs: which instructions an array waits for, and which of them will run together."""

from __future__ import annotations

from typing import Any

from manycore import _core


def explain(array: Any) -> str:
    """The recorded program that ``array`` waits for and the groups that it will run in, as text. Runs nothing.

    A line of the program is a result with its dtype and shape, the operation and what it reads; ``t`` are temporaries that only
    the program holds, ``a`` everything else. Each group runs as one loop, and says why it could not join one before it.

    >>> import manycore
    >>> import manycore.numpy as np
    >>> a = np.ones((1000, 1000))
    >>> with np.errstate(all="ignore"):  # text that is run by itself records where nothing can warn
    ...     b = (a * 2.0 + 1.0)[1:] - 3.0
    ...     c = b.T + 1.0
    >>> print(manycore.explain(c))
    program
      t1: f64(1000,1000) = multiply(a0, 2)
      t2: f64(1000,1000) = add(t1, 1)
      a3: f64(999,1000) = subtract(t2{+8000, strides 8000 8}, 3)
      a4{+0, strides 8 8000}: f64(1000,999) = add(a3{+0, strides 8 8000}, 1)
    groups
      0: multiply add
      1: subtract  (apart: another shape)
      2: add  (apart: another shape)
    >>> print(manycore.explain(manycore.evaluate(c)))
    nothing: the array has its values
    """
    return _core.explain(array).rstrip("\n") or "nothing: the array has its values"
