"""No fused multiply-add is in the engine but where a sum is meant to be fused: it rounds once where NumPy rounds twice.

-ffp-contract=off does not hold GCC 12 back from joining a product with alternating sums and differences (vfmaddsub), which it does in
the vector body of a loop and not in its tail: an element's bits would then depend on its position. So the objects are read.
"""

import platform
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OBJECTS = ROOT / "build" / "dev" / "src" / "CMakeFiles" / "manycore_objects.dir"
FUSED = re.compile(r"\tvfn?m(?:add|sub)")
FUNCTION = re.compile(r"[0-9a-f]+ <(.*)>:")

# Where fused instructions are meant to be, and why they are right: (source file, function as the disassembler names it).
MEANT = {
    ("kernel/division.cpp", r"divide_\w+<|fmods<"): "what a whole quotient leaves over is exact",
    ("kernel/integer_division.cpp", r""): "products of a whole quotient and its divisor are exact",
    ("kernel/complex_product.cpp", r"(parts_loop|compute_one)<.*::Product>"): "written so, as in NumPy's loops",
    ("kernel/reduce_product.cpp", r"fold_rows<.*FusedProduct>"): "the same product, row by row",
    (
        "kernel/cast.cpp",
        r"_loop<.*unsigned int",
    ): "uint32 to float32 in halves: high * 65536 is exact, so one rounding either way",
}


def fused_functions(disassembly: str) -> dict[str, str]:
    """Functions with a fused instruction, and the first of them."""
    found: dict[str, str] = {}
    function = ""
    for line in disassembly.splitlines():
        if header := FUNCTION.match(line):
            function = header[1]
        elif FUSED.search(line):
            found.setdefault(function, line.strip())
    return found


def disassembly_of(path: Path) -> str:
    command = ["objdump", "--disassemble", "--demangle", "--no-show-raw-insn", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def meant(source: str, function: str) -> bool:
    return any(source == file and re.search(pattern, function) for file, pattern in MEANT)


@pytest.mark.slow
def test_only_what_is_meant_to_be_fused_is() -> None:
    if platform.machine() != "x86_64":
        pytest.skip("reads x86-64 instructions")
    if shutil.which("objdump") is None:
        pytest.skip("objdump is not installed (Debian: binutils)")
    objects = sorted(OBJECTS.rglob("*.cpp.o"))
    if not objects:
        pytest.skip(f"no objects in {OBJECTS.relative_to(ROOT)}: cmake --preset dev && cmake --build --preset dev")
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(objects, pool.map(lambda path: fused_functions(disassembly_of(path)), objects), strict=True))
    sources = {path.relative_to(OBJECTS).as_posix().removesuffix(".o"): functions for path, functions in found.items()}
    wrong = [
        f"{source}: {function}: {instruction}"
        for source, functions in sources.items()
        for function, instruction in functions.items()
        if not meant(source, function)
    ]
    assert not wrong, "\n".join(wrong)
    assert sources["kernel/complex_product.cpp"], "the products of complex numbers are fused: nothing was read"


def test_a_fused_instruction_is_found_with_its_function() -> None:
    text = "0000000000000000 <kernel::loop(char**)>:\n   0:\tvmulpd %ymm0,%ymm1,%ymm2\n   4:\tvfmaddsub231pd %ymm0,%ymm1,%ymm2\n"
    assert fused_functions(text) == {"kernel::loop(char**)": "4:\tvfmaddsub231pd %ymm0,%ymm1,%ymm2"}
    assert not meant("kernel/complex.cpp", "kernel::loop(char**)")
