"""docs/performance.md or another page, and its plots, from what a run found. Pure but for `write`."""

import re

import by_load
import limits
from markup import cell, fill, table
from plot import Line, Panel, Plot, draw
from summary import digits, ratio, spread

_INTRODUCTION = """\
# Performance

How fast kesher is, and what it costs, beside servers that people know, each at its own job. All of it was measured on
one machine by `make bench`, which wrote this page, and each row in one run: kesher and each peer in turn, with the
same work, on the same disk and over the loopback interface, with client and server on the same cores. So the ratios
say more than the figures, and figures of another machine will be others.

Each figure is the median of the rounds; behind ± stands half the distance between the best and the worst of them. A
ratio above 1 means that kesher is better. *Limits* are no competitors: they show what the machine allows. Where
the time goes in rows that do not meet their target, [profiles.md](profiles.md) tells.
"""


def _ours(row):
    return next(entry for entry in row["contenders"] if entry["kind"] == "ours")


def _best_peer(row):
    """The peer with the best headline, or None."""
    peers = [entry for entry in row["contenders"] if entry["kind"] == "peer" and entry["summary"]
             and not entry["name"].startswith("kesher")]
    choose = max if row["metrics"][0]["better"] == "more" else min
    return choose(peers, key=lambda entry: entry["summary"]["value"]) if peers else None


def _verdict(target):
    return {True: "met", False: "**not met**", None: "not measured"}[target["met"]]


# ---- the first table ----

def _overview(rows):
    lines = []
    for row in rows:
        metric, ours, best = row["metrics"][0], _ours(row)["summary"], _best_peer(row)
        mine = f"{cell(ours['value'], metric)} {metric['unit']}" if ours else "not measured"
        theirs, factor = "–", "–"
        if best:
            theirs = f"{best['name']}: {cell(best['summary']['value'], metric)}"
            factor = digits(ratio(ours["value"], best["summary"]["value"], metric["better"])) if ours else "–"
        targets = "; ".join(f"{target['text']}: {_verdict(target)}" for target in row["targets"]) or "–"
        mark = " *(machine changed)*" if limits.changed(row["limits"]) else ""
        lines.append([f"[{row['title']}](#{row['name']}){mark}", mine, theirs, factor, targets])
    return table(["work", "kesher>", "best peer>", "ratio>", "targets"], lines)


# ---- a row ----

def _metric_head(metric):
    return metric["title"] + ("" if metric["kind"] == "microseconds" else f", {metric['unit']}") + ">"


def _has(row, metric):
    return any(entry["summary"] and metric["key"] in entry["summary"] for entry in row["contenders"])


def _contenders(row):
    ours = _ours(row)["summary"]
    metrics = [metric for metric in row["metrics"] if _has(row, metric)]
    head = ["", *[_metric_head(metric) for metric in metrics]]
    head[2:2] = ["±>", "kesher is>"]
    lines = []
    for entry in row["contenders"]:
        name = {"ours": f"**{entry['name']}**", "limit": f"*{entry['name']}*"}.get(entry["kind"], entry["name"])
        found = entry["summary"]
        if not found:
            lines.append([name, "not measured", *[""] * (len(head) - 2)])
            continue
        cells = [cell(found.get(metric["key"]), metric) for metric in metrics]
        factor = ratio(ours["value"], found["value"], row["metrics"][0]["better"]) if ours else None
        compared = "" if entry["kind"] == "ours" or factor is None else f"{digits(factor)} ×"
        cells[1:1] = [f"{spread(found) * 100:.0f} %", compared]
        lines.append([name, *cells])
    return table(head, lines)


def _notes(row):
    lines = []
    for entry in row["contenders"]:
        if entry["error"]:
            lines.append(f"- {entry['name']} could not be measured: {entry['error']}")
        elif entry["note"]:
            lines.append(f"- {entry['name']}: {entry['note']}.")
    return "\n".join(lines) + "\n" if lines else ""


# Where profiles.md, which is written by hand, tells of a row.
PROFILES = {
    "upload-large": "upload-of-1-gib",
    "messages": "small-durable-messages",
    "group-1": "one-request-or-one-line-at-a-time",
    "ask-1": "one-request-or-one-line-at-a-time",
    "ask-16": "one-request-or-one-line-at-a-time",
    "users": "a-million-users",
}


def _target_line(row, target):
    metric = next(metric for metric in row["metrics"] if metric["key"] == target["metric"])
    line = f"- Target {target['text']}: {_verdict(target)}"
    if target["ratio"] is not None:
        figures = f": {cell(target['ours'], metric)} against {cell(target['theirs'], metric)}"
        line += f" ({digits(target['ratio'])} × {target['best']}{figures if metric['better'] == 'less' else ''})"
    elif target["ours"] is not None:
        line += f" ({cell(target['ours'], metric)} {metric['unit']})"
    if target["met"] is False and row["name"] in PROFILES:
        line += f"; [the profile](profiles.md#{PROFILES[row['name']]}) tells why"
    return line + "."


def _commands(row):
    lines = []
    for entry in row["contenders"]:
        if entry["commands"]:
            lines += [f"# {entry['name']}", *[shorten(command) for command in entry["commands"]]]
    if not lines:
        return ""
    return ("<details><summary>Commands</summary>\n\n`WORK` is the temporary directory of the run, `PORT` and `PID` "
            "are the server's.\n\n```sh\n"
            + "\n".join(lines) + "\n```\n\n</details>\n")


def shorten(command, most=6):
    """A command without what differs from run to run; of a thousand files the first and the last."""
    command = re.sub(r"(--pid )\d+", r"\1PID", _without_port(command))
    words = command.split(" ")
    files = [i for i, word in enumerate(words) if "/source-" in word]
    if len(files) <= most:
        return command
    return " ".join([*words[: files[0] + 2], "…", *words[files[-1] :]])


# ---- plots ----

def plots(row):
    """(file name, alternative text, SVG) of each curve of the row."""
    made = []
    for curve in row["curves"]:
        styles = {entry["name"]: number for number, entry in enumerate(row["contenders"])}
        panels = []
        for key in row["panels"]:
            metric = next((metric for metric in row["metrics"] if metric["key"] == key), None)
            lines = [_line(name, points, key, styles[name]) for name, points in curve["lines"].items()]
            lines = [line for line in lines if line.points]
            if metric and lines:
                kind = metric["kind"]
                unit = "" if kind == "microseconds" else f", {metric['unit']}"
                panels.append(Panel(metric["title"] + unit, lines, kind))
        if panels and max(len(line.points) for panel in panels for line in panel.lines) > 1:
            heading = curve["heading"]
            made.append((f"{row['name']}-{curve['parameter']}.svg", heading,
                         draw(Plot(heading, curve["title"], panels, curve["kind"]))))
    return made


def _line(name, points, key, style):
    pairs = [(load, sample[key]) for load, sample in points if sample and sample.get(key)]
    ranges = [(load, sample["least"], sample["most"]) for load, sample in points
              if key == "value" and sample and sample.get("rounds", 1) > 1]
    return Line(name, pairs, style, ranges)


_PINNED = {
    "none": "",
    "apart": " Server and load generator are bound to cores of their own, and the generator looks for answers without "
             "sleeping: otherwise the time that it takes to wake an idle virtual core dominates, and over the loopback "
             "interface it is the server that spends it.",
    "together": " Server and load generator are bound to one and the same core.",
}


def _section(row, folder):
    what = row["what"] + _PINNED[row["pinned"]]
    parts = [f'<a id="{row["name"]}"></a>\n\n## {row["title"]}\n', fill(what) + "\n", _changed(row), _contenders(row)]
    if row["targets"]:
        parts.append("\n".join(_target_line(row, target) for target in row["targets"]) + "\n")
    parts.append(_notes(row))
    parts += [f"![{heading}]({folder}/{name})\n" for name, heading, _ in plots(row)]
    parts += [by_load.tables(row, _ours(row)["name"]), _commands(row)]
    return "\n".join(part for part in parts if part)


# ---- the machine ----

def _changed(row):
    """That a row's figures were found on a machine that was not the same throughout."""
    complaint = limits.complaint(row["limits"])
    return fill(f"**{complaint[0].upper()}{complaint[1:]}.** See [the limits](#limits).") + "\n" if complaint else ""


def _speed(rows):
    """How fast the machine was, and how many rows it was not the same in."""
    rounds = [figures for row in rows for figures in row["limits"]]
    if not rounds:
        return ""
    told = "; ".join(f"{limit.title}: {limits.described(rounds, limit.key)} a second" for limit in limits.LIMITS)
    count = sum(bool(limits.changed(row["limits"])) for row in rows)
    marked = (f"In {count} of {len(rows)} rows one of these [limits](#limits) changed by more than a fifth: they are "
              "marked *machine changed*." if count else
              f"In none of {len(rows)} rows one of these [limits](#limits) changed by more than a fifth.")
    return fill(f"**How fast the machine was** in this run, median and range: {told}. {marked}") + "\n"


def _limits(rows):
    if not any(row["limits"] for row in rows):
        return ""
    lines = [[f"[{row['title']}](#{row['name']})",
              *[limits.described(row["limits"], limit.key) for limit in limits.LIMITS],
              ", ".join(limit.name for limit in limits.changed(row["limits"])) or "–"] for row in rows]
    head = ["row", *[f"{limit.title}>" for limit in limits.LIMITS], "changed by more than a fifth"]
    text = fill("Before each round of each row, and at its end, three small pieces of work told what the machine "
                "allowed: a bare echo with 50 connections, bound to cores of their own; a write of 4 KiB and its "
                "sync, whose median counts; and a fixed piece of computation. Each is per second, the median and, in "
                "parentheses, the range. Where the largest figure is more than 1.2 times the smallest, the machine "
                "was not the same throughout, and so the row's figures say less.")
    return f'<a id="limits"></a>\n\n## Limits\n\n{text}\n\n{table(head, lines)}'


def _machine(result):
    machine = table(["", ""], [[name, value] for name, value in result["machine"].items()])
    versions = table(["", "version"], [[name, text] for name, text in sorted(result["versions"].items())])
    return f"## Machine and versions\n\n{machine}\n{versions}"


def _configurations(result):
    parts = ["## Configurations\n",
             fill("Each server as it was started for its row: on the same disk, with TLS only where the row says so, without "
                  "a log of requests, durable where kesher is durable. kesherd has by itself one worker fewer than there are "
                  "cores that it may use, at least one; memcached and the bare echo are given as many threads. `WORK` "
                  "is the temporary directory of the run, `PORT` any that was free.") + "\n"]
    grouped = {}
    for name, text in result["configurations"].items():
        grouped.setdefault(_without_port(text), []).append(name)
    for text, names in grouped.items():
        parts.append(f"<details><summary>{'; '.join(sorted(names))}</summary>\n\n```\n{text.rstrip()}\n```\n\n"
                     "</details>\n")
    return "\n".join(parts)


def _without_port(text):
    """Two configurations that differ only in a port are the same."""
    places = r"127\.0\.0\.1[: ]|(?m:^)(?:tls-)?port(?: = | )|Ports = |listener |-[pP] "
    return re.sub(rf"({places})\d{{4,5}}\b", r"\1PORT", text)


def _repeat(result, folder):
    is_part = result["quick"] or "--row" in result["arguments"]
    words = [result["arguments"], f"--output docs/{folder}.md" if is_part else ""]
    arguments = " ".join(word for word in words if word)
    command = "make bench" + (f" ARGS='{arguments}'" if arguments else "")
    kept = f"build/bench{'-part' if is_part else '-busy' if result['neighbour'] else ''}.json"
    rounds = "1 round" if result["rounds"] == 1 else f"{result['rounds']} rounds"
    return f"""## Measure it yourself

```sh
{command}
```

installs the peers from Debian without starting them as services, measures, and writes this page. `make bench
ARGS='--row ask-16 --rounds 9'` measures one row, `ARGS=--growth` adds the far ends of the plots, `ARGS=--help` tells
the rest. Nothing else should run meanwhile. What was found is kept in `{kept}`, from which
`ARGS='--from {kept} --output PAGE'` writes the page again. To load a server of your own, see `build/kesher-bench --help`.

Measured on {result['date']}, in {result['minutes']:.0f} minutes, {rounds}.
"""


_QUICK = ("**This page was written by a quick run, which only shows that everything works: its figures mean "
          "nothing.**\n")
_NEIGHBOUR = ("**Beside all of this, a busy loop ran on every core, with the least priority (`nice` 19), as on a machine "
              "that has more to do.**")


def markdown(result, folder="performance"):
    """The page, whose plots are in `folder` beside it."""
    rows = result["rows"]
    parts = [_INTRODUCTION]
    parts += [_QUICK] if result["quick"] else []
    parts += [fill(_NEIGHBOUR) + "\n"] if result["neighbour"] else []
    parts += [fill(by_load.EXPLANATION) + "\n"] if any(row["rivals"] and row["curves"] for row in rows) else []
    parts += [_speed(rows), "## At a glance\n", _overview(rows)]
    parts += [_section(row, folder) for row in rows]
    parts += [_limits(rows), _machine(result), _configurations(result), _repeat(result, folder)]
    return "\n".join(part for part in parts if part)


def write(result, output):
    """Writes the page, and the plots in a folder of its name; plots of rows that are no more are removed."""
    folder = output.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {name: text for row in result["rows"] for name, _, text in plots(row)}
    for old in folder.glob("*.svg"):
        if old.name not in drawn:
            old.unlink()
    for name, text in drawn.items():
        (folder / name).write_text(text)
    output.write_text(markdown(result, folder.name))
