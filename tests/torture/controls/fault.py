"""What a fault of kesherd-faulty is: kesherd broken on purpose, to see that what looks for such a fault finds it.

A fault is a few edits of the server's sources. `FAULT` in them is true when this fault was chosen. An edit says which
text it replaces, which has to be there exactly once: so no control survives the code that it breaks without a word.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """`old` stands in the file exactly once, and becomes `new`."""

    file: str  # below src/
    old: str
    new: str


@dataclass(frozen=True)
class IntegrationTests:
    """Tests of tests/integration or tests/torture that fail under the fault, and don't without it."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class UnitTests:
    """A program of tests/unit with the same faults (meson.build), the same way."""

    program: str


@dataclass(frozen=True)
class PowerCuts:
    """A load of powerloss, on images of which something is wrong under the fault."""

    load: str
    after_all: bool = False  # a second life begins where the load has ended, not in the middle of it


@dataclass(frozen=True)
class Fault:
    """A name of two with a + between them is both at once."""

    name: str
    edits: tuple[Edit, ...]
    caught_by: IntegrationTests | UnitTests | PowerCuts | None = None
    redundant: str = ""  # why nobody can tell


def before(file: str, text: str, code: str) -> Edit:
    return Edit(file, text, code + text)


def after(file: str, text: str, code: str) -> Edit:
    return Edit(file, text, text + code)


def tests(*names: str) -> IntegrationTests:
    return IntegrationTests(names)
