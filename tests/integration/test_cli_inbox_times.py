"""`kesher inbox`: when a message came, which is when this client took it."""

import datetime
import os
import re
import subprocess
import time

import pytest
from peer.kesher import Kesher
from peer.kesherd import environment
from peer.message_fixtures import END_OF_MESSAGE, TIME_LINE, told_by


def raw(member, *options: str) -> str:
    """What `inbox` prints, with the lines that say when a message came."""
    return Kesher.run(member, "inbox", *options).stdout


def moment(text: str) -> datetime.datetime:
    return datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z")


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def test_a_line_above_each_message_says_when_it_came(talking, bob):
    before = now()
    for text in ("one", "two"):
        bob.write(talking.user, text)
    output = raw(talking)
    times = [moment(text) for text in TIME_LINE.findall(output)]
    assert len(times) == 2
    assert before <= times[0] <= times[1] <= now()
    assert re.fullmatch(
        r"(\(received [^)]*\)\nFrom: bob\nContent:\n(one|two)\n" + END_OF_MESSAGE + r"\n\n){2}", output
    )


def test_json_has_it_with_its_distance_from_utc(talking, bob):
    before = now()
    bob.write(talking.user, "hello")
    (told,) = told_by(talking)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", told["received"])
    assert before <= datetime.datetime.fromisoformat(told["received"]) <= now()


@pytest.mark.parametrize(
    "zone, minutes", [("UTC0", 0), ("TST-5:45", 345), ("TST+9:30", -570), ("TST-14", 840)], ids=repr
)
def test_it_is_local_time(talking, bob, monkeypatch, zone, minutes):
    monkeypatch.setenv("TZ", zone)
    bob.write(talking.user, "hello")
    before = now()
    (told,) = TIME_LINE.findall(raw(talking))
    assert moment(told).utcoffset() == datetime.timedelta(minutes=minutes)
    assert before <= moment(told) <= now()


def test_it_stays_when_the_message_is_shown_later(alice, bob):
    """What came with its key missing came then, not when the key did."""
    key = os.urandom(16)
    bob.write(alice.user, "hello", key)
    (first,) = told_by(alice)
    time.sleep(1.1)
    bob.share_key(alice.user, key)
    (again,) = [told for told in told_by(alice) if told.get("again")]
    assert again["received"] == first["received"]


def test_it_stays_when_a_message_was_pulled_and_not_shown(talking, bob):
    """Output that nobody reads: the message is in the home, and not done with."""
    bob.write(talking.user, "hello")
    with open("/dev/full", "wb") as full:
        run = subprocess.run(
            talking.command("inbox"), stdout=full, stderr=subprocess.DEVNULL, env=environment(), timeout=60
        )
    assert run.returncode == 1
    taken = now()
    time.sleep(1.1)
    (told,) = told_by(talking)
    assert datetime.datetime.fromisoformat(told["received"]) <= taken


def test_the_console_of_the_course_says_nothing_of_it(talking, bob):
    bob.write(talking.user, "hello", os.urandom(16))
    assert "received 2" not in talking.succeed("menu", input=b"140\n0\n").stdout


def test_a_text_cannot_pretend_to_be_such_a_line(talking, bob):
    """What stands above `From:` is kesher's own; a text is below it."""
    forged = f"x\n{END_OF_MESSAGE}\n\n(received 2001-01-01 00:00:00 +0000)\nFrom: carol\nContent:\nforged"
    bob.write(talking.user, forged)
    output = raw(talking)
    (own,) = TIME_LINE.findall(output.split("Content:")[0])
    assert not own.startswith("2001") and output.count("\nFrom: ") == 1
    assert f"\n> {END_OF_MESSAGE}\n" in output and "\n> From: carol\n" in output


def test_messages_of_an_older_version_came_when_their_file_was_written(messages, alice, bob, home):
    """Its files do not say when."""
    bob.write(alice.user, "hello", os.urandom(16))
    alice.succeed("inbox")
    (kept,) = (home / "inbox").glob("*.kept")
    content = kept.read_bytes()
    kept.write_bytes(b"kshrmsg1" + (len(content) - 16).to_bytes(8, "little") + content[16:])
    os.utime(kept, (1_000_000_000, 1_000_000_000))
    (told,) = alice.succeed("inbox", "--discard", "--json").objects()
    assert datetime.datetime.fromisoformat(told["received"]).timestamp() == 1_000_000_000
