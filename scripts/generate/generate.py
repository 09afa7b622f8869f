#!/usr/bin/python3
"""Makes manual pages, completions, the example configuration and the table of docs/operations.md.

    generate.py page TEMPLATE --version VERSION --sysconfdir DIRECTORY
                                             a manual page
    generate.py completion SHELL PROGRAM     for bash, zsh or fish
    generate.py example                      kesherd.conf
    generate.py operations DOCUMENT          the document with an up-to-date table, in its place unless
                                             there is an --output

Everything comes from the option tables of the programs, which kesherd-describe, kesher-describe and
kesher-bench-describe print (--server, --client, --bench), and from man/options.txt (--texts). Meson calls this; only
docs/operations.md, for which `make manual` does, is checked in.
"""

import argparse
import sys
from pathlib import Path

import completions
import configuration
import pages
from tables import Tables, read_tables


def parse_arguments():
    parser = argparse.ArgumentParser(description="make what follows from the option tables")
    parser.add_argument("--server", type=Path, help="what kesherd-describe printed")
    parser.add_argument("--client", type=Path, help="what kesher-describe printed")
    parser.add_argument("--bench", type=Path, help="what kesher-bench-describe printed")
    parser.add_argument("--texts", type=Path, help="man/options.txt")
    parser.add_argument("--output", type=Path)
    kinds = parser.add_subparsers(dest="kind", required=True)
    page = kinds.add_parser("page")
    page.add_argument("template", type=Path)
    page.add_argument("--version", required=True)
    page.add_argument("--sysconfdir", required=True)
    completion = kinds.add_parser("completion")
    completion.add_argument("shell", choices=completions.SHELLS)
    completion.add_argument("program", choices=["kesherd", "kesher", "kesher-bench"])
    kinds.add_parser("example")
    kinds.add_parser("operations").add_argument("document", type=Path)
    return parser.parse_args()


def make(arguments, server, client, bench):
    if arguments.kind == "page":
        values = {"VERSION": arguments.version, "SYSCONFDIR": arguments.sysconfdir}
        return pages.page(arguments.template, server, client, bench, values)
    if arguments.kind == "completion":
        tables = {"kesherd": server, "kesher": client, "kesher-bench": bench}[arguments.program]
        return completions.completion(arguments.shell, arguments.program, tables)
    if arguments.kind == "example":
        return configuration.example(server)
    return configuration.operations(arguments.document.read_text(encoding="utf-8"), server)


def main():
    arguments = parse_arguments()
    nothing = Tables()
    server = read_tables(arguments.server, arguments.texts) if arguments.server else nothing
    client = read_tables(arguments.client) if arguments.client else nothing
    bench = read_tables(arguments.bench) if arguments.bench else nothing
    output = arguments.output or (arguments.document if arguments.kind == "operations" else None)
    text = make(arguments, server, client, bench)
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
