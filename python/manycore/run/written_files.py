"""Which files did a run write? Watches folders by size and time of every file, keeps copies so that a second run starts
from the same state, and carries away what a run wrote.

Hidden folders, caches and virtual environments are not watched. Files too large to copy cheaply are watched but not put back;
they are named in ``not_restored``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages"})
MAX_FILES = 50_000  # a home folder by mistake: walking more takes longer than most programs
MAX_COPY = 16 << 20  # per file
MAX_COPIES = 256 << 20  # in total

Stamp = tuple[int, int, int]


class WatchedFolders:
    """The state of some folders before a run."""

    def __init__(self, roots: Iterable[Path], backup: Path) -> None:
        self.roots = _without_nested(roots)
        self.backup = backup.resolve()
        self.before = dict(self._walk())
        self.not_restored: list[Path] = []
        self._copies: dict[Path, Path] = {}
        self._copy_small_files()

    def _copy_small_files(self) -> None:
        total = 0
        for number, (path, (size, _, _)) in enumerate(self.before.items()):
            if size > MAX_COPY or total + size > MAX_COPIES:
                continue
            copy = self.backup / str(number)
            try:
                shutil.copy2(path, copy)
            except OSError:
                continue
            total += size
            self._copies[path] = copy

    def written(self) -> list[Path]:
        """Files that are new or changed since the state was taken, in order of their names."""
        return sorted(path for path, stamp in self._walk() if self.before.get(path) != stamp)

    def collect(self, into: Path) -> dict[Path, Path]:
        """Move what was written away into a folder and put the earlier state back; returns where each file lies now."""
        moved: dict[Path, Path] = {}
        for number, path in enumerate(self.written()):
            moved[path] = into / f"{number}{path.suffix}"
            shutil.move(path, moved[path])
        for path, stamp in self.before.items():
            if path.exists():
                continue
            if path in self._copies:
                shutil.copy2(self._copies[path], path)
                self.before[path] = _stamp(path)
            elif path not in self.not_restored and stamp:
                self.not_restored.append(path)
        return moved

    def _walk(self) -> Iterator[tuple[Path, Stamp]]:
        found = 0
        for root in self.roots:
            for path in [root] if root.is_file() else _files_under(root, self.backup.parent):
                try:
                    stamp = _stamp(path)
                except OSError:
                    continue
                found += 1
                if found > MAX_FILES:
                    raise ValueError(
                        f"verify: more than {MAX_FILES} files under {root}, expected a working folder, got something "
                        "larger; try it in a smaller folder"
                    )
                yield path, stamp


def put_back(moved: dict[Path, Path]) -> None:
    """Lay collected files where the program wrote them."""
    for path, kept in moved.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(kept, path)


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


def _without_nested(roots: Iterable[Path]) -> list[Path]:
    resolved = sorted({root.resolve() for root in roots}, key=lambda path: len(path.parts))
    kept: list[Path] = []
    for root in resolved:
        if not any(root.is_relative_to(other) for other in kept):
            kept.append(root)
    return kept


def _files_under(root: Path, skipped: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        names[:] = [
            name
            for name in names
            if not name.startswith(".")
            and name not in SKIPPED_FOLDERS
            and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
            and Path(folder, name) != skipped
        ]
        for name in files:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path
