"""What kesherd-describe and kesher-describe print, and man/options.txt, as objects."""

import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Text:
    """What man/options.txt has on an option."""

    group: str
    meaning: str = ""
    limit: str = ""
    default: str = ""
    example: str = ""  # a value for the example configuration
    set: str = ""  # the same, and the example really sets it


@dataclass
class Option:
    name: str
    value: str  # what the help calls it; empty for a switch
    help: str
    kind: str  # flag, text, list, word, number
    smallest: str = ""  # of a number
    largest: str = ""
    unit: str = ""  # what a number alone counts
    default: str = ""
    words: list[str] = field(default_factory=list)
    letter: str = ""  # of a switch that may stand as -x
    reloads: bool = False  # a SIGHUP changes it
    text: Text | None = None

    @property
    def placeholder(self):
        """What stands for the value: its words where there are some."""
        return "|".join(self.words) or self.value

    @property
    def bounds(self):
        """What a number may be, as sentences; nothing for other kinds."""
        if self.kind != "number":
            return ""
        return f"From {self.smallest} to {self.largest}." + (self.unit and f" A number alone counts {self.unit}.")

    @property
    def default_text(self):
        return (self.text.default if self.text else "") or self.default


@dataclass
class Command:
    name: str
    arguments: str
    help: str
    details: str = ""
    takes: list[str] = field(default_factory=list)


@dataclass
class Tables:
    """`options` stand without a command, and with those that take them; `others` only with commands."""

    options: list[Option] = field(default_factory=list)
    specials: list[Option] = field(default_factory=list)  # of the server: only on the command line
    commands: list[Command] = field(default_factory=list)
    operators: list[Command] = field(default_factory=list)  # of the server: `user list` and the like
    operator_options: list[Option] = field(default_factory=list)

    @property
    def others(self):
        known = {option.name for option in self.options + self.specials}
        return [option for option in self.operator_options if option.name not in known]

    def groups(self):
        """The options by heading, both in the order of man/options.txt; what has no text there comes last."""
        found = {}
        for option in sorted(self.options, key=lambda option: option.text is None):
            found.setdefault(option.text.group if option.text else "Others", []).append(option)
        return found


def read_texts(path):
    """man/options.txt, by option, in its order."""
    texts, group, current, part = {}, "", None, "meaning"
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("== "):
            group = line[3:].strip()
        elif not line[0].isspace():
            if line.strip() in texts:
                raise ValueError(f"{path}:{number}: a second text for {line.strip()}")
            current, part = texts.setdefault(line.strip(), Text(group)), "meaning"
        elif current is None:
            raise ValueError(f"{path}:{number}: a text without an option")
        else:
            begins = re.match(r"\s+(limit|default|example|set):\s*", line)
            if begins:
                part, line = begins[1], line[begins.end() :]
            setattr(current, part, f"{getattr(current, part)} {line.strip()}".strip())
    return texts


def nouns(tables):
    """The first words of operators' commands as commands, whose operands are the second ones."""
    verbs, takes = {}, {}
    for command in tables.operators:
        noun, _, verb = command.name.partition(" ")
        verbs.setdefault(noun, []).extend([verb] if verb else [])
        takes.setdefault(noun, set()).update(command.takes)
    ordered = {noun: [o.name for o in tables.operator_options if o.name in takes[noun]] for noun in verbs}
    return [
        Command(noun, " | ".join(each), "for operators: " + (", ".join(each) or noun), takes=ordered[noun])
        for noun, each in verbs.items()
    ]


def read_tables(rows, texts_path=None):
    """Reads one file of records, and the texts that belong to its options. They bring the options' order."""
    tables, takers = Tables(), []
    lists = {
        "option": tables.options,
        "special": tables.specials,
        "operator-option": tables.operator_options,
    }
    for line in Path(rows).read_text(encoding="utf-8").splitlines():
        kind, *fields = line.split("\t")
        if kind in lists:
            name, value, type_, smallest, largest, unit, default, words, letter, text = fields
            lists[kind].append(
                Option(name, value, text, type_, smallest, largest, unit, default, words.split(), letter)
            )
        elif kind == "reloads":
            next(option for option in tables.options if option.name == fields[0]).reloads = True
        elif kind == "operator":
            noun, verb, operand, help_ = fields
            takers = tables.operators
            takers.append(Command(f"{noun} {verb}".strip(), operand, help_))
        elif kind == "command":
            takers = tables.commands
            takers.append(Command(*fields))
        elif kind == "detail":
            command = tables.commands[-1]
            command.details += f"\n{fields[0]}\n" if fields[0].startswith("  ") else f"{fields[0]} "
        elif kind == "takes":
            takers[-1].takes.append(fields[0])
        else:
            raise ValueError(f"{rows}: an unknown record: {line}")
    tables.commands += nouns(tables)
    if texts_path is not None:
        texts = read_texts(Path(texts_path))
        order = list(texts)
        for option in tables.options:
            option.text = texts.get(option.name)
        tables.options.sort(key=lambda o: order.index(o.name) if o.name in texts else len(order))
    return tables


def sentence(text):
    """A line of help as a sentence of its own."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def comment(text, width=100):
    """As lines of a comment in a configuration file."""
    return textwrap.fill(
        text.replace("`", ""), width, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )
