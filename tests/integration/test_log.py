"""What the log tells an operator of users' requests: who, for whom, from where, at which setting; and what it hides.

The lines themselves are those of docs/operations.md.
"""

import re

from peer.ask import greeted
from peer.chat import LineClient, said
from peer.conversation import UNKNOWN_CODE, two_users
from peer.drop import file_frame
from peer.frames import DROP_ERROR, MESSAGES_ERROR, NO_ID, Answer, Request, request, text_field
from peer.messages import Type, message_frame
from peer.metrics import HttpClient
from peer.operators import ControlClient

KIB = 1024


def lines_with(server, text: str) -> list[str]:
    return [line for line in server.log().splitlines() if text in line]


def the_line_with(server, text: str) -> str:
    (line,) = lines_with(server, text)
    return line


def test_a_file_over_a_users_limit_is_told_with_user_address_and_the_kept_name(make_server, new_user):
    server = make_server(user_files=1, log_level="info")
    with server.connect() as client:
        user = client.introduce(new_user())
        client.put(user, "first", b"content")
        client.send(file_frame(user.id, "/home/alice/private/second", user.encrypt(b"content")))
        assert client.receive() == DROP_ERROR
    line = the_line_with(server, "(user-files)")
    assert re.search(rf' warning 127\.0\.0\.1:\d+: "{user.name}": cannot take "second": ', line)
    assert "private" not in server.log()


def test_a_mismatch_and_giving_up_have_lines_of_their_own(make_server, new_user):
    server = make_server(crc_wrong_delay_ms=1, log_level="info")
    with server.connect() as client:
        user = client.introduce(new_user())
        for code in (Request.CRC_WRONG, Request.GIVE_UP):
            client.send_file(user, "up/report", b"content")
            client.ask(user.id, code, text_field("up/report"))
    who = rf'127\.0\.0\.1:\d+: "{user.name}": "report"'
    assert re.search(rf" info    {who} has another cksum at the client", the_line_with(server, "(1030)"))
    assert re.search(rf" warning {who} is given up", the_line_with(server, "(1031)"))
    assert "up/report" not in server.log()


def test_a_message_that_is_too_large_is_told_with_its_receiver(make_server, new_user):
    server = make_server(message_limit=KIB, log_level="info")
    with server.connect() as client:
        sender, receiver, target = two_users(client, new_user)
        client.send(message_frame(sender.id, target, Type.TEXT, bytes(KIB + 1)))
        client.expect(Answer.MESSAGES_ERROR)
    line = the_line_with(server, "(message-limit)")
    assert re.search(rf'127\.0\.0\.1:\d+: "{sender.name}" to "{receiver.name}": cannot take a message: ', line)


def test_whoever_makes_room_is_told(make_server):
    server = make_server(connections=1, log_level="info")
    with server.connect() as stranger:
        assert stranger.ask(NO_ID, UNKNOWN_CODE) == MESSAGES_ERROR
        with server.connect() as newcomer:
            assert stranger.has_ended()
            assert newcomer.ask(NO_ID, UNKNOWN_CODE) == MESSAGES_ERROR
    line = the_line_with(server, "(connections)")
    assert re.search(r" info    127\.0\.0\.1:\d+: closed: it makes room for others, as a stranger ", line)


def test_half_a_header_is_told_with_the_setting_that_ended_it(make_server):
    server = make_server(header_timeout=1, log_level="info")
    with server.connect() as client:
        client.send(request(NO_ID, UNKNOWN_CODE)[:5])
        assert client.has_ended()
    assert re.search(r" info    127\.0\.0\.1:\d+: closed: .*header", the_line_with(server, "(header-timeout)"))


def test_at_debug_every_request_and_answer_and_every_state_is_told(make_server, new_user):
    server = make_server(log_level="debug")
    with server.connect() as client:
        user = client.introduce(new_user())
        client.put(user, "file", bytes(KIB))
    log = server.log()
    who = rf' debug   127\.0\.0\.1:\d+: "{user.name}"'
    for code, answer in ((1026, 2102), (1028, 2103), (1029, 2104)):
        assert re.search(rf"{who}: request {code} \([a-z ]+\), payload of \d+ bytes\n", log)
        assert re.search(rf"{who}: answer {answer} to request {code}\n", log)
    assert re.search(r" debug   127\.0\.0\.1:\d+: request 1025 \(a registration\), payload of 255 bytes\n", log)
    for step in ("session: head -> payload", "upload: coming -> handed over", "stage: growing -> complete"):
        assert f": {step}\n" in log
    server.stop()
    assert ": connection: open -> " in server.log()


def test_at_debug_ask_and_chat_are_told_but_neither_passwords_nor_words(make_talker, open_chat):
    server = make_talker(log_level="debug")
    host, guest = open_chat(LineClient, server), open_chat(LineClient, server)
    group = host.create("host", "a hidden password")
    guest.join("guest", group, "a hidden password")
    guest.write("hidden words")
    host.expect(said("guest", "hidden words"))
    with greeted(server.ask_address) as client:
        client.ask("TIME")
    log, who = server.log(), r" debug   127[\d.]+:\d+"
    for told in ("chat: menu -> name to create", f"chat: says 20 bytes in group {group}", "ask: TIME"):
        assert re.search(rf"{who}: {told}\n", log)
    assert "hidden" not in log


def test_at_debug_operators_and_monitors_are_told(make_server):
    server = make_server(log_level="debug", metrics="127.0.0.1:0")
    with ControlClient(server.data) as control, HttpClient(server.metrics_address) as monitor:
        control.send("1 user nobody at all\n")
        control.receive_answer()
        monitor.scrape()
    assert ' debug   this machine: an operator asks "1 user nobody at all"\n' in server.log()
    assert re.search(r' debug   127\.0\.0\.1:\d+: metrics: asks for "/metrics"\n', server.log())


def test_whoever_is_refused_in_the_chat_is_told_with_the_name_and_the_setting(make_talker, open_chat):
    server = make_talker(groups=1, group_members=1, wrong_passwords=1, log_level="info")
    host = open_chat(LineClient, server)
    group = host.create("host", "right")
    for name, answers in (
        ("founder", ["2", "founder", "right"]),
        ("member", ["1", "member", str(group), "right"]),
        ("guesser", ["1", "guesser", str(group), "wrong"]),
    ):
        guest = open_chat(LineClient, server)
        for answer in answers:
            guest.write(answer)
        assert ends(guest), name
    log, who = server.log(), r" warning 127[\d.]+:\d+: chat"
    assert re.search(rf'{who}: "founder" cannot create a group: .* \(groups\)\n', log)
    assert re.search(rf'{who}: "member" cannot join group {group}: .* \(group-members\)\n', log)
    assert re.search(rf'{who}: "guesser" is disconnected: too many wrong passwords \(wrong-passwords\)\n', log)


def ends(connection) -> bool:
    """Reads to the end."""
    while connection.socket.recv(4096):
        pass
    return True


def test_neither_ids_nor_contents_nor_what_is_cut_off_a_name_are_told_at_any_level(make_server, new_user):
    server = make_server(log_level="debug")
    with server.connect() as client:
        sender, receiver, target = two_users(client, new_user)
        client.send_public_key(sender)
        client.put(sender, "/secret/place/file", b"secret content of a file")
        client.send_message(sender, target, b"secret content of a message")
        client.pull(receiver)
    log = server.log()
    assert 'kept "file"' in log
    for secret in (sender.id, receiver.id, target):
        assert secret.hex() not in log.lower() and secret.hex()[:8] not in log.lower()
    assert "secret" not in log and "place" not in log
