#!/usr/bin/env python3
"""Writes docs/options.md from src/base/options.def, the one table of options; script/build runs it, so a row is all it takes."""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r'^MANYCORE_OPTION\((\w+), (\w+(?:\([^)]*\))?), ("[^"]*"), ("(?:[^"\\]|\\.)*")\)$', re.MULTILINE)
HEAD = """# Options

Written by `tools/write_options_page.py` from `src/base/options.def`. A flag of `manycore run` and
`manycore verify` beats the environment; `manycore info` shows what is in force and where it came from.

| Flag | Environment | Type | Default | Meaning |
|---|---|---|---|---|
"""


def page(table: str) -> str:
    rows = []
    for name, kind, default, meaning in ROW.findall(table):
        flag = "--" + name.replace("_", "-")
        shown = ast.literal_eval(default) or "none"
        rows.append(f"| `{flag}` | `MANYCORE_{name.upper()}` | {kind} | {shown} | {ast.literal_eval(meaning)} |\n")
    return HEAD + "".join(rows)


def main() -> int:
    target = ROOT / "docs" / "options.md"
    wanted = page((ROOT / "src/base/options.def").read_text(encoding="utf-8"))
    if not target.exists() or target.read_text(encoding="utf-8") != wanted:
        target.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
