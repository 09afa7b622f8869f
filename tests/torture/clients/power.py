"""Power cuts of a client's machine: the client is killed behind one of its calls, and what its disk then holds is an
image of what was recorded (powerloss/). What the server was told and has told stays as it is."""

import random
import shutil

from powerloss.disk import ALL_LOST, Disk, Snapshot, Style
from powerloss.recording import Kind, new_log, read_log
from powerloss.server import recorder_library

from .breaking import Break, Ended
from .commands import Command
from .world import World


def run_recorded(world: World, command: Command, broken: Break) -> Ended:
    """With the log in the world's folder. The recorder makes other calls of some, so plans are made with it, too."""
    log = world.folder / "log"
    new_log(log)
    variables = {
        "LD_PRELOAD": str(recorder_library()),
        "KESHER_RECORDER_LOG": str(log),
        "KESHER_RECORDER_ROOT": str(world.disk.resolve()),
    }
    return world.kesher(*command.arguments(world), broken=broken, input=command.input, variables=variables)


def run_until_cut(
    world: World, command: Command, breaks: list[Break], chance: random.Random, *, without_syncs: bool = False
) -> tuple[Ended, Style]:
    """The command, broken, once or, after a kill, once more; and then its home as the disk has it."""
    before = Snapshot.of(world.disk)
    entries = []
    stdout, calls = "", []
    for broken in breaks:
        ended = run_recorded(world, command, broken)
        entries += read_log(world.folder / "log")
        stdout += "".join(line for line in ended.stdout.splitlines(keepends=True) if line.endswith("\n"))
        calls += ended.calls
    ended.stdout, ended.calls = stdout, calls
    ignored = {entry.call for entry in entries if entry.kind == Kind.SYNC_END} if without_syncs else ()
    disk = Disk(before, ignored)
    disk.follow(entries, len(entries))
    style = ALL_LOST if without_syncs or chance.random() < 0.5 else Style.choose(chance)
    shutil.rmtree(world.disk)
    disk.write_image(chance, style, world.disk)
    world.was_cut = True
    return ended, style
