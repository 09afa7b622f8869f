"""`kesher put`: what arrives, what is printed, and how it copes with servers of every kind."""

import os
import re
import threading
from base64 import b64encode

import pytest
from peer import crypto
from peer.drop import SEND_FILE_FIXED_SIZE, User
from peer.frames import DROP_VERSION, Request
from peer.kesher import (
    base64_of,
    identity_backups,
    outcome_of,
    read_identity,
    wait_for_staged_bytes,
    write_identity,
    write_secret,
    write_server_info,
)
from peer.server import AnswerToCrcWrong

ERROR_LINE = "server responded with an error"
UPLOAD_CODES = (Request.SEND_FILE, Request.CRC_OK, Request.CRC_WRONG, Request.GIVE_UP)
SEND, OK, WRONG, GIVE_UP = UPLOAD_CODES


@pytest.fixture
def kesher(server, make_kesher, home, user):
    """A client whose home holds the identity of `user`, and who talks to the real server."""
    write_identity(home, user)
    return make_kesher(server)


def upload_codes(fake) -> list[int]:
    return [code for code in fake.codes if code in UPLOAD_CODES]


# -- against the real server


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 65_536, 262_145, (1 << 20) + 3])
def test_a_file_of_this_size_arrives_whole(server, kesher, user, source, size):
    plain = os.urandom(size)
    kesher.succeed("put", source("sized", plain))
    assert server.stored(user.id, "sized") == plain


def test_a_large_file_arrives_whole(server, kesher, user, source):
    plain = os.urandom(1 << 20) * 64
    kesher.succeed("put", source("large", plain))
    assert server.stored(user.id, "large") == plain


def test_a_file_goes_up_after_register_without_anything_in_between(
    server, make_kesher, home, source, fresh_name
):
    kesher = make_kesher(server)
    kesher.succeed("register", fresh_name())
    kesher.succeed("put", source("first", b"content"))
    kesher.succeed("put", source("second", b"content"))
    user = read_identity(home)
    assert [row[0] for row in server.file_rows(user.id)] == ["first", "second"]


@pytest.mark.parametrize("option", [[], ["--pipeline"]], ids=repr)
def test_several_files_arrive_whole(server, kesher, user, source, option):
    plain = {f"file {number}": os.urandom(number * 1000) for number in range(40)}
    kesher.succeed("put", *option, *[source(name, text) for name, text in plain.items()])
    assert {name: server.stored(user.id, name) for name in plain} == plain


def test_only_the_last_part_of_a_path_is_kept(server, kesher, user, source):
    kesher.succeed("put", source("x", b"content"))
    ((_, path, verified),) = server.file_rows(user.id)
    assert (path, verified) == (server.path_of(user.id, "x"), 1)


def test_as_gives_the_file_another_name(server, kesher, user, source):
    kesher.succeed("put", source("x", b"content"), "--as", "another name")
    assert server.stored(user.id, "another name") == b"content"


def test_putting_a_file_again_replaces_it(server, kesher, user, source):
    kesher.succeed("put", source("x", b"first"))
    kesher.succeed("put", source("x", b"second"))
    assert server.stored(user.id, "x") == b"second"


@pytest.mark.parametrize("name", ["שלום.txt", "naïve café", "日本語", "🙂", "-", "--help", "two words"])
def test_a_name_with_any_characters_arrives(server, kesher, user, source, name):
    kesher.succeed("put", "--", source(name, b"content"))
    assert server.stored(user.id, name) == b"content"


def test_standard_input_is_put_under_the_name_that_as_gives(server, kesher, user):
    plain = os.urandom(300_001)
    kesher.succeed("put", "-", "--as", "from a pipe", input=plain)
    assert server.stored(user.id, "from a pipe") == plain


def test_empty_standard_input_is_an_empty_file(server, kesher, user):
    kesher.succeed("put", "-", "--as", "from a pipe")
    assert server.stored(user.id, "from a pipe") == b""


def test_a_named_pipe_can_be_standard_input(server, kesher, user, tmp_path):
    pipe, plain = tmp_path / "pipe", os.urandom(200_000)
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(plain,), daemon=True)
    writer.start()
    with open(pipe, "rb") as standard_input:
        kesher.succeed("put", "-", "--as", "piped", input=None, stdin=standard_input)
    writer.join()
    assert server.stored(user.id, "piped") == plain


def test_two_clients_at_once_do_not_disturb_each_other(server, kesher, user, source):
    plain = {name: os.urandom(3_000_000) for name in ("one", "two")}
    runs = [kesher.start("put", source(name, text)) for name, text in plain.items()]
    for run in runs:
        assert outcome_of(run).status == 0
    assert {name: server.stored(user.id, name) for name in plain} == plain


# -- what is printed


def test_one_line_for_each_file_is_printed_on_a_pipe(kesher, source):
    plain = {"one": bytes(3_000_000), "two": b"second"}
    lines = kesher.succeed("put", *[source(name, text) for name, text in plain.items()]).stdout.splitlines()
    assert len(lines) == len(plain)
    for line, (name, text) in zip(lines, plain.items()):
        assert name in line and str(crypto.cksum(text)) in line


def test_no_control_sequences_go_to_a_pipe(kesher, source):
    assert not re.search("[\r\x1b\b]", kesher.succeed("put", source("x", bytes(3_000_000))).text)


def test_quiet_prints_nothing_at_all(kesher, source):
    assert kesher.succeed("put", "--quiet", source("x", b"content")).text == ""


@pytest.mark.parametrize("option", [[], ["--pipeline"], ["--quiet"]], ids=repr)
def test_json_tells_name_and_sum_of_each_file(kesher, source, option):
    plain = {"one": b"first", "two": b"second", 'שלום "three"': b""}
    result = kesher.succeed("put", "--json", *option, *[source(name, text) for name, text in plain.items()])
    told = [list(entry.values()) for entry in result.objects()]
    assert len(told) == len(plain)
    for values, (name, text) in zip(told, plain.items()):
        assert name in values and crypto.cksum(text) in values, values


def test_json_prints_only_json_when_a_file_fails(kesher, source, tmp_path):
    result = kesher.run("put", "--json", source("x", b"content"), tmp_path / "missing")
    assert result.status == 1 and "missing" in result.stderr
    if result.stdout:
        result.objects()


# -- what cannot be sent


def test_a_missing_file_is_one_clear_line(kesher, tmp_path):
    result = kesher.fail("put", tmp_path / "missing")
    assert len(result.stderr.splitlines()) == 1 and str(tmp_path / "missing") in result.stderr


def test_a_folder_is_one_clear_line(kesher, tmp_path):
    result = kesher.fail("put", tmp_path)
    assert len(result.stderr.splitlines()) == 1 and str(tmp_path) in result.stderr


def test_a_name_too_long_for_the_field_is_refused_by_the_client(server, kesher, user, source):
    kesher.fail("put", source("x", b"content"), "--as", "n" * 255)
    assert server.file_rows(user.id) == []


@pytest.mark.parametrize("name", ["", ".", "..", "new\nline"], ids=repr)
def test_a_name_that_the_server_would_refuse_fails(server, kesher, user, source, name):
    assert kesher.run("put", source("x", b"content"), "--as", name).status in (1, 2)
    assert server.file_rows(user.id) == []


def test_one_name_for_several_files_is_wrong_usage(kesher, source):
    assert kesher.run("put", source("x", b"1"), source("y", b"2"), "--as", "z").status == 2


def test_a_home_without_an_identity_is_one_clear_line_that_says_what_to_do(make_fake, make_kesher, source):
    fake = make_fake()
    result = make_kesher(fake).fail("put", source("x", b"content"))
    assert len(result.stderr.splitlines()) == 1 and "register" in result.stderr
    assert fake.requests == []


def test_a_file_that_shrinks_while_it_is_sent_is_reported(make_pair, source):
    fake, kesher = make_pair(pause_in_content=threading.Event())
    path = source("shrinks", b"")
    os.truncate(path, 256 << 20)
    run = kesher.start("put", path)
    assert fake.content_reached.wait(30)
    os.truncate(path, 1000)
    fake.script.pause_in_content.set()
    result = outcome_of(run)
    assert result.status == 1 and "shrinks" in result.stderr
    assert fake.files == {} and Request.CRC_OK not in fake.codes


# -- identity files in every form


def spaced(hexadecimal: str) -> str:
    return " ".join(hexadecimal[start : start + 2] for start in range(0, len(hexadecimal), 2))


def wrapped(text: str, end: str = "\n") -> str:
    return end.join(text[start : start + 64] for start in range(0, len(text), 64))


def lines(user: User) -> list[str]:
    return [user.name, user.id.hex(), base64_of(user.private_key)]


IDENTITY_FORMS = {
    "plain": lambda user: "\n".join(lines(user)) + "\n",
    "no newline at the end": lambda user: "\n".join(lines(user)),
    "CRLF": lambda user: "\r\n".join(lines(user)) + "\r\n",
    "blank lines": lambda user: "\n" + "\n\n".join(lines(user)) + "\n\n\n",
    "upper-case hex": lambda user: "\n".join([user.name, user.id.hex().upper(), base64_of(user.private_key)]),
    "hex with spaces": lambda user: "\n".join(
        [user.name, spaced(user.id.hex()), base64_of(user.private_key)]
    ),
    "upper-case hex with spaces and CRLF": lambda user: "\r\n".join(
        [user.name, spaced(user.id.hex().upper()) + " ", base64_of(user.private_key)]
    ),
    "wrapped base64": lambda user: "\n".join([*lines(user)[:2], wrapped(base64_of(user.private_key))]) + "\n",
    "wrapped base64 and CRLF": lambda user: "\r\n".join(
        [*lines(user)[:2], wrapped(base64_of(user.private_key), "\r\n")]
    )
    + "\r\n",
    "name padded with NULs": lambda user: "\n".join([user.name.ljust(255, "\0"), *lines(user)[1:]]) + "\n",
}


@pytest.mark.parametrize("form", IDENTITY_FORMS)
@pytest.mark.parametrize("file_name", ["me.info", "my.info"])
def test_an_identity_in_this_form_is_understood(server, make_kesher, home, user, source, form, file_name):
    write_secret(home / file_name, IDENTITY_FORMS[form](user))
    make_kesher(server).succeed("put", source("x", b"content"))
    assert server.stored(user.id, "x") == b"content"


PRIVATE_KEY_FORMS = {
    "one line": lambda key: base64_of(key).encode() + b"\n",
    "wrapped": lambda key: wrapped(base64_of(key)).encode(),
    "wrapped with CRLF": lambda key: wrapped(base64_of(key), "\r\n").encode() + b"\r\n",
    "raw DER": crypto.private_key_der,
}


@pytest.mark.parametrize("form", PRIVATE_KEY_FORMS)
def test_a_key_that_stands_only_in_priv_key_is_understood(server, make_kesher, home, user, source, form):
    write_secret(home / "me.info", f"{user.name}\n{user.id.hex()}\n")
    write_secret(home / "priv.key", PRIVATE_KEY_FORMS[form](user.private_key))
    make_kesher(server).succeed("put", source("x", b"content"))
    assert server.stored(user.id, "x") == b"content"


def test_the_key_of_me_info_goes_before_that_of_priv_key(server, kesher, home, user, source, private_keys):
    write_secret(home / "priv.key", base64_of(private_keys[1]))
    kesher.succeed("put", source("x", b"content"))
    assert server.stored(user.id, "x") == b"content"


def test_me_info_goes_before_my_info(server, kesher, home, user, source, new_user):
    stranger = new_user()
    stranger.id = bytes(16)
    write_identity(home, stranger, "my.info")
    kesher.succeed("put", source("x", b"content"))
    assert server.stored(user.id, "x") == b"content"


DAMAGED = {
    "empty": b"",
    "only a name": b"Anna\n",
    "an id too short": b"Anna\n0123\n",
    "binary": bytes(range(256)),
    "no hex": b"Anna\n" + b"zz" * 16 + b"\n" + b64encode(b"key"),
    "no key": b"Anna\n" + b"00" * 16 + b"\n",
    "a key that is none": b"Anna\n" + b"00" * 16 + b"\n" + b64encode(bytes(600)) + b"\n",
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_identity_is_one_clear_line_and_nothing_is_sent(make_fake, make_kesher, home, source, kind):
    fake = make_fake()
    write_secret(home / "me.info", DAMAGED[kind])
    result = make_kesher(fake).fail("put", source("x", b"content"))
    assert len(result.stderr.splitlines()) == 1
    assert fake.requests == []
    assert (home / "me.info").read_bytes() == DAMAGED[kind]


# -- what goes over the wire


def test_an_upload_is_reconnect_file_and_confirmation(make_pair, source):
    fake, kesher = make_pair()
    kesher.succeed("put", source("x", b"content"))
    assert fake.codes == [Request.RECONNECT, Request.SEND_FILE, Request.CRC_OK]
    assert {seen.version for seen in fake.requests} == {DROP_VERSION}
    assert {seen.client_id for seen in fake.requests} == set(fake.accounts)
    assert fake.files == {"x": b"content"}


def test_name_fields_are_padded_with_zeros(make_pair, source):
    fake, kesher = make_pair()
    kesher.succeed("put", source("x", b"content"))
    for seen in fake.requests:
        assert seen.name_field == seen.name.encode().ljust(255, b"\0")


def test_an_empty_file_is_one_block_of_padding(make_pair, source):
    fake, kesher = make_pair()
    kesher.succeed("put", source("x", b""))
    assert fake.files == {"x": b""}
    assert len(fake.requests[1].payload) == SEND_FILE_FIXED_SIZE + 16


@pytest.mark.parametrize("size", [0, 16, 700, 3_000_000])
def test_a_server_that_reads_only_once_gets_whole_requests(make_pair, source, size):
    fake, kesher = make_pair(read_once=True)
    plain = os.urandom(size)
    kesher.succeed("put", source("x", plain))
    assert fake.files == {"x": plain}


def test_answers_that_arrive_one_byte_at_a_time_are_understood(make_pair, source):
    fake, kesher = make_pair(one_byte_at_a_time=True)
    kesher.succeed("put", source("x", b"content"))
    assert fake.files == {"x": b"content"}


def test_a_2103_with_the_size_of_the_plaintext_is_accepted(make_pair, source):
    fake, kesher = make_pair(plaintext_size_in_answer=True)
    kesher.succeed("put", source("x", b"content"))
    assert fake.files == {"x": b"content"}


@pytest.mark.parametrize("version", [0, 2, 255])
def test_answers_of_any_version_are_accepted(make_pair, source, version):
    fake, kesher = make_pair(version=version)
    kesher.succeed("put", source("x", b"content"))
    assert fake.files == {"x": b"content"}


# -- wrong sums


@pytest.mark.parametrize("answer", AnswerToCrcWrong)
@pytest.mark.parametrize("times", [1, 3])
def test_a_wrong_sum_is_answered_by_sending_again(make_pair, source, answer, times):
    fake, kesher = make_pair(wrong_sums=times, answer_to_crc_wrong=answer)
    kesher.succeed("put", source("x", b"content"))
    assert upload_codes(fake) == [SEND, WRONG] * times + [SEND, OK]
    assert fake.files == {"x": b"content"}


@pytest.mark.parametrize("answer", AnswerToCrcWrong)
def test_the_fourth_wrong_sum_is_the_last(make_pair, source, answer):
    fake, kesher = make_pair(wrong_sums=4, answer_to_crc_wrong=answer)
    (line,) = kesher.fail("put", source("x", b"content")).stderr.splitlines()
    assert "'x' arrived changed" in line and "Fatal:" not in line
    assert upload_codes(fake) == [SEND, WRONG] * 3 + [SEND, GIVE_UP]
    assert fake.files == {}


@pytest.mark.parametrize("answer", AnswerToCrcWrong)
def test_files_after_one_with_a_wrong_sum_arrive_too(make_pair, source, answer):
    fake, kesher = make_pair(wrong_sums=2, answer_to_crc_wrong=answer)
    plain = {name: name.encode() * 100 for name in ("one", "two", "three")}
    kesher.succeed("put", *[source(name, text) for name, text in plain.items()])
    assert fake.files == plain


def test_standard_input_is_sent_again_after_a_wrong_sum(make_pair):
    fake, kesher = make_pair(wrong_sums=2)
    plain = os.urandom(500_000)
    kesher.succeed("put", "-", "--as", "piped", input=plain)
    assert fake.files == {"piped": plain}


# -- errors from the server


@pytest.mark.parametrize("code", [Request.SEND_FILE, Request.CRC_OK])
def test_a_no_is_asked_once_and_told_in_one_plain_line(make_pair, source, code):
    fake, kesher = make_pair(errors={code: 4})
    (line,) = kesher.fail("put", source("x", b"content")).stderr.splitlines()
    assert "'x'" in line and f"127.0.0.1:{fake.address[1]}" in line
    assert ERROR_LINE not in line and "Fatal:" not in line and "2107" not in line
    assert fake.codes.count(code) == 1
    assert fake.files == {}


def test_a_file_that_is_refused_under_a_used_key_is_sent_once_more_under_a_fresh_one(make_pair, source):
    """The server may have dropped the key; on a new connection nothing but the file can be to blame."""
    fake, kesher = make_pair(honest_before={Request.SEND_FILE: 1}, errors={Request.SEND_FILE: 1})
    kesher.succeed("put", source("one", b"one"), source("two", b"two"))
    assert fake.files == {"one": b"one", "two": b"two"}
    assert fake.codes.count(Request.RECONNECT) == 2


@pytest.mark.parametrize("answer_code", [2100, 9001, 7])
def test_an_unexpected_code_comes_from_no_kesher_server(make_pair, source, answer_code):
    fake, kesher = make_pair(errors={Request.SEND_FILE: 4}, error_code=answer_code)
    assert "no kesher server" in kesher.fail("put", source("x", b"content")).stderr
    assert fake.codes.count(Request.SEND_FILE) == 1


CUTS = ["close_in", "close_before_answer", "cut_answer"]


@pytest.mark.parametrize("where", CUTS)
@pytest.mark.parametrize("code", [Request.RECONNECT, Request.SEND_FILE])
def test_a_connection_that_ends_once_is_made_again(make_pair, source, where, code):
    fake, kesher = make_pair(**{where: code}, hangups=1)
    plain = os.urandom(100_000)
    kesher.succeed("put", source("x", plain))
    assert fake.files == {"x": plain}


@pytest.mark.parametrize(
    "where, code", zip(CUTS, [Request.SEND_FILE, Request.RECONNECT, Request.CRC_OK]), ids=CUTS
)
def test_a_server_that_ends_every_connection_is_a_clear_failure(make_pair, source, where, code):
    fake, kesher = make_pair(**{where: code})
    result = kesher.fail("put", source("x", bytes(100_000)))
    assert "Fatal:" not in result.stderr and f"127.0.0.1:{fake.address[1]}" in result.stderr


def test_a_server_that_closes_instead_of_confirming_gets_the_file_twice_and_not_for_ever(make_pair, source):
    fake, kesher = make_pair(close_before_answer=Request.CRC_OK)
    assert "may have arrived" in kesher.fail("put", source("x", b"content")).stderr
    assert upload_codes(fake) == [SEND, OK] * 2


def test_a_last_word_that_is_not_answered_is_not_waited_for_long(make_pair, source):
    fake, kesher = make_pair(wrong_sums=4, silent_at=frozenset({Request.GIVE_UP}))
    assert "arrived changed" in kesher.fail("put", source("x", b"content")).stderr


def test_a_server_that_dies_in_the_middle_of_a_file_is_a_clear_failure(
    own_server, make_kesher, home, new_user, source
):
    with own_server.connect() as client:
        user = client.register_for_messages(new_user())
    write_identity(home, user)
    path = source("x", b"")
    os.truncate(path, 2 << 30)
    run = make_kesher(own_server).start("put", path, "--retry", "1")
    wait_for_staged_bytes(own_server, run)
    own_server.kill()
    result = outcome_of(run)
    assert result.status == 1 and result.stdout == "" and result.stderr.strip()


# -- an identity that the server does not accept any more


def test_a_crash_between_registration_and_key_is_healed_by_sending_the_key(
    make_fake, make_kesher, home, new_user, source
):
    fake, user = make_fake(), new_user()
    user.id = fake.add_account(user.name).id
    write_identity(home, user)
    before = (home / "me.info").read_bytes()
    make_kesher(fake).succeed("put", source("x", b"content"))
    assert fake.codes == [Request.RECONNECT] * 2 + [Request.PUBLIC_KEY, Request.SEND_FILE, Request.CRC_OK]
    assert fake.accounts[user.id].public_key == user.public_key
    assert (home / "me.info").read_bytes() == before


def test_a_forgotten_user_registers_anew_with_the_same_key_and_keeps_the_old_files(
    make_fake, make_kesher, home, new_user, source
):
    fake, user = make_fake(), new_user()
    user.id = bytes(range(16))
    write_identity(home, user)
    write_secret(home / "priv.key", base64_of(user.private_key) + "\n")
    write_server_info(home, fake.address)
    before = (home / "me.info").read_bytes()
    make_kesher(fake).succeed("put", source("x", b"content"))
    assert fake.codes[:3] == [Request.RECONNECT] * 2 + [Request.PUBLIC_KEY]  # the second has the id reversed
    now = read_identity(home)
    assert now.name == user.name and now.id in fake.accounts and now.private_key == user.private_key
    assert [(home / name).read_bytes() for name in identity_backups(home)] == [before]
    assert fake.files == {"x": b"content"}


def test_a_user_forgotten_by_the_real_server_registers_anew(
    make_server, make_kesher, home, source, fresh_name
):
    first, second = make_server(), make_server()
    make_kesher(first).succeed("register", fresh_name())
    before = read_identity(home)
    make_kesher(first).succeed("put", source("x", b"one"))
    write_server_info(home, second.address)  # for the home one server, which has lost its data
    make_kesher(second).succeed("put", source("x", b"two"))
    now = read_identity(home)
    assert (now.name, now.private_key) == (before.name, before.private_key) and now.id != before.id
    assert second.stored(now.id, "x") == b"two"
    assert len(identity_backups(home)) == 1
