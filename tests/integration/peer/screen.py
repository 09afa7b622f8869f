"""What a person sees of a program's output: lines of text, with the cursor somewhere in the last one.

Knows what editors of one line send to a terminal of any width, and fails on everything else: a sequence that it
does not know is one that a test did not mean to come.
"""

import re

_SEQUENCE = re.compile(r"\x1b\[(\??)([\d;]*)([A-Za-z@])")


class Screen:
    def __init__(self, output: str = ""):
        self.lines = [""]
        self.column = 0
        self.show(output)

    @property
    def line(self) -> str:
        """The line with the cursor in it."""
        return self.lines[-1]

    def show(self, output: str) -> None:
        at = 0
        while at < len(output):
            sequence = _SEQUENCE.match(output, at)
            if sequence:
                self._obey(*sequence.groups())
                at = sequence.end()
            else:
                self._put(output[at])
                at += 1

    def _put(self, character: str) -> None:
        if character == "\n":
            self.lines.append("")
            self.column = 0  # a terminal's driver sends CR LF
        elif character == "\r":
            self.column = 0
        elif character == "\b":
            self.column = max(0, self.column - 1)
        elif character == "\a":
            pass
        else:
            assert character == "\t" or character.isprintable(), f"{character!r} went to the terminal"
            padded = self.line.ljust(self.column)
            self._replace(padded[: self.column] + character + padded[self.column + 1 :])
            self.column += 1

    def _replace(self, line: str) -> None:
        self.lines[-1] = line

    def _obey(self, private: str, numbers: str, command: str) -> None:
        count = int(numbers or "1") if numbers.isdigit() or not numbers else 1
        if command == "m":
            pass  # a colour
        elif command == "K":
            self._erase(numbers or "0")
        elif command == "C":
            self.column += count
        elif command == "D":
            self.column = max(0, self.column - count)
        elif command == "G":
            self.column = count - 1
        elif command == "P":
            self._replace(self.line[: self.column] + self.line[self.column + count :])
        elif command == "@":
            self._replace(self.line[: self.column] + " " * count + self.line[self.column :])
        else:
            assert private == "?" and command in "hl" or (command, numbers) == ("J", ""), (numbers, command)
            if command == "J":
                self._erase("0")

    def _erase(self, which: str) -> None:
        if which == "0":
            self._replace(self.line[: self.column])
        elif which == "1":
            self._replace(" " * self.column + self.line[self.column :])
        else:
            self._replace("")
