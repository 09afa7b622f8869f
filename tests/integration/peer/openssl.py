"""`openssl s_client` and `openssl s_server`: ends of TLS that have nothing to do with this peer."""

import os
import subprocess
import threading
from pathlib import Path

from .ports import free_port
from .tls import Identity

RUN_SECONDS = 60


class OpenSsl:
    """One that runs until it is left; what it printed is in `printed`."""

    def __init__(self, *command: str):
        self.process = subprocess.Popen(
            ["openssl", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
        )
        self.printed = b""
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self._thread.join()
        self.process.stdin.close()
        self.process.stdout.close()

    def _read(self) -> None:
        while data := os.read(self.process.stdout.fileno(), 65536):
            with self._changed:
                self.printed += data
                self._changed.notify_all()
        with self._changed:
            self.printed += b"\n(ended)"
            self._changed.notify_all()

    def type(self, data: bytes) -> None:
        self.process.stdin.write(data)

    def wait_for(self, wanted: bytes) -> bytes:
        """Until it has printed that; all that it printed."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: wanted in self.printed or b"\n(ended)" in self.printed, RUN_SECONDS
            )
        assert found and wanted in self.printed, f"{wanted!r} is not in {self.printed[-3000:]!r}"
        return self.printed


def _client_command(address: tuple[str, int], options: tuple[str, ...], alpn: str | None) -> list[str]:
    return [
        "s_client",
        "-connect",
        f"{address[0]}:{address[1]}",
        *(("-alpn", alpn) if alpn is not None else ()),
        *options,
    ]


class SClient(OpenSsl):
    def __init__(self, address: tuple[str, int], *options: str, alpn: str | None = "kesher/1"):
        super().__init__(*_client_command(address, options, alpn))


class SServer(OpenSsl):
    """On a port of its own, once it is there, with a certificate of its own below `folder`."""

    def __init__(self, folder: Path, *options: str):
        identity = Identity.generate()
        pem = folder / "s_server.pem"
        pem.write_bytes(identity.key_pem() + identity.certificate_pem())
        self.address = ("127.0.0.1", free_port())
        super().__init__(
            "s_server", "-accept", f"127.0.0.1:{self.address[1]}", "-cert", str(pem), "-alpn", "kesher/1", *options
        )
        self.wait_for(b"ACCEPT")


def run_s_client(address: tuple[str, int], *options: str, alpn: str | None = "kesher/1") -> str:
    """Shakes hands, says nothing, and leaves; what it printed."""
    run = subprocess.run(
        ["openssl", *_client_command(address, options, alpn)],
        input=b"Q\n",
        capture_output=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    return (run.stdout + run.stderr).decode(errors="replace")
