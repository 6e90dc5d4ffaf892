#!/usr/bin/env python3
"""Keeps the walls between the rooms and the sizes of the files.

Checked: a folder of src/ includes only itself and the folders above it in ROOMS; only python/bindings includes CPython's,
NumPy's or nanobind's headers; include/ stands alone; domain packages use the public API only; no file is over 800 lines, and one
over 400 says why in a line `Long file: ...` among its first 30; no .cpp has an inline constant, which the linker takes for
the one of that name in another file. Prints each breach as path:line and exits 1 where there is one.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

# From the ground up: a room may use itself and what stands before it.
ROOMS = [
    "base", "os", "trace", "sync", "memory", "sched", "type", "op", "kernel", "library", "program", "fuse",
    "interpret", "codegen", "device", "residency", "evaluate", "worker", "task",
]  # fmt: skip
DOMAINS = ["nn", "optim", "data", "image", "stream", "fluid", "quantum", "spiking"]
LONG_FILE = 400
LONGEST_FILE = 800
REASON = re.compile(r"Long file: \S+")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
PYTHON_HEADER = re.compile(r"^(Python\.h|structmember\.h|numpy/|nanobind/|pybind11/|datetime\.h$|frameobject\.h$|cpython/)")
CPP_SUFFIXES = {".h", ".cpp", ".def", ".inc"}
MEASURED = ["src", "include", "python", "tests", "tools", "examples", "benchmarks", "script"]
MEASURED_SUFFIXES = CPP_SUFFIXES | {".py", ".pyi", ""}


def files(folder: Path, suffixes: set[str]) -> Iterator[Path]:
    if folder.is_dir():
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix in suffixes and "__pycache__" not in path.parts:
                yield path


def includes(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1)


def check_rooms(root: Path) -> Iterator[str]:
    for path in files(root / "src", CPP_SUFFIXES):
        room = path.relative_to(root / "src").parts[0]
        where = path.relative_to(root)
        if room not in ROOMS:
            yield f"{where}:1: folder {room}/ is not in the list of rooms; add it to ROOMS in tools/check_layers.py"
            continue
        for number, name in includes(path):
            target = name.split("/")[0]
            if PYTHON_HEADER.match(name):
                yield f"{where}:{number}: includes {name}, but src/ knows nothing of Python; python/bindings/ does"
            elif "/" in name and target in ROOMS and ROOMS.index(target) > ROOMS.index(room):
                yield f"{where}:{number}: includes {name}, but {target}/ stands above {room}/; nothing calls up"
            elif name.startswith(("bindings/", "../")):
                yield f"{where}:{number}: includes {name}; include from src/ or include/ by full name"


def check_public_headers(root: Path) -> Iterator[str]:
    for path in files(root / "include", CPP_SUFFIXES):
        for number, name in includes(path):
            if PYTHON_HEADER.match(name) or ("/" in name and name.split("/")[0] != "manycore"):
                yield f"{path.relative_to(root)}:{number}: includes {name}; expected only manycore/ and the standard library"


def imported_names(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            # A relative import climbs from the package that the file stands in.
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{stem}.{alias.name}"


def check_domains(root: Path) -> Iterator[str]:
    python = root / "python"
    for domain in DOMAINS:
        for path in files(python / "manycore" / domain, {".py"}):
            package = ".".join(path.parent.relative_to(python).parts)
            for number, name in imported_names(ast.parse(path.read_text(encoding="utf-8")), package):
                parts = name.split(".")
                if parts[0] == "manycore" and parts[1:2] != [domain] and any(part.startswith("_") for part in parts):
                    yield f"{path.relative_to(root)}:{number}: uses {name}; {domain}/ uses only the public API"


def check_sizes(root: Path) -> Iterator[str]:
    for folder in MEASURED:
        for path in files(root / folder, MEASURED_SUFFIXES):
            lines = path.read_text(encoding="utf-8").splitlines()
            where = path.relative_to(root)
            if len(lines) > LONGEST_FILE:
                yield f"{where}:{LONGEST_FILE}: {len(lines)} lines, expected at most {LONGEST_FILE}; divide it"
            elif len(lines) > LONG_FILE and not any(REASON.search(line) for line in lines[:30]):
                yield f"{where}:{LONG_FILE}: {len(lines)} lines; say `Long file: why` at the top or divide it"


def check_constants(root: Path) -> Iterator[str]:
    for path in files(root / "src", {".cpp"}):
        before = ""
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.startswith("inline constexpr ") and not before.startswith("template"):
                yield f"{path.relative_to(root)}:{number}: an inline constant; leave `inline` out, so that it is this file's own"
            before = line


def check(root: Path) -> list[str]:
    return [*check_rooms(root), *check_public_headers(root), *check_domains(root), *check_sizes(root), *check_constants(root)]


def main() -> int:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    breaches = check(root)
    for breach in breaches:
        print(breach)
    print(f"check_layers: {len(breaches)} breaches" if breaches else "check_layers: the walls stand")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
