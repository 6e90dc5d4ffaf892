"""A program's folder stands before the standard library: ``import json`` beside a ``json.py`` takes that file.

Here manycore has imported modules of its own before the program begins. Those that the program would find in its own folder
leave ``sys.modules``, so that it finds them there; who has them already keeps them. What is built into the interpreter, or
frozen, comes before the folder in plain Python too.
"""

from __future__ import annotations

import _imp
import importlib
import os
import sys
from importlib.machinery import PathFinder

OUR_OWN = ("manycore", "__main__")
# What manycore imports while a program runs or when it ends.
LATER = ("manycore.numpy", "manycore.numpy._rebase", "manycore.numpy._random", "manycore.report.totals", "manycore.report.page")


def may_shadow(folder: str) -> bool:
    """Would a program in this folder give files of its own to NumPy, or to manycore when arrays come in its midst? Then all is
    loaded before."""
    try:
        names = {entry.partition(".")[0] for entry in os.listdir(folder or ".")}
    except OSError:
        return False
    return "numpy" in names or not names.isdisjoint(sys.stdlib_module_names)


def named_in(folder: str) -> list[str]:
    """Top-level modules that are loaded although a program in this folder would import a file of its own under their name."""
    try:
        entries = os.listdir(folder or ".")
    except OSError:  # an archive, or nothing
        return []
    loaded = {name.partition(".")[0] for name in sys.modules}
    names = {entry.partition(".")[0] for entry in entries} & loaded
    return sorted(name for name in names.difference(OUR_OWN) if _is_taken_from(folder, name))


def _is_taken_from(folder: str, name: str) -> bool:
    if name in sys.builtin_module_names or _imp.is_frozen(name):
        return False
    spec = PathFinder.find_spec(name, [folder or os.getcwd()])
    if spec is None or spec.origin is None:  # a folder without __init__.py gives way to what stands later on the path
        return False
    return getattr(sys.modules[name], "__file__", None) != spec.origin


def forget(folder: str) -> None:
    """Take the modules that a program in this folder has of its own out of ``sys.modules``, once all of manycore has what it
    needs of them."""
    if not may_shadow(folder) and not named_in(folder):
        return
    for module in LATER:
        importlib.import_module(module)
    names = named_in(folder)
    for loaded in list(sys.modules):
        if loaded.partition(".")[0] in names:
            del sys.modules[loaded]
