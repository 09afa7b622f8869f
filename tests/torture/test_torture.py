"""Kills under uploads as tests, with sanitizers: few always, many with KESHER_SLOW=1; and what only a large file
shows."""

import os
import struct

import pytest
from peer.crypto import Cksum, aes_stream
from peer.drop import SEND_FILE_FIXED_SIZE, Received
from peer.frames import Answer, Request, request, text_field
from peer.memory import MemoryWatch, hold_back_little_freed_memory

GIB, MIB = 1 << 30, 1 << 20


def test_nothing_acknowledged_is_lost_by_kills(run_kills):
    run_kills("kill/uploads", rounds=1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_nothing_acknowledged_is_lost_by_two_hundred_kills(run_kills):
    assert run_kills("kill/uploads", rounds=40)["kills"] >= 200


def send_repeated(client, user, name: str, block: bytes, times: int) -> tuple[Cksum, int]:
    """Sends a file that is one block many times over, encrypting as it goes; its sum and its content size."""
    cipher, cksum = aes_stream(user.aes_key), Cksum()
    content_size = len(block) * times + 16
    fixed = struct.pack("<I", content_size) + text_field(name)
    client.send(request(user.id, Request.SEND_FILE, fixed, declared=SEND_FILE_FIXED_SIZE + content_size))
    for _ in range(times):
        cksum.update(block)
        client.send(cipher.encrypt(block))
    client.send(cipher.encrypt(b"\x10" * 16))
    return cksum, content_size


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_upload_of_a_gibibyte_takes_less_than_64_mib_of_memory(make_server, new_user, monkeypatch):
    hold_back_little_freed_memory(monkeypatch)
    server, block = make_server(), os.urandom(MIB)
    with server.connect(timeout=300) as client:
        user = client.register_for_messages(new_user())
        client.reconnect(user)
        client.put(user, "warm-up", block)
        with MemoryWatch(server) as watch:
            cksum, content_size = send_repeated(client, user, "gibibyte", block, GIB // MIB)
            received = Received.parse(client.expect(Answer.FILE_RECEIVED).payload)
            client.confirm(user, "gibibyte")
    assert received == Received(user.id, content_size, text_field("gibibyte"), cksum.value())
    assert watch.growth < 64 * MIB
    (_, path, _), *_ = [row for row in server.file_rows(user.id) if row[0] == "gibibyte"]
    assert (server.data / path).stat().st_size == GIB
