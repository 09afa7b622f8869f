"""`kesher inbox`: ends that nobody planned, two at once, and `--follow`."""

import json
import os
import re
import select
import signal
import subprocess
from pathlib import Path

import pytest
from peer.frames import Request
from peer.kesher import outcome
from peer.kesherd import environment
from peer.message_fixtures import (
    END_OF_MESSAGE,
    KEY_RECEIVED,
    KEY_REQUESTED,
    Member,
    assert_one_line,
    new_key,
    shown,
    without_times,
)

PULL = Request.PULL
END_SECONDS = 60
LARGER_THAN_A_PIPE = 1 << 20


def start(member: Member, *options: str | Path) -> subprocess.Popen:
    """An inbox whose output can be read in part: Python keeps nothing back."""
    return member.start("inbox", *options, bufsize=0)


def wait_for_output(run: subprocess.Popen) -> None:
    """Waits until something can be read of what the client prints, and reads nothing."""
    ready, _, _ = select.select([run.stdout], [], [], END_SECONDS)
    assert ready and run.poll() is None


def kill(run: subprocess.Popen) -> str:
    """`kill -9`; what had been printed until then."""
    run.kill()
    stdout, stderr = run.communicate(timeout=END_SECONDS)
    assert stderr == b""
    return without_times(stdout.decode())


def read_one(run: subprocess.Popen) -> str:
    """The next whole message that the client shows."""
    lines = []
    while lines[-2:] != [END_OF_MESSAGE + "\n", "\n"]:
        line = run.stdout.readline().decode()
        assert line, f"the output ended after {lines}"
        lines.append(line)
    return without_times("".join(lines))


def end(run: subprocess.Popen, number: int = signal.SIGINT) -> tuple[str, str]:
    """Signals the client, which must die of it (130 to a shell, of Ctrl-C); the rest of its output, and its errors."""
    run.send_signal(number)
    stdout, stderr = (output.decode() for output in run.communicate(timeout=END_SECONDS))
    assert run.returncode == -number, (run.returncode, stdout, stderr)
    return without_times(stdout), stderr


# -- killed


def test_a_message_whose_printing_was_cut_off_by_a_kill_is_shown_again(messages, talking, bob):
    texts = ["x" * LARGER_THAN_A_PIPE, "two", "three"]
    for text in texts:
        bob.write(talking.user, text)
    run = start(talking)
    wait_for_output(run)
    kill(run)
    assert messages.waiting_for(talking.user) == []
    assert talking.succeed("inbox").stdout == shown("bob", *texts)


def test_a_kill_in_the_middle_of_many_messages_loses_none(messages, talking, bob):
    texts = [f"{number} " + "x" * 20_000 for number in range(50)]
    for text in texts:
        bob.write(talking.user, text)
    run = start(talking)
    first = [read_one(run) for _ in range(5)]
    killed = kill(run)
    assert messages.waiting_for(talking.user) == []
    whole = "".join(first) + killed
    count = whole.count(f"\n{END_OF_MESSAGE}\n\n")
    assert whole.startswith(shown("bob", *texts[:count])) and 5 <= count < len(texts)
    then = talking.succeed("inbox").stdout
    begin = int(re.match(r"From: bob\nContent:\n(\d+) ", then)[1])
    assert begin <= count and then == shown("bob", *texts[begin:])


def test_a_file_whose_message_was_not_shown_because_of_a_kill_is_shown(talking, bob, tmp_path):
    bob.write(talking.user, "x" * LARGER_THAN_A_PIPE)
    bob.send_file(talking.user, b"content")
    run = start(talking, "--save-to", tmp_path / "files")
    wait_for_output(run)
    kill(run)
    (told,) = [
        it
        for it in talking.succeed("inbox", "--json", "--save-to", tmp_path / "files").objects()
        if "path" in it
    ]
    with open(told["path"], "rb") as file:
        assert file.read() == b"content"


def test_a_key_that_came_before_a_kill_is_kept(alice, bob):
    bob.share_key(alice.user)
    bob.write(alice.user, "x" * LARGER_THAN_A_PIPE)
    run = start(alice)
    wait_for_output(run)
    kill(run)
    alice.succeed("inbox")
    bob.write(alice.user, "hello")
    assert shown("bob", "hello") in alice.succeed("inbox").stdout


@pytest.mark.parametrize("part", [3, 7, 20, 32, 60, -1])
def test_a_kill_in_the_middle_of_an_answer_loses_nothing(messages, talking, bob, part):
    """The server has not seen it acknowledged, and sends it again."""
    texts = ["first", "the last one of these"]
    for text in texts:
        bob.write(talking.user, text)
    messages.script.lies[PULL] = lambda seen, honest: honest[:part]
    run = start(talking)
    messages.wait_for_answers(PULL, messages.answered.count(PULL) + 1)
    printed = kill(run)
    messages.script.lies.clear()
    assert printed + talking.succeed("inbox").stdout == shown("bob", *texts)


# -- output that goes nowhere


def run_into(member: Member, output: int, *options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        member.command("inbox", *options),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.PIPE,
        timeout=END_SECONDS,
        env=environment(),
    )


@pytest.mark.parametrize("size", [5, LARGER_THAN_A_PIPE])
@pytest.mark.parametrize("option", [[], ["--json"]], ids=repr)
def test_a_pipe_that_nobody_reads_is_one_line_and_loses_nothing(talking, bob, size, option):
    texts = ["x" * size, "two", "three"]
    for text in texts:
        bob.write(talking.user, text)
    reading, writing = os.pipe()
    os.close(reading)
    run = run_into(talking, writing, *option)
    os.close(writing)
    assert outcome(run.returncode, b"", run.stderr).status == 1
    assert_one_line(run.stderr.decode())
    assert talking.succeed("inbox").stdout == shown("bob", *texts)


def test_a_full_disk_behind_the_output_is_one_line_and_loses_nothing(talking, bob):
    bob.write(talking.user, "hello")
    with open("/dev/full", "wb") as full:
        run = run_into(talking, full.fileno())
    assert outcome(run.returncode, b"", run.stderr).status == 1
    assert_one_line(run.stderr.decode())
    assert talking.succeed("inbox").stdout == shown("bob", "hello")


# -- two at once


@pytest.mark.parametrize("per_answer", [None, 7])
def test_two_inboxes_at_once_show_each_message_once(messages, talking, bob, per_answer):
    messages.script.messages_per_answer = per_answer
    texts = [f"text {number}" for number in range(300)]
    for text in texts:
        bob.write(talking.user, text)
    runs = [start(talking, "--json") for _ in range(2)]
    told = []
    for run in runs:
        stdout, stderr = run.communicate(timeout=END_SECONDS)
        result = outcome(run.returncode, stdout, stderr)
        assert (result.status, result.stderr) == (0, "")
        told += [json.loads(line)["text"] for line in result.stdout.splitlines()]
    assert sorted(told) == sorted(texts)
    assert talking.succeed("inbox").text == ""


def test_an_inbox_beside_one_that_follows_takes_nothing_from_it_twice(talking, bob):
    run = start(talking, "--follow")
    texts = [f"text {number}" for number in range(10)]
    shown_beside = ""
    for text in texts:
        bob.write(talking.user, text)
        shown_beside += talking.succeed("inbox").stdout
    bob.ask_for_key(talking.user)
    followed = ""
    while KEY_REQUESTED not in followed + shown_beside:
        followed += read_one(run)
    rest, errors = end(run)
    assert errors == ""
    told = shown_beside + followed + rest
    assert sorted(told.split("\n\n")) == sorted(shown("bob", *texts, KEY_REQUESTED).split("\n\n"))


# -- follow


def test_follow_shows_messages_as_they_come(alice, bob):
    run = start(alice, "--follow")
    bob.ask_for_key(alice.user)
    assert read_one(run) == shown("bob", KEY_REQUESTED)
    bob.share_key(alice.user)
    bob.write(alice.user, "hello")
    wanted = shown("bob", KEY_RECEIVED) + new_key("bob") + shown("bob", "hello")
    assert read_one(run) + read_one(run) == wanted
    assert end(run) == ("", "")


def test_follow_begins_with_what_waits_already(talking, bob):
    for text in ("one", "two"):
        bob.write(talking.user, text)
    run = start(talking, "--follow")
    assert read_one(run) + read_one(run) == shown("bob", "one", "two")
    assert end(run) == ("", "")


def test_follow_as_json_is_one_line_for_each_message(talking, bob):
    run = start(talking, "--follow", "--json")
    for text in ("one", "two"):
        bob.write(talking.user, text)
        assert json.loads(run.stdout.readline())["text"] == text
    assert end(run) == ("", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_follow_ends_by_a_signal_while_it_waits(messages, alice, number):
    before = messages.codes.count(PULL)
    run = start(alice, "--follow")
    messages.wait_for_answers(PULL, before + 1)
    assert end(run, number) == ("", "")


def test_follow_ends_by_a_signal_also_where_no_file_can_be_saved(messages, alice, tmp_path):
    (tmp_path / "in the way").write_bytes(b"")
    before = messages.codes.count(PULL)
    run = start(alice, "--follow", "--save-to", tmp_path / "in the way")
    messages.wait_for_answers(PULL, before + 1)
    output, errors = end(run)
    assert output == "" and "in the way" in assert_one_line(errors)


def test_follow_goes_on_after_a_connection_was_lost(messages, talking, bob):
    run = start(talking, "--follow")
    bob.write(talking.user, "before")
    assert read_one(run) == shown("bob", "before")
    messages.restart()
    bob.write(talking.user, "after")
    assert read_one(run) == shown("bob", "after")
    rest, errors = end(run)
    assert rest == "" and errors.count("\n") <= 1


def test_follow_notes_a_server_that_is_gone_once_and_waits_for_it(messages, talking, bob):
    run = start(talking, "--follow")
    bob.write(talking.user, "before")
    assert read_one(run) == shown("bob", "before")
    messages.stop()
    assert_one_line(run.stderr.readline().decode())
    messages.listen(messages.address[1])
    bob.write(talking.user, "after")
    assert read_one(run) == shown("bob", "after")
    assert end(run) == ("", "")


def test_follow_as_json_notes_a_server_that_is_gone_as_an_error(messages, talking, bob):
    run = start(talking, "--follow", "--json")
    bob.write(talking.user, "before")
    assert json.loads(run.stdout.readline())["text"] == "before"
    messages.stop()
    assert json.loads(run.stderr.readline())["error"] in ("connection failed", "timed out")
    assert end(run) == ("", "")


def test_follow_ends_by_a_signal_while_the_server_is_gone(messages, talking, bob):
    run = start(talking, "--follow")
    bob.write(talking.user, "before")
    read_one(run)
    messages.stop()
    assert_one_line(run.stderr.readline().decode())
    assert end(run) == ("", "")


def test_follow_ends_when_nobody_reads_it_and_loses_nothing(talking, bob):
    run = start(talking, "--follow")
    bob.write(talking.user, "one")
    assert read_one(run) == shown("bob", "one")
    run.stdout.close()
    bob.write(talking.user, "two")
    assert run.wait(END_SECONDS) == 1
    assert_one_line(run.stderr.read().decode())
    run.stderr.close()
    assert talking.succeed("inbox").stdout == shown("bob", "two")


def test_a_kill_of_one_that_follows_loses_nothing(talking, bob):
    run = start(talking, "--follow")
    bob.write(talking.user, "one")
    assert read_one(run) == shown("bob", "one")
    bob.write(talking.user, "x" * LARGER_THAN_A_PIPE)
    wait_for_output(run)
    kill(run)
    output = talking.succeed("inbox").stdout
    assert output in (shown("bob", "x" * LARGER_THAN_A_PIPE), shown("bob", "one", "x" * LARGER_THAN_A_PIPE))
