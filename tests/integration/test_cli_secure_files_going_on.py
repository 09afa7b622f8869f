"""Own files whose way is cut: programs killed, servers killed and started again, files that change meanwhile."""

import os
import shutil
import signal
import threading
import time

import pytest
from peer import crypto
from peer.file_fixtures import Folder, link_to
from peer.kesher import outcome_of, wait_for_staged_bytes

LARGE = 24_000_000
ENOUGH = 6_000_000  # bytes after which the gate closes


@pytest.fixture
def content() -> bytes:
    return os.urandom(1 << 20) * (LARGE >> 20) + os.urandom(12_345)


@pytest.fixture
def behind_a_gate(make_secure, make_gate, make_folder):
    """A server of its own, a gate before it, and somebody who goes through it."""

    def make(**options):
        server = make_secure(**options)
        gate = make_gate(server)
        return server, gate, make_folder(gate.address)

    return make


def wait_until(holds, what: str) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.01)


def hold_in_the_middle(gate, direction: str, begin):
    """Begins a transfer behind a gate that lets a part of it through."""
    gate.hold(**{direction: ENOUGH})
    run = begin()
    wait_until(lambda: gate.is_held(direction) or run.poll() is not None, "the gate's end")
    assert run.poll() is None, outcome_of(run)
    return run


def end(run, gate, how: signal.Signals = signal.SIGKILL) -> None:
    run.send_signal(how)
    run.communicate()
    gate.cut()
    gate.release()


def test_a_put_that_was_killed_goes_on(behind_a_gate, content):
    server, gate, folder = behind_a_gate()
    folder.write("large", content)
    run = hold_in_the_middle(gate, "up", lambda: folder.start("put", "large"))
    wait_for_staged_bytes(server, run)
    end(run, gate)
    assert folder.names() == []
    (account,) = folder.succeed("account", "--json").objects()
    assert account["puts"] == 1 and 0 < account["put_bytes"] < ENOUGH
    assert "broken off 1" in folder.succeed("account").stdout
    (told,) = folder.succeed("put", "large", "--json").objects()
    assert 1_000_000 < told["resumed_at"] < ENOUGH
    assert (told["result"], told["cksum"], told["unchanged"]) == ("confirmed", crypto.cksum(content), False)
    folder.succeed("get", "large", "--as", "again")
    assert folder.read("again") == content
    (account,) = folder.succeed("account", "--json").objects()
    assert (account["puts"], account["put_bytes"]) == (0, 0)


def test_where_it_went_on_is_said(behind_a_gate, content):
    server, gate, folder = behind_a_gate()
    folder.write("large", content)
    run = hold_in_the_middle(gate, "up", lambda: folder.start("put", "large"))
    wait_for_staged_bytes(server, run)
    end(run, gate)
    line = folder.succeed("put", "large").stdout
    begin = f"large: {len(content)} bytes, cksum {crypto.cksum(content)}, confirmed, went on at "
    assert line.startswith(begin) and line.endswith(" bytes\n")


def test_a_put_goes_on_after_both_sides_were_killed(behind_a_gate, content):
    server, gate, folder = behind_a_gate()
    folder.write("large", content)
    run = hold_in_the_middle(gate, "up", lambda: folder.start("put", "large"))
    wait_for_staged_bytes(server, run)
    server.kill()
    end(run, gate)
    gate.target = server.start().secure_address
    (told,) = folder.succeed("put", "large", "--json").objects()
    assert told["resumed_at"] > 0 and told["cksum"] == crypto.cksum(content)


def test_what_has_changed_since_begins_anew(behind_a_gate, content):
    server, gate, folder = behind_a_gate()
    folder.write("large", content)
    run = hold_in_the_middle(gate, "up", lambda: folder.start("put", "large"))
    wait_for_staged_bytes(server, run)
    end(run, gate)
    changed = b"x" + content[1:]
    folder.write("large", changed)
    (told,) = folder.succeed("put", "large", "--json").objects()
    assert (told["resumed_at"], told["cksum"]) == (0, crypto.cksum(changed))


def test_a_get_that_was_killed_goes_on(behind_a_gate, content):
    server, gate, folder = behind_a_gate()
    folder.write("large", content)
    folder.succeed("put", "large")
    run = hold_in_the_middle(gate, "down", lambda: folder.start("get", "large", "--as", "again"))
    wait_until(lambda: (folder.directory / "again.part").stat().st_size > 1_000_000, "the partial file")
    end(run, gate)
    assert not (folder.directory / "again").exists()
    (told,) = folder.succeed("get", "large", "--as", "again", "--json").objects()
    assert 1_000_000 < told["resumed_at"] < ENOUGH
    assert folder.read("again") == content and not (folder.directory / "again.part").exists()


def test_a_get_into_directories_goes_on(behind_a_gate, content):
    server, gate, folder = behind_a_gate()
    folder.write("tree/below/large", content)
    folder.write("tree/small", b"small")
    folder.succeed("put", "-r", "tree")
    run = hold_in_the_middle(gate, "down", lambda: folder.start("get", "-r", "tree", "--save-to", "here"))
    part = folder.directory / "here/tree/below/large.part"
    wait_until(lambda: part.exists() and part.stat().st_size > 1_000_000, "the partial file")
    end(run, gate)
    told = {file["name"]: file for file in folder.succeed("get", "-r", "tree", "--save-to", "here", "--json").objects()}
    assert told["tree/below/large"]["resumed_at"] > 1_000_000
    assert folder.read("here/tree/below/large") == content and folder.read("here/tree/small") == b"small"


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_server_that_is_killed_is_waited_for(behind_a_gate, content, direction):
    server, gate, folder = behind_a_gate()
    folder.write("large", content)
    command = ["put", "large"]
    if direction == "down":
        folder.succeed("put", "large")
        command = ["get", "large", "--as", "again"]
    run = hold_in_the_middle(gate, direction, lambda: folder.start(*command))
    server.kill()
    gate.cut(passes=False)
    time.sleep(0.3)  # some tries are in vain
    gate.target = server.start().secure_address
    gate.release()
    gate.pass_again()
    outcome = outcome_of(run)
    assert outcome.status == 0 and crypto.cksum(content) == int(outcome.stdout.split("cksum ")[1].split(",")[0])
    assert outcome.stderr != ""  # a script is told, too
    if direction == "up":
        folder.succeed("get", "large", "--as", "again")
    assert folder.read("again") == content


@pytest.mark.parametrize("command", ["put", "get -"])
def test_connections_that_are_lost_again_and_again_are_made_again(behind_a_gate, content, command):
    server, gate, folder = behind_a_gate()
    folder.write("large", content)
    direction = "up"
    if command == "get -":
        folder.succeed("put", "large")
        direction = "down"
    gate.hold(**{direction: ENOUGH})
    run = folder.start(*command.split(), "large")
    received = []
    reader = threading.Thread(target=lambda: received.append(run.communicate()), daemon=True)
    reader.start()
    for _ in range(3):
        wait_until(lambda: gate.is_held(direction) or run.poll() is not None, "the gate's end")
        gate.hold(**{direction: ENOUGH})
        gate.cut()
    gate.release()
    reader.join(60)
    ((stdout, stderr),) = received
    assert run.returncode == 0, stderr
    if command == "get -":
        assert stdout == content
    else:
        folder.succeed("get", "large", "--as", "again")
        assert folder.read("again") == content


@pytest.mark.parametrize("change", ["grows", "shrinks", "is written to"])
def test_a_file_that_changes_while_it_is_put_is_told_and_not_kept(behind_a_gate, content, change):
    server, gate, folder = behind_a_gate()
    path = folder.write("large", content)
    folder.write("after", b"after")
    run = hold_in_the_middle(gate, "up", lambda: folder.start("put", "large", "after"))
    if change == "shrinks":
        os.truncate(path, 1_000_000)
    else:
        with path.open("r+b") as file:
            file.seek(len(content) - (0 if change == "grows" else 100))
            file.write(b"more")
    gate.release()
    outcome = outcome_of(run)
    assert outcome.status == 1 and "large" in outcome.stderr and outcome.stderr.count("\n") == 1, outcome
    assert outcome.stdout.startswith("after: ") and folder.names() == ["after"]


@pytest.fixture
def beside(tmp_path):
    """The same account in another home, which goes past the gate."""

    def make(server, folder) -> Folder:
        shutil.copytree(folder.home, tmp_path / "beside")
        other = Folder(tmp_path / "beside", folder.directory)
        other.succeed("account", "--moved", "--server", link_to(server.secure_address))
        return other

    return make


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_a_file_that_is_changed_while_it_is_fetched_comes_whole(behind_a_gate, beside, content, change):
    server, gate, folder = behind_a_gate()
    folder.write("large", content)
    folder.succeed("put", "large")
    other = beside(server, folder)
    run = hold_in_the_middle(gate, "down", lambda: folder.start("get", "large", "--as", "again"))
    folder.write("large", b"another content")
    other.succeed(*(["put", "--replace"] if change == "replaced" else ["rm"]), "large")
    gate.release()
    assert outcome_of(run).status == 0
    assert folder.read("again") == content


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_file_that_is_replaced_between_two_tries_comes_anew(behind_a_gate, beside, content, direction):
    server, gate, folder = behind_a_gate()
    folder.write("large", content)
    other = beside(server, folder)
    changed = b"x" + content[1:] + b"more"
    if direction == "down":
        folder.succeed("put", "large")
        run = hold_in_the_middle(gate, "down", lambda: folder.start("get", "large", "--as", "again"))
        wait_until(lambda: (folder.directory / "again.part").stat().st_size > 1_000_000, "the partial file")
        end(run, gate)
        folder.write("large", changed)
        other.succeed("put", "--replace", "large")
    else:
        run = hold_in_the_middle(gate, "up", lambda: folder.start("put", "large"))
        wait_for_staged_bytes(server, run)
        end(run, gate)
        folder.write("other", changed)
        other.succeed("put", "other", "--as", "large")
        assert "--replace" in folder.fail("put", "large").stderr
        folder.succeed("put", "large", "--replace")
        changed = content
    (told,) = folder.succeed("get", "large", "--as", "again", "--json").objects()
    assert (told["resumed_at"], told["cksum"]) == (0, crypto.cksum(changed))
    assert folder.read("again") == changed


def test_a_removed_file_that_was_half_fetched_is_not_found_and_its_part_stays(behind_a_gate, content):
    server, gate, folder = behind_a_gate()
    folder.write("large", content)
    folder.succeed("put", "large")
    run = hold_in_the_middle(gate, "down", lambda: folder.start("get", "large", "--as", "again"))
    wait_until(lambda: (folder.directory / "again.part").stat().st_size > 1_000_000, "the partial file")
    end(run, gate)
    folder.succeed("rm", "large")
    assert "large" in folder.fail("get", "large", "--as", "again").stderr
    assert not (folder.directory / "again").exists()


def test_without_a_server_the_rest_is_named_and_not_sent(behind_a_gate, content):
    server, gate, folder = behind_a_gate()
    for name in "abcd":
        folder.write(name, content)
    run = hold_in_the_middle(gate, "up", lambda: folder.start("put", *"abcd", "--json", "--retry", "0"))
    server.kill()
    gate.cut(passes=False)
    outcome = outcome_of(run)
    assert outcome.status == 1
    assert [file["name"] for file in outcome.objects()] == list("abcd")
    assert {file["result"] for file in outcome.objects()[1:]} == {"not sent"}
    assert outcome.objects()[0]["result"] in ("connection failed", "timed out")
    errors = [told for told in outcome.told() if "error" in told]
    assert len(errors) == 4 and all("'a' failed" in told["message"] for told in errors[1:])


def test_a_full_quota_is_told_and_smaller_files_go_on(make_secure, make_folder):
    server = make_secure(user_bytes="1M")
    folder = make_folder(server.secure_address)
    for name, size in [("a", 600_000), ("b", 600_000), ("c", 1_000)]:
        folder.write(name, os.urandom(size))
    outcome = folder.run("put", "a", "b", "c")
    assert outcome.status == 1 and "b" in outcome.stderr
    assert "a" in folder.names() and "b" not in folder.names()
    folder.succeed("rm", "a")
    folder.succeed("put", "b", "c")
    assert folder.names() == ["b", "c"]
