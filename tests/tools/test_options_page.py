"""The page of options says what the built engine says."""

from pathlib import Path

from manycore import _core

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "options.md").read_text(encoding="utf-8")


def test_every_option_of_the_engine_stands_on_the_page_and_no_other() -> None:
    rows = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| `--")]
    shown = [(row[1].strip("`"), row[2], row[3], row[4].rstrip(" |")) for row in rows]
    engine = [
        (f"MANYCORE_{row['name'].upper()}", row["type"], row["default"] or "none", row["help"]) for row in _core.option_rows()
    ]
    assert shown == engine
