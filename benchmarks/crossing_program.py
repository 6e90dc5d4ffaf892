"""The program that crossing.py runs twice, plainly and under manycore: calls into libraries.

Reads lines "name calls" and answers each with the seconds that so many calls took.
"""

import math
import os.path
import sys
import time

import numpy as np
import scipy.linalg
import scipy.special

values = np.linspace(0.0, 1.0, 100)
matrix = np.eye(8) + 0.25


def nothing(calls: int) -> None:
    """The loop alone."""
    for _ in range(calls):
        pass


def math_hypot(calls: int) -> None:
    """Call math hypot so often."""
    for _ in range(calls):
        math.hypot(3.0, 4.0)


def path_join(calls: int) -> None:
    """Call path join so often."""
    for _ in range(calls):
        os.path.join("folder", "file")


def special_ufunc_of_a_number(calls: int) -> None:
    """Call special ufunc of a number so often."""
    for _ in range(calls):
        scipy.special.erf(0.5)


def special_ufunc_of_an_array(calls: int) -> None:
    """Call special ufunc of an array so often."""
    for _ in range(calls):
        scipy.special.erf(values)


def linalg_of_an_array(calls: int) -> None:
    """Call linalg of an array so often."""
    for _ in range(calls):
        scipy.linalg.inv(matrix)


LOOPS = {
    loop.__name__: loop
    for loop in (
        nothing,
        math_hypot,
        path_join,
        special_ufunc_of_a_number,
        special_ufunc_of_an_array,
        linalg_of_an_array,
    )
}

for line in sys.stdin:
    name, calls = line.split()
    start = time.perf_counter()
    LOOPS[name](int(calls))
    print(time.perf_counter() - start, flush=True)
