"""What somebody on the way, or a server that lies, gets from kesher on the secure port: an error, in one line."""

import os
import shutil
import struct

import pytest
from peer import accounts, crypto
from peer.accounts import Account, Answer, Entry, Request, list_payload, text
from peer.chat import ENTER_NAME, ENTER_NEW_PASSWORD, created
from peer.drop import User
from peer.frames import reply
from peer.kesher import Kesher, Outcome, write_identity
from peer.links import base64url
from peer.piped import Piped
from peer.secure_server import SecureServer

ALONE = {"start_new_session": True}  # without a terminal
NAME = "Alice"


def link_of(server) -> str:
    host, port = server.secure_address
    known = f"#{base64url(server.identity.fingerprint)}" if isinstance(server, SecureServer) else ""
    return f"kesher://{host}:{port}/{known}"


def assert_told(outcome: Outcome) -> str:
    """It failed, and said why in its last line, which is fit for a terminal."""
    assert outcome.status == 1, outcome
    *_, line = outcome.stderr.splitlines()
    assert line.startswith("kesher: ") and outcome.stderr.replace("\n", "").isprintable(), outcome.stderr
    return line


@pytest.fixture
def at(tmp_path):
    return lambda name: Kesher(tmp_path / name)


@pytest.fixture
def classic_home(at, new_user):
    """A home with a classic identity that a server in Python knows."""

    def make(server: SecureServer) -> tuple[Kesher, User]:
        user, kesher = new_user(), at("home")
        user.id = server.add_classic(user.name, user.public_key).classic_id
        write_identity(kesher.home, user)
        return kesher, user

    return make


def adopt(kesher: Kesher, user: User, server) -> Outcome:
    return kesher.run("register", user.name, "--adopt", "--server", link_of(server), **ALONE)


# -- adoption as an oracle, and relayed


def challenges(user: User) -> dict[str, bytes]:
    key = user.private_key
    return {
        "an AES key of the classic port": crypto.rsa_encrypt(key, os.urandom(16)),
        "a message's key": crypto.rsa_encrypt(key, bytes(16)),
        "32 bytes under the empty label": crypto.rsa_encrypt(key, os.urandom(32)),
        "another label": accounts.challenge_encrypt(key, os.urandom(32), b"kesher adopt 2"),
        "the label with its zero": accounts.challenge_encrypt(key, os.urandom(32), b"kesher adopt 1\0"),
        "16 bytes under the right label": accounts.challenge_encrypt(key, os.urandom(16)),
        "rubbish": os.urandom(128),
        "too little": bytes(127),
        "too much": bytes(129),
        "nothing": b"",
    }


CHALLENGES = [
    "an AES key of the classic port",
    "a message's key",
    "32 bytes under the empty label",
    "another label",
    "the label with its zero",
    "16 bytes under the right label",
    "rubbish",
    "too little",
    "too much",
    "nothing",
]


@pytest.mark.parametrize("what", CHALLENGES)
def test_nothing_is_proven_about_what_is_no_challenge(make_secure_fake, classic_home, what):
    server = make_secure_fake()
    kesher, user = classic_home(server)
    server.challenge = lambda *_: challenges(user)[what]
    before = (kesher.home / "me.info").read_bytes()
    assert_told(adopt(kesher, user, server))
    assert Request.ADOPT in server.codes and Request.PROOF not in server.codes
    assert (kesher.home / "me.info").read_bytes() == before, "it is still a classic home"


def test_an_honest_challenge_is_answered(make_secure_fake, classic_home):
    """So the tests above fail for the reason that they name."""
    server = make_secure_fake()
    kesher, user = classic_home(server)
    assert adopt(kesher, user, server).status == 0
    assert Request.PROOF in server.codes


def test_a_relayed_adoption_leaves_the_classic_identity_as_it_is(secure, new_classic, make_man_in_the_middle, at):
    user, kesher = new_classic(secure), at("home")
    write_identity(kesher.home, user)
    relay = make_man_in_the_middle(secure)
    before = (kesher.home / "me.info").read_bytes()
    assert_told(adopt(kesher, user, relay))
    codes = [int.from_bytes(request[17:19], "little") for request in relay.requests]
    assert Request.ADOPT in codes and Request.PROOF not in codes
    assert {answer[1:3] for answer in relay.answers} == {int(Answer.REFUSED).to_bytes(2, "little")}
    assert (kesher.home / "me.info").read_bytes() == before
    with secure.connect() as classic:
        classic.reconnect(user)


def test_a_relayed_registration_registers_nobody(secure, make_man_in_the_middle, at, fresh_name, open_secure):
    relay, name = make_man_in_the_middle(secure), fresh_name()
    outcome = at("home").run("register", name, "--server", link_of(relay), **ALONE)
    assert_told(outcome)
    assert len(relay.requests) >= 1
    open_secure().register(Account(), name)


# -- servers that lie, or know nothing


def answer(code: int, payload: bytes = b"", version: int = accounts.VERSION) -> bytes:
    return reply(code, payload, version=version)


WHOLE = list_payload((Entry.PUBLIC_ID, bytes(16)), (Entry.NAME, NAME.encode()))
SENTENCE = "\x1b]0;title\x07\x1b[31mred\u202e\r\nkesher: all is well"
LIES = {
    "half an entry": answer(Answer.SIGNED_IN, WHOLE[:-1]),
    "no list": answer(Answer.SIGNED_IN, b"\1"),
    "an empty list": answer(Answer.SIGNED_IN),
    "a short public id": answer(Answer.SIGNED_IN, list_payload((1, bytes(15)), (2, NAME.encode()))),
    "a name that is no text": answer(Answer.SIGNED_IN, list_payload((1, bytes(16)), (2, b"\xff\xfe"))),
    "a name with escapes": answer(Answer.SIGNED_IN, list_payload((1, bytes(16)), (2, SENTENCE.encode()))),
    "another answer": answer(Answer.NONCE, bytes(32)),
    "an answer of the classic port": answer(2100, bytes(16), 2),
    "four GiB": struct.pack("<BHI", accounts.VERSION, Answer.SIGNED_IN, 0xFFFFFFFF) + bytes(100_000),
    "a reason without a text": answer(Answer.REFUSED, b"\3\0"),
    "a text longer than it is": answer(Answer.REFUSED, b"\3\0\xff\xff"),
    "nothing": answer(Answer.REFUSED),
    "a reason of later and a text with escapes": answer(Answer.REFUSED, b"\xe7\3" + text(SENTENCE)),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_server_that_lies_is_told_about_in_one_line(make_secure_fake, at, lie):
    server = make_secure_fake()
    server.instead = {Request.REGISTER: lie, Request.SIGN_IN: lie}
    outcome = at("home").run("register", NAME, "--server", link_of(server), **ALONE)
    assert_told(outcome)
    assert outcome.stdout == ""


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_home_that_was_lied_to_is_the_same_home(make_secure_fake, at, lie):
    server, kesher = make_secure_fake(), at("home")
    kesher.succeed("register", NAME, "--server", link_of(server), **ALONE)
    server.instead = {Request.SIGN_IN: lie}
    assert_told(kesher.run("account", **ALONE))
    server.instead = {}
    assert kesher.succeed("account", "--json", **ALONE).objects()[0]["name"] == NAME


def test_a_server_that_forgot_its_users_is_told_from_one_that_refuses(make_secure_fake, at):
    server, kesher = make_secure_fake(), at("home")
    kesher.succeed("register", NAME, "--server", link_of(server), **ALONE)
    before = {path.name: path.read_bytes() for path in kesher.home.iterdir() if path.is_file()}
    server.forget()
    line = assert_told(kesher.run("account", **ALONE))
    assert "no account" in line and "register" in line
    assert before["account.key"] == (kesher.home / "account.key").read_bytes()
    assert server.codes.count(Request.REGISTER) == 1, "nothing registers again by itself"
    kesher.succeed("register", NAME, "--server", link_of(server), **ALONE)


def test_a_real_server_without_its_data_says_that_nobody_has_the_key(make_secure, at):
    server, kesher = make_secure(), at("home")
    kesher.succeed("register", NAME, "--server", link_of(server), **ALONE)
    kept = (kesher.home / "account.key").read_bytes()
    server.stop()
    for path in server.data.iterdir():
        if path.name != "tls":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    server.start()
    host, port = server.secure_address
    moved = ["--moved", "--server", f"kesher://{host}:{port}/"]  # it has another port now
    line = assert_told(kesher.run("account", *moved, **ALONE))
    assert "register" in line
    assert kept == (kesher.home / "account.key").read_bytes()


def test_a_server_that_lost_its_key_is_refused_with_both_fingerprints(make_secure_fake, at):
    server, kesher = make_secure_fake(), at("home")
    kesher.succeed("register", NAME, "--server", link_of(server), **ALONE)
    old = server.identity.fingerprint
    server.identity = type(server.identity).generate()
    line = assert_told(kesher.run("account", **ALONE))
    assert base64url(old) in line and base64url(server.identity.fingerprint) in line
    assert server.codes == [Request.REGISTER]


# -- chat that somebody cut

CHAT = [ENTER_NAME, ENTER_NEW_PASSWORD, created(1) + "\n" + "bob: I agree\nbob: I agree to"]


@pytest.mark.parametrize("cuts_chat", [True, False])
def test_half_a_line_that_somebody_cut_is_not_shown(make_secure_fake, at, cuts_chat):
    """A line that was begun may be shown when the server has said all, and never when the connection was cut."""
    server, kesher = make_secure_fake(), at("home")
    kesher.succeed("register", NAME, "--server", link_of(server), **ALONE)
    server.chat, server.cuts_chat = CHAT, cuts_chat
    run = Piped(kesher.command("chat", "create"), KESHER_CHAT_PASSWORD="12345")
    outcome = run.wait()
    run.close()
    assert "bob: I agree\n" in outcome.stdout
    assert not cuts_chat or "bob: I agree to" not in outcome.stdout
