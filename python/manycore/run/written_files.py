"""Which files did a run write, which did it remove? Watches folders by size and time of every file, keeps copies so that a second
run starts from the same state, and carries away what a run wrote. A symbolic link is a file whose content is where it points.

Hidden folders, caches and virtual environments are not watched. Files too large to copy cheaply are watched but not put back;
they are named in ``not_restored``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages"})
MAX_FILES = 50_000  # a home folder by mistake: walking more takes longer than most programs
MAX_COPY = 16 << 20  # per file
MAX_COPIES = 256 << 20  # in total

Stamp = tuple[int, int, int]


@dataclass
class Left:
    """What a run left behind: where each file that it wrote lies now, what it removed, and the folders that it made."""

    files: dict[Path, Path] = field(default_factory=dict)
    removed: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)

    def put_back(self) -> None:
        """Lay everything where the program left it."""
        for folder in self.folders:
            folder.mkdir(parents=True, exist_ok=True)
        for path, kept in self.files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            shutil.move(kept, path)
        for path in self.removed:
            path.unlink(missing_ok=True)


class WatchedFolders:
    """The state of some folders before a run."""

    def __init__(self, roots: Iterable[Path], backup: Path) -> None:
        self.roots = _without_nested(roots)
        self.backup = backup.resolve()
        self.before = dict(self._walk())
        self.folders_before = self._folders()
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
                shutil.copy2(path, copy, follow_symlinks=False)
            except OSError:
                continue
            total += size
            self._copies[path] = copy

    def written(self) -> list[Path]:
        """Files that are new or changed since the state was taken, in order of their names."""
        return sorted(path for path, stamp in self._walk() if self.before.get(path) != stamp)

    def collect(self, into: Path) -> Left:
        """Move what was written away into a folder and put the earlier state back."""
        left = Left(folders=[folder for folder in self._folders() if folder not in self.folders_before])
        for number, path in enumerate(self.written()):
            kept = into / f"{number}{path.suffix}"
            with contextlib.suppress(FileNotFoundError):  # another program's, gone meanwhile
                shutil.move(path, kept)
                left.files[path] = kept
        left.removed = [path for path in self.before if path not in left.files and not os.path.lexists(path)]
        for folder in reversed(left.folders):
            shutil.rmtree(folder / "__pycache__", ignore_errors=True)
            with contextlib.suppress(OSError):  # what is hidden in it stays, and so does the folder
                folder.rmdir()
        for folder in self.folders_before:
            folder.mkdir(parents=True, exist_ok=True)
        for path, stamp in self.before.items():
            if os.path.lexists(path):
                continue
            if path in self._copies:
                shutil.copy2(self._copies[path], path, follow_symlinks=False)
                self.before[path] = _stamp(path)
            elif path not in self.not_restored and stamp:
                self.not_restored.append(path)
        return left

    def _folders(self) -> list[Path]:
        """All watched folders, those outside before those in them."""
        return sorted(folder for root in self.roots for folder, _ in _watched(root, self.backup.parent))

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


def _stamp(path: Path) -> Stamp:
    status = path.lstat()
    return status.st_size, status.st_mtime_ns, status.st_ino


def _without_nested(roots: Iterable[Path]) -> list[Path]:
    resolved = sorted({root.resolve() for root in roots}, key=lambda path: len(path.parts))
    kept: list[Path] = []
    for root in resolved:
        if not any(root.is_relative_to(other) for other in kept):
            kept.append(root)
    return kept


def _files_under(root: Path, skipped: Path) -> Iterator[Path]:
    for folder, names in _watched(root, skipped):
        for name in names:
            path = folder / name
            if path.is_symlink() or path.is_file():
                yield path


def _watched(root: Path, skipped: Path) -> Iterator[tuple[Path, list[str]]]:
    """Each watched folder with the names of its files and links."""
    for folder, names, files in os.walk(root):
        links = [name for name in names if os.path.islink(os.path.join(folder, name))]
        names[:] = [
            name
            for name in names
            if not name.startswith(".")
            and name not in SKIPPED_FOLDERS
            and name not in links
            and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
            and Path(folder, name) != skipped
        ]
        visible = [name for name in links if not name.startswith(".") and name not in SKIPPED_FOLDERS]
        yield Path(folder), files + visible
