"""What several rounds amount to. Pure."""

import math


def median(values):
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    middle = len(ordered) // 2
    if len(ordered) % 2 == 1:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def summarize(samples):
    """The median of each quantity of several samples (dictionaries of numbers), and the spread of "value".

    A quantity that not every sample has is left out: its median would be of other rounds."""
    if not samples:
        raise ValueError("no samples")
    names = set(samples[0]).intersection(*samples[1:])
    result = {name: median([sample[name] for sample in samples]) for name in sorted(names)}
    values = [sample["value"] for sample in samples]
    result.update(least=min(values), most=max(values), rounds=len(values))
    return result


def ratio(ours, theirs, better):
    """How many times as good ours is; above 1 is better, whether more is or less is."""
    if ours <= 0 or theirs <= 0:
        return None
    return ours / theirs if better == "more" else theirs / ours


def spread(summary):
    """Half the distance between the best and the worst round, as a part of the median."""
    if summary["value"] == 0:
        return 0.0
    return (summary["most"] - summary["least"]) / 2 / abs(summary["value"])


def digits(number, count=3):
    """A number for people: `count` digits that matter, thousands apart, no exponent."""
    if number is None:
        return "–"
    if number == 0:
        return "0"
    if abs(number) >= 10 ** (count - 1):
        return f"{number:,.0f}".replace(",", "\u202f")
    decimals = count - 1 - math.floor(math.log10(abs(number)))
    return f"{number:.{decimals}f}"


_SIZES = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))
_COUNTS = (("M", 1_000_000), ("k", 1_000))


def short(number, bytes_=False):
    """A tick's label: 64 KiB, 1 M, 2.5 k, 20."""
    for name, unit in _SIZES if bytes_ else _COUNTS:
        if abs(number) >= unit:
            return f"{number / unit:.3g} {name}"
    return f"{number:.3g}" + (" B" if bytes_ else "")


def span(least, most):
    """A range of counts, with one unit where it is the same: 88–140 k."""
    low, high = short(least), short(most)
    if low == high:
        return high
    unit = high.partition(" ")[2]
    return f"{low.removesuffix(f' {unit}') if unit else low}–{high}"


def duration(microseconds):
    """A latency for people, in the unit that fits."""
    if microseconds is None:
        return "–"
    for name, unit in (("s", 1_000_000), ("ms", 1_000)):
        if microseconds >= unit:
            return f"{digits(microseconds / unit)} {name}"
    return f"{digits(microseconds)} µs"
