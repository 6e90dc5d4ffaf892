"""The wheel in an empty environment: it needs no compiler, no oneTBB and no BLAS on the user's machine."""

import re
import subprocess
import zipfile
from pathlib import Path

from installed import ROOT, Installed

LIBRARIES_IN_USE = """
import os, re
import manycore.futures
import manycore.numpy as np
a = np.arange(2_000_000, dtype=np.float64).reshape(1000, 2000)
assert float(((a - 1.0) * 2.0).sum()) == float((a.size * (a.size - 1) // 2 - a.size) * 2)
assert float((a[:50, :50] @ a[:50, :50].T)[0, 0]) == float(sum(i * i for i in range(50)))
assert abs(float(np.sin(a).sum()) - float(np.sin(np.array(a.tolist())).sum())) == 0
with open("/proc/self/maps") as maps:
    print("\\n".join(sorted({line.split()[-1] for line in maps if ".so" in line})))
"""


def test_the_wheel_holds_the_extensions_the_engine_the_headers_and_what_they_need(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for extension in ("_core", "_front", "_tasks"):
        assert len([name for name in names if re.match(rf"manycore/{extension}\..*\.so$", name)]) == 1
    assert "manycore/libmanycore.so.0" in names
    assert "manycore/include/manycore/array.h" in names
    assert "manycore/lib/cmake/manycore/manycoreConfig.cmake" in names
    assert "manycore/py.typed" in names
    bundled = {re.sub(r"-.*", "", Path(name).name) for name in names if name.startswith("manycore.libs/") and ".so" in name}
    assert {"libtbb", "libsleef"} <= bundled
    python_files = {str(path.relative_to(ROOT / "python")) for path in (ROOT / "python/manycore").rglob("*.py")}
    assert python_files <= set(names)
    assert not [name for name in names if name.endswith((".cpp", ".pyc"))]


def test_it_computes_with_only_its_own_libraries(installed: Installed) -> None:
    loaded = installed.run("python", "-I", "-c", LIBRARIES_IN_USE).split()
    assert any("manycore.libs/libtbb-" in path for path in loaded), loaded
    for path in loaded:
        name = Path(path).name
        if name.startswith(
            ("libtbb", "libhwy", "libsleef", "libmanycore", "_core.", "_front.", "_tasks.", "libscipy_openblas", "libopenblas")
        ):
            assert path.startswith(str(installed.folder)), f"{path} comes from outside the environment"


def test_the_commands_work(installed: Installed, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text("import numpy as np\nprint(type(np.ones(3)).__module__, np.arange(100000).sum())\n")
    plain = installed.run("manycore", "run", str(script))
    assert "4999950000" in plain
    assert installed.run("python", "-m", "manycore", "run", str(script)) == plain
    assert "cores" in installed.run("manycore", "info").lower()


def test_the_engine_and_the_extension_show_only_their_own_names(installed: Installed) -> None:
    def defined(path: Path) -> list[str]:
        output = subprocess.run(["nm", "-DC", "--defined-only", str(path)], capture_output=True, text=True, check=True).stdout
        return [line.split(" ", 2)[2] for line in output.splitlines()]

    engine = defined(installed.site / "manycore/libmanycore.so.0")
    assert "manycore::Error::~Error()" in engine
    about = re.compile(r"^(vtable for |typeinfo for |typeinfo name for |guard variable for )?manycore::")
    assert [name for name in engine if not about.match(name)] == []
    for name in ("_core", "_front", "_tasks"):
        assert defined(next((installed.site / "manycore").glob(f"{name}.*.so"))) == [f"PyInit_{name}"]
