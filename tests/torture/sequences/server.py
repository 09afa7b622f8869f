"""The server that sequences are sent to, of one of three builds."""

import os
from pathlib import Path

from peer.kesherd import REPOSITORY, Kesherd, program
from powerloss.server import release_program

SANITIZERS = {
    "ASAN_OPTIONS": "halt_on_error=1:exitcode=99:detect_leaks=1:quarantine_size_mb=16:detect_stack_use_after_return=0",
    "LSAN_OPTIONS": "exitcode=99",
    "TSAN_OPTIONS": "halt_on_error=1:exitcode=99:second_deadlock_stack=1",
}


def tsan_program() -> Path:
    return Path(os.environ.get("KESHERD_TSAN") or REPOSITORY / "build-tsan" / "kesherd")


PROGRAMS = {"asan": lambda: program("KESHERD", "kesherd"), "tsan": tsan_program, "release": release_program}


class SequencesServer(Kesherd):
    """All listeners, and settings that another life may have otherwise."""

    def __init__(self, data: Path, build: str):
        self.build = build
        super().__init__(data, log_level=None, also=("chat", "ask"))
        self.variables = {name: os.environ.get(name, value) for name, value in SANITIZERS.items()}

    def command(self) -> list[str]:
        return [str(PROGRAMS[self.build]()), *super().command()[1:]]

    def operator_command(self, noun: str, *words: str) -> list[str]:
        return [str(PROGRAMS[self.build]()), noun, "--data", str(self.data), *words]

    def start_with(self, *, public_ids: str, workers: int, **options) -> None:
        """A life with these settings."""
        self.workers = workers
        self.constant = {"metrics": "127.0.0.1:0", "public_ids": public_ids}
        self.configure_again(**options)
        self.start()

    def configure_again(self, **options) -> None:
        self.configure(**self.constant, **options)

    def check_stopped(self) -> None:
        """After a stop that somebody has waited for."""
        process, self.process = self.process, None
        if process is not None:
            self.check_log()
            assert process.returncode == 0, f"exit status {process.returncode}:\n{self.log()[-4000:]}"
