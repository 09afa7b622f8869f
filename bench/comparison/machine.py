"""The machine that measures, as far as others need to know it: nothing that names it."""

import os
import platform
import re
import time
from pathlib import Path

import summary


def _first(path, key):
    try:
        for line in Path(path).read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    except OSError:
        pass
    return None


def _distribution():
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    except OSError:
        return "unknown"


def _file_system(directory):
    """The type of what is mounted deepest above the directory."""
    found = ("", "unknown")
    path = str(directory.resolve())
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind = line.split()[:3]
        if (path + "/").startswith(place.rstrip("/") + "/") and len(place) > len(found[0]):
            found = (place, kind)
    return found[1]


def sync_microseconds(directory, seconds=0.5):
    """How long 4 KiB take until they are on the disk: median and 99th percentile of so many seconds' worth."""
    path = directory / "sync"
    times = []
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    now = time.monotonic()
    end = now + seconds
    while now < end:
        begin = now
        os.pwrite(file, os.urandom(4096), 0)
        os.fdatasync(file)
        now = time.monotonic()
        times.append((now - begin) * 1e6)
    os.close(file)
    path.unlink()
    times.sort()
    return summary.median(times), times[len(times) * 99 // 100]


def describe(directory):
    """Name and value, in the order in which people want them."""
    memory = _first("/proc/meminfo", "MemTotal")
    median, late = sync_microseconds(directory)
    is_virtual = "hypervisor" in (_first("/proc/cpuinfo", "flags") or "").split()
    return {
        "Cores": f"{len(os.sched_getaffinity(0))}{', of a virtual machine' if is_virtual else ''}, "
                 "shared by server and client",
        "Processor": _first("/proc/cpuinfo", "model name") or platform.machine(),
        "Memory": f"{int(memory.split()[0]) / (1 << 20):.1f} GiB" if memory else "unknown",
        "Kernel": f"{platform.system()} {re.match(r'[0-9.]+', platform.release())[0]}",
        "System": _distribution(),
        "File system": _file_system(directory),
        "Write and sync of 4 KiB": f"{summary.duration(median)} (99th percentile {summary.duration(late)})",
    }
