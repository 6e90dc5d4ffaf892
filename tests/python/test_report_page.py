"""--report=FILE.html: one page that needs nothing else, with the lines, groups and numbers of a small known program."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from test_run_program import run, write

PROGRAM = """\
import numpy as np

a = np.full(1_000_000, 3.0)
b = (a * 2.0 + 1.0) - a
c = b[1:] * b[:-1]
d = np.convolve(c[:1000], np.ones(3))
print(float(c[5]), d.shape)
"""


class Page(HTMLParser):
    """Sections by title: the cells of their tables, and every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sections: dict[str, list[list[str]]] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.title = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "rect", "circle", "path"):
            self.open.append(tag)
        if tag == "tr" and self.title:
            self.sections[self.title].append([])
        if tag in ("td", "h2"):
            self.words = ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "h2":
            self.title = self.words
            self.sections[self.title] = []
        if tag == "td":
            self.sections[self.title][-1].append(self.words)

    def handle_data(self, data: str) -> None:
        self.words += data + " "


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("page")
    script = write(folder, "program.py", PROGRAM)
    done = run(["-m", "manycore", "run", "--threads=2", "--report=report.html", script], folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "16.0 (1002,)\n", "")
    return (folder / "report.html").read_text(encoding="utf-8")


def rows(page: Page, title: str) -> list[list[str]]:
    return [[" ".join(cell.split()) for cell in row] for row in page.sections[f"{title} "] if row]


def test_the_page_is_closed_everywhere_and_needs_nothing_from_outside(text: str) -> None:
    page = Page(text)
    assert page.open == []
    assert not any(tag in ("script", "link", "img", "iframe") or "src" in have or "href" in have for tag, have in page.tags)
    assert "url(" not in text and "@import" not in text and "prefers-color-scheme: dark" in text


def test_the_groups_stand_with_lines_bytes_and_the_reason_why_they_are_apart(text: str) -> None:
    found = {row[0]: row for row in rows(Page(text), "Groups")}
    first = found["multiply add subtract program.py:4"]
    assert first[1] == "1" and first[4:7] == ["8 MB", "8 MB", "16 MB"]
    second = found["multiply program.py:5 apart: another shape"]
    assert second[4:7] == ["8 MB", "8 MB", "0 B"]
    assert re.fullmatch(r"[\d.]+ GB/s \(\d+ %\)", second[7])
    assert rows(Page(text), "Why neighbours are apart") == [["another shape", "1"]]


def test_the_lines_stand_with_source_time_and_bytes(text: str) -> None:
    found = {row[0]: row for row in rows(Page(text), "Time by line")}
    line = found["program.py:4 b = (a * 2.0 + 1.0) - a"]
    assert re.fullmatch(r"[\d.]+ (ms|µs)", line[1]) and line[3] == "56 MB"
    assert "program.py:6 d = np.convolve(c[:1000], np.ones(3))" in found


def test_fallbacks_totals_timeline_and_passes_stand_there(text: str) -> None:
    page = Page(text)
    (fallback,) = rows(page, "Fallbacks")
    assert fallback[:3] == ["program.py:6", "numpy.convolve", "1"]
    assert "4 → 2" in text and "16 MB" in text
    assert re.search(r"<b>(2[4-9]|3\d)[.\d]* MB</b><span>memory of arrays at the peak, of [\d.]+ GB</span>", text)
    assert sum(tag == "rect" for tag, _ in page.tags) >= 3
    assert [row[0] for row in rows(page, "Passes")][:2] == ["find_common", "drop_unused"]


def test_names_of_the_program_are_escaped(tmp_path: Path) -> None:
    script = write(tmp_path, "program.py", "import sys\n")
    done = run(["-m", "manycore", "run", "--report=report.html", script, "<b>&"], tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<h1>program.py &lt;b&gt;&amp;</h1>" in text and "<b>&" not in text
