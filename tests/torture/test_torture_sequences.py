"""The model of the sequences (sequences/): how it cuts what was sent into requests, and that it sees what is wrong."""

import random
import struct

import pytest
from peer.blocks import key_of_user_frame, padded
from peer.crypto import aes_encrypt, cksum
from peer.drop import file_frame, named_frame, register_frame
from peer.frames import Answer, MessageAnswer, Request, reply, request, text_field
from peer.messages import LISTED_USER, WAITING_FIXED, list_users_frame, message_frame, pull_frame
from powerloss.ledger import Found, digest
from sequences.framing import Exchange, Framing
from sequences.judge import Judge
from sequences.texts import ChatTalk, Group
from sequences.model import Model

ALICE, BOB = b"a" * 16, b"b" * 16
KEY = bytes(range(16))


def cut(pieces: list[bytes]) -> tuple[list[tuple], Framing]:
    """The requests that the framing sees in what was sent."""
    begun: list[Exchange] = []
    framing = Framing(begun.append, lambda exchange: None)
    for piece in pieces:
        framing.feed(piece)
    return [(e.code, e.client_id, e.fixed, bytes(e.content), e.is_complete, e.is_refused) for e in begun], framing


STREAM = b"".join(
    [
        register_frame("alice", ALICE),
        message_frame(ALICE, BOB, 3, b"hello"),
        request(ALICE, 7, b"nobody knows this"),
        request(ALICE, Request.PULL, b"too much"),
        message_frame(ALICE, BOB, 9, bytes(100_000)),
        padded(key_of_user_frame(ALICE, BOB)),
        padded(list_users_frame(ALICE)),
        file_frame(ALICE, "x", bytes(32), declared=259),
        pull_frame(BOB),
    ]
)


def test_the_same_requests_are_seen_however_they_are_cut():
    whole, framing = cut([STREAM])
    assert [one[0] for one in whole] == [1025, 603, 7, 604, 603, 602, 601, 1028, 604]
    assert [one[5] for one in whole] == [False, False, True, True, True, False, False, False, False]
    assert framing.is_padded and framing.is_between
    chance = random.Random(3)
    places = sorted(chance.sample(range(len(STREAM)), 300))
    pieces = [STREAM[a:b] for a, b in zip([0, *places], [*places, len(STREAM)])]
    assert cut(pieces)[0] == whole


def test_a_head_that_tells_of_padding_is_none_itself():
    frame = request(bytes(16), Request.KEY_OF_USER, b"", version=0) + bytes(77)
    for pieces in ([frame], [frame[i : i + 1] for i in range(len(frame))]):
        requests, framing = cut([list_users_frame(ALICE), *pieces])
        assert [one[0] for one in requests] == [601, 602] and framing.is_padded and not framing.has_ended


def test_behind_a_long_payload_that_is_refused_nothing_is_a_request():
    requests, framing = cut([request(ALICE, 7, b"", declared=65_537), pull_frame(ALICE)])
    assert framing.has_ended and len(requests) == 1


def test_what_is_not_whole_is_not_complete():
    frame = message_frame(ALICE, BOB, 3, b"hello")
    requests, framing = cut([frame[:-1]])
    assert requests[0][4] is False and not framing.is_between


# -- the judge


@pytest.fixture
def problems() -> list[str]:
    return []


@pytest.fixture
def model(problems) -> Model:
    made = Model(problems.append, [])
    for name, client_id in (("alice", ALICE), ("bob", BOB)):
        made.names.add(name)
        made.register(name, client_id, b"k" * 160, 0.0)
        made.people[client_id].registered = 0.0
    return made


@pytest.fixture
def judge(model) -> Judge:
    return Judge(model, 1, lambda: True, 5.0)


def told(message_id: int, sender: bytes, content: bytes, kind: int = 3) -> bytes:
    return WAITING_FIXED.pack(sender, message_id, kind, len(content)) + content


def send(judge: Judge, receiver: bytes, content: bytes, message_id: int) -> None:
    judge.sent(message_frame(ALICE, receiver, 3, content))
    judge.received(reply(MessageAnswer.STORED, receiver + struct.pack("<I", message_id), version=2))


def pull(judge: Judge, receiver: bytes, *messages: bytes) -> None:
    judge.sent(pull_frame(receiver))
    judge.received(reply(MessageAnswer.WAITING, b"".join(messages), version=2))


def test_what_is_right_is_no_problem(judge, model, problems):
    send(judge, BOB, b"hello", 1)
    pull(judge, BOB, told(1, ALICE, b"hello"))
    assert problems == [] and model.owed() == [] and judge.is_served


@pytest.mark.parametrize(
    "message",
    [told(1, BOB, b"hello"), told(1, ALICE, b"jello"), told(1, ALICE, b"hello", 4), told(2, ALICE, b"jello")],
    ids=["sender", "content", "type", "never sent"],
)
def test_a_message_that_comes_out_otherwise_is_seen(judge, problems, message):
    send(judge, BOB, b"hello", 1)
    pull(judge, BOB, message)
    assert len(problems) == 1 and problems[0].startswith(("message wrong", "message unknown"))


def test_a_message_of_somebody_else_is_seen(judge, problems):
    send(judge, BOB, b"hello", 1)
    pull(judge, ALICE, told(1, ALICE, b"hello"))
    assert problems == [f"message wrong: {judge.model.letters[1]} came with another receiver"]


def test_of_two_that_are_alike_either_may_come_out_before_it_is_answered(judge, model, problems):
    judge.sent(message_frame(ALICE, BOB, 3, b"hello") * 2)
    other = Judge(model, 2, lambda: True, 5.0)
    pull(other, BOB, told(2, ALICE, b"hello"))
    for message_id in (1, 2):
        judge.received(reply(MessageAnswer.STORED, BOB + struct.pack("<I", message_id), version=2))
    assert problems == [] and [letter.id for letter in model.owed()] == [1]


def test_an_id_for_two_messages_is_seen(judge, problems):
    send(judge, BOB, b"hello", 1)
    send(judge, ALICE, b"other", 1)
    assert [text.partition(":")[0] for text in problems] == ["message id given twice"]


def test_an_answer_to_what_is_not_complete_is_seen(judge, problems):
    judge.sent(message_frame(ALICE, BOB, 3, b"hello")[:-1])
    judge.received(reply(MessageAnswer.STORED, BOB + b"\1\0\0\0", version=2))
    assert "the request was not complete" in problems[0]


def test_answers_in_another_order_are_seen(judge, problems):
    judge.sent(list_users_frame(ALICE) + pull_frame(ALICE))
    judge.received(reply(MessageAnswer.WAITING, version=2))
    assert problems[0].startswith("answer wrong: 2104 with 0 bytes to a 601")


def test_an_answer_to_nothing_is_seen(judge, problems):
    judge.received(reply(MessageAnswer.WAITING, version=2))
    assert problems[0].startswith("answer without a request")


def test_bytes_that_are_no_answer_are_seen(judge, problems):
    judge.sent(pull_frame(ALICE))
    judge.received(b"\xff" * 7)
    assert problems[0].startswith("framing broken")


def test_a_refusal_for_nothing_is_seen(judge, problems):
    judge.sent(pull_frame(ALICE))
    judge.received(reply(Answer.MESSAGES_ERROR, version=2))
    assert problems[0].endswith("nothing was wrong with it (connection 1)")


def test_somebody_who_was_removed_is_not_in_the_list(judge, model, problems):
    model.people[BOB].removing, model.people[BOB].removed = True, 0.0
    judge.sent(list_users_frame(ALICE))
    judge.received(reply(MessageAnswer.USERS, LISTED_USER.pack(BOB, text_field("bob")), version=2))
    assert "was removed before" in problems[0]


def test_a_list_without_somebody_is_seen(judge, problems):
    judge.sent(list_users_frame(ALICE))
    judge.received(reply(MessageAnswer.USERS, version=2))
    assert "'bob' is not in it" in problems[0]


def test_a_1030_may_be_silent_and_nothing_else_may(judge, problems):
    judge.sent(named_frame(ALICE, Request.CRC_WRONG, "x") + pull_frame(ALICE))
    judge.received(reply(MessageAnswer.WAITING, version=2))
    assert problems == [] and judge.is_served


# -- after a start


def start(model: Model, messages=(), files=None, key: bytes | None = b"k" * 160) -> None:
    """A start finds all users, and this."""
    users = {person.name: (person.id, True) for person in model.people.values()}
    model.settle(Found(users, files or {}, list(messages)), dict.fromkeys(model.people, key))


def test_what_was_acknowledged_and_is_not_there_is_lost(judge, model, problems):
    send(judge, BOB, b"hello", 1)
    judge.ended()
    start(model)
    assert [text.partition(":")[0] for text in problems] == ["message lost"]


def test_what_somebody_may_have_got_unread_need_not_be_there(judge, model, problems):
    send(judge, BOB, b"hello", 1)
    judge.settle_seconds = 0
    judge.sent(pull_frame(BOB))
    judge.ended()
    start(model)
    assert problems == []


def test_what_was_pulled_and_reset_before_it_settled_must_be_there(judge, model, problems):
    send(judge, BOB, b"hello", 1)
    judge.sent(pull_frame(BOB))
    judge.ended()
    start(model)
    assert [text.partition(":")[0] for text in problems] == ["message lost"]


def test_what_was_not_there_must_not_come_back(judge, model, problems):
    judge.sent(message_frame(ALICE, BOB, 3, b"hello"))
    judge.ended()
    start(model)
    start(model, [(5, BOB, ALICE, 3, b"hello")])
    assert [text.partition(":")[0] for text in problems] == ["message unknown"]


@pytest.mark.parametrize("key, kind", [(None, "key lost"), (b"l" * 160, "key changed")])
def test_a_key_stays_as_it_is(model, problems, key, kind):
    start(model, key=key)
    assert {text.partition(":")[0] for text in problems} == {kind}


def keep(judge: Judge, plain: bytes) -> None:
    """A file that is sent and confirmed."""
    judge.model.people[ALICE].keys_sent.append(KEY)
    content = aes_encrypt(KEY, plain)
    judge.sent(file_frame(ALICE, "x", content) + named_frame(ALICE, Request.CRC_OK, "x"))
    fields = struct.pack("<16sI255sI", ALICE, len(content), text_field("x"), cksum(plain))
    judge.received(reply(Answer.FILE_RECEIVED, fields) + reply(Answer.THANKS, ALICE))


@pytest.mark.parametrize("content, kind", [("missing", "file lost"), (digest(b"other"), "file wrong")])
def test_a_confirmed_file_must_be_there_as_it_was(judge, model, problems, content, kind):
    keep(judge, b"first")
    keep(judge, b"second")
    start(model, files={(ALICE, "x"): digest(b"second")})
    assert problems == []
    start(model, files={(ALICE, "x"): content})
    assert [text.partition(":")[0] for text in problems] == [kind]


def test_a_sum_that_fits_no_key_is_seen(judge, problems):
    judge.model.people[ALICE].keys_sent.append(KEY)
    judge.sent(file_frame(ALICE, "x", aes_encrypt(KEY, b"plain")))
    judge.received(reply(Answer.FILE_RECEIVED, struct.pack("<16sI255sI", ALICE, 16, text_field("x"), 1)))
    assert "the cksum fits none" in problems[0]


def test_a_1029_without_an_answer_may_keep_what_another_connection_uploads_behind_it(judge, model, problems):
    judge.sent(named_frame(ALICE, Request.CRC_OK, "x"))
    Judge(model, 2, lambda: True, 5.0).sent(file_frame(ALICE, "x", bytes(32)))
    start(model, files={(ALICE, "x"): digest(b"whatever")})
    assert problems == []


def test_a_file_that_nobody_has_confirmed_is_seen(judge, model, problems):
    judge.sent(file_frame(ALICE, "x", bytes(32)))
    start(model, files={(ALICE, "x"): digest(b"whatever")})
    assert problems[0].startswith("file wrong")


# -- the chat


class SomeLife:
    def __init__(self, problems: list[str]):
        self.problem = problems.append
        self.groups: dict = {}
        self.untidy: set[int] = set()
        self.counts = {"words heard": 0}

    def trace(self, name: str, text: str) -> None:
        pass


def member_of(problems: list[str], group: Group, number: int) -> ChatTalk:
    talk = ChatTalk(SomeLife(problems), number, random.Random(1))
    talk._enter(group)
    return talk


def test_a_word_of_another_group_is_seen(problems):
    talk = member_of(problems, Group(1, 1, True), 7)
    talk.received(b"member 8: <1.8.1>\nmember 8: <2.8.2>\n")
    assert [text.partition(" by")[0] for text in problems] == ["chat leaks: connection 7 heard a word of group token 2"]


@pytest.mark.parametrize(
    ("own", "other", "is_speaker_tidy", "is_leak"),
    [
        (True, True, True, True),
        (True, True, False, True),  # without its password nobody is in a guarded group
        (False, True, True, True),
        (False, True, False, False),  # a piece of a password may have let the speaker in here
        (True, False, True, False),  # or the hearer there
    ],
)
def test_a_word_of_another_group_is_no_leak_where_somebody_may_be_in_that_one(
    problems, own, other, is_speaker_tidy, is_leak
):
    talk = member_of(problems, Group(1, 1, own), 7)
    talk.life.groups = {2: Group(2, 2, other)}
    talk.life.untidy = set() if is_speaker_tidy else {8}
    talk.received(b"member 8: <2.8.1>\n")
    assert bool(problems) == is_leak


def test_words_in_another_order_at_another_member_are_seen(problems):
    group = Group(1, 1, True)
    member_of(problems, group, 7).received(b"a: <1.8.1>\nb: <1.9.1>\n")
    member_of(problems, group, 6).received(b"b: <1.9.1>\na: <1.8.1>\n")
    assert problems == [] and group.disorder()
