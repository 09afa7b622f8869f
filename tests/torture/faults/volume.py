"""A file system of our own, ext4 on a sparse file, that gets full, breaks, and is mended. It is mounted in a mount
namespace of this process: nobody else sees it, and it is gone with the processes that use it, however they end.
"""

import contextlib
import ctypes
import functools
import os
import shutil
import subprocess
import time
from pathlib import Path

CLONE_NEWNS = 0x20000
BLOCK, SMALLEST_BLOCK = 4096, 1024
STEPS = (1 << 20, 64 << 10, BLOCK)
UNMOUNT_SECONDS = 30


def run(*command: str | Path, legal: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode not in legal:
        raise AssertionError(f"{' '.join(map(str, command))}: status {done.returncode}, {done.stderr}")
    return done.stdout


@functools.cache
def needs() -> str:
    """Why there can be none here."""
    if os.geteuid() != 0:
        return "only root can mount a file system"
    for program in ("mkfs.ext4", "e2fsck", "mount", "findmnt", "unshare"):
        if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
            return f"there is no {program}"
    probe = 'd=$(mktemp -d) && truncate -s 8M "$d/i" && mkfs.ext4 -q -F "$d/i" && mkdir "$d/m"'
    probe += ' && mount -o loop "$d/i" "$d/m" && umount "$d/m"; s=$?; rm -rf "$d"; exit $s'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", probe], capture_output=True, text=True, check=False
    )
    return f"no loop device can be mounted: {done.stderr.strip()[-200:]}" if done.returncode else ""


@functools.cache
def own_mounts() -> None:
    """From here on, what this process and its children mount is theirs."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    run("mount", "--make-rprivate", "/")


def fill(folder: Path, spare: int = 0) -> None:
    """Takes the room that there is in the file system of `folder`, but for `spare` bytes."""
    fd = os.open(folder / "filler", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for step in STEPS:
            while (status := os.fstatvfs(fd)).f_bavail * status.f_frsize >= spare + step:
                try:
                    os.posix_fallocate(fd, os.fstat(fd).st_size, step)
                except OSError:
                    break
        if spare == 0:
            _write_the_rest(fd)
    finally:
        os.close(fd)


def _write_the_rest(fd: int) -> None:
    """In ever smaller pieces: of a page that has not room in whole, ext4 takes nothing."""
    for size in (BLOCK, SMALLEST_BLOCK):
        with contextlib.suppress(OSError):
            while os.write(fd, bytes(size)):
                pass


def relieve(folder: Path) -> None:
    (folder / "filler").unlink(missing_ok=True)


class Volume:
    """The file system in `folder`/mount, whose image is in `folder`/store."""

    def __init__(self, folder: Path, *, size: int, store_size: int = 0, inodes: int = 0):
        """With `store_size` the image's store is a file system of that size, which may be smaller than the image."""
        own_mounts()
        self.path, self.store = folder / "mount", folder / "store"
        self.image = self.store / "image"
        self.path.mkdir()
        self.store.mkdir()
        if store_size:
            run("mount", "-t", "tmpfs", "-o", f"size={store_size}", "tmpfs", self.store)
        with self.image.open("wb") as file:
            file.truncate(size)
        run("mkfs.ext4", "-q", "-F", "-m", "0", "-J", "size=4", *(("-N", str(inodes)) if inodes else ()), self.image)
        self.mount()

    def mount(self) -> None:
        run("mount", "-o", "loop,errors=remount-ro", self.image, self.path)

    def mend(self) -> None:
        """What an operator does behind an error, with no server running."""
        end = time.monotonic() + UNMOUNT_SECONDS
        while subprocess.run(["umount", str(self.path)], capture_output=True, check=False).returncode != 0:
            assert time.monotonic() < end, "the file system stays busy"
            time.sleep(0.05)
        run("e2fsck", "-f", "-y", self.image, legal=(0, 1, 2))
        self.mount()

    def close(self) -> None:
        """As far as it goes: the rest goes with this process."""
        for path in (self.path, self.store):
            subprocess.run(["umount", str(path)], capture_output=True, check=False)

    def break_down(self) -> None:
        """As ext4 does it by itself behind an error of the device: it can only be read from now on."""
        device = Path(run("findmnt", "-n", "-o", "SOURCE", self.path).strip())
        Path(f"/sys/fs/ext4/{device.name}/trigger_fs_error").write_text("1")

    def is_writable(self) -> bool:
        probe = self.path / "probe"
        try:
            with probe.open("wb") as file:
                file.write(b"x")
                file.flush()
                os.fsync(file.fileno())
            probe.unlink()
        except OSError:
            return False
        return True

    def take_inodes(self) -> None:
        folder = self.path / "many"
        folder.mkdir(exist_ok=True)
        try:
            for number in range(1 << 20):
                (folder / str(number)).touch()
        except OSError:
            pass

    def give_inodes(self) -> None:
        shutil.rmtree(self.path / "many", ignore_errors=True)
