"""The course's own server, and ours beside it: what its clients were written against."""

import pytest
from peer.chat import (
    ENTER_GROUP,
    ENTER_NAME,
    ENTER_NEW_PASSWORD,
    ENTER_PASSWORD,
    EXIT_CHAT,
    INVALID,
    LEFT,
    MENU,
    NO_GROUP,
    NO_PASSWORD,
    created,
    has_left,
    joined,
    said,
)
from peer.chat_server import CourseChatServer
from peer.conversation import wait_until


@pytest.fixture(params=["course", "kesherd"])
def any_server(request):
    """Both kinds: what holds for one of them holds for the other."""
    if request.param == "course":
        return request.getfixturevalue("course_chat")
    return request.getfixturevalue("make_talker")()


def test_the_example_session_is_the_same_on_both(any_server, open_chat):
    hadas = open_chat(server=any_server)
    hadas.expect(MENU)
    hadas.answer("2", ENTER_NAME)
    hadas.answer("Hadas", ENTER_NEW_PASSWORD)
    hadas.answer("12345", created(1))
    shoham = open_chat(server=any_server)
    shoham.expect(MENU)
    shoham.answer("1", ENTER_NAME)
    shoham.answer("Shoham", ENTER_GROUP)
    shoham.answer("2", NO_GROUP, ENTER_GROUP)
    shoham.answer("1", ENTER_PASSWORD)
    shoham.answer("123", NO_PASSWORD, ENTER_PASSWORD)
    shoham.answer("12345", joined(1))
    shoham.write("Hello Hadas!!!!")
    hadas.expect(said("Shoham", "Hello Hadas!!!!"))
    hadas.write("שלום")
    shoham.expect(said("Hadas", "שלום"))
    shoham.answer("Exit", LEFT)
    shoham.expect_end()
    hadas.expect(has_left("Shoham"))
    if isinstance(any_server, CourseChatServer):  # two who leave it at once take the number of a group back twice
        wait_until(lambda: any_server.threads == 2, "the end of all that it does for Shoham")
    hadas.leave()
    if isinstance(any_server, CourseChatServer):  # it takes the number back after it has closed
        wait_until(lambda: any_server.threads == 1, "the end of all that it does for Hadas")
    third = open_chat(server=any_server)
    third.expect(MENU)
    third.answer("3", EXIT_CHAT)
    third.expect_end()
    assert open_chat(server=any_server).create("Bar", "123") == 1
    assert open_chat(server=any_server).create("Hadassss", "123456") == 2


def test_three_members_hear_the_same_on_both(any_server, open_chat):
    members = [open_chat(server=any_server) for _ in range(3)]
    members[0].create("member 0")
    members[1].join("member 1", 1)
    members[2].join("member 2", 1)
    for turn in range(10):
        for writer in members:
            writer.write(f"turn {turn}")
            for reader in members:
                if reader is not writer:
                    reader.expect(said(writer.name, f"turn {turn}"))


def test_the_courses_server_takes_a_line_for_an_invalid_option(course_chat, open_chat):
    """By which a client of lines recognises it. It says nothing more, and the connection stays open."""
    client = open_chat(server=course_chat)
    client.expect(MENU)
    client.answer("1\n", INVALID)
    assert client.is_silent_for(0.3)
