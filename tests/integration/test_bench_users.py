"""kesher-bench users: everybody is registered and listed, and servers that give wrong ids or lists are found out."""

import os
import struct

import pytest
from peer.bench_stores import bench, bench_fails
from peer.scripted import Line

ONE = ("--connections", 1, "--count", 5)
REGISTERED, LIST = 2100, 2101


def reply(code: int, payload: bytes = b"") -> bytes:
    return struct.pack("<BHI", 3, code, len(payload)) + payload


def register_all(line: Line, count: int = 5) -> list[bytes]:
    """Plays an honest server until everybody is registered; the name fields, the first of them that of the one
    who then asks for the list."""
    names = []
    for _ in range(count):
        header = struct.unpack("<16sBHI", line.receive_exactly(23))
        assert header[1:] == (3, 1025, 255)
        names.append(line.receive_exactly(255))
        line.send(reply(REGISTERED, os.urandom(16)))
    return names


def receive_list_request(line: Line) -> None:
    assert struct.unpack("<BHI", line.receive_exactly(23)[16:]) == (2, 601, 0)


def listed(names: list[bytes]) -> bytes:
    return b"".join(os.urandom(16) + name for name in names)


@pytest.mark.parametrize(("connections", "depth", "count"), [(1, 1, 1), (1, 64, 30), (4, 3, 101), (50, 1, 20)])
def test_everybody_is_registered_and_listed(server, connections, depth, count):
    (before,) = server.rows("SELECT count(*) FROM clients")
    options = ("--connections", connections, "--depth", depth, "--count", count)
    told = bench("users", server.address, *options)
    assert (told["users"], told["connections"]) == (count, min(connections, count))
    assert told["list_users"] == before[0] + count - 1
    assert told["users_per_second"] > 0 and told["latency_max_us"] > 0
    (after,) = server.rows("SELECT count(*) FROM clients")
    assert after[0] == before[0] + count


def test_it_tells_what_each_user_costs(server):
    told = bench("users", server.address, "--count", 50, "--pid", server.process.pid)
    assert told["server_cpu_us_per_user"] > 0
    assert "server_resident_bytes_per_user" in told and "server_private_bytes_per_user" in told


def test_who_may_not_register_is_told_what_to_set(make_server):
    server = make_server(registrations_per_hour=3, unlimited_networks="none")
    line = bench_fails("users", server.address, "--count", 20)
    assert "refused (2101)" in line
    assert "--registrations-per-hour" in line and "--unlimited-networks" in line


def test_the_list_may_come_in_any_pieces_and_with_strangers(make_scripted):
    def script(line: Line) -> None:
        names = register_all(line)
        receive_list_request(line)
        strangers = [name.ljust(255, b"\0") for name in (b"alice", b"bench-", b"bench-0123456789abcdef-00000001")]
        for byte in reply(LIST, listed(names[:0:-1] + strangers)):
            line.send(bytes([byte]))
        line.wait_for_end()

    told = bench("users", make_scripted(script).address, *ONE)
    assert told["list_users"] == 4 + 3


# -- servers that lie about ids


def answering(*answers: bytes):
    def script(line: Line) -> None:
        for answer in answers:
            line.receive_exactly(23 + 255)
            line.send(answer)
        line.wait_for_end()

    return script


ID = b"0123456789abcdef"


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([reply(REGISTERED, ID), reply(REGISTERED, ID)], "one id to two users"),
        ([reply(REGISTERED, bytes(16))], "no id at all"),
        ([reply(REGISTERED, ID[1:]) + b"x"], "not 2100 with an id"),
        ([reply(2102, ID)], "not 2100 with an id"),
        ([reply(2101)], "refused (2101) after 0 users"),
        ([reply(REGISTERED, ID), reply(9000)], "refused (9000) after 1 users"),
    ],
)
def test_wrong_answers_to_registrations_are_found_out(make_scripted, answers, reason):
    address = make_scripted(answering(*answers)).address
    assert reason in bench_fails("users", address, *ONE, "--depth", 1)


def test_more_answers_than_requests_are_found_out(make_scripted):
    answers = b"".join(reply(REGISTERED, os.urandom(16)) for _ in range(2))
    address = make_scripted(answering(answers)).address
    assert "more answers than requests" in bench_fails("users", address, *ONE, "--depth", 1)


# -- servers that lie about the list


def renamed(name: bytes) -> bytes:
    return name.rstrip(b"\0") + b"!".ljust(255 - len(name.rstrip(b"\0")), b"\0")


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        (lambda names: reply(LIST, listed(names[1:4])), "00000004 is registered, and not in the list"),
        (lambda names: reply(LIST), "00000001 is registered, and not in the list"),
        (lambda names: reply(LIST, listed(names[1:] + names[2:3])), "00000002 is in the list twice"),
        (lambda names: reply(LIST, listed(names)), "00000000 has asked for the list, and is in it"),
        (lambda names: reply(LIST, listed([*names[1:4], renamed(names[4])])), "not as it was registered"),
        (lambda names: reply(LIST, listed(names[1:]) + b"x"), "no list of users"),
        (lambda names: reply(9000), "no list of users"),
        (lambda names: reply(LIST, listed(names[1:])) + b"x", "more than the list"),
        (lambda names: reply(LIST, listed(names[1:]))[:-1], "listing: the server has ended the connection"),
    ],
)
def test_wrong_lists_are_found_out(make_scripted, lie, reason):
    def script(line: Line) -> None:
        names = register_all(line)
        receive_list_request(line)
        line.send(lie(names))

    assert reason in bench_fails("users", make_scripted(script).address, *ONE)
