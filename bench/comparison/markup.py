"""Pieces of Markdown. Pure."""

from textwrap import fill as _fill

from summary import digits, duration


def fill(text):
    return _fill(text, 119, break_long_words=False, break_on_hyphens=False)


def cell(value, metric, kind=None):
    """A quantity with the unit that suits it."""
    if value is None:
        return "–"
    if (kind or metric["kind"]) == "microseconds":
        return duration(value)
    return digits(value)


def table(head, rows):
    """A table of Markdown; all columns but the first hold numbers where their head ends in ">"."""
    lines = ["| " + " | ".join(name.rstrip(">") for name in head) + " |"]
    lines.append("| " + " | ".join("---:" if name.endswith(">") else "---" for name in head) + " |")
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
