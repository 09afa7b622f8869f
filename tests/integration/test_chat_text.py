"""What becomes of the text of strangers before others see it: cut, split, cleaned."""

import pytest
from peer.chat import (
    CREATE,
    ENTER_GROUP,
    ENTER_NAME,
    ENTER_NEW_PASSWORD,
    ENTER_PASSWORD,
    INVALID,
    JOIN,
    MENU,
    MESSAGE_LIMIT,
    NAME_LIMIT,
    NO_GROUP,
    LineClient,
    has_left,
    joined,
    said,
)

REPLACEMENT = "\ufffd"
WIDTHS = {1: "x", 2: "é", 3: "€", 4: "😀"}


@pytest.fixture
def pair(open_chat):
    """A member who writes, and one of lines who reads."""
    reader, writer = open_chat(LineClient), open_chat(LineClient)
    writer.join("bob", reader.create("reader"))
    return writer, reader


def cut(text: str, limit: int) -> str:
    """The longest beginning of the text that has at most so many bytes."""
    return text.encode()[:limit].decode(errors="ignore")


# -- names


def heard_name(open_chat, name: str) -> str:
    """As which others hear whoever calls itself `name`."""
    reader = open_chat(LineClient)
    group = reader.create("reader")
    writer = open_chat(LineClient)
    writer.come_to_group(name)
    writer.answer(str(group), ENTER_PASSWORD)
    writer.answer("12345", joined(group))
    writer.write("hello")
    heard, text = reader.receive_line().rsplit(": ", 1)
    assert text == "hello"
    writer.leave()
    reader.expect(has_left(heard))
    return heard


@pytest.mark.parametrize("size", [1, 63, 64, 65, 66, 67, 500])
@pytest.mark.parametrize("width", WIDTHS)
def test_names_are_cut_at_64_bytes_between_characters(open_chat, size, width):
    name = ("a" + WIDTHS[width] * size)[:size]
    assert heard_name(open_chat, name) == cut(name, NAME_LIMIT)


def test_a_creators_name_is_cut_too(open_chat):
    host, guest = open_chat(), open_chat(LineClient)
    group = host.create("é" * 100)
    guest.join("guest", group)
    host.write("hello")
    guest.expect(said("é" * 32, "hello"))


@pytest.mark.parametrize(
    "name, heard",
    [
        ("Hadas Yossef", "Hadas Yossef"),
        ("הדס", "הדס"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("bell\x07 and\x00 nul", "bell and nul"),
        ("a\u009b31mb", None),
        ("\x1b]0;title\x07name", "name"),
        ("ali\u202ece\u2028", "alice"),
        ("%s%n%x", "%s%n%x"),
        ("a: b", "a: b"),
    ],
)
def test_names_are_cleaned(open_chat, name, heard):
    found = heard_name(open_chat, name)
    assert found == heard or heard is None
    assert is_clean(found)


def test_a_name_that_escapes_make_long_is_cut_after_them(open_chat):
    """What counts is what others see."""
    assert heard_name(open_chat, "\x1b[31m" * 100 + "bob") == "bob"


# -- long messages


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("shift", range(4))
def test_messages_over_the_limit_are_split_between_characters(pair, width, shift):
    writer, reader = pair
    text = "a" * shift + WIDTHS[width] * (10_000 // width)
    writer.write(text)
    left = text
    while left:
        part = reader.receive_said("bob")
        assert part == cut(left, MESSAGE_LIMIT)
        left = left.removeprefix(part)


@pytest.mark.parametrize("size", [MESSAGE_LIMIT - 1, MESSAGE_LIMIT])
def test_messages_up_to_the_limit_are_whole(pair, size):
    writer, reader = pair
    for text in ("x" * size, ("é" * size)[: size // 2]):
        writer.write(text)
        assert reader.receive_said("bob") == text


def test_one_byte_over_the_limit_makes_two_messages(pair):
    writer, reader = pair
    writer.write("x" * MESSAGE_LIMIT + "y")
    assert reader.receive_said("bob") == "x" * MESSAGE_LIMIT
    assert reader.receive_said("bob") == "y"


def test_a_megabyte_without_a_newline_arrives_in_order(pair):
    """Numbered, so that nothing can be lost or come twice."""
    writer, reader = pair
    text = "".join(f"{number:07} " for number in range(1 << 17))
    writer.write(text)
    writer.write("end")
    heard = ""
    while (part := reader.receive_said("bob")) != "end":
        assert len(part) <= MESSAGE_LIMIT
        heard += part
    assert heard == text


def test_a_megabyte_of_the_courses_client_arrives_in_order(open_chat):
    reader, writer = open_chat(LineClient), open_chat()
    writer.join("bob", reader.create("reader"))
    text = "".join(f"{number:07}é" for number in range(1 << 17))
    writer.write(text)
    heard = ""
    while len(heard) < len(text):
        part = reader.receive_said("bob")
        assert len(part.encode()) <= MESSAGE_LIMIT
        heard += part
    assert heard == text


def test_long_messages_reach_the_courses_client_whole(open_chat):
    reader, writer = open_chat(), open_chat(LineClient)
    writer.join("bob", reader.create("reader"))
    before = reader.data_segments()
    text = "é" * (MESSAGE_LIMIT // 2)
    writer.write(text)
    reader.expect(said("bob", text))
    assert reader.data_segments() - before >= 5  # 4101 bytes, at most 1024 in each


# -- what is removed and what is replaced


DECEIVING = "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"


def is_clean(text: str) -> bool:
    return all(
        character == "\t" or not (character < " " or "\x7f" <= character <= "\x9f" or character in DECEIVING)
        for character in text
    )


@pytest.mark.parametrize(
    "text, heard",
    [
        ("plain", "plain"),
        ("a\tb", "a\tb"),
        ("\ttab first and last\t", "\ttab first and last\t"),
        ("bell\x07bell", "bellbell"),
        ("nul\x00nul", "nulnul"),
        ("back\x08\x08\x08\x08space", "backspace"),
        ("delete\x7fd", "deleted"),
        ("form\x0cfeed\x0btab", "formfeedtab"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[1;31;42mcolours\x1b[m", "colours"),
        ("\x1b[2J\x1b[Hclear", "clear"),
        ("\x1b]0;title\x07after a title", "after a title"),
        ("\x1b]0;title\x1b\\after a title", "after a title"),
        ("\x1bcreset", "reset"),
        ("\x1b(0line drawing", "line drawing"),
        ("\x1bP1$r0m\x1b\\after a device string", "after a device string"),
        ("cut short \x1b[", "cut short "),
        ("cut short \x1b", "cut short "),
        ("right\u202eleft and\u2066right\u2069", "rightleft andright"),
        ("one\u2028line\u2029only", "onelineonly"),
        ("\ufeffmarks\u200e and\u200f more\u061c", "marks and more"),
        ("mi\u200cravam, \U0001f469\u200d\U0001f52c", "mi\u200cravam, \U0001f469\u200d\U0001f52c"),
        ("%s %n %d {0} \\x41", "%s %n %d {0} \\x41"),
    ],
)
def test_control_bytes_and_escape_sequences_are_removed(pair, text, heard):
    writer, reader = pair
    writer.write(text)
    assert reader.receive_said("bob") == heard


@pytest.mark.parametrize("text", ["\u009b31mred", "\u009d0;title\u009c", "a\u0085b\u0090c"])
def test_the_control_characters_above_ascii_are_removed(pair, text):
    writer, reader = pair
    writer.write("x" + text)
    writer.write("and on")
    assert is_clean(reader.receive_said("bob"))
    assert reader.receive_said("bob") == "and on"


@pytest.mark.parametrize(
    "data",
    [b"\xff", b"\xfe\xff", b"\x80", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98"]
    + [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80"],
    ids=lambda data: data.hex(),
)
@pytest.mark.parametrize("place", ["inside", "at the end", "alone"])
def test_invalid_utf8_is_replaced(pair, data, place):
    """By one mark or several; what stands beside it stays."""
    writer, reader = pair
    before, after = {"inside": ("a", "z"), "at the end": ("a", ""), "alone": ("", "")}[place]
    writer.write_bytes(before.encode() + data + after.encode())
    heard = reader.receive_said("bob")
    assert heard.startswith(before) and heard.endswith(after)
    marks = heard[len(before) : len(heard) - len(after)]
    assert marks and set(marks) == {REPLACEMENT}


def test_every_byte_leaves_clean_text(pair):
    writer, reader = pair
    for byte in range(256):
        if byte not in b"\r\n":
            writer.write_bytes(b"<" + bytes([byte]) + b">")
            heard = reader.receive_said("bob")
            assert is_clean(heard)
            if byte != 0x1B:
                assert heard.startswith("<") and heard.endswith(">")


def test_a_message_of_which_nothing_stays_is_said_to_nobody(pair):
    writer, reader = pair
    for nothing in ("\x07", "\x1b[31m", "\x00\x00", "\x1b]0;title\x07"):
        writer.write(nothing)
    writer.write("something")
    assert reader.receive_said("bob") == "something"


def test_a_newline_cannot_be_smuggled_in(pair):
    """Nobody speaks under another's name: every line that a member of lines reads begins with its writer's."""
    writer, reader = pair
    for separator in ("\x0b", "\x0c", "\x1c", "\x1e", "\x85"):
        writer.write(f"one{separator}alice: two")
        assert is_clean(reader.receive_said("bob"))
    writer.write("end")
    assert reader.receive_said("bob") == "end"


@pytest.mark.parametrize("choice", [JOIN, CREATE])
def test_garbage_at_every_prompt_leaves_a_connection_that_works(open_chat, choice):
    client = open_chat(LineClient)
    client.expect(MENU)
    client.write_bytes(b"\xff\xfe")
    client.expect(INVALID, MENU)
    client.answer(choice, ENTER_NAME)
    client.write_bytes(b"\xff\xfe\x80name")
    client.expect(ENTER_NEW_PASSWORD if choice == CREATE else ENTER_GROUP)
    client.write_bytes(b"\xff\x80 garbage \x01")
    if choice == CREATE:
        client.expect_bytes(b"The id of the group is:")
    else:
        client.expect(NO_GROUP, ENTER_GROUP)
