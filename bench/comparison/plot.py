"""Plots as SVG, written by hand: throughput above, latency below, both against the load. Pure.

One file is read in light and in dark: its own style follows prefers-color-scheme. Axes are logarithmic where the
values span a decade and more; they always name their unit.
"""

import math
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from summary import short

WIDTH = 760
LEFT, RIGHT = 84, 176
PANEL_HEIGHT, TOP, GAP = 220, 64, 84

# Hues that differ for the colour-blind too (Okabe and Ito), with a light and a dark variant of each.
_COLOURS = [
    ("#0072b2", "#56b4e9"),
    ("#d55e00", "#ff8c42"),
    ("#007a5a", "#2fd3a0"),
    ("#b0508a", "#e79bc9"),
    ("#8a6d00", "#f0d040"),
    ("#555555", "#b8b8b8"),
    ("#6a3fc0", "#b69cff"),
]
_DASHES = ["", "7 3", "2 3", "9 3 2 3", "4 4", "1 4", "12 4"]


@dataclass
class Line:
    """One contender: (load, value) pairs in order of load; `low` and `high` beside them where rounds differed."""

    name: str
    points: list
    style: int = 0  # which colour: the same contender has the same one in all panels
    ranges: list = field(default_factory=list)  # (load, low, high)


@dataclass
class Panel:
    title: str  # of the vertical axis, with its unit
    lines: list
    kind: str = "count"  # how ticks are written: count, bytes, or microseconds


@dataclass
class Plot:
    title: str
    load: str  # title of the horizontal axis, with its unit
    panels: list
    load_kind: str = "count"


_TIMES = (("s", 1_000_000), ("ms", 1_000))


def _label(value, kind):
    if kind == "microseconds":
        unit, size = next((unit for unit in _TIMES if value >= unit[1]), ("µs", 1))
        return f"{value / size:.3g} {unit}"
    return short(value, bytes_=kind == "bytes")


class Scale:
    """From values to pixels."""

    def __init__(self, values, first, last, kind="count", exact=False):
        positive = [value for value in values if value > 0]
        low, high = min(positive, default=1.0), max(positive, default=10.0)
        self.first, self.last, self.kind = first, last, kind
        self.logarithmic = high / low >= 10
        self.base = 2 if kind == "bytes" else 10
        if self.logarithmic:
            self.low, self.high = (low, high) if exact else self._decades(low, high)
        else:
            self.low, self.high = (0.0, high * 1.1) if not exact else (low, high)
        if self.low == self.high:
            self.low, self.high = self.low / 2, self.high * 2

    def _decades(self, low, high):
        """Whole powers around the values; a half where that wastes too much."""
        margin = (high / low) ** 0.04
        return low / margin, high * margin

    def pixel(self, value):
        if self.logarithmic:
            part = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.first + part * (self.last - self.first)

    def ticks(self):
        return self._powers() if self.logarithmic else self._steps()

    def _powers(self):
        """Powers of ten (of two, for bytes), with 2 and 5 between them where there is room; at most nine."""
        if self.kind == "bytes":
            powers = [2**i for i in range(63) if self.low <= 2**i <= self.high]
            return powers[:: max(1, math.ceil(len(powers) / 8))]
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        for factors in ((1, 2, 5), (1, 3), (1,)):
            found = [f * 10.0**i for i in range(first, last + 1) for f in factors]
            found = [tick for tick in found if self.low * 0.999 <= tick <= self.high * 1.001]
            if len(found) <= 7:
                return found
        return found[:: math.ceil(len(found) / 7)]

    def _steps(self):
        rough = (self.high - self.low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
        first = math.ceil(self.low / step)
        return [i * step for i in range(first, math.floor(self.high / step) + 1)]


def _style():
    light = "".join(f".l{i}{{stroke:{a}}}.f{i}{{fill:{a}}}" for i, (a, _) in enumerate(_COLOURS))
    dark = "".join(f".l{i}{{stroke:{b}}}.f{i}{{fill:{b}}}" for i, (_, b) in enumerate(_COLOURS))
    return (
        "<style>"
        "text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-size:15px;font-weight:600}"
        ".paper{fill:#ffffff}.grid{stroke:#d0d7de;stroke-width:1}.axis{stroke:#57606a;stroke-width:1}"
        ".line{fill:none;stroke-width:2}.ours{stroke-width:3.2}.range{stroke-width:1}"
        f"{light}"
        "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.paper{fill:#0d1117}.grid{stroke:#30363d}"
        f".axis{{stroke:#8b949e}}{dark}}}"
        "</style>"
    )


def _text(x, y, words, anchor="start", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(words)}</text>'


def _stroke(x1, y1, x2, y2, kind):
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _axes(panel, across, up, top):
    """Grid, ticks and the title of one panel."""
    bottom, right = top + PANEL_HEIGHT, WIDTH - RIGHT
    parts = []
    for tick in up.ticks():
        y = up.pixel(tick)
        parts.append(_stroke(LEFT, y, right, y, "grid"))
        parts.append(_text(LEFT - 8, y + 4, _label(tick, panel.kind), "end"))
    for tick in across.ticks():
        x = across.pixel(tick)
        parts.append(_stroke(x, top, x, bottom, "grid"))
        parts.append(_text(x, bottom + 16, _label(tick, across.kind), "middle"))
    parts.append(_stroke(LEFT, bottom, right, bottom, "axis"))
    parts.append(_stroke(LEFT, top, LEFT, bottom, "axis"))
    scale = " (logarithmic)" if up.logarithmic else ""
    parts.append(_text(LEFT, top - 10, panel.title + scale))
    return parts


def _line(line, across, up):
    style = line.style % len(_COLOURS)
    ours = " ours" if line.style == 0 else ""
    dash = f' stroke-dasharray="{_DASHES[style]}"' if _DASHES[style] else ""
    at = [(across.pixel(x), up.pixel(y)) for x, y in line.points if y > 0]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    parts = [f'<polyline class="line l{style}{ours}"{dash} points="{path}"/>'] if len(at) > 1 else []
    for load, low, high in line.ranges:
        x = across.pixel(load)
        parts.append(_stroke(x, up.pixel(low), x, up.pixel(high), f"range l{style}"))
    for (load, value), (x, y) in zip([point for point in line.points if point[1] > 0], at):
        tip = f"{line.name}: {_label(value, up.kind)} at {_label(load, across.kind)}"
        parts.append(f'<circle class="f{style}" cx="{x:.1f}" cy="{y:.1f}" r="3.4">'
                     f"<title>{escape(tip)}</title></circle>")
    return parts, at[-1][1] if at else None


def _names(ends, top):
    """The lines' names at their right ends, pushed apart where they would overlap."""
    x, lowest = WIDTH - RIGHT + 26, top + PANEL_HEIGHT
    ends = sorted(ends)
    places, last = [], top - 4
    for y, _, _ in ends:
        last = max(y + 4, last + 15)
        places.append(last)
    over = max(0, places[-1] - lowest) if places else 0
    parts = []
    for (y, name, style), place in zip(ends, places):
        place -= over
        colour = style % len(_COLOURS)
        parts.append(f'<line class="line l{colour}" x1="{x - 18:.1f}" y1="{place - 4:.1f}" '
                     f'x2="{x - 4:.1f}" y2="{place - 4:.1f}"'
                     + (f' stroke-dasharray="{_DASHES[colour]}"' if _DASHES[colour] else "") + "/>")
        parts.append(_text(x, place, name, more=' font-weight="600"' if style == 0 else ""))
    return parts


def _draw_panel(plot, panel, across, top):
    values = [value for line in panel.lines for _, value in line.points]
    values += [value for line in panel.lines for _, low, high in line.ranges for value in (low, high)]
    up = Scale(values, top + PANEL_HEIGHT, top, panel.kind)
    parts, ends = _axes(panel, across, up, top), []
    for line in sorted(panel.lines, key=lambda line: line.style == 0):  # ours on top
        drawn, end = _line(line, across, up)
        parts += drawn
        if end is not None:
            ends.append((end, line.name, line.style))
    return parts + _names(ends, top)


def draw(plot):
    """The SVG document."""
    loads = [load for panel in plot.panels for line in panel.lines for load, _ in line.points]
    across = Scale(loads, LEFT + 12, WIDTH - RIGHT - 12, plot.load_kind, exact=True)
    height = TOP + len(plot.panels) * (PANEL_HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' role="img" aria-label="{escape(plot.title, {chr(34): "&quot;"})}">',
        f"<title>{escape(plot.title)}</title>",
        _style(),
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
        _text(LEFT, 26, plot.title, more=' class="title"'),
    ]
    for number, panel in enumerate(plot.panels):
        top = TOP + number * (PANEL_HEIGHT + GAP)
        parts += _draw_panel(plot, panel, across, top)
        scale = " (logarithmic)" if across.logarithmic else ""
        parts.append(_text((LEFT + WIDTH - RIGHT) / 2, top + PANEL_HEIGHT + 34, plot.load + scale, "middle"))
    return "\n".join([*parts, "</svg>"]) + "\n"
