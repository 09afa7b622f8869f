#!/usr/bin/python3
"""Writes a source of kesherd with all of its faults, at build time.

An edit that does not fit is left out: the build goes on, and a test tells of it.

Usage: break_source.py NAME SOURCE TARGET      SOURCE is src/NAME
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.dont_write_bytecode = True

from controls.faults import broken  # noqa: E402

name, source, target = sys.argv[1:]
Path(target).write_text(f'#line 1 "{source}"\n' + broken(name, Path(source).read_text()))
