"""Group chat behind a sign-in: names that are accounts', who joins is told, /who, and what an account's end does."""

import pytest
from peer import chat
from peer.accounts import Account, Reason, Request
from peer.chat import ENTER_GROUP, ENTER_NAME, ENTER_NEW_PASSWORD, ENTER_PASSWORD, MENU, said
from peer.operators import Operator
from peer.secure import SecureTalker, frame

TAKEN = "This name is taken, choose another. \n"


def has_joined(name: str) -> str:
    return f"{name} has joined the group \n"


def in_the_group(*names: str) -> str:
    return f"In the group: {', '.join(names)} \n"


@pytest.fixture
def new_talker(new_account):
    """Registers an account and begins to talk."""

    def make(server=None) -> SecureTalker:
        client, account = new_account(server)
        talker = client.talk()
        assert talker.proposed == account.name
        talker.account = account
        return talker

    return make


@pytest.fixture
def group(new_talker) -> tuple[SecureTalker, SecureTalker]:
    """Two members, of whom the first has heard that the second joined."""
    first, second = new_talker(), new_talker()
    number = first.create()
    second.join("", number)
    first.expect(has_joined(second.name))
    return first, second


def test_an_empty_line_takes_the_name_that_was_proposed(group):
    first, second = group
    first.write("hello")
    second.expect(said(first.proposed, "hello"))
    second.write("hello yourself")
    first.expect(said(second.proposed, "hello yourself"))


def test_another_name_that_nobody_has_is_taken(new_talker, group, fresh_name):
    first, _ = group
    third, name = new_talker(), fresh_name()
    third.join(name, first.group)
    first.expect(has_joined(name))


def assert_taken(talker: SecureTalker, name: str) -> None:
    """At the prompt for the name, which stays."""
    talker.answer(name, TAKEN, ENTER_NAME)


@pytest.mark.parametrize("choice, following", [(chat.JOIN, ENTER_GROUP), (chat.CREATE, ENTER_NEW_PASSWORD)])
def test_a_name_of_somebody_else_is_taken_and_what_looks_like_it(
    secure, new_talker, new_classic, new_account, choice, following
):
    talker = new_talker()
    user = new_classic(secure)
    _, account = new_account()
    talker.expect(MENU)
    talker.answer(choice, ENTER_NAME)
    for name in (user.name, account.name, account.name.upper(), account.name.replace("user", "usеr")):
        assert_taken(talker, name)
    talker.answer("", following)


def test_a_name_that_is_in_the_group_is_taken(new_talker, group, fresh_name):
    first, _ = group
    name = fresh_name()
    third, fourth = new_talker(), new_talker()
    third.join(name, first.group)
    fourth.come_to_password(name, first.group)
    fourth.answer("12345", TAKEN, ENTER_NAME)
    fourth.answer("", ENTER_GROUP)
    fourth.answer(str(first.group), ENTER_PASSWORD)
    fourth.answer("12345", chat.joined(first.group))


def test_an_account_is_in_a_group_once_under_one_name(secure, group, open_secure):
    first, second = group
    client = open_secure()
    client.sign_in(Account(second.account.secret))
    again = client.talk()
    again.come_to_password("", first.group)
    again.answer("12345", TAKEN, ENTER_NAME)


def test_who_is_answered_to_the_member_alone(group):
    first, second = group
    names = in_the_group(first.name, second.name)
    second.answer("/who", names)
    first.write("nobody asked")
    second.expect(said(first.name, "nobody asked"))
    first.answer("/who", names)


def test_what_only_looks_like_who_is_said(group):
    first, second = group
    for text in ("/who is there?", "/WHO", "//who", "who"):
        second.write(text)
        first.expect(said(second.name, text))


def test_who_leaves_is_told_and_in_no_list(group):
    first, second = group
    second.leave()
    first.expect(chat.has_left(second.name))
    first.answer("/who", in_the_group(first.name))


def test_the_groups_of_the_classic_port_are_others(make_server, new_account):
    server = make_server(also=("chat", "secure"))
    classic = chat.LineClient(server.chat_address)
    classic.expect_bytes(MENU.encode())
    client, _ = new_account(server)
    talker = client.talk()
    number = talker.create()
    classic.answer(chat.JOIN, ENTER_NAME)
    classic.answer("somebody", ENTER_GROUP)
    classic.answer(str(number), chat.NO_GROUP, ENTER_GROUP)
    classic.close()


def test_a_removed_account_is_out_of_its_group(secure, group, open_secure):
    first, second = group
    client = open_secure()
    client.sign_in(Account(second.account.secret))
    client.remove(second.account)
    first.expect(chat.has_left(second.name))
    second.expect_end()


def test_an_operator_removes_a_member_and_the_group_hears_it(secure, group):
    first, second = group
    Operator(secure.data).succeed("user", "remove", second.account.name, "--yes")
    first.expect(chat.has_left(second.name))
    second.expect_end()


def test_nobody_talks_who_has_not_signed_in(client):
    assert client.refusal(Request.TALK) == Reason.SIGN_IN_FIRST


def test_a_talk_with_a_payload_makes_no_sense(new_account):
    client, _ = new_account()
    assert client.refusal(Request.TALK, b"x") == Reason.NO_SENSE
    client.talk().expect(MENU)


def test_what_is_sent_behind_a_talk_is_what_is_typed(new_account):
    """Lines in the same send as the 3030 belong to the chat; and so do bytes that were a frame before."""
    client, account = new_account()
    client.send(frame(Request.TALK) + b"2\n\n12345\n")
    assert client.receive().code == 4030
    talker = SecureTalker(client, account.name)
    talker.expect(MENU, ENTER_NAME, ENTER_NEW_PASSWORD)
    talker.expect_bytes(b"The id of the group is:")


def test_a_talker_that_has_said_all_is_gone_from_the_group(group):
    first, second = group
    second.finish_sending()
    first.expect(chat.has_left(second.name))
    second.expect_end()
    assert not second.client.was_cut


def test_control_characters_and_turns_of_writing_reach_nobody(group):
    first, second = group
    second.write("a\x1b[31mb\u202ec\x07d")
    first.expect(said(second.name, "abcd"))


@pytest.mark.parametrize("end", ["said all", "cut", "reset"])
def test_half_a_line_is_said_when_its_writer_has_said_all_and_not_when_somebody_cut_it(group, end):
    """Else whoever is on the way could make "I agree" of "I agree to nothing"."""
    first, second = group
    second.send(b"I agree")
    if end == "said all":
        second.finish_sending()
        first.expect(said(second.name, "I agree"))
    elif end == "cut":
        second.client.close_at_once()
    else:
        second.client.reset()
    first.expect(chat.has_left(second.name))
