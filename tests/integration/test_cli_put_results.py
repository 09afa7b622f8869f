"""What `kesher put` says of each file: in the order of the command line, which one failed, which ones were left out,
and why."""

import os
import subprocess
import threading

import pytest
from peer import crypto
from peer.frames import Request
from peer.message_fixtures import assert_one_line
from peer.server import Hangup, Session

LARGE = 300_000  # sent by itself, when nothing else is out


@pytest.fixture
def folder(tmp_path):
    """Makes files of these names and returns their folder."""

    def make(*names: str):
        for name in names:
            (tmp_path / name).write_bytes(bytes(LARGE) if name == "large" else name.encode())
        return tmp_path

    return make


def results(result) -> list[tuple[str, str]]:
    return [(told["name"], told["result"]) for told in result.objects()]


class LoginRefuser(Session):
    """Says nothing to three files, hangs up, and knows nobody any more."""

    def _send_file(self, seen):
        if self.server.codes.count(Request.SEND_FILE) < 3:
            return b""
        self.script.errors |= dict.fromkeys((Request.RECONNECT, Request.PUBLIC_KEY), 100)
        raise Hangup


# -- pipelined


def test_results_come_in_the_order_of_the_command_line_after_a_fallback(make_pair, folder):
    fake, kesher = make_pair(wrong_sums=1)
    names = ["one", "two", "three", "four"]
    result = kesher.succeed("put", "--pipeline", *names, cwd=folder(*names))
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == names
    assert list(fake.files) == ["two", "three", "four", "one"]


def test_files_that_cannot_be_opened_have_their_place_among_the_results(make_pair, folder):
    fake, kesher = make_pair()
    names = ["one", "missing 1", "two", "missing 2", "three"]
    result = kesher.run("put", "--pipeline", "--json", *names, cwd=folder("one", "two", "three"))
    assert result.status == 1
    assert results(result) == [
        (name, "file error" if name.startswith("missing") else "confirmed") for name in names
    ]


def test_a_file_that_is_refused_is_named_and_others_that_arrived_are_confirmed(make_pair, folder):
    fake, kesher = make_pair(refused_files={"two"})
    names = ["one", "two", "three"]
    result = kesher.run("put", "--pipeline", "--json", *names, cwd=folder(*names))
    assert result.status == 1
    assert results(result) == [("one", "confirmed"), ("two", "refused"), ("three", "confirmed")]
    (error,) = [told for told in result.told() if "error" in told]
    assert error["error"] == "refused" and "'two'" in error["message"]


def test_what_was_not_sent_again_says_what_went_wrong_and_what_was_given_up(make_pair, folder):
    fake, kesher = make_pair(refused_files={"two", "four"})
    names = ["one", "two", "three", "four"]
    result = kesher.run("put", "--pipeline", "--json", *names, cwd=folder(*names))
    assert results(result)[3] == ("four", "refused")
    error = [told for told in result.told() if "error" in told][-1]
    assert error["error"] == "refused"
    assert "'four'" in error["message"] and "not sent again" in error["message"] and "'two'" in error["message"]


@pytest.mark.parametrize("names", [["one", "large", "last"], ["one", "large", "missing"]], ids=repr)
def test_what_had_no_turn_is_not_sent_and_says_because_of_which(make_pair, folder, names):
    fake, kesher = make_pair(refused_files={"one"})
    result = kesher.run("put", "--pipeline", "--json", *names, cwd=folder("one", "large", "last"))
    assert results(result) == [("one", "refused"), *[(name, "not sent") for name in names[1:]]]
    errors = [told for told in result.told() if "error" in told]
    assert [told["error"] for told in errors] == ["refused", "not sent", "not sent"]
    for told, name in zip(errors[1:], names[1:]):
        assert f"'{name}'" in told["message"] and "'one'" in told["message"]
    assert fake.files == {}


def test_when_the_login_after_a_loss_fails_its_reason_is_told(make_pair, folder):
    fake, kesher = make_pair()
    fake.new_session = lambda client, number: LoginRefuser(fake, client, number)
    names = ["one", "two", "three"]
    result = kesher.run("put", "--pipeline", "--json", *names, cwd=folder(*names))
    assert results(result) == [
        ("one", "refused"),
        ("two", "connection failed"),
        ("three", "connection failed"),
    ]
    errors = [told["message"] for told in result.told() if "error" in told]
    assert "'one'" in errors[0] and "because" not in errors[0]
    assert all("connection was lost" in message and "'one'" in message for message in errors[1:])


# -- one by one


class SilentFromTheSecondOn(Session):
    """Says nothing to a second file."""

    def _send_file(self, seen):
        if self.server.codes.count(Request.SEND_FILE) < 2:
            return super()._send_file(seen)
        self.server.fell_silent.set()
        return b""


def test_what_was_confirmed_is_told_at_once_whatever_ends_the_rest(make_pair, folder):
    fake, kesher = make_pair()
    fake.fell_silent = threading.Event()
    fake.new_session = lambda client, number: SilentFromTheSecondOn(fake, client, number)
    names = ["one", "two"]
    run = kesher.start("put", *names, cwd=folder(*names))
    assert fake.fell_silent.wait(60)
    run.kill()
    output, _ = run.communicate()
    assert output.decode().startswith("one: ")


def test_files_are_sent_also_when_nobody_reads_what_becomes_of_them(make_pair, folder):
    fake, kesher = make_pair()
    names = ["one", "two", "three"]
    reading, writing = os.pipe()
    os.close(reading)
    run = subprocess.run(
        kesher.command("put", *names), cwd=folder(*names), stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    assert run.returncode == 1
    assert_one_line(run.stderr)
    assert list(fake.files) == names


def test_what_is_left_out_after_a_failure_is_named(make_pair, folder):
    fake, kesher = make_pair(refused_files={"two"})
    names = ["one", "two", "three", "four"]
    result = kesher.run("put", *names, cwd=folder(*names))
    assert result.status == 1
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == ["one"]
    lines = [line for line in result.stderr.splitlines() if line.startswith("kesher: ")]
    assert "'two'" in lines[0]
    assert lines[1:] == [f"kesher: '{name}' was not sent, because 'two' failed" for name in names[2:]]
    assert list(fake.files) == ["one"]


def test_without_a_server_one_line_says_why_and_one_that_nothing_was_sent(make_pair, folder):
    fake, kesher = make_pair()
    fake.stop()
    names = ["one", "two", "three"]
    cwd = folder(*names)
    assert len(kesher.fail("put", "one", cwd=cwd).stderr.splitlines()) == 1
    (why, nothing) = kesher.fail("put", *names, cwd=cwd).stderr.splitlines()
    assert str(fake.address[1]) in why and nothing == "kesher: nothing was sent"
    result = kesher.run("put", "--json", *names, cwd=cwd)
    assert results(result) == [("one", "connection failed"), ("two", "not sent"), ("three", "not sent")]


# -- a sum that is wrong


def test_the_fourth_wrong_sum_tells_both_and_doubts_the_server_too(make_pair, folder):
    fake, kesher = make_pair(wrong_sums=4)
    (line,) = [line for line in kesher.fail("put", "x", cwd=folder("x")).stderr.splitlines() if "'x'" in line]
    ours = crypto.cksum(b"x")
    assert str(ours) in line and str(ours ^ 1) in line and "the server computes another" in line


# -- as JSON


def test_the_object_of_a_file(make_pair, folder):
    fake, kesher = make_pair()
    wanted = {"name": "x", "size": 1, "cksum": crypto.cksum(b"x"), "result": "confirmed"}
    assert kesher.succeed("put", "--json", "x", cwd=folder("x")).objects() == [wanted]


def test_the_object_of_a_file_that_cannot_be_read_has_no_size(make_pair, tmp_path):
    fake, kesher = make_pair()
    wanted = {"name": "missing", "size": None, "cksum": None, "result": "file error"}
    assert kesher.run("put", "--json", "missing", cwd=tmp_path).objects() == [wanted]


class AnswersLots(Session):
    """Answers 1028s fourteen at a time, or when the last has come: as a server that was busy with a disk."""

    LOT = 14  # so many contents a client may leave unconfirmed (protocol.md, 1.1)
    FILES = 20

    def _answer(self, code, answer):
        count = self.server.codes.count(Request.SEND_FILE)
        if code == Request.SEND_FILE and count not in (self.LOT, self.FILES):
            self.due += answer
            return
        super()._answer(code, answer)


def test_what_was_answered_together_is_confirmed_together_before_more_is_sent(make_pair, folder):
    fake, kesher = make_pair()
    fake.new_session = lambda client, number: AnswersLots(fake, client, number)
    names = [f"file {number}" for number in range(AnswersLots.FILES)]
    kesher.succeed("put", "--pipeline", *names, cwd=folder(*names))
    uploads = [seen for seen in fake.requests if seen.code in (Request.SEND_FILE, Request.CRC_OK)]
    first, rest = AnswersLots.LOT, AnswersLots.FILES - AnswersLots.LOT
    assert [seen.code for seen in uploads] == [
        *[Request.SEND_FILE] * first,
        *[Request.CRC_OK] * first,
        *[Request.SEND_FILE] * rest,
        *[Request.CRC_OK] * rest,
    ]
    assert list(fake.files) == names
