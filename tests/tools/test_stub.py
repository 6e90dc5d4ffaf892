"""The stub names what the extension has, so that mypy checks the package against what is there."""

import ast
from pathlib import Path

from manycore import _core

STUB = Path(__file__).resolve().parents[2] / "python/manycore/_core.pyi"


def test_the_stub_has_the_names_of_the_extension() -> None:
    names = set()
    for node in ast.parse(STUB.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname for alias in node.names if alias.asname}
    own = {name for name in dir(_core) if not name.startswith("__")} | {"__version__"}
    assert names == own
