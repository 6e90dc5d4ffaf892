"""Warnings of recorded operations: as many, at the same lines, in the same order and places as plain NumPy's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # a program for each case

PRELUDE = "import numpy as np, sys, warnings\na = np.arange(50000.0)\n"

PROGRAMS = {
    "looked at inside catch_warnings": """
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    b = a / 0
    print(len(caught), [str(w.message) for w in caught], [w.lineno for w in caught])
    c = np.log(-a)
    print(bool(caught), caught[-1].lineno, isinstance(caught, list))
    caught.clear()
    print(caught)
""",
    "showwarning replaced before": """
def show(message, category, filename, lineno, file=None, line=None):
    print("shown", message, lineno)
warnings.showwarning = show
b = a / 0
del b
warnings.showwarning = warnings._showwarning_orig
c = np.log(-a)
""",
    "showwarning replaced after": """
b = a / 0
warnings.showwarning = lambda *arguments, **named: print("shown")
""",
    "order of lines, the same work twice": """
warnings.simplefilter("always")
for i in range(3):
    b = a / a
    c = np.log(a * -1.0)
d = 1 / a
""",
    "another thread records, this one goes on": """
import threading
out = []
thread = threading.Thread(target=lambda: out.append(1 / a))
thread.start()
thread.join()
print((out[0] + 1)[:2])
""",
    "an exception that nobody catches": """
b = 1 / a
raise ValueError("after the warning")
""",
    "sys.exit with a text": """
b = 1 / a
sys.exit("after the warning")
""",
    "os._exit": """
import os
b = 1 / a
os._exit(4)
""",
    "standard error redirected": """
import contextlib, io
text = io.StringIO()
b = 1 / a
with contextlib.redirect_stderr(text):
    c = np.log(a)
print(text.getvalue().count("RuntimeWarning"))
""",
    "complex numbers stored as real ones": """
for size in (10, 50000):
    z, b = np.ones(size, complex), np.ones(size)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        np.multiply(b, z, out=b, casting="unsafe")
        np.negative(z, out=b, casting="unsafe")
        np.add(z, z, dtype=float, casting="unsafe")
        np.equal(z, z, out=b, casting="unsafe")
    print([(w.category.__name__, w.lineno) for w in caught], b[0])
b / np.zeros(50000)  # divide by zero
""",
    "globals of its own": """
space = {"np": np, "a": a}
exec("b = 1 / a\\nc = np.log(a)\\nb = 1 / a", space)
print("__warningregistry__" in space)
""",
}


def run(path: Path, *prefix: str) -> tuple[int, str, str]:
    ended = subprocess.run([sys.executable, *prefix, str(path)], capture_output=True, text=True, timeout=120)
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize("name", PROGRAMS)
def test_warnings_are_plain_numpys(tmp_path: Path, name: str) -> None:
    path = tmp_path / "program.py"
    path.write_text(PRELUDE + PROGRAMS[name])
    plain = run(path)
    assert "Warning" in plain[1] + plain[2] or "divide" in plain[1]
    assert run(path, "-m", "manycore", "run") == plain


HELD = """
import json
import manycore.numpy as np
kept = []
total = np.zeros(20_000)
for _ in range(REPEATS):
    {body}
# Not ru_maxrss: that begins with what the process that started this one holds.
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps(int(status["VmHWM"].split()[0]) * 1024))
"""
HOLDERS = {
    "a small slice of a large array": "big = np.ones(4_000_000); total += big[:20_000]",
    "sums along an axis": "kept.append((np.ones((4000, 1000)) * 2).sum(axis=0))",
    "globals of executed code": "exec('x = np.ones(4_000_000); y = x * 2; z = 1 / y', {'np': np})",
}


@pytest.mark.parametrize("name", HOLDERS)
def test_what_the_program_let_go_of_is_not_kept(name: str) -> None:
    code = HELD.format(body=HOLDERS[name]).replace("REPEATS", "40")  # 32 MB each
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(ended.stdout) < 700 << 20


ADDRESSES = {
    "__array_interface__": 'a.__array_interface__["data"][0]',
    "ctypes.data": "a.ctypes.data",
}


@pytest.mark.parametrize("how", ADDRESSES)
def test_an_address_that_is_out_sees_and_makes_changes(how: str) -> None:
    import ctypes

    import manycore.numpy as np
    from manycore import _core

    a = np.arange(50_000.0)
    pending = a + 1
    assert _core.is_pending(pending)
    cell = ctypes.c_double.from_address(eval(ADDRESSES[how], {"a": a}))
    b = a + 1
    cell.value = 7.0
    c = a * 2
    a *= 3
    assert (b[0], c[0], cell.value, a[0]) == (1.0, 14.0, 21.0, 21.0)


def test_recorded_work_does_not_run_after_an_interrupt(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(
        "import manycore.numpy as np\nfrom manycore import _core\nimport atexit\n"
        "a = np.arange(50000.0)\n"
        "atexit._clear()\n"
        "import manycore.waiting\natexit.register(manycore.waiting._finish)\n"
        "b = 1 / a\n"
        "assert _core.is_pending(b)\n"
        "raise KeyboardInterrupt\n"
    )
    _, _, errors = run(path)
    assert "KeyboardInterrupt" in errors and "RuntimeWarning" not in errors
