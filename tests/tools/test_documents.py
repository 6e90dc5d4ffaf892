"""What the documents show is true: their Python runs, their links lead somewhere, the scripts that they name exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CODE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
SCRIPT = re.compile(r"(?<![\w/.])((?:script|tools|tests|examples|benchmarks|src|include|python|docs)/[\w./-]*\w)")


def examples() -> list[tuple[str, str]]:
    found = []
    for document in DOCUMENTS:
        for position, (language, text) in enumerate(CODE.findall(document.read_text(encoding="utf-8"))):
            if language == "python":
                found.append(pytest.param(text, id=f"{document.relative_to(ROOT)}-{position}"))
    return found


@pytest.mark.parametrize("text", examples())
def test_the_python_in_a_document_runs(text: str, tmp_path: Path) -> None:
    result = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_paths_in_a_document_lead_somewhere(document: Path) -> None:
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    links = [name for name in LINK.findall(text) if not (document.parent / name).exists()]
    paths = [name for name in SCRIPT.findall(text) if not (ROOT / name).exists()]
    assert links == []
    assert paths == []
