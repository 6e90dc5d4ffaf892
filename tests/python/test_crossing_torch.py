"""PyTorch, which asks for NumPy's own type in compiled code: memory is shared both ways, operators answer as with real arrays."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from test_run_program import both, run, write

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")

SHARED = """
import numpy as np
import torch

def show(*values):
    for value in values:
        print(type(value).__name__, np.asarray(value).tolist())

x = np.linspace(1.0, 2.0, 6)
t = torch.from_numpy(x)
t[0] = 5
x[1] = 9
show(x, t)
u = torch.as_tensor(x)
u[2] = 7
x[3] = 8
show(x, u)
back = t.numpy()
back[4] = 11
back += 1
show(x, t, back)
taken = torch.from_dlpack(x)
taken[5] = 13
x[0] = 14
show(x, taken)
given = np.from_dlpack(t)
given[1] = 15
t[2] = 16
show(x, given)
grid = np.arange(12.0).reshape(3, 4)
torch.from_numpy(grid[:, ::2]).mul_(2)
torch.from_numpy(grid.T)[3, 0] = -1
show(grid)
for dtype in "bool int8 uint8 int16 int32 int64 float16 float32 float64 complex64 complex128".split():
    a = np.ones(3, dtype)
    print(dtype, torch.from_numpy(a).dtype, torch.as_tensor(a).dtype, torch.from_numpy(a).numpy().dtype)
print(torch.tensor(x).sum().item(), torch.stack([torch.from_numpy(row) for row in grid]).shape, x[torch.tensor([0, 1])])
for wrong in (lambda: torch.from_numpy(x[::-1]), lambda: torch.ones(2, requires_grad=True).numpy(), lambda: torch.from_numpy(1)):
    try:
        wrong()
    except (TypeError, ValueError, RuntimeError) as error:
        print(type(error).__name__, error)
"""

OPERATORS = """
import operator
import numpy as np
import torch

x, t = np.array([1.0, 2.0, 3.0]), torch.tensor([1.0, 5.0, 2.0], dtype=torch.float64)
names = "add sub mul truediv floordiv mod pow matmul lt le eq ne gt ge and_ or_ iadd imul concat".split()
for name in names:
    for left, right in ((x.copy(), t), (t.clone(), x), (x[0], t), (t.clone(), x[0])):
        try:
            value = getattr(operator, name)(left, right)
            print(name, type(value).__name__, value)
        except Exception as error:
            print(name, type(error).__name__, error)
print(np.add(x, t), np.maximum(t, x), np.where(t > 1, t, 0), np.stack([t, t]).shape)
"""


@pytest.mark.parametrize("program", [SHARED, OPERATORS], ids=["shared memory", "operators"])
def test_tensors_and_arrays_meet_as_in_plain_python(tmp_path: Path, program: str) -> None:
    plain, ours = both([write(tmp_path, "main.py", program)], tmp_path, PYTHONWARNINGS="ignore")
    assert plain.returncode == 0, plain.stderr
    assert (ours.stdout, ours.stderr, ours.returncode) == (plain.stdout, plain.stderr, 0)


IMPORTED = """
import manycore.numpy as np
import torch

x = np.linspace(1.0, 2.0, 6)
for make in (torch.as_tensor, torch.from_dlpack, torch.asarray):
    t = make(x)
    t[0] += 1
    x[1] += 1
    assert t.tolist() == x.tolist(), make
    assert np.asarray(t.numpy()).ctypes.data == x.ctypes.data == t.data_ptr()
assert torch.from_numpy(x.__array__()).data_ptr() == x.ctypes.data
try:
    torch.from_numpy(x)  # nothing rewrites this call, and it asks for the type
except TypeError as error:
    print(error)
given = np.from_dlpack(t)
given[2] = 9
assert t[2] == x[2] == 9 and type(given) is type(x)
assert (x == t).all() and (t == x).all() and type(x == t) is torch.Tensor
print(type(t + x).__name__)
"""


def test_an_import_of_manycore_shares_memory_with_tensors(tmp_path: Path) -> None:
    done = run([write(tmp_path, "main.py", IMPORTED)], tmp_path, PYTHONWARNINGS="ignore")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "expected np.ndarray (got numpy.ndarray)\nTensor\n",
        "",
    )
