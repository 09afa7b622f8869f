"""Completions for bash, zsh and fish, from the same tables as --help.

A value is completed by what the help calls it: DIR and FILE are paths, words are listed, for anything else
there is nothing to offer. Operands are files where a command says FILE, and words where it has some in small
letters.
"""

import re

HEADER = "completion of {program}, made from its option table when it was built"


def _value_kind(option):
    """dir, file, words, other; switch without a value."""
    if not option.value:
        return "switch"
    if option.words:
        return "words"
    return {"DIR": "dir", "FILE": "file"}.get(option.value, "other")


def _takes_files(command):
    return "FILE" in command.arguments


def _words_of(command):
    return re.findall(r"\b[a-z][a-z-]*\b", command.arguments)


def _options(tables):
    """What may be given without a command."""
    return tables.options + tables.specials


def _all_options(tables):
    return _options(tables) + tables.others


# ---- bash ----

_BASH = """\
# {header}

_{name}() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} command= i
    # Readline parts words at "=": --name=value comes as three of them.
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = && COMP_CWORD -gt 1 ]]; then
        previous=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi
    COMPREPLY=()
    case $previous in
{values}
    esac
{body}}} &&
    complete -F _{name} {program}
"""

_BASH_COMMAND = """\
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${{COMP_WORDS[i]}} in
        {with_value}) ((i++)); [[ ${{COMP_WORDS[i]}} == = ]] && ((i++)) ;;
        -*) ;;
        *) command=${{COMP_WORDS[i]}}; break ;;
        esac
    done
    case $command in
{cases}
    esac
"""


def _bash_words(words, indent="        "):
    return f'{indent}mapfile -t COMPREPLY < <(compgen -W "{" ".join(words)}" -- "$current")'


def _bash_paths(kind, indent="        "):
    return (
        f"{indent}compopt -o filenames 2>/dev/null\n"
        f'{indent}mapfile -t COMPREPLY < <(compgen -{"d" if kind == "dir" else "f"} -- "$current")'
    )


def _bash_values(tables):
    """What follows an option that wants a value."""
    lines = []
    for option in _all_options(tables):
        kind = _value_kind(option)
        if kind == "switch":
            continue
        lines.append(f"    --{option.name})")
        if kind == "words":
            lines.append(_bash_words(option.words))
        elif kind != "other":
            lines.append(_bash_paths(kind))
        lines.append("        return ;;")
    return "\n".join(lines)


def _bash_case(command, options, words, files):
    lines = [f"    {command})", "        if [[ $current == -* ]]; then", _bash_words(options, " " * 12)]
    if words:
        lines += ["        else", _bash_words(words, " " * 12)]
    elif files:
        lines += ["        else", _bash_paths("file", " " * 12)]
    return "\n".join([*lines, "        fi ;;"])


def bash(program, tables):
    names = [f"--{option.name}" for option in _options(tables)]
    cases = [_bash_case("''", names, [command.name for command in tables.commands], False)]
    for command in tables.commands:
        taken = [f"--{name}" for name in command.takes]
        cases.append(_bash_case(command.name, taken, _words_of(command), _takes_files(command)))
    valued = "|".join(f"--{option.name}" for option in _all_options(tables) if option.value)
    body = _BASH_COMMAND.format(with_value=valued, cases="\n".join(cases))
    return _BASH.format(
        header=HEADER.format(program=program),
        name=program.replace("-", "_"),
        program=program,
        values=_bash_values(tables),
        body=body,
    )


# ---- zsh ----


def _zsh_text(text):
    """In single quotes, inside of brackets."""
    for character in "\\[]:":
        text = text.replace(character, "\\" + character)
    return text.replace("'", "'\\''")


def _zsh_option(option):
    kind = _value_kind(option)
    if kind == "switch" and option.letter:
        both = f"-{option.letter} --{option.name}"
        return f"'({both})'{{{both.replace(' ', ',')}}}'[{_zsh_text(option.help)}]'"
    if kind == "switch":
        return f"'--{option.name}[{_zsh_text(option.help)}]'"
    action = {"dir": "_files -/", "file": "_files", "words": "(" + " ".join(option.words) + ")", "other": ""}
    return f"'--{option.name}=[{_zsh_text(option.help)}]:{_zsh_text(option.value)}:{action[kind]}'"


def _zsh_arguments(specifications, indent):
    return " \\\n".join([f"{indent}_arguments -S", *(f"{indent}    {each}" for each in specifications)])


def zsh(program, tables):
    by_name = {option.name: _zsh_option(option) for option in _all_options(tables)}
    alone = [by_name[option.name] for option in _options(tables)]
    head = f"#compdef {program}\n# {HEADER.format(program=program)}\n\n"
    lines = ["local curcontext=$curcontext state line ret=1", "local -a commands", "commands=("]
    lines += [f"    '{command.name}:{_zsh_text(command.help)}'" for command in tables.commands]
    operands = ["'1:command:->command'", "'*::operand:->operands'"]
    lines += [")", _zsh_arguments([*alone, *operands], "")]
    # With -C the context of the state is that of the command.
    lines[-1] = lines[-1].replace("_arguments -S", "_arguments -C -S", 1) + " && ret=0"
    lines += ["case $state in", "command) _describe -t commands command commands && ret=0 ;;", "operands)"]
    lines += ["    case $line[1] in"]
    for command in tables.commands:
        words = " ".join(_words_of(command))
        operand = "'*:file:_files'" if _takes_files(command) else f"'*:operand:({words})'"
        taken = [by_name[name] for name in command.takes]
        lines += [f"    {command.name})", _zsh_arguments([*taken, operand], "        ") + " && ret=0 ;;"]
    return head + "\n".join([*lines, "    esac ;;", "esac", "return ret"]) + "\n"


# ---- fish ----


def _fish_text(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fish_option(option):
    kind = _value_kind(option)
    how = {
        "switch": "",
        "dir": " -x -a '(__fish_complete_directories)'",
        "file": " -r -F",
        "words": " -x -a " + _fish_text(" ".join(option.words)),
        "other": " -x",
    }
    letter = option.letter and f"-s {option.letter} "
    return f"{letter}-l {option.name}{how[kind]} -d {_fish_text(option.help)}"


def fish(program, tables):
    lines = [f"# {HEADER.format(program=program)}", f"complete -c {program} -f"]
    lines += [
        f"complete -c {program} -n __fish_use_subcommand -a {command.name} -d {_fish_text(command.help)}"
        for command in tables.commands
    ]
    for option in _all_options(tables):
        takers = [command.name for command in tables.commands if option.name in command.takes]
        places = [] if option in tables.others else ["__fish_use_subcommand"]
        places += ["__fish_seen_subcommand_from " + " ".join(takers)] if takers else []
        where = f" -n '{'; or '.join(places)}'"
        if len(takers) == len(tables.commands) and option not in tables.others:
            where = ""
        lines.append(f"complete -c {program}{where} {_fish_option(option)}")
    for command in tables.commands:
        if _takes_files(command):
            lines.append(f"complete -c {program} -n '__fish_seen_subcommand_from {command.name}' -F")
        if _words_of(command):
            words = _fish_text(" ".join(_words_of(command)))
            lines.append(f"complete -c {program} -n '__fish_seen_subcommand_from {command.name}' -a {words}")
    return "\n".join(lines) + "\n"


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}


def completion(shell, program, tables):
    return SHELLS[shell](program, tables)
