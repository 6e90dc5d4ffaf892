"""Which code is the user's? Everything outside the standard library and site-packages, editable installs included.

``include`` names packages of site-packages that count as the user's, ``exclude`` packages outside that do not.

>>> import json
>>> policy = UserCode()
>>> policy.is_user_file(json.__file__), policy.is_user_file("/home/ada/model.py")
(False, True)
>>> policy.kind_of_package("json"), policy.kind_of_package("numpy")
('stdlib', 'numpy')
"""

from __future__ import annotations

import importlib.machinery
import os
import site
import sys
import sysconfig
from collections.abc import Iterable

LIBRARY_FOLDERS = ("site-packages", "dist-packages")
PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class UserCode:
    """The rule, with its answers kept: ``files`` maps a file name to whether it is the user's and is shared with C++."""

    def __init__(self, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> None:
        self.include = frozenset(include)
        self.exclude = frozenset(exclude)
        self.files: dict[str, bool] = {}
        self._kinds: dict[str, str] = {}
        self._library_roots = _library_roots()

    def is_user_file(self, filename: str) -> bool:
        """Is the code in this file the user's? Code without a file ('<string>', '<frozen ...>') is not."""
        known = self.files.get(filename)
        if known is None:
            known = self.files[filename] = self._decide(filename)
        return known

    def _decide(self, filename: str) -> bool:
        if filename.startswith("<"):
            return False
        path = os.path.abspath(filename)
        if path.startswith(PACKAGE + os.sep):
            return False
        parts = path.split(os.sep)
        for folder in LIBRARY_FOLDERS:
            if folder in parts:
                return _package_at(parts, len(parts) - 1 - parts[::-1].index(folder) + 1) in self.include
        if any(path.startswith(root) for root in self._library_roots):
            return False
        return not (self.exclude and self.exclude.intersection(_possible_packages(parts)))

    def kind_of_package(self, name: str) -> str:
        """``user``, ``stdlib``, ``numpy`` or ``foreign`` for a top-level package; what is not found counts as the user's."""
        kind = self._kinds.get(name)
        if kind is None:
            kind = self._kinds[name] = self._kind(name)
        return kind

    def _kind(self, name: str) -> str:
        if name == "numpy":
            return "numpy"
        if name in self.include:
            return "user"
        if name in self.exclude:
            return "foreign"
        if name in sys.stdlib_module_names or name in sys.builtin_module_names or name == "manycore":
            return "stdlib"
        return "user" if self._is_user_package(name) else "foreign"

    def _is_user_package(self, name: str) -> bool:
        module = sys.modules.get(name)
        spec = getattr(module, "__spec__", None)
        if spec is None:
            try:
                from importlib.util import find_spec

                spec = find_spec(name)
            except Exception:  # a finder's own failure shows when the program itself imports
                return True
        if spec is None:
            return True
        if spec.origin and spec.origin not in ("namespace", "built-in", "frozen"):
            # Compiled code expects real arrays wherever it lies.
            compiled = spec.origin.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES))
            return not compiled and self.is_user_file(spec.origin)
        places = list(spec.submodule_search_locations or ())
        return not places or self.is_user_file(os.path.join(places[0], "__init__.py"))

    def to_json(self) -> str:
        """What a child process needs to decide alike."""
        import json

        return json.dumps({"include": sorted(self.include), "exclude": sorted(self.exclude)})


def _library_roots() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    roots = {sysconfig.get_path(name) for name in names} | set(site.getsitepackages()) | {site.getusersitepackages()}
    spellings = {os.path.abspath(root) for root in roots} | {os.path.realpath(root) for root in roots}
    return tuple(sorted(root + os.sep for root in spellings))


def _package_at(parts: list[str], position: int) -> str:
    return parts[position].partition(".")[0] if position < len(parts) else ""


def _possible_packages(parts: list[str]) -> set[str]:
    """Every name under which a file outside site-packages may be imported: its own stem and those of its packages."""
    names = {parts[-1].partition(".")[0]}
    for end in range(len(parts) - 1, 0, -1):
        if not os.path.exists(os.sep.join([*parts[:end], "__init__.py"])):
            break
        names.add(parts[end - 1])
    return names
