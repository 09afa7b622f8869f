"""`kesher transfer`: the batch mode of the classic client, all from transfer.info."""

import os

import pytest
from peer.frames import Request
from peer.kesher import identity_backups, read_identity, write_identity, write_server_info, write_transfer_info
from peer.server import AnswerToCrcWrong

ERROR_LINE = "server responded with an error"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.bin"
    path.write_bytes(os.urandom(10_000))
    return path


def test_a_first_transfer_registers_and_sends_the_file(server, make_kesher, home, source, fresh_name):
    name = fresh_name()
    write_transfer_info(home, server.address, name, source)
    make_kesher().succeed("transfer")
    user = read_identity(home)
    assert user.name == name
    ((_, path, verified),) = server.file_rows(user.id)
    assert (path, verified) == (server.path_of(user.id, "source.bin"), 1)
    assert (server.data / path).read_bytes() == source.read_bytes()


def test_a_second_transfer_reconnects_with_the_same_identity(make_fake, make_kesher, home, source):
    fake = make_fake()
    write_transfer_info(home, fake.address, "Anna", source)
    make_kesher().succeed("transfer")
    identity = (home / "me.info").read_bytes()
    assert fake.codes == [Request.REGISTER, Request.PUBLIC_KEY, Request.SEND_FILE, Request.CRC_OK]
    make_kesher().succeed("transfer")
    assert fake.codes[4:] == [Request.RECONNECT, Request.SEND_FILE, Request.CRC_OK]
    assert (home / "me.info").read_bytes() == identity
    assert list(fake.files.values()) == [source.read_bytes()]


def test_the_name_of_me_info_is_used_where_there_is_one(make_fake, make_kesher, home, source, new_user):
    fake, user = make_fake(), new_user()
    user.id = fake.add_account(user.name, user.public_key).id
    write_identity(home, user)
    write_transfer_info(home, fake.address, "somebody else", source)
    make_kesher().succeed("transfer")
    assert fake.codes == [Request.RECONNECT, Request.SEND_FILE, Request.CRC_OK]
    assert fake.requests[0].name == user.name


TRANSFER_FORMS = {
    "CRLF": "{address}\r\n{name}\r\n{path}\r\n",
    "no newline at the end": "{address}\n{name}\n{path}",
    "blank lines": "\n{address}\n\n{name}\n\n{path}\n\n",
    "trailing blanks": "{address} \n{name}\n{path}\n",
}


@pytest.mark.parametrize("form", TRANSFER_FORMS)
def test_a_transfer_info_in_this_form_is_understood(make_fake, make_kesher, home, source, form):
    fake = make_fake()
    home.mkdir()
    text = TRANSFER_FORMS[form].format(address=f"127.0.0.1:{fake.address[1]}", name="Anna", path=source)
    (home / "transfer.info").write_bytes(text.encode())
    make_kesher().succeed("transfer")
    assert fake.requests[0].name == "Anna"
    assert list(fake.files.values()) == [source.read_bytes()]


def test_a_relative_path_is_found_in_the_working_directory_that_is_the_home(make_fake, make_kesher, home):
    fake = make_fake()
    write_transfer_info(home, fake.address, "Anna", "here.txt")
    (home / "here.txt").write_bytes(b"content")
    make_kesher().succeed("transfer", cwd=home)
    assert fake.files == {"here.txt": b"content"}


def test_server_info_goes_before_the_address_of_transfer_info_and_that_is_said(
    make_fake, make_kesher, home, source
):
    wanted, other = make_fake(), make_fake()
    write_transfer_info(home, other.address, "Anna", source)
    write_server_info(home, wanted.address)
    assert f"127.0.0.1:{other.address[1]}" in make_kesher().succeed("transfer").stderr
    assert (len(wanted.files), other.requests) == (1, [])


def test_two_spellings_of_one_address_are_no_difference(make_fake, make_kesher, home, source):
    fake = make_fake()
    write_transfer_info(home, ("LOCALHOST.", fake.address[1]), "Anna", source)
    write_server_info(home, ("localhost", fake.address[1]))
    assert "server.info" not in make_kesher().succeed("transfer").stderr
    assert len(fake.files) == 1


def test_the_option_goes_before_the_address_of_transfer_info(make_fake, make_kesher, home, source):
    wanted, other = make_fake(), make_fake()
    write_transfer_info(home, other.address, "Anna", source)
    make_kesher(wanted).succeed("transfer")
    assert (len(wanted.files), other.requests) == (1, [])


DAMAGED = {
    "empty": b"",
    "one line": b"127.0.0.1:1\n",
    "two lines": b"127.0.0.1:1\nAnna\n",
    "no port": b"127.0.0.1:\nAnna\n/etc/hostname\n",
    "no address": b"Anna\n/etc/hostname\n",
    "a name that is none": b"127.0.0.1:1\n\x01\n/etc/hostname\n",
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_transfer_info_is_one_clear_line(make_kesher, home, kind):
    home.mkdir()
    (home / "transfer.info").write_bytes(DAMAGED[kind])
    result = make_kesher().fail("transfer")
    assert len(result.stderr.splitlines()) == 1
    assert not (home / "me.info").exists()


def test_a_missing_transfer_info_is_one_clear_line(make_kesher, home):
    home.mkdir()
    result = make_kesher().fail("transfer")
    assert len(result.stderr.splitlines()) == 1 and "transfer.info" in result.stderr


def test_a_missing_file_fails_and_is_named(make_fake, make_kesher, home, tmp_path):
    fake = make_fake()
    write_transfer_info(home, fake.address, "Anna", tmp_path / "missing")
    assert str(tmp_path / "missing") in make_kesher().fail("transfer").stderr
    assert Request.SEND_FILE not in fake.codes


def test_a_taken_name_is_fatal_after_three_repeats(make_fake, make_kesher, home, source):
    fake = make_fake()
    fake.add_account("Anna")
    write_transfer_info(home, fake.address, "Anna", source)
    result = make_kesher().fail("transfer")
    assert fake.codes == [Request.REGISTER] * 4
    assert ERROR_LINE in result.text and "Fatal:" in result.text
    assert not (home / "me.info").exists()


@pytest.mark.parametrize("code", [Request.REGISTER, Request.PUBLIC_KEY, Request.SEND_FILE, Request.CRC_OK])
def test_three_errors_at_any_step_are_answered_by_sending_again(make_fake, make_kesher, home, source, code):
    fake = make_fake(errors={code: 3})
    write_transfer_info(home, fake.address, "Anna", source)
    assert make_kesher().succeed("transfer").text.count(ERROR_LINE) == 3
    assert fake.codes.count(code) == 4
    assert list(fake.files.values()) == [source.read_bytes()]


@pytest.mark.parametrize("code", [Request.PUBLIC_KEY, Request.SEND_FILE, Request.CRC_OK])
def test_the_fourth_error_at_any_step_is_fatal_and_the_next_transfer_goes_on(
    make_fake, make_kesher, home, source, code
):
    fake = make_fake(errors={code: 4})
    write_transfer_info(home, fake.address, "Anna", source)
    result = make_kesher().run("transfer")
    assert result.status == 1 and "Fatal:" in result.stderr
    assert fake.codes.count(code) == 4
    make_kesher().succeed("transfer")
    assert list(fake.files.values()) == [source.read_bytes()]
    assert len(fake.accounts) == 1 and identity_backups(home) == []


@pytest.mark.parametrize("answer", AnswerToCrcWrong)
def test_three_wrong_sums_are_survived_and_the_fourth_is_fatal(make_fake, make_kesher, home, source, answer):
    for times, last in ((3, Request.CRC_OK), (4, Request.GIVE_UP)):
        fake = make_fake(wrong_sums=times, answer_to_crc_wrong=answer)
        write_transfer_info(home / str(times), fake.address, "Anna", source)
        kesher = make_kesher(None, home / str(times))
        result = kesher.run("transfer")
        assert (result.status == 1) == ("Fatal:" in result.stderr) == (times == 4)
        sent = fake.codes[fake.codes.index(Request.SEND_FILE) :]
        assert sent == [Request.SEND_FILE, Request.CRC_WRONG] * 3 + [Request.SEND_FILE, last]
        assert len(fake.files) == (times == 3)


def test_ten_transfers_in_a_row_replace_the_file_ten_times(server, make_kesher, home, source, fresh_name):
    """None of them needs a second try."""
    write_transfer_info(home, server.address, fresh_name(), source)
    for number in range(10):
        source.write_bytes(os.urandom(1000 * number))
        assert ERROR_LINE not in make_kesher().succeed("transfer").text
    user = read_identity(home)
    ((_, path, _),) = server.file_rows(user.id)
    assert (server.data / path).read_bytes() == source.read_bytes()


# -- what it says of the registration


def test_the_first_transfer_says_that_it_registered_and_the_second_does_not(make_fake, make_kesher, home, source):
    fake = make_fake()
    write_transfer_info(home, fake.address, "Anna", source)
    first, second = make_kesher().succeed("transfer"), make_kesher().succeed("transfer")
    assert first.stdout.splitlines()[0] == f"registered Anna at 127.0.0.1:{fake.address[1]}"
    assert len(first.stdout.splitlines()) == 2 and "registered" not in second.text


def test_a_registration_is_an_object_of_its_own(make_fake, make_kesher, home, source):
    fake = make_fake()
    write_transfer_info(home, fake.address, "Anna", source)
    registration, file = make_kesher().succeed("transfer", "--json").objects()
    assert registration == {"registered": "Anna", "server": f"127.0.0.1:{fake.address[1]}"}
    assert file["result"] == "confirmed"


def test_a_registration_is_told_when_the_file_then_fails(make_fake, make_kesher, home, source):
    fake = make_fake(refused_files={"source.bin"})
    write_transfer_info(home, fake.address, "Anna", source)
    result = make_kesher().run("transfer")
    assert result.status == 1 and result.stdout.startswith("registered Anna at ")


def test_a_quiet_transfer_does_not_tell_of_its_registration(make_fake, make_kesher, home, source):
    fake = make_fake()
    write_transfer_info(home, fake.address, "Anna", source)
    assert make_kesher().succeed("transfer", "--quiet").text == ""
