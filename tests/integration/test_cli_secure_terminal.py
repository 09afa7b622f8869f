"""kesher at a secure server, as a person uses it on a terminal: questions, passphrases, names."""

import socket
import subprocess

import pytest
from peer.kesher import Kesher
from peer.links import base64url
from peer.terminal import Terminal


def link_of(server) -> str:
    host, port = server.secure_address
    return f"kesher://{host}:{port}/"


@pytest.fixture
def run_on_terminal(tmp_path):
    """Runs kesher on a terminal of its own, with a home by name."""
    terminals = []

    def run(home: str, *arguments) -> Terminal:
        terminals.append(Terminal(Kesher(tmp_path / home).command(*arguments)))
        return terminals[-1]

    yield run
    for terminal in terminals:
        terminal.close()


@pytest.fixture
def elsewhere() -> str:
    """An address of this machine that is none of the loopback's."""
    listed = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout.split()
    for address in listed:
        with socket.socket() as probe:
            try:
                probe.bind((address, 0))
                return address
            except OSError:
                continue
    pytest.skip("this machine has no address but those of the loopback")


@pytest.fixture
def stranger(make_secure_fake, elsewhere):
    """A server at an address that is not the loopback's: a link to it, and the server."""
    server = make_secure_fake(host=elsewhere)
    return link_of(server), server


def test_a_stranger_is_asked_about_and_trusted_after_a_yes(stranger, run_on_terminal):
    link, server = stranger
    terminal = run_on_terminal("home", "register", "Alice", "--server", link)
    question = terminal.wait_for("(yes/no) ")
    assert base64url(server.identity.fingerprint) in question and "kesherd address" in question
    assert server.requests == []
    terminal.type_line("perhaps")
    terminal.wait_for("Type yes or no: ")
    terminal.type_line("yes")
    terminal.wait_for("registered Alice")
    assert terminal.wait_for_end() == 0
    again = run_on_terminal("home", "account")  # and is not asked about again
    assert again.wait_for_end() == 0 and "yes/no" not in again.screen


def test_a_stranger_is_sent_nothing_after_a_no(stranger, run_on_terminal, tmp_path):
    link, server = stranger
    terminal = run_on_terminal("home", "register", "Alice", "--server", link)
    terminal.wait_for("(yes/no) ")
    terminal.type_line("no")
    assert terminal.wait_for_end() == 1
    assert "was not accepted" in terminal.screen
    assert server.requests == [] and not (tmp_path / "home").exists()


def test_a_stranger_is_refused_without_a_terminal(stranger, tmp_path):
    link, server = stranger
    outcome = Kesher(tmp_path / "home").fail("register", "Alice", "--server", link, start_new_session=True)
    assert "no terminal" in outcome.stderr and base64url(server.identity.fingerprint) in outcome.stderr
    assert server.requests == [] and not (tmp_path / "home").exists()


def test_a_passphrase_is_typed_twice_and_not_shown(secure, run_on_terminal, fresh_name):
    terminal = run_on_terminal("home", "register", fresh_name(), "--server", link_of(secure), "--passphrase")
    for question, answer in [
        ("New passphrase for this home: ", "one thing"),
        ("The same again: ", "another thing"),
        ("New passphrase for this home: ", "correct horse"),
        ("The same again: ", "correct horse"),
    ]:
        terminal.wait_for(question)
        terminal.type_line(answer)
    assert terminal.wait_for_end() == 0
    assert "the two passphrases differ" in terminal.screen and "correct horse" not in terminal.screen
    used = run_on_terminal("home", "account")
    used.wait_for("Passphrase of this home: ")
    used.type_line("wrong horse")
    used.wait_for("Wrong. Passphrase of this home: ")
    used.type_line("correct horse")
    assert used.wait_for_end() == 0 and "horse" not in used.screen


def test_an_account_is_removed_after_a_yes_only(secure, run_on_terminal, fresh_name, tmp_path):
    name = fresh_name()
    Kesher(tmp_path / "home").succeed("register", name, "--server", link_of(secure), start_new_session=True)
    for answer, status in [("no", 1), ("yes", 0)]:
        terminal = run_on_terminal("home", "account", "remove")
        terminal.wait_for("(yes/no) ")
        terminal.type_line(answer)
        assert terminal.wait_for_end() == status
        assert (tmp_path / "home" / "account.key").exists() == (answer == "no")


def test_a_name_that_is_written_from_right_to_left_keeps_that_to_itself(make_secure_fake, run_on_terminal, tmp_path):
    server = make_secure_fake()
    Kesher(tmp_path / "bob").succeed("register", "דנה", "--server", link_of(server), start_new_session=True)
    alice = Kesher(tmp_path / "alice")
    alice.succeed("register", "Alice", "--server", link_of(server), start_new_session=True)
    terminal = run_on_terminal("alice", "users")
    assert terminal.wait_for_end() == 0
    assert terminal.screen == "\u2068דנה\u2069\n"
    assert alice.succeed("users").stdout == "דנה\n"  # a script gets the name
