"""docs/security.md names the tests that show what it says: each of them is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_is_there():
    written = "\n".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", PAGE)
    assert len(named) > 50
    assert [name for name in named if f"def {name}(" not in written] == []


def test_every_file_that_the_page_names_is_there():
    named = re.findall(r"`((?:tests|fuzz|docs)/[\w/.]+)`", PAGE) + re.findall(r"\]\((\w+\.md)", PAGE)
    assert named
    assert [name for name in named if not (ROOT / name).exists() and not (ROOT / "docs" / name).exists()] == []


def test_every_row_of_the_tables_of_actors_is_shown_by_something():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line and "shown by" not in line]
    assert len(rows) > 25
    assert [row for row in rows if "`test" not in row] == []
