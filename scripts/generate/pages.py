"""Manual pages in mdoc(7): templates with generated lists in them."""

import re
import textwrap

from tables import sentence

_REFERENCE = re.compile(r"(?<![\w.-])([a-z][a-z0-9.-]*)\(([1-8])\)([.,;:]*)")
_PART = re.compile(r"`([^`]*)`|(?<![\w-])(--[a-z][a-z-]*)")


def escape(text):
    """Text as roff reads it, in any place of a line."""
    text = text.replace("\\", "\\e")
    return "".join(c if c < "\x7f" else f"\\[u{ord(c):04X}]" for c in text)


def _inline(text):
    """`Words` and --options are set in bold, with hyphens that are typed."""
    out, end = "", 0
    for part in _PART.finditer(text):
        out += escape(text[end : part.start()])
        out += "\\fB" + escape(part[1] or part[2]).replace("-", "\\-") + "\\fP"
        end = part.end()
    return out + escape(text[end:])


def prose(text):
    """A paragraph: sentences begin lines, and references to other pages are macros."""
    text = _REFERENCE.sub(r"\n.Xr \1 \2 \3\n", text)
    lines = []
    for line in text.strip("\n").split("\n"):
        if line.startswith("  "):
            lines += [".Bd -literal -offset indent", escape(line.strip()), ".Ed", ".Pp"]
            continue
        line = line.strip()
        if line.startswith(".Xr "):
            lines.append(re.sub(r" (?=[.,;:]+$)", " ", line).rstrip())
            continue
        for part in re.split(r"(?<=[.!?]) +(?=[A-Z`0-9])", line):
            lines += textwrap.wrap(_inline(part), 79, break_long_words=False, break_on_hyphens=False)
    return ["\\&" + line if line[0] in "'" or re.match(r"\.(?!Xr |Bd |Ed$|Pp$)", line) else line for line in lines]


def arguments(text):
    """`USER [TEXT]` as macros: capitals are replaced by who types it, small letters are typed."""
    macros = []
    for part in re.findall(r"\[|\]|\||…|[^\s\[\]|…]+", text):
        if part == "[":
            macros.append("Oo")
        elif part == "]":
            macros.append("Oc")
        elif part == "|":
            macros.append("|")
        elif part == "…":
            macros.append("...")
        else:
            macros.append(("Ar " if part == part.upper() else "Cm ") + part.replace("-", "\\-"))
    return " ".join(macros)


def _value(option):
    if option.words:
        return "Cm " + " | ".join(option.words)
    return f"Ar {option.placeholder}"


def _bounds(option):
    """What may be given, and what holds when nothing is."""
    said = [option.bounds] if option.bounds else []
    if option.default_text:
        said.append(f"Default: {option.default_text}.")
    if not option.reloads:
        said.append("A new start changes it, a reload does not.")
    return " ".join(said)


def _item(option):
    dashes = "Fl \\-" + option.name.replace("-", "\\-") + (option.letter and f" , Fl {option.letter}")
    return [f".It {dashes}" + (f" {_value(option)}" if option.value else "")]


def _list(items):
    return [".Bl -tag -width Ds", *items, ".El"]


def _summary(option):
    """One sentence."""
    if option.text and option.text.meaning:
        return re.match(r".*?[.!?](?= [A-Z`]|$)", option.text.meaning)[0]
    return sentence(f"{option.help} [{option.default}]" if option.default else option.help)


def command_line(tables):
    """The options of a program with the line of its help."""
    return _list([line for option in tables for line in _item(option) + prose(_summary(option))])


def keys(tables):
    """The keys of the configuration file in their groups, with everything that is known of them."""
    lines = []
    for heading, options in tables.groups().items():
        lines.append(f".Ss {heading}")
        items = []
        for option in options:
            items.append(f".It Cm {option.name} No = {_value(option)}")
            items += prose(option.text.meaning if option.text else sentence(option.help))
            bounds = _bounds(option)
            if bounds:
                items += prose(bounds)
            if option.text and option.text.limit:
                items += [".Pp", "At the limit:", *prose(option.text.limit)]
        lines += _list(items)
    return lines


def commands(table):
    """The commands of a program."""
    everywhere = set.intersection(*(set(command.takes) for command in table))
    items = []
    for command in table:
        name = command.name.replace("-", "\\-")
        items.append(f".It Cm {name} {arguments(command.arguments)}".rstrip())
        items += prose(sentence(command.help))
        if command.details:
            items += prose(command.details)
        own = [name for name in command.takes if name not in everywhere]
        if own:
            items += prose("Options: " + ", ".join(f"--{name}" for name in own) + ".")
    return _list(items)


def page(template, server, client, bench, values):
    """The template with values where it has their names, and generated parts where a line is their name."""
    parts = {
        "@SERVER_OPTIONS@": lambda: command_line(server.options),
        "@SERVER_SPECIALS@": lambda: command_line(server.specials),
        "@SERVER_KEYS@": lambda: keys(server),
        "@CLIENT_OPTIONS@": lambda: command_line(client.options),
        "@CLIENT_COMMANDS@": lambda: commands(client.commands),
        "@BENCH_OPTIONS@": lambda: command_line(bench.options),
        "@BENCH_MODES@": lambda: commands(bench.commands),
        "@SERVER_OPERATORS@": lambda: commands(server.operators),
        "@SERVER_OPERATOR_OPTIONS@": lambda: command_line(server.operator_options),
    }
    lines = []
    for line in template.read_text(encoding="utf-8").splitlines():
        for name, value in values.items():
            line = line.replace(f"@{name}@", value)
        lines += parts[line]() if line in parts else [line]
    return "\n".join(lines) + "\n"
