"""What a curve found, in tables: for those who do not want to read it from a plot. Pure."""

from markup import cell, table
from summary import duration, ratio, short

TAIL = "latency_p99_us"
YES, NO = "✓", "✗"

EXPLANATION = (
    "The tables by load have the throughput and the 99th percentile of the latency of everybody who carried the load. "
    "Their last columns compare kesher with the best of the peers that are named above the table: "
    f"{YES} says that its throughput is at least the best peer's, or that its 99th percentile is not above the best "
    f"peer's, {NO} that it is not so; the number tells how many times as good kesher is.")


def _loads(curve):
    return sorted({load for points in curve["lines"].values() for load, _ in points})


def _at(curve, load):
    """Contender -> what it did at this load."""
    return {name: sample for name, points in curve["lines"].items() for at, sample in points if at == load}


def judged(ours, theirs, key, better):
    """(met, ratio) of kesher's sample against the best of these; None where there is nothing to compare."""
    rivals = [sample[key] for sample in theirs if sample.get(key)]
    if not ours or not ours.get(key) or not rivals:
        return None
    best = max(rivals) if better == "more" else min(rivals)
    factor = ratio(ours[key], best, better)
    return factor >= 1, factor


def _mark(verdict):
    if verdict is None:
        return "–"
    met, factor = verdict
    return f"{YES if met else NO} {factor:.2f}"


def _both(sample):
    """Throughput and tail of a contender, in one cell."""
    if sample is None:
        return "–"
    tail = f", {duration(sample[TAIL])}" if sample.get(TAIL) else ""
    return short(sample["value"]) + tail


def _compared(row, curve, ours):
    """Throughput and tail of each load, and whether kesher's are as good."""
    names = [entry["name"] for entry in row["contenders"] if entry["name"] in curve["lines"]]
    lines = []
    for load in _loads(curve):
        found = _at(curve, load)
        theirs = [found[name] for name in row["rivals"] if name in found]
        lines.append([short(load, curve["kind"] == "bytes"), *[_both(found.get(name)) for name in names],
                      _mark(judged(found.get(ours), theirs, "value", "more")),
                      _mark(judged(found.get(ours), theirs, TAIL, "less"))])
    head = [curve["title"], *names, "throughput", "99th percentile"]
    caption = f"By {curve['title']}: {row['metrics'][0]['unit']} and 99th percentile, kesher beside "
    return f"{caption}{', '.join(row['rivals'])}:\n\n" + table([f"{name}>" for name in head], lines)


def _headline(row, curve):
    """The headline's figures, a line for each contender."""
    metric, loads = row["metrics"][0], _loads(curve)
    head = [f"{metric['title']}, {metric['unit']}"]
    head += [short(load, curve["kind"] == "bytes") + ">" for load in loads]
    lines = []
    for name, points in curve["lines"].items():
        found = dict((load, sample["value"]) for load, sample in points)
        lines.append([name, *[cell(found.get(load), metric) for load in loads]])
    return f"By {curve['title']}:\n\n" + table(head, lines)


def _lost(curve):
    return [f"{name} did not carry {short(load, curve['kind'] == 'bytes')}: {reason}\n"
            for name, (load, reason) in curve["lost"].items()]


def tables(row, ours):
    """All curves of a row: plain to see where kesher is compared at each load, else folded."""
    parts = []
    for curve in row["curves"]:
        if len(_loads(curve)) > 1:
            parts.append(_compared(row, curve, ours) if row["rivals"] else _headline(row, curve))
            parts += _lost(curve)
    if not parts or row["rivals"]:
        return "\n".join(parts)
    return "<details><summary>The plots in numbers</summary>\n\n" + "\n".join(parts) + "\n</details>\n"
