"""Groups: their ids, their passwords, who hears whom, how they end, and their limits."""

import pytest
from peer.chat import (
    CREATE,
    ENTER_GROUP,
    ENTER_NAME,
    ENTER_NEW_PASSWORD,
    ENTER_PASSWORD,
    FULL,
    MENU,
    NO_GROUP,
    NO_PASSWORD,
    ChunkClient,
    LineClient,
    has_left,
    joined,
    said,
)
from peer.conversation import wait_until


@pytest.fixture
def chat(make_talker, open_chat):
    """Makes chat clients on a server of this test alone, where ids are sure."""
    server = make_talker()
    return lambda kind=ChunkClient, **options: open_chat(kind, server, **options)


def exists(client: ChunkClient, group: int) -> bool:
    """Asks for a group as far as its password; `client` is at the menu and of no use afterwards."""
    client.come_to_group("curious")
    client.write(str(group))
    first = client.receive_exactly(1).decode()
    client.close()
    assert first in (ENTER_PASSWORD[0], NO_GROUP[0])
    return first == ENTER_PASSWORD[0]


# -- ids


def test_ids_are_the_lowest_free_numbers_from_one(chat):
    hosts = {}
    for number in range(1, 7):
        hosts[number] = chat()
        assert hosts[number].create("host") == number
    for number in (5, 2, 3):
        hosts[number].leave()
    assert [chat().create("host") for _ in range(5)] == [2, 3, 5, 7, 8]


def test_the_id_of_a_group_with_members_is_not_given_again_when_its_creator_leaves(chat):
    host, guest = chat(), chat()
    host.create("host")
    guest.join("guest", 1)
    host.leave()
    guest.expect(has_left("host"))
    assert chat().create("other") == 2
    late = chat()
    late.join("late", 1)
    late.write("still here")
    guest.expect("late: still here")


@pytest.mark.parametrize("end", ["leave", "close", "reset", "finish_sending"])
def test_a_group_ends_with_its_last_member(chat, end):
    host = chat()
    host.create("host")
    getattr(host, end)()
    wait_until(lambda: not exists(chat(), 1), "the end of the group")
    client = chat()
    client.come_to_group("late")
    client.answer("1", NO_GROUP, ENTER_GROUP)
    assert chat().create("next", "its own password") == 1
    client.answer("1", ENTER_PASSWORD)
    client.answer("12345", NO_PASSWORD, ENTER_PASSWORD)
    client.answer("its own password", joined(1))


def test_a_group_without_anyone_yet_is_none(chat):
    """Whoever creates one is its first member only with the password."""
    half = chat()
    half.expect(MENU)
    half.answer(CREATE, ENTER_NAME)
    half.answer("half", ENTER_NEW_PASSWORD)
    assert not exists(chat(), 1)
    assert chat().create("host") == 1
    half.write("a password")
    half.expect_bytes(b"The id of the group is:2\n")


@pytest.mark.parametrize("password", ["old", "new"])
@pytest.mark.parametrize("again", [False, True], ids=["deleted", "created again"])
def test_a_group_deleted_while_someone_is_at_its_password_prompt_counts_as_a_wrong_id(chat, again, password):
    """Even when another group has its id by then: that is not the one that was asked for."""
    host, guest = chat(), chat()
    host.create("host", "old")
    guest.come_to_password("guest", 1)
    host.leave()
    if again:
        assert chat().create("host", "new") == 1
    guest.answer(password, NO_GROUP, ENTER_GROUP)
    guest.answer("1", *[ENTER_PASSWORD] if again else [NO_GROUP, ENTER_GROUP])
    if again:
        guest.answer("old", NO_PASSWORD, ENTER_PASSWORD)
        guest.answer("new", joined(1))


def test_many_at_the_password_prompt_of_a_group_that_is_deleted(chat):
    host = chat()
    host.create("host")
    guests = [chat(LineClient) for _ in range(20)]
    for guest in guests:
        guest.come_to_password("guest", 1)
    host.leave()
    for guest in guests:
        guest.answer("12345", NO_GROUP, ENTER_GROUP)
    assert chat().create("host") == 1
    for guest in guests[::2]:
        guest.answer("1", ENTER_PASSWORD)
        guest.answer("12345", joined(1))


# -- passwords


def test_a_password_opens_only_its_own_group(chat):
    hosts = [chat() for _ in range(3)]
    for number, host in enumerate(hosts, 1):
        assert host.create("host", f"password {number}") == number
    guest = chat()
    guest.come_to_password("guest", 2)
    guest.answer("password 1", NO_PASSWORD, ENTER_PASSWORD)
    guest.answer("password 3", NO_PASSWORD, ENTER_PASSWORD)
    guest.answer("password 2", joined(2))


@pytest.mark.parametrize(
    "password",
    ["0", "x", "שלום 😀", "1", "Exit", "p" * 1000, "with\ttab", " "],
    ids=["zero", "letter", "utf8", "one", "exit", "long", "tab", "blank"],
)
def test_any_text_that_is_not_empty_is_a_password(chat, password):
    chat().create("host", password)
    guest = chat()
    guest.come_to_password("guest", 1)
    guest.answer(password + "x", NO_PASSWORD, ENTER_PASSWORD)
    guest.answer(password, joined(1))


def test_a_part_of_the_password_is_not_the_password(chat):
    chat().create("host", "correct horse")
    guest = chat()
    guest.come_to_password("guest", 1)
    for wrong in ("correct hors", "c", "correct", "Correct horse"):
        guest.answer(wrong, NO_PASSWORD, ENTER_PASSWORD)


def test_a_password_is_not_cut_like_a_message(chat):
    chat().create("host", "p" * 900)
    guest = chat()
    guest.come_to_password("guest", 1)
    guest.answer("p" * 899 + "q", NO_PASSWORD, ENTER_PASSWORD)
    guest.answer("p" * 900, joined(1))


# -- who hears whom


def test_members_hear_all_others_and_never_themselves(chat):
    members = [chat(LineClient if number % 2 else ChunkClient) for number in range(6)]
    members[0].create("member 0")
    for number, member in enumerate(members[1:], 1):
        member.join(f"member {number}", 1)
    for turn in range(3):
        for writer in members:
            writer.write(f"turn {turn}")
            for reader in members:
                if reader is not writer:
                    reader.expect(said(writer.name, f"turn {turn}"))
    for number, member in enumerate(members):
        member.leave()
        for reader in members[number + 1 :]:
            reader.expect(has_left(member.name))


def test_two_members_may_have_one_name(chat):
    first, second, third = chat(), chat(), chat()
    first.create("bob")
    second.join("bob", 1)
    third.join("bob", 1)
    second.write("which one am I")
    first.expect("bob: which one am I")
    third.expect("bob: which one am I")
    second.leave()
    first.expect(has_left("bob"))
    third.expect(has_left("bob"))
    third.write("two of us")
    first.expect("bob: two of us")


def test_groups_do_not_hear_each_other(chat):
    pairs = []
    for number in range(1, 6):
        host, guest = chat(LineClient), chat()
        assert host.create(f"host {number}") == number
        guest.join(f"guest {number}", number)
        pairs.append((host, guest))
    for turn in range(5):
        for host, guest in pairs:
            guest.write(f"turn {turn}")
        for host, guest in pairs:
            host.expect(said(guest.name, f"turn {turn}"))
    for host, guest in pairs:
        guest.leave()
    for host, guest in pairs:
        host.expect(has_left(guest.name))
        host.leave()


def test_who_is_at_a_prompt_hears_nothing(chat):
    host, guest = chat(), chat()
    host.create("host")
    guest.join("guest", 1)
    at_menu, at_name, at_group, at_password = (chat() for _ in range(4))
    at_menu.expect(MENU)
    at_name.expect(MENU)
    at_name.answer("1", ENTER_NAME)
    at_group.come_to_group("curious")
    at_password.come_to_password("curious", 1)
    guest.write("for members only")
    host.expect("guest: for members only")
    guest.leave()
    host.expect(has_left("guest"))
    at_menu.answer("1", ENTER_NAME)
    at_name.answer("late", ENTER_GROUP)
    at_group.answer("1", ENTER_PASSWORD)
    at_password.answer("12345", joined(1))
    host.write("now")
    at_password.expect("host: now")


def test_nothing_of_before_reaches_a_new_member_and_nothing_after_is_missed(chat):
    host, guest = chat(), chat()
    host.create("host")
    guest.join("guest", 1)
    for number in range(10):
        host.write(f"before {number}")
        guest.expect(f"host: before {number}")
    late = chat()
    late.join("late", 1)
    host.write("after")
    late.expect("host: after")


# -- limits


def test_at_the_limit_of_groups_no_more_are_made_until_one_ends(make_talker, open_chat):
    server = make_talker(groups=2)
    hosts = [open_chat(server=server) for _ in range(2)]
    assert [host.create("host") for host in hosts] == [1, 2]
    for _ in range(3):
        late = open_chat(server=server)
        late.expect(MENU)
        late.answer(CREATE, ENTER_NAME)
        late.answer("late", ENTER_NEW_PASSWORD)
        late.answer("12345", FULL)
        late.expect_end()
    guest = open_chat(server=server)
    guest.join("guest", 2)
    hosts[0].leave()
    assert open_chat(server=server).create("next") == 1


@pytest.mark.parametrize("kind", [ChunkClient, LineClient])
def test_at_the_limit_of_members_no_more_get_in_until_one_leaves(make_talker, open_chat, kind):
    server = make_talker(group_members=3)
    host, *guests = [open_chat(kind, server) for _ in range(3)]
    host.create("host")
    for guest in guests:
        guest.join("guest", 1)
    for _ in range(3):
        late = open_chat(kind, server)
        late.come_to_password("late", 1)
        late.answer("12345", FULL)
        late.expect_end()
    other = open_chat(kind, server)
    assert other.create("other") == 2
    guests[0].leave()
    host.expect(has_left("guest"))
    late = open_chat(kind, server)
    late.join("late", 1)
    late.write("hello")
    host.expect("late: hello")
