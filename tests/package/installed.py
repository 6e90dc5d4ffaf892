"""An environment with the built wheel in it and nothing else of the build."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Installed:
    """An environment in which nothing of the build is visible: no compiler, no checkout, no inherited variables."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.bin = folder / "bin"
        self.site = next((folder / "lib").glob("python3*")) / "site-packages"

    def run(self, *command: str, cwd: Path | None = None) -> str:
        environment = {"PATH": str(self.bin), "HOME": str(self.folder), "LANG": "C.UTF-8"}
        result = subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            capture_output=True, text=True, env=environment, cwd=cwd or self.folder, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout


def numpy_wheel() -> Path:
    """NumPy as the development environment has it, downloaded once."""
    version = importlib.metadata.version("numpy")
    cache = ROOT / ".cache" / "wheels"
    found = list(cache.glob(f"numpy-{version}-cp{sys.version_info.major}{sys.version_info.minor}-*.whl"))
    if not found:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*command, "--dest", str(cache), f"numpy=={version}"], check=True)
        found = list(cache.glob(f"numpy-{version}-*.whl"))
    return found[0]
