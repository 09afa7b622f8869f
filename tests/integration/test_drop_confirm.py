"""What 1029, 1030 and 1031 mean: which staged file, of which connection, and the late answer to 1030."""

import os

import pytest
from peer import crypto
from peer.drop import Received, file_frame, named_frame, reconnect_frame, thanks
from peer.fixtures import run_module_server
from peer.frames import Answer, Request


# -- 1029, 1030, 1031: what they mean


def test_1029_with_nothing_staged_is_an_error(connection, user):
    connection.expect_nothing_staged(user, "never sent")


def test_1029_twice_is_an_error_and_the_verified_file_stays(server, connection, user):
    connection.put(user, "x", b"verified")
    connection.expect_nothing_staged(user, "x")
    assert server.stored(user.id, "x") == b"verified"


def test_1029_confirms_only_the_name_that_it_names(server, connection, user):
    connection.send_file(user, "one", b"1")
    connection.send_file(user, "two", b"2")
    connection.expect_nothing_staged(user, "three")
    connection.confirm(user, "two")
    assert [row[0] for row in server.file_rows(user.id) if row[2] == 1] == ["two"]
    connection.confirm(user, "one")
    assert (server.stored(user.id, "one"), server.stored(user.id, "two")) == (b"1", b"2")


def test_1029_confirms_only_the_file_of_its_own_user(server, connection, user, new_user):
    other = connection.register_for_messages(new_user())
    connection.reconnect(other)
    connection.send_file(user, "x", b"the first user's")
    connection.expect_nothing_staged(other, "x")
    connection.send_file(other, "x", b"the other user's")
    connection.confirm(user, "x")
    connection.confirm(other, "x")
    assert server.stored(user.id, "x") == b"the first user's"
    assert server.stored(other.id, "x") == b"the other user's"


def test_1028_again_without_1030_replaces_the_staged_file(server, connection, user):
    connection.send_file(user, "x", b"first")
    connection.send_file(user, "x", b"second")
    connection.confirm(user, "x")
    assert server.stored(user.id, "x") == b"second"


def test_of_two_pipelined_files_the_later_is_confirmed_though_the_padding_of_the_first_is_looked_into(
    server, connection, user
):
    """A content with a wrong padding is staged later: its key goes from the disk first."""
    wrong = crypto.aes_encrypt_unpadded(user.aes_key, bytes(2 * crypto.BLOCK))
    right = user.encrypt(b"second")
    frames = [file_frame(user.id, "x", content) for content in (wrong, right)]
    connection.send(b"".join(frames))
    for _ in frames:
        connection.expect(Answer.FILE_RECEIVED)
    connection.confirm(user, "x")
    assert server.stored(user.id, "x") == b"second"
    connection.expect_nothing_staged(user, "x")


def test_1029_on_another_connection_confirms_what_was_completed_anywhere(server, connection, user):
    connection.send_file(user, "x", b"content")
    with server.connect() as other:
        other.confirm(user, "x")
    assert server.stored(user.id, "x") == b"content"


def test_1029_on_another_connection_works_after_the_first_one_has_ended(server, connection, user):
    with server.connect() as sender:
        sender.send_file(user, "x", b"content")
    connection.confirm(user, "x")
    assert server.stored(user.id, "x") == b"content"


def test_1029_means_its_own_connections_file_before_a_later_one_of_another(server, connection, user):
    with server.connect() as other:
        connection.send_file(user, "x", b"own")
        other.send_file(user, "x", b"later, elsewhere")
        connection.confirm(user, "x")
        assert server.stored(user.id, "x") == b"own"
        other.confirm(user, "x")
        assert server.stored(user.id, "x") == b"later, elsewhere"


def test_1029_without_a_file_of_its_own_means_the_one_completed_last(server, connection, user):
    with server.connect() as first, server.connect() as second:
        second_upload = file_frame(user.id, "x", user.encrypt(b"completed last"))
        second.send(second_upload[:-1])
        first.send_file(user, "x", b"begun later, completed first")
        second.send(second_upload[-1:])
        second.expect(Answer.FILE_RECEIVED)
        connection.confirm(user, "x")
    assert server.stored(user.id, "x") == b"completed last"


def test_1029_in_the_middle_of_anothers_upload_means_the_completed_one(server, connection, user):
    with server.connect() as other:
        upload = file_frame(user.id, "x", user.encrypt(b"not complete yet"))
        connection.send_file(user, "x", b"complete")
        other.send(upload[:-1])
        connection.confirm(user, "x")
        assert server.stored(user.id, "x") == b"complete"
        other.send(upload[-1:])
        other.expect(Answer.FILE_RECEIVED)
        other.confirm(user, "x")
        assert server.stored(user.id, "x") == b"not complete yet"


def test_two_interleaved_uploads_of_one_name_are_both_whole(server, user):
    plain = [os.urandom(300_000), os.urandom(300_000)]
    uploads = [file_frame(user.id, "x", user.encrypt(text)) for text in plain]
    with server.connect() as first, server.connect() as second:
        for start in range(0, len(uploads[0]), 10_000):
            first.send(uploads[0][start : start + 10_000])
            second.send(uploads[1][start : start + 10_000])
        for client, text in zip((first, second), plain):
            assert Received.parse(client.expect(Answer.FILE_RECEIVED).payload).cksum == crypto.cksum(text)
        for client, text in zip((first, second), plain):
            client.confirm(user, "x")
            assert server.stored(user.id, "x") == text


def test_1031_discards_the_staged_file(connection, user):
    connection.send_file(user, "x", b"content")
    connection.give_up(user, "x")
    connection.expect_nothing_staged(user, "x")


def test_1031_with_nothing_staged_is_thanked(connection, user):
    connection.give_up(user, "never sent")


def test_1031_leaves_the_verified_file_alone(server, connection, user):
    connection.put(user, "x", b"verified")
    connection.send_file(user, "x", b"given up")
    connection.give_up(user, "x")
    assert server.stored(user.id, "x") == b"verified"


def test_1031_straight_after_1030_is_thanked_once(connection, user):
    connection.send_file(user, "x", b"content")
    connection.crc_wrong(user, "x")
    connection.give_up(user, "x")
    connection.finish_sending()
    assert connection.receive_until_end() == []


def test_1030_discards_the_staged_file(connection, user):
    connection.send_file(user, "x", b"content")
    connection.crc_wrong(user, "x")
    connection.expect_nothing_staged(user, "x")


def test_1030_leaves_the_verified_file_alone(server, connection, user):
    connection.put(user, "x", b"verified")
    connection.send_file(user, "x", b"wrong")
    connection.crc_wrong(user, "x")
    connection.send_file(user, "x", b"sent again")
    assert server.stored(user.id, "x") == b"verified"
    connection.confirm(user, "x")
    assert server.stored(user.id, "x") == b"sent again"


@pytest.mark.parametrize("code", [Request.CRC_WRONG, Request.GIVE_UP])
def test_1030_and_1031_discard_their_own_connections_file_before_anothers(server, connection, user, code):
    with server.connect() as other:
        connection.send_file(user, "x", b"own")
        other.send_file(user, "x", b"of the other connection")
        connection.send(named_frame(user.id, code, "x") + reconnect_frame(user))
        while connection.receive().code != Answer.KEY_AGAIN:
            pass
        other.confirm(user, "x")
    assert server.stored(user.id, "x") == b"of the other connection"


def test_three_times_1030_and_1028_and_then_1031(connection, user):
    connection.send_file(user, "x", b"content")
    for _ in range(3):
        connection.crc_wrong(user, "x")
        connection.send_file(user, "x", b"content")
    connection.give_up(user, "x")
    connection.expect_nothing_staged(user, "x")


# -- the deferred answer to 1030


@pytest.fixture(scope="module")
def patient_server(tmp_path_factory):
    """A server that would answer a 1030 only after hours, so that an answer has another reason."""
    yield from run_module_server(tmp_path_factory, crc_wrong_delay_ms=3_600_000)


@pytest.fixture(scope="module")
def quick_server(tmp_path_factory):
    """A server that answers a 1030 almost at once."""
    yield from run_module_server(tmp_path_factory, crc_wrong_delay_ms=200)


def test_1030_is_answered_when_nothing_more_arrives(quick_server, new_user):
    with quick_server.connect() as client:
        user = client.introduce(new_user())
        client.send_file(user, "x", b"content")
        client.crc_wrong(user, "x")
        assert client.receive() == thanks(user.id)
        client.put(user, "x", b"after the answer")
        assert client.is_silent_for(1)


def test_1030_with_nothing_staged_is_answered_too(quick_server, new_user):
    with quick_server.connect() as client:
        user = client.introduce(new_user())
        client.crc_wrong(user, "never sent")
        assert client.receive() == thanks(user.id)


def test_one_byte_cancels_the_answer_to_1030(quick_server, new_user):
    with quick_server.connect() as client:
        user = client.introduce(new_user())
        upload = file_frame(user.id, "x", user.encrypt(b"again"))
        client.send(named_frame(user.id, Request.CRC_WRONG, "x") + upload[:1])
        assert client.is_silent_for(1.5)
        client.send(upload[1:])
        assert client.receive().code == Answer.FILE_RECEIVED
        assert client.is_silent_for(1)


def test_a_1028_at_once_gets_only_its_own_answer(patient_server, new_user):
    with patient_server.connect() as client:
        user = client.introduce(new_user())
        client.crc_wrong(user, "x")
        client.put(user, "x", b"again")
        client.finish_sending()
        assert client.receive_until_end() == []


def test_a_second_1030_takes_the_place_of_the_first(patient_server, new_user):
    with patient_server.connect() as client:
        user = client.introduce(new_user())
        client.send(named_frame(user.id, Request.CRC_WRONG, "x") * 3)
        client.finish_sending()
        assert client.receive_until_end() == [thanks(user.id)]


def test_the_end_of_input_sends_the_answer_to_1030_at_once(patient_server, new_user):
    with patient_server.connect() as client:
        user = client.introduce(new_user())
        client.send_file(user, "x", b"content")
        client.crc_wrong(user, "x")
        client.finish_sending()
        assert client.receive_until_end() == [thanks(user.id)]


def test_a_cancelled_answer_is_not_sent_at_the_end_of_input(patient_server, new_user):
    with patient_server.connect() as client:
        user = client.introduce(new_user())
        client.send(named_frame(user.id, Request.CRC_WRONG, "x") + b"\0")
        client.finish_sending()
        assert client.receive_until_end() == []


def test_a_reset_while_the_answer_to_1030_is_due_leaves_others_served(patient_server, new_user):
    with patient_server.connect() as client:
        user = client.introduce(new_user())
        client.crc_wrong(user, "x")
        with patient_server.connect() as other:
            other.crc_wrong(user, "y")  # a name of its own: read late, a 1030 of x would discard what follows
            other.reset()
        client.put(user, "x", b"served all the same")


def test_the_default_delay_leaves_time_for_a_1028(connection, user):
    connection.crc_wrong(user, "x")
    connection.put(user, "x", b"again")
    connection.crc_wrong(user, "x")
    assert connection.receive() == thanks(user.id)
