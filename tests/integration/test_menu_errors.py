"""`kesher menu`: servers that answer with errors, lie, change keys, or are gone."""

import re

import pytest
from peer import crypto
from peer.console import ERROR, MENU, NAME, NOT_REGISTERED, OWN_NAME, PATH, SENT, TEXT, screen, screen_of
from peer.frames import LIST_OF_USERS, MESSAGES_VERSION, Request, reply
from peer.message_fixtures import KEY_REQUESTED, shown
from peer.message_server import Cut
from peer.messages import Type

REGISTER, LIST, KEY = Request.REGISTER_FOR_MESSAGES, Request.LIST_USERS, Request.KEY_OF_USER
SEND, PULL = Request.SEND_MESSAGE, Request.PULL


@pytest.fixture
def stranger(messages, make_kesher):
    """A client without an identity."""
    return make_kesher(messages)


STEPS = {
    "120": (LIST, ["120"], ""),
    "130": (KEY, ["130", "bob"], NAME),
    "140": (PULL, ["140"], ""),
    "151": (SEND, ["151", "bob"], NAME),
    "152": (SEND, ["152", "bob"], NAME),
    "152 key": (KEY, ["152", "bob"], NAME),
}


@pytest.mark.parametrize("code, lines, before", STEPS.values(), ids=STEPS)
def test_an_error_of_the_server_is_one_line_and_the_menu_goes_on(messages, alice, bob, code, lines, before):
    messages.script.errors[code] = 1
    assert screen_of(alice, *lines, "120") == screen(before + ERROR, "bob\n")


@pytest.mark.parametrize("choice, prompt, sent", [("150", TEXT, Type.TEXT), ("153", PATH, Type.FILE)])
def test_an_error_to_a_text_or_a_file_is_one_line_and_the_menu_goes_on(
    messages, alice, bob, home, choice, prompt, sent
):
    refused = []

    def refuse_contents(seen, honest):
        if seen.payload[16] == Type.KEY:
            return honest
        refused.append(seen.payload[16])
        return reply(9000, version=MESSAGES_VERSION)

    messages.script.lies[SEND] = refuse_contents
    wanted = screen(NAME + SENT, NAME + prompt + ERROR, "bob\n")
    assert screen_of(alice, "152", "bob", choice, "bob", str(home / "me.info"), "120") == wanted
    assert refused == [sent]


def test_an_error_with_a_payload_is_read_to_its_end(messages, alice, bob):
    answers = []

    def err_first(seen, honest):
        answers.append(honest)
        return honest if len(answers) > 1 else reply(9000, b"\x1b[2Jno!\n" * 1000, version=MESSAGES_VERSION)

    messages.script.lies[LIST] = err_first
    assert screen_of(alice, "120", "120") == screen(ERROR, "bob\n")


def test_an_error_to_110_is_one_line_and_the_menu_goes_on(messages, stranger, home):
    messages.script.errors[REGISTER] = 1000
    assert screen_of(stranger, "110", "Anna", "120") == screen(OWN_NAME + ERROR, NOT_REGISTERED)
    assert not (home / "me.info").exists()


def test_an_answer_that_makes_no_sense_is_one_line_and_the_menu_goes_on(messages, alice, bob):
    answers = []

    def lie_first(seen, honest):
        answers.append(honest)
        return honest if len(answers) > 1 else reply(LIST_OF_USERS, b"x" * 272, version=MESSAGES_VERSION)

    messages.script.lies[LIST] = lie_first
    output = screen_of(alice, "120", "120")
    told = output.removeprefix(MENU).removesuffix(MENU + "bob\n" + MENU)
    assert told.count("\n") == 1 and told[:-1].isprintable() and len(told) > 1


def test_a_changed_key_is_one_line_that_says_what_to_do_and_nothing_is_sent(messages, alice, bob):
    alice.succeed("key", "bob")
    messages.accounts[bob.user.id].public_key = crypto.public_key_der(crypto.new_private_key())
    for choice in ("130", "152"):
        told = screen_of(alice, choice, "bob").removeprefix(MENU + NAME).removesuffix(MENU)
        assert told.count("\n") == 1 and re.search("kesher key (bob|USER) --forget", told)
    assert messages.sent == []


def test_a_server_that_is_not_there_is_one_line_with_its_address_for_every_choice(messages, alice):
    messages.stop()
    for lines in (["120"], ["140"]):
        told = screen_of(alice, *lines).removeprefix(MENU).removesuffix(MENU)
        assert told.count("\n") == 1 and f"127.0.0.1:{messages.address[1]}" in told


def test_the_menu_goes_on_after_its_connection_was_lost(messages, alice, bob):
    bob.ask_for_key(alice.user)
    messages.lie_once(PULL, lambda seen, honest: Cut(honest[:20]))
    output = screen_of(alice, "120", "140", "140", "120")
    assert output.startswith(screen("bob\n")) and output.endswith(MENU + "bob\n" + MENU)
    assert output.count(shown("bob", KEY_REQUESTED)) == 1
