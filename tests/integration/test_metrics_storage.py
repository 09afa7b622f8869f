"""What metrics and the log tell of storage: files, room on the disk, and which limit refused an upload."""

import os
import time

import pytest
from peer.drop import file_frame
from peer.frames import DROP_ERROR, ConnectionEnded
from peer.kesherd import Kesherd
from peer.metrics import HttpClient, Metrics
from peer.operators import Operator

MIB = 1024 * 1024


def scrape(server: Kesherd) -> Metrics:
    with HttpClient(server.metrics_address) as monitor:
        return monitor.scrape()


def refusals(metrics: Metrics) -> dict[str, float]:
    """How many there were, by limit; those without any are left out."""
    samples = metrics.families["kesher_uploads_refused_total"].samples
    return {pairs[0][1]: value for (_, pairs), value in samples.items() if value > 0}


def refuse(client, user, name: str, plain: bytes) -> None:
    client.send(file_frame(user.id, name, user.encrypt(plain)))
    assert client.receive() == DROP_ERROR


def test_files_are_counted_when_they_are_verified(make_server, new_user):
    server = make_server(metrics="127.0.0.1:0")
    with server.connect() as client:
        user, other = (client.introduce(new_user()) for _ in range(2))
        client.put(user, "a", b"content")
        client.put(other, "a", b"more content")
        client.send_file(user, "b", b"staged")
        metrics = scrape(server)
        assert metrics.value("kesher_files") == 2
        assert metrics.value("kesher_file_bytes") == len(b"content" + b"more content")
        assert metrics.value("kesher_uploads") == 1
        client.put(user, "a", b"less")
        client.give_up(user, "b")
        metrics = scrape(server)
    assert metrics.value("kesher_file_bytes") == len(b"less" + b"more content")
    assert metrics.value("kesher_uploads") == 0
    server.stop()
    server.start()
    assert scrape(server).value("kesher_files") == 2


def wait_for_uploads(server, count: int) -> None:
    limit = time.monotonic() + 90
    while scrape(server).value("kesher_uploads") != count and time.monotonic() < limit:
        time.sleep(0.1)
    assert scrape(server).value("kesher_uploads") == count


def test_uploads_that_nobody_confirms_in_time_are_not_counted(make_server, new_user):
    server = make_server(metrics="127.0.0.1:0", stage_lifetime=2)
    with server.connect() as client:
        user = client.introduce(new_user())
        client.send_file(user, "a", b"never confirmed")
        wait_for_uploads(server, 0)
        client.put(user, "b", b"goes on")
    wait_for_uploads(server, 0)


def test_uploads_of_a_removed_user_are_not_counted(make_server, new_user):
    server = make_server(metrics="127.0.0.1:0")
    with server.connect() as client:
        user, other = (client.introduce(new_user()) for _ in range(2))
        for name in ("a", "b"):
            client.send_file(user, name, b"never confirmed")
        client.send_file(other, "a", b"to be confirmed")
        wait_for_uploads(server, 3)
        Operator(server.data).succeed("user", "remove", "--yes", user.name)
        wait_for_uploads(server, 1)
        client.confirm(other, "a")
    wait_for_uploads(server, 0)


def test_the_room_on_the_disk_is_told(make_server):
    server = make_server(metrics="127.0.0.1:0", free_space=1)
    status = os.statvfs(server.data)
    metrics = scrape(server)
    assert 0 < metrics.value("kesher_disk_free_bytes") <= status.f_blocks * status.f_frsize
    assert metrics.value("kesher_disk_reserved_bytes") == MIB
    assert metrics.value("kesher_disk_is_short") == 0


@pytest.mark.parametrize(
    ("settings", "before"),
    [
        ({"user_files": 1}, "kept"),
        ({"user_bytes": 1}, "kept"),
        ({"uploads_per_user": 1}, "staged"),
        ({"free_space": 1_000_000_000}, "nothing"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_the_log_and_the_metrics_name_the_limit(make_server, new_user, settings, before):
    limit = next(iter(settings)).replace("_", "-")
    server = make_server(metrics="127.0.0.1:0", **settings)
    with server.connect() as client:
        user = client.introduce(new_user())
        if before == "kept":
            client.put(user, "a", bytes(MIB))
        elif before == "staged":
            client.send_file(user, "a", b"staged")
        for _ in range(2):
            refuse(client, user, "b", b"more than a block of content")
    assert refusals(scrape(server)) == {limit: 2}
    (first, second) = (line for line in server.log().splitlines() if f"({limit})" in line)
    assert " warning " in first and " warning " in second
    assert scrape(server).value("kesher_disk_is_short") == (limit == "free-space")


def test_an_upload_that_went_for_a_newcomer_is_counted_and_logged(make_server, new_user):
    server = make_server(metrics="127.0.0.1:0", uploads=1)
    with server.connect() as client:
        user, newcomer = (client.introduce(new_user()) for _ in range(2))
        client.send_file(user, "a", b"staged")
        client.put(newcomer, "b", b"content")
        client.expect_nothing_staged(user, "a")
    assert refusals(scrape(server)) == {"uploads": 1}
    (line,) = (line for line in server.log().splitlines() if "(uploads)" in line)
    assert " warning " in line


def test_a_confirmation_that_is_refused_names_the_limit_too(make_server, new_user):
    server = make_server(metrics="127.0.0.1:0", user_files=1)
    with server.connect() as client:
        user = client.introduce(new_user())
        for name in ("a", "b"):
            client.send_file(user, name, b"content")
        client.confirm(user, "a")
        client.expect_nothing_staged(user, "b")
    assert refusals(scrape(server)) == {"user-files": 1}
    assert 'cannot keep "b": ' in server.log() and "(user-files)" in server.log()


def test_a_monitor_too_many_is_counted_as_refused(make_server):
    server = make_server(metrics="127.0.0.1:0")
    monitors = [HttpClient(server.metrics_address) for _ in range(32)]
    for monitor in monitors:
        monitor.scrape()
    with HttpClient(server.metrics_address) as another, pytest.raises(ConnectionEnded):
        another.scrape()
    metrics = monitors[0].scrape()
    assert metrics.value("kesher_connections_refused_total", listener="metrics", reason="service") == 1
    assert metrics.value("kesher_connections", listener="metrics") == 32
    for monitor in monitors:
        monitor.close()
