"""The example of kesherd.conf, and the table of docs/operations.md."""

import re

from tables import comment, sentence

BEGIN = "<!-- options: made by scripts/generate from the option table and man/options.txt -->"
END = "<!-- end of options -->"

_HEAD = """\
kesherd.conf: settings of kesherd(8). What is commented out shows the default.
kesherd.conf(5) is the manual. A line is "name = value"; the command line wins over this file."""


def _setting(option):
    text = option.text
    if text and text.set:
        return f"{option.name} = {text.set}"
    return f"#{option.name} = {option.default or (text and text.example) or option.placeholder}"


def example(tables):
    lines = [comment(line) for line in _HEAD.splitlines()]
    for heading, options in tables.groups().items():
        lines += ["", f"# ---- {heading.lower()} ----"]
        for option in options:
            lines += ["", comment(option.text.meaning if option.text else sentence(option.help))]
            if option.bounds:
                lines.append(comment(option.bounds))
            elif option.words:
                lines.append(comment("One of: " + ", ".join(option.words) + "."))
            if option.text and option.text.limit:
                lines.append(comment("At the limit: " + option.text.limit))
            if option.text and option.text.default:
                lines.append(comment("Default: " + option.text.default + "."))
            lines.append(_setting(option))
    return "\n".join(lines) + "\n"


def _cell(text):
    return re.sub(r"(?<!\w)([a-z][a-z.-]*\([1-8]\))", r"`\1`", text).replace("|", "\\|")


def operations_table(tables):
    lines = [BEGIN]
    for heading, options in tables.groups().items():
        lines += ["", f"### {heading}", "", "| key | default | reload | what it is | at the limit |"]
        lines.append("| --- | --- | --- | --- | --- |")
        for option in options:
            meaning = option.text.meaning if option.text else sentence(option.help)
            if option.unit:
                meaning += f" A number alone counts {option.unit}."
            limit = option.text.limit if option.text else ""
            reload = "yes" if option.reloads else "no"
            cells = [f"`{option.name}`", option.default_text, reload, meaning, limit]
            lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join([*lines, "", END])


def operations(document, tables):
    """The document with a table that is up to date."""
    begin, end = document.index(BEGIN), document.index(END) + len(END)
    return document[:begin] + operations_table(tables) + document[end:]
