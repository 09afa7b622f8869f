"""Group chat as single clients see it: every text of the protocol, in the sends and line ends of each kind of client."""

import pytest
from peer.chat import (
    CREATE,
    ENTER_GROUP,
    ENTER_NAME,
    ENTER_NEW_PASSWORD,
    ENTER_PASSWORD,
    EXIT_CHAT,
    INVALID,
    JOIN,
    KINDS,
    LEAVE,
    LEFT,
    MENU,
    NO_GROUP,
    NO_PASSWORD,
    QUIT,
    LineClient,
    TelnetClient,
    created,
    has_left,
    joined,
    said,
)

NO_SUCH_GROUP = 4_000_000


def test_the_example_session_of_the_course(make_talker, open_chat):
    """Two people, a wrong id, a wrong password, talk, both leave; then what the course shows of later clients."""
    server = make_talker()
    hadas = open_chat(server=server)
    hadas.expect(MENU)
    hadas.answer("2", ENTER_NAME)
    hadas.answer("Hadas", ENTER_NEW_PASSWORD)
    hadas.answer("12345", created(1))

    shoham = open_chat(server=server)
    shoham.expect(MENU)
    shoham.answer("1", ENTER_NAME)
    shoham.answer("Shoham", ENTER_GROUP)
    shoham.answer("2", NO_GROUP, ENTER_GROUP)
    shoham.answer("1", ENTER_PASSWORD)
    shoham.answer("123", NO_PASSWORD, ENTER_PASSWORD)
    shoham.answer("12345", joined(1))
    shoham.write("Hello Hadas!!!!")
    hadas.expect("Shoham: Hello Hadas!!!!")
    shoham.answer("Exit", LEFT)
    shoham.expect_end()
    hadas.expect("Shoham has removed from the group \n")
    hadas.answer("Exit", LEFT)
    hadas.expect_end()

    third = open_chat(server=server)
    third.expect(MENU)
    third.answer("3", EXIT_CHAT)
    third.expect_end()
    assert open_chat(server=server).create("Bar", "123") == 1
    assert open_chat(server=server).create("Hadassss", "123456") == 2


def test_every_text_to_the_courses_client_is_a_send_of_its_own(open_chat):
    """Counted as segments with data, which TCP does not gather for a server that told it not to."""
    client = open_chat()
    client.expect(MENU)
    assert client.data_segments() == 1
    for answer, *texts in [
        ("nonsense", INVALID, MENU),
        (JOIN, ENTER_NAME),
        ("bob", ENTER_GROUP),
        (str(NO_SUCH_GROUP), NO_GROUP, ENTER_GROUP),
    ]:
        before = client.data_segments()
        client.answer(answer, *texts)
        assert client.data_segments() - before == len(texts), texts


def test_texts_that_are_due_in_one_go_leave_together_for_a_client_of_lines(open_chat):
    client = open_chat(LineClient)
    client.expect(MENU)
    client.answer("nonsense", INVALID, MENU)
    assert client.data_segments() == 2
    client.answer(JOIN, ENTER_NAME)
    client.answer("bob", ENTER_GROUP)
    client.answer(str(NO_SUCH_GROUP), NO_GROUP, ENTER_GROUP)
    assert client.data_segments() == 5


def test_messages_to_the_courses_client_are_sends_of_their_own(open_chat):
    """Although their writer gave them to the server in one piece."""
    reader = open_chat()
    group = reader.create("reader")
    writer = open_chat(LineClient)
    writer.join("bob", group)
    before = reader.data_segments()
    writer.send(b"one\ntwo\nthree\n")
    reader.expect("bob: one", "bob: two", "bob: three")
    assert reader.data_segments() - before == 3


def test_a_long_text_to_the_courses_client_comes_in_sends_that_it_can_read_and_decode(open_chat):
    """At most 1024 bytes each, cut between characters. This text would fit four sends if it were cut anywhere."""
    text = "\u3042" * 1363
    assert len(said("bob", text).encode()) == 4094
    reader, line_reader = open_chat(), open_chat(LineClient)
    group = reader.create("reader")
    line_reader.join("lines", group)
    writer = open_chat(LineClient)
    writer.join("bob", group)
    before = reader.data_segments()
    writer.write(text)
    reader.expect(said("bob", text))
    assert reader.data_segments() - before == 5
    line_reader.expect(said("bob", text))


def test_the_creating_text_comes_in_one_send(open_chat):
    client = open_chat()
    client.expect(MENU)
    client.answer(CREATE, ENTER_NAME)
    client.answer("bob", ENTER_NEW_PASSWORD)
    before = client.data_segments()
    client.write("secret")
    text = client.receive_exactly(len(created(1))).decode()
    assert text.startswith("The id of the group is:")
    assert client.data_segments() - before == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_way_in_and_out_for_each_kind_of_client(open_chat, kind):
    host = open_chat(kind)
    group = host.create("host", "a password")
    guest = open_chat(kind)
    guest.expect(MENU)
    guest.answer("nonsense", INVALID, MENU)
    guest.answer(JOIN, ENTER_NAME)
    guest.answer("guest", ENTER_GROUP)
    guest.answer(str(NO_SUCH_GROUP), NO_GROUP, ENTER_GROUP)
    guest.answer("nonsense", NO_GROUP, ENTER_GROUP)
    guest.answer(str(group), ENTER_PASSWORD)
    guest.answer("another password", NO_PASSWORD, ENTER_PASSWORD)
    guest.answer("a password", joined(group))
    for text in ("Hello Hadas!!!!", "שלום לכולם", "  blanks  around  ", "1", "exit", "Exit now"):
        guest.write(text)
        host.expect(said("guest", text))
        host.write(text)
        guest.expect(said("host", text))
    guest.answer(LEAVE, LEFT)
    guest.expect_end()
    host.expect(has_left("guest"))
    host.leave()


@pytest.mark.parametrize("kind", KINDS)
def test_choice_three_ends_the_connection_for_each_kind_of_client(open_chat, kind):
    client = open_chat(kind)
    client.expect(MENU)
    client.answer(QUIT, EXIT_CHAT)
    client.expect_end()


def test_all_kinds_of_clients_in_one_group(open_chat):
    members = [open_chat(kind) for kind in KINDS]
    group = members[0].create("member 0")
    for number, member in enumerate(members[1:], 1):
        member.join(f"member {number}", group)
    for turn in range(3):
        for writer in members:
            text = f"turn {turn}: קשר €"
            writer.write(text)
            for reader in members:
                if reader is not writer:
                    reader.expect(said(writer.name, text))
    for number, member in enumerate(members):
        member.leave()
        for reader in members[number + 1 :]:
            reader.expect(has_left(member.name))


# -- where an input ends


def test_a_newline_inside_a_chunk_separates_two_inputs(open_chat):
    client = open_chat()
    client.expect(MENU)
    client.answer("1\nbob", ENTER_NAME, ENTER_GROUP)
    before = client.data_segments()
    client.answer(f"{NO_SUCH_GROUP}\r\n{NO_SUCH_GROUP}\r{NO_SUCH_GROUP}", *[NO_GROUP, ENTER_GROUP] * 3)
    assert client.data_segments() - before == 6, "it is no client of lines yet"


def test_a_chunk_that_ends_in_a_newline_makes_a_client_of_lines(open_chat):
    client = LineClient(open_chat().socket.getpeername())
    with client:
        client.expect(MENU)
        client.send(b"1")
        client.expect(ENTER_NAME)
        client.send(b"bob")
        client.expect(ENTER_GROUP)
        client.answer("nonsense", NO_GROUP, ENTER_GROUP)
        client.send(b"non")
        assert client.is_silent_for(0.3), "a part of a line was taken for an input"
        client.answer("sense", NO_GROUP, ENTER_GROUP)


@pytest.mark.parametrize("ends", ["\n", "\r", "\r\n"])
def test_lines_end_with_lf_with_cr_or_with_both(open_chat, ends):
    reader = open_chat(LineClient)
    group = reader.create("reader")
    writer = open_chat(LineClient)
    writer.join("bob", group)
    writer.send("".join(f"text {number}{ends}" for number in range(5)).encode())
    for number in range(5):
        reader.expect(f"bob: text {number}")


def test_the_two_bytes_of_a_telnets_line_end_may_come_apart(open_chat):
    reader = open_chat(LineClient)
    group = reader.create("reader")
    writer = open_chat(LineClient)
    writer.join("bob", group)
    for text in ("one", "two", "Exit"):
        writer.send(f"{text}\r".encode())
        if text != "Exit":
            reader.expect(said("bob", text))
            writer.send(b"\n")
    writer.expect(LEFT)
    reader.expect(has_left("bob"))


@pytest.mark.parametrize("nothing", [b"\n", b"\r\n", b"\r", b"\n\n\r\n\r\r\n"])
def test_empty_input_is_ignored_everywhere(open_chat, nothing):
    reader = open_chat(LineClient)
    group = reader.create("reader")
    client = open_chat(LineClient)
    client.expect(MENU)
    client.answer("no choice", INVALID, MENU)
    for answer, text in [
        (JOIN, ENTER_NAME),
        ("bob", ENTER_GROUP),
        (str(group), ENTER_PASSWORD),
        ("12345", joined(group)),
    ]:
        client.send(nothing)
        client.answer(answer, text)
    client.send(nothing)
    client.write("something")
    reader.expect("bob: something")
    client.send(nothing)
    client.leave()


def test_an_empty_password_makes_no_group(open_chat):
    client = open_chat(LineClient)
    client.expect(MENU)
    client.answer(CREATE, ENTER_NAME)
    client.answer("bob", ENTER_NEW_PASSWORD)
    client.send(b"\n\r\n\n")
    assert client.is_silent_for(0.3)
    client.write("a real one")
    text = client.receive_exactly(len("The id of the group is:"))
    assert text == b"The id of the group is:"


@pytest.mark.parametrize("choice", ["1 ", " 1", "  1\t", "2 ", " 2 "])
def test_blanks_around_a_choice_do_not_matter(open_chat, choice):
    client = open_chat()
    client.expect(MENU)
    client.answer(choice, ENTER_NAME)


@pytest.mark.parametrize(
    "choice",
    ["0", "4", "11", "1.", "one", "-1", "Exit", "1 2", "٢", "\u00a01", pytest.param("1" * 2000, id="long")],
)
def test_anything_else_at_the_menu_is_an_invalid_option(open_chat, choice):
    client = open_chat(LineClient)
    client.expect(MENU)
    client.answer(choice, INVALID, MENU)
    client.answer(choice, INVALID, MENU)
    client.answer(JOIN, ENTER_NAME)


@pytest.mark.parametrize("form", [" {}", "{} ", "\t{}  "])
def test_blanks_around_an_id_do_not_matter(open_chat, form):
    group = open_chat().create("host")
    client = open_chat()
    client.come_to_group("bob")
    client.answer(form.format(group), ENTER_PASSWORD)


@pytest.mark.parametrize(
    "form", ["{}x", "-{}", "#{}", "{}.0", "{} {}", "0x{}", "{}" + "0" * 40, "Exit", "18446744073709551617"]
)
def test_what_is_no_number_is_no_group(open_chat, form):
    group = open_chat().create("host")
    client = open_chat()
    client.come_to_group("bob")
    client.answer(form.format(group, group), NO_GROUP, ENTER_GROUP)
    client.answer(str(group), ENTER_PASSWORD)


@pytest.mark.parametrize("number", [0, 4294967297, 2**64 + 1])
def test_numbers_that_only_look_like_the_id_when_they_are_cut_are_no_group(make_talker, open_chat, number):
    server = make_talker()
    assert open_chat(server=server).create("host") == 1
    client = open_chat(server=server)
    client.come_to_group("bob")
    client.answer(str(number), NO_GROUP, ENTER_GROUP)


def test_a_password_is_taken_as_it_is_typed(open_chat):
    """Blanks belong to it, and so do letters' cases; line ends do not."""
    host = open_chat()
    group = host.create("host", " a  Pass wörd ")
    guest = open_chat(LineClient)
    guest.come_to_password("guest", group)
    for wrong in ("a  Pass wörd", " a  pass wörd ", " a  Pass wörd", "x a  Pass wörd "):
        guest.answer(wrong, NO_PASSWORD, ENTER_PASSWORD)
    guest.answer(" a  Pass wörd ", joined(group))


def test_exit_counts_only_for_members(open_chat):
    """Elsewhere it is a choice, a name, an id, a password like any other."""
    client = open_chat()
    client.expect(MENU)
    client.answer("Exit", INVALID, MENU)
    client.answer(CREATE, ENTER_NAME)
    client.answer("Exit", ENTER_NEW_PASSWORD)
    client.write("Exit")
    client.receive_exactly(len(created(1)))
    guest = open_chat(LineClient)
    group = int(open_chat().create("other"))
    guest.come_to_group("Exit")
    guest.answer("Exit", NO_GROUP, ENTER_GROUP)
    guest.answer(str(group), ENTER_PASSWORD)
    guest.answer("Exit", NO_PASSWORD, ENTER_PASSWORD)


@pytest.mark.parametrize("text", ["exit", "EXIT", "Exit ", " Exit", "Exit.", "Exit Exit"])
def test_only_the_exact_word_leaves(open_chat, text):
    reader = open_chat()
    group = reader.create("reader")
    writer = open_chat()
    writer.join("bob", group)
    writer.write(text)
    reader.expect(said("bob", text))
    writer.leave()


# -- characters across every cut

TEXT = "aé€😀 קשר\u0301 z"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_may_be_cut_at_every_byte(open_chat, end):
    reader = open_chat(LineClient)
    group = reader.create("reader")
    writer = open_chat(LineClient)
    writer.join("bob", group)
    data = (TEXT + end).encode()
    for cut in range(1, len(data)):
        writer.send(data[:cut])
        writer.send(data[cut:])
        reader.expect(said("bob", TEXT))


def test_a_chunk_that_ends_inside_a_character_does_not_spoil_it(open_chat):
    """Where TCP splits what was one send, the parts are inputs of their own, but the character stays whole."""
    reader = open_chat(LineClient)
    group = reader.create("reader")
    writer = open_chat()
    writer.join("b", group)
    data = TEXT.encode()
    for cut in range(1, len(data)):
        writer.send(data[:cut])
        heard = reader.receive_said("b") if starts_whole(data[:cut]) else ""
        writer.send(data[cut:])
        while heard != TEXT:
            heard += reader.receive_said("b")
            assert TEXT.startswith(heard), heard


def starts_whole(data: bytes) -> bool:
    """Whether it holds a whole character, which is to be heard before the rest goes out in a send of its own."""
    return data.decode(errors="ignore") != ""


@pytest.mark.parametrize("kind", [LineClient, TelnetClient])
def test_a_session_sent_in_one_go_is_a_session(open_chat, kind):
    """A script behind `nc` waits for nothing."""
    host = open_chat(LineClient)
    group = host.create("host")
    script = open_chat(kind)
    for text in (
        "nonsense",
        JOIN,
        "script",
        str(NO_SUCH_GROUP),
        str(group),
        "wrong",
        "12345",
        "hello",
        LEAVE,
    ):
        script.write(text)
    host.expect("script: hello", has_left("script"))
    rest = script.receive_rest().decode()
    shown = [MENU, INVALID, MENU, ENTER_NAME, ENTER_GROUP, NO_GROUP, ENTER_GROUP, ENTER_PASSWORD]
    shown += [NO_PASSWORD, ENTER_PASSWORD, joined(group), LEFT]
    assert rest.replace("\n", "") == "".join(shown).replace("\n", "")
