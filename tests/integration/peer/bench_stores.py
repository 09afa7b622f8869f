"""Runs kesher-bench, and the fake servers of other kinds that it sends messages to: lists as Redis has them,
and a broker that only acknowledges. Each tells the truth unless the test gives it a lie."""

import json
import socketserver
import struct
import subprocess
import threading
from collections.abc import Callable

import pytest

from .kesherd import environment, program, sanitizer_report

BENCH_SECONDS = 100  # a guard against hanging


def _run(mode: str, address: tuple[str, int], *options) -> subprocess.CompletedProcess:
    bench = program("KESHER_BENCH", "kesher-bench")
    if not bench.exists():
        pytest.skip(f"{bench} is not built (set KESHER_BENCH)")
    host, port = address
    words = [str(bench), mode, "--server", f"{host}:{port}", *map(str, options)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=BENCH_SECONDS, env=environment())
    assert not sanitizer_report(done.stderr), done.stderr
    return done


def bench(mode: str, address: tuple[str, int], *options) -> dict:
    """Runs to a good end; what it reports."""
    done = _run(mode, address, *options, "--json")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout.count("\n") == 1, done.stdout
    told = json.loads(done.stdout)
    assert told["mode"] == mode
    return told


def bench_fails(mode: str, address: tuple[str, int], *options) -> str:
    """Runs to a failure, which is told in one line; that line."""
    done = _run(mode, address, *options)
    assert (done.returncode, done.stdout) == (1, ""), done
    assert done.stderr.startswith(f"kesher-bench: {mode} ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def bench_refuses(mode: str, address: tuple[str, int], *options) -> str:
    """The line that tells why these options make no sense; nothing was begun."""
    done = _run(mode, address, *options)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.startswith("kesher-bench: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


class _Peer(socketserver.ThreadingTCPServer):
    """Serves `handler` in threads until it is left as a context; what a handler raised is in `problems`."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, handler):
        self.lock = threading.Lock()
        self.problems: list[BaseException] = []
        super().__init__(("127.0.0.1", 0), handler)
        self.address = self.server_address
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self._thread.join()
        self.server_close()
        assert not self.problems, self.problems


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        try:
            while self.serve_one():
                pass
        except ConnectionError:
            pass  # the client ends with a reset
        except Exception as problem:  # whatever it is, the test must see it
            self.server.problems.append(problem)

    def finish(self):
        try:
            super().finish()
        except OSError:
            pass


class ListServer(_Peer):
    """LPUSH and RPOP. `lie` is given the command and the honest answer and returns what is sent; `pushed` is
    called, with the lists, after each LPUSH."""

    def __init__(
        self,
        lie: Callable[[list[bytes], bytes], bytes] | None = None,
        pushed: Callable[[dict[bytes, list[bytes]]], None] | None = None,
        one_byte_at_a_time: bool = False,
    ):
        self.lists: dict[bytes, list[bytes]] = {}
        self.lie = lie or (lambda command, honest: honest)
        self.pushed = pushed or (lambda lists: None)
        self.one_byte_at_a_time = one_byte_at_a_time
        super().__init__(_ListHandler)


class _ListHandler(_Handler):
    server: ListServer

    def serve_one(self) -> bool:
        command = self._read_command()
        if command is None:
            return False
        with self.server.lock:
            answer = self.server.lie(command, self._answer(command))
        step = 1 if self.server.one_byte_at_a_time else max(1, len(answer))
        for start in range(0, len(answer), step):
            self.wfile.write(answer[start : start + step])
        return True

    def _read_command(self) -> list[bytes] | None:
        line = self.rfile.readline()
        if not line:
            return None
        words = []
        for _ in range(int(line[1:])):
            size = int(self.rfile.readline()[1:])
            words.append(self.rfile.read(size))
            assert self.rfile.read(2) == b"\r\n"
        return words

    def _answer(self, command: list[bytes]) -> bytes:
        name, key, value = command
        if name == b"LPUSH":
            held = self.server.lists.setdefault(key, [])
            held.append(value)
            length = len(held)
            self.server.pushed(self.server.lists)
            return b":%d\r\n" % length
        assert name == b"RPOP"
        held = self.server.lists.get(key, [])
        taken = held[: int(value)]
        del held[: int(value)]
        if not taken:
            return b"*-1\r\n"
        return b"*%d\r\n" % len(taken) + b"".join(b"$%d\r\n%s\r\n" % (len(it), it) for it in taken)


class Broker(_Peer):
    """CONNECT and PUBLISH with QoS 1. `lie` is given the packet id and returns the PUBACK."""

    def __init__(self, lie: Callable[[int], bytes] | None = None, refuses: bool = False):
        self.published: dict[str, list[bytes]] = {}
        self.clients: list[str] = []
        self.lie = lie or (lambda packet_id: struct.pack(">BBH", 0x40, 2, packet_id))
        self.refuses = refuses
        super().__init__(_BrokerHandler)


class _BrokerHandler(_Handler):
    server: Broker

    def serve_one(self) -> bool:
        kind = self.rfile.read(1)
        if not kind:
            return False
        packet = self.rfile.read(self._read_size())
        with self.server.lock:
            self.wfile.write(self._connect(packet) if kind == b"\x10" else self._publish(kind, packet))
        return True

    def _read_size(self) -> int:
        size = shift = 0
        while (byte := self.rfile.read(1)[0]) & 0x80:
            size |= (byte & 0x7F) << shift
            shift += 7
        return size | byte << shift

    def _connect(self, packet: bytes) -> bytes:
        assert packet[:10] == b"\0\4MQTT\4\2\0\0", packet
        (size,) = struct.unpack_from(">H", packet, 10)
        assert len(packet) == 12 + size
        self.server.clients.append(packet[12:].decode())
        return b"\x20\2\0\5" if self.server.refuses else b"\x20\2\0\0"

    def _publish(self, kind: bytes, packet: bytes) -> bytes:
        assert kind == b"\x32"
        (size,) = struct.unpack_from(">H", packet)
        topic = packet[2 : 2 + size].decode()
        (packet_id,) = struct.unpack_from(">H", packet, 2 + size)
        assert packet_id != 0
        self.server.published.setdefault(topic, []).append(packet[4 + size :])
        return self.server.lie(packet_id)
