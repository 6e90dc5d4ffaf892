"""The stubs name what the extensions have, so that mypy checks the package against what is there."""

import ast
import importlib
from pathlib import Path

import pytest

STUBS = Path(__file__).resolve().parents[2] / "python/manycore"


@pytest.mark.parametrize("extension", ["_core", "_front", "_tasks"])
def test_the_stub_has_the_names_of_the_extension(extension: str) -> None:
    names = set()
    for node in ast.parse((STUBS / f"{extension}.pyi").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname for alias in node.names if alias.asname == alias.name}
    module = importlib.import_module(f"manycore.{extension}")
    own = {name for name in dir(module) if not name.startswith("__")} | {"__version__"}
    assert names == own
