"""What the campaigns of processes/ look for, they find: each check on a course of events that is wrong."""

from types import SimpleNamespace

import pytest
from peer.frames import NO_ID
from peer.messages import Message, Type
from powerloss.ledger import Letter
from processes.past import Past
from processes.receivers import whole_messages
from processes.talks import Group, is_sound, line_of, lines_of

FIRST, SECOND = "talker 1", "talker 2"


def ear(name: str, *lines: str, rest: str = "") -> SimpleNamespace:
    data = "".join(f"{line}\n" for line in lines) + rest
    return SimpleNamespace(client=SimpleNamespace(name=name), data=data.encode())


def said(name: str, number: int) -> str:
    return f"{name}: {line_of(name, number)}"


def group_that_heard(scribe: list[str], first: list[str], second: list[str], **said_by) -> Group:
    group = Group.__new__(Group)
    group.scribe = ear("scribe 3", *scribe)
    group.talkers = [ear(FIRST, *first), ear(SECOND, *second)]
    group.said = {FIRST: 2, SECOND: 1, **said_by}
    return group


ALL = [said(FIRST, 0), said(SECOND, 0), said(FIRST, 1), "visitor 4 has removed from the group "]
OF_FIRST = [ALL[1], ALL[3]]
OF_SECOND = [ALL[0], ALL[2], ALL[3]]


def test_who_heard_the_same_lines_in_the_same_order_has_no_problem():
    assert group_that_heard(ALL, OF_FIRST, OF_SECOND).problems(is_whole=True) == []


@pytest.mark.parametrize(
    ("kind", "scribe", "first", "second"),
    [
        ("lines differ", ALL, OF_FIRST, [ALL[2], ALL[0], ALL[3]]),
        ("lines differ", ALL, OF_FIRST, OF_SECOND[:-1]),
        ("lines differ", ALL, [*OF_FIRST, ALL[1]], OF_SECOND),
        ("line twice", [*ALL, ALL[0]], OF_FIRST, [*OF_SECOND, ALL[0]]),
        ("line lost", ALL[1:], OF_FIRST, OF_SECOND[1:]),
        ("line broken", [ALL[0][:-1] + "x", *ALL[1:]], OF_FIRST, [ALL[0][:-1] + "x", *OF_SECOND[1:]]),
    ],
)
def test_what_was_heard_amiss_is_told(kind, scribe, first, second):
    problems = group_that_heard(scribe, first, second).problems(is_whole=True)
    assert kind in {problem.partition(":")[0] for problem in problems}, problems


def test_after_a_kill_each_may_have_heard_another_part_of_the_same():
    assert group_that_heard(ALL[:3], OF_FIRST[:1], OF_SECOND, **{FIRST: 9}).problems(is_whole=False) == []
    assert group_that_heard(ALL[:3], [ALL[3]], OF_SECOND).problems(is_whole=False) != []


def test_a_line_that_a_kill_has_cut_does_not_count():
    assert lines_of(ear(FIRST, ALL[1], rest="talker 2: tal")) == [ALL[1]]


def test_only_whole_lines_are_sound():
    whole = said(FIRST, 5)
    assert is_sound(whole)
    assert not any(is_sound(text) for text in (whole[:-1], whole + ".", whole + whole, f"{SECOND}{whole[8:]}"))


def past_with(stored: list[int], sent: int) -> Past:
    past = Past(trial=None, server=None)
    past.ledger.letters = {(1, number): Letter(NO_ID, NO_ID, int(Type.TEXT), 8) for number in range(sent)}
    past.ledger.ids = {100 + number: (1, number) for number in stored}
    return past


def test_of_one_connection_only_the_last_requests_may_have_had_no_effect():
    assert past_with([0, 1, 2], 5).gaps() == past_with([], 3).gaps() == []
    assert len(past_with([0, 2, 3], 5).gaps()) == 2


def test_a_refused_message_is_no_gap():
    past = past_with([0, 2], 3)
    past.refused.add((1, 1))
    assert past.gaps() == []


def test_of_an_answer_that_was_broken_off_the_whole_messages_count():
    messages = [Message(NO_ID, number, int(Type.TEXT), bytes(10 * number)) for number in range(3)]
    data = b"".join(message.encode() for message in messages)
    assert whole_messages(data) == messages
    assert whole_messages(data[:-1]) == messages[:2]
    assert whole_messages(data[:3]) == []
