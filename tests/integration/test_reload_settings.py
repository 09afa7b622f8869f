"""Every setting that a SIGHUP reads again counts on the next occasion, and nobody is disconnected for it.

Each test sees what the setting does before and after. Those of what users may store are in test_quota.py.
"""

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest
from peer.ask import greeted
from peer.chat import (
    CREATE,
    ENTER_NAME,
    ENTER_NEW_PASSWORD,
    ENTER_PASSWORD,
    MENU,
    NO_PASSWORD,
    Ear,
    LineClient,
    Listening,
    joined,
    talk,
    talked_about,
)
from peer.conversation import assert_served, send_all, send_while_receiving, taken, two_users, wait_until
from peer.drop import User, file_frame
from peer.frames import NO_ID, Answer, ConnectionEnded, MessageAnswer, Request, text_field
from peer.kesherd import Kesherd, program
from peer.messages import MessagesClient, Type, list_users_frame, message_frame

FLOOD = 1000
SMALL_BUFFER = 4096
TEXTS = 1600
IN_TEST_QUOTA = {"waiting-messages", "waiting-bytes", "user-files", "user-bytes", "free-space"}
IN_TESTS_OF_THE_SECURE_PORT = {  # test_reload_secure.py, test_secure_keys.py, _register.py, _proxy.py
    "certificate",
    "private-key",
    "proxy-networks",
    "registration",
    "sign-in-timeout",
    "users",
}


class Scene:
    """A server, somebody who stays connected over the reload, and whoever comes to see what a setting does."""

    def __init__(self, server: Kesherd, new_user, open_chat, fresh_source):
        self.server = server
        self.new_user = new_user
        self.open_chat = lambda **options: open_chat(LineClient, server, **options)
        self.fresh_source = fresh_source
        self.client = server.connect()
        self.user = self.client.introduce(new_user())

    def stay(self) -> None:
        """From here on somebody is connected for `assert_stayed`, as soon as those that left have gone."""
        self.client.close()
        wait_until(self._is_back, "room for another connection")

    def _is_back(self) -> bool:
        self.client = self.server.connect()
        return is_served(self.client, self.user)

    def assert_stayed(self) -> None:
        assert_served(self.client, self.user)

    def connect(self, **options) -> MessagesClient:
        return self.server.connect(**options)


@pytest.fixture
def make_scene(make_talker, new_user, open_chat, fresh_source):
    return lambda **options: Scene(make_talker(**options), new_user, open_chat, fresh_source)


def count_accepted(accepted: Iterable[bool]) -> int:
    """How many of the first are accepted; all after them must be refused."""
    answers = list(accepted)
    assert answers == sorted(answers, reverse=True)
    return sum(answers)


# -- what each setting does


def stat_tells_users(scene: Scene) -> bool:
    with greeted(scene.server.ask_address) as client:
        return "users" in client.ask("STAT")


def refusals_are_logged(scene: Scene) -> bool:
    start = len(scene.server.log())
    assert_served(scene.client, scene.user)
    return "refused" in scene.server.log()[start:]


def a_flood_is_logged_whole(scene: Scene) -> bool:
    """At debug every request has a line."""
    start = len(scene.server.log())
    sender = send_while_receiving(scene.client, taken(scene.user) * FLOOD)
    for _ in range(FLOOD):
        scene.client.expect(Answer.REGISTER_REFUSED)
    sender.join()
    return scene.server.log()[start:].count(": request 1025 ") == FLOOD


def five_connections_stay(scene: Scene) -> bool:
    """Each comes when the one before has been served."""
    clients = []
    for _ in range(5):
        clients.append(scene.connect())
        assert_served(clients[-1], scene.user)
    staying = [client for client in clients if client.is_silent_for(0.2)]
    for client in clients:
        client.close()
    return len(staying) == len(clients)


@contextmanager
def connected(scene: Scene, count: int, **options) -> Iterator[list[MessagesClient]]:
    clients = [scene.connect(**options) for _ in range(count)]
    yield clients
    for client in clients:
        client.close()


def connections_of_an_address(scene: Scene) -> int:
    with connected(scene, 5, source=scene.fresh_source()) as clients:
        return count_accepted(is_served(client, scene.user) for client in clients)


def is_served(client: MessagesClient, user: User) -> bool:
    try:
        assert_served(client, user)
        return True
    except (ConnectionEnded, ConnectionError):
        return False


def registrations_of_an_address(scene: Scene) -> int:
    with scene.connect(source=scene.fresh_source()) as client:
        answers = [client.ask(NO_ID, Request.REGISTER, text_field(scene.new_user().name)) for _ in range(5)]
    return count_accepted(answer.code == Answer.REGISTERED for answer in answers)


def keys_of_an_address(scene: Scene) -> int:
    name = text_field(scene.user.name)
    with scene.connect(source=scene.fresh_source()) as client:
        answers = [client.ask(scene.user.id, Request.RECONNECT, name) for _ in range(5)]
    return count_accepted(answer.code == Answer.KEY_AGAIN for answer in answers)


def ends(client: MessagesClient) -> bool:
    """Waits for the end."""
    with client:
        return client.has_ended()


def half_a_header_ends(scene: Scene) -> bool:
    client = scene.connect()
    client.send(taken(scene.user)[:10])
    return ends(client)


def half_a_payload_ends(scene: Scene) -> bool:
    client = scene.connect()
    client.send(file_frame(scene.user.id, "half", bytes(160))[:-1])
    return ends(client)


def a_silent_guest_is_sent_away(scene: Scene) -> bool:
    guest = scene.open_chat()
    guest.expect(MENU)
    guest.answer(CREATE, ENTER_NAME)
    return guest.receive_rest() == b""


def a_crc_wrong_is_answered(scene: Scene) -> bool:
    with scene.connect() as client:
        client.crc_wrong(scene.user, "nothing")
        return client.receive().code == Answer.THANKS


def takes_a_message_of_500_bytes(scene: Scene) -> bool:
    frame = message_frame(scene.user.id, scene.user.id, Type.TEXT, bytes(500))
    scene.client.send(frame)
    return scene.client.receive().code == 2103


def messages_of_one_pull(scene: Scene) -> int:
    with scene.connect() as client:
        sender, receiver, alias = two_users(client, scene.new_user)
        send_all(client, sender, alias, [bytes(1000)] * 5)
        return len(client.pull(receiver))


def uploads_that_wait(scene: Scene) -> int:
    """Of files of a new user."""
    with scene.connect() as client:
        user = client.introduce(scene.new_user())
        answers = []
        for name in "abcde":
            client.send(file_frame(user.id, name, user.encrypt(b"content")))
            answers.append(client.receive())
        count = count_accepted(answer.code == Answer.FILE_RECEIVED for answer in answers)
        for name in "abcde"[:count]:
            client.confirm(user, name)
    return count


def uploads_that_stay(scene: Scene) -> int:
    """Of files of a new user, of which the newest push out the oldest."""
    with scene.connect() as client:
        user = client.introduce(scene.new_user())
        for name in "abcde":
            client.send_file(user, name, b"content")
        answers = [client.ask(user.id, Request.CRC_OK, text_field(name)) for name in "abcde"]
        return sum(answer.code == Answer.THANKS for answer in answers)


def a_list_is_slowed(scene: Scene) -> bool:
    """Of so many that they make more than a mebibyte."""
    start = len(scene.server.log())
    with scene.connect() as client:
        user = client.register(scene.new_user())
        for _ in range(200):
            client.send(list_users_frame(user.id) * 20)
            for _ in range(20):
                assert client.receive().code == MessageAnswer.USERS
    return "a list is slowed" in scene.server.log()[start:]


def groups_that_are_created(scene: Scene) -> int:
    """At a time; they are gone afterwards."""
    hosts = [scene.open_chat() for _ in range(3)]
    created = []
    for host in hosts:
        host.expect(MENU)
        host.answer(CREATE, ENTER_NAME)
        host.answer("host", ENTER_NEW_PASSWORD)
        host.write("12345")
        created.append(host.receive_exactly(6) == b"The id")
    for host in hosts:
        host.send_as_far_as_taken(b"Exit\n")
        host.receive_rest()
    return count_accepted(created)


def members_of_a_group(scene: Scene) -> int:
    host = scene.open_chat()
    group = host.create("host")
    welcome = joined(group).encode()
    guests = [scene.open_chat() for _ in range(3)]
    for guest in guests:
        guest.come_to_password("guest", group)
        guest.write("12345")
    return 1 + sum(guest.receive_exactly(len(welcome)) == welcome for guest in guests)


def guesses_before_the_last(scene: Scene) -> int:
    """Those that are answered with another prompt."""
    host, guesser = scene.open_chat(), scene.open_chat(source=scene.fresh_source())
    guesser.come_to_password("guesser", host.create("host"))
    prompted_again = guesser.due(NO_PASSWORD) + guesser.due(ENTER_PASSWORD)
    for count in range(10):
        guesser.write("wrong")
        try:
            assert guesser.receive_exactly(len(prompted_again)) == prompted_again
        except ConnectionEnded:
            return count
    raise AssertionError("guessed without an end")


def who_does_not_read_is_cut_off(scene: Scene) -> bool:
    """While six MiB are said, of which the system itself takes some for who does not read."""
    host, listener = scene.open_chat(), Ear(scene.open_chat())
    deaf = Ear(scene.open_chat(receive_buffer=SMALL_BUFFER))
    group = host.create("host")
    listener.client.join("listener", group)
    deaf.client.join("deaf", group)
    with Listening([listener]):
        talk(host, listener, lambda count: count == TEXTS)
    while not deaf.ended and not deaf.last_is(talked_about(TEXTS - 1)):
        deaf.take()
    return deaf.ended


SETTINGS = [
    ("stat", "plain", "full", stat_tells_users, False, True),
    ("log-level", "notice", "info", refusals_are_logged, False, True),
    ("log-rate", 2, 0, a_flood_is_logged_whole, False, True),
    ("connections", 2, 100, five_connections_stay, False, True),
    ("connections-per-address", 2, 4, connections_of_an_address, 2, 4),
    ("registrations-per-hour", 1, 3, registrations_of_an_address, 1, 3),
    ("keys-per-hour", 2, 4, keys_of_an_address, 2, 4),
    ("header-timeout", 86400, 1, half_a_header_ends, None, True),
    ("payload-timeout", 86400, 1, half_a_payload_ends, None, True),
    ("prompt-timeout", 86400, 1, a_silent_guest_is_sent_away, None, True),
    ("crc-wrong-delay-ms", 86_400_000, 1, a_crc_wrong_is_answered, None, True),
    ("message-limit", 499, 500, takes_a_message_of_500_bytes, False, True),
    ("pull-limit", 1500, 2500, messages_of_one_pull, 1, 2),
    ("uploads-per-user", 1, 3, uploads_that_wait, 1, 3),
    ("uploads", 1, 3, uploads_that_stay, 1, 3),
    ("list-budget", 1, 0, a_list_is_slowed, True, False),
    ("groups", 1, 2, groups_that_are_created, 1, 2),
    ("group-members", 1, 3, members_of_a_group, 1, 3),
    ("wrong-passwords", 1, 3, guesses_before_the_last, 0, 2),
    ("member-queue", 64, 65536, who_does_not_read_is_cut_off, True, False),
    ("chat-queues", 1, 64, who_does_not_read_is_cut_off, True, False),
]

BY_ADDRESS = {"connections-per-address", "registrations-per-hour", "keys-per-hour"}


@pytest.mark.parametrize(
    "name, before, after, observe, seen_before, seen_after", SETTINGS, ids=[row[0] for row in SETTINGS]
)
def test_a_setting_counts_on_the_next_occasion(
    make_scene, name, before, after, observe, seen_before, seen_after
):
    others = {"unlimited-networks": "none"} if name in BY_ADDRESS else {}
    others |= {"member-queue": 65536} if name == "chat-queues" else {}
    log_level = {"log-level": None, "log-rate": "debug"}.get(name, "info")
    scene = make_scene(log_level=log_level, **others, **{name: before})
    if seen_before is not None:  # else it would be a day until there is something to see
        assert observe(scene) == seen_before
    scene.stay()
    scene.server.reload(**others, **{name: after})
    assert observe(scene) == seen_after
    scene.assert_stayed()


def test_networks_without_limits_are_read_again(make_scene):
    scene = make_scene(connections_per_address=2, unlimited_networks="none")
    assert connections_of_an_address(scene) == 2
    scene.stay()
    for networks, count in (("127.0.0.0/8", 5), ("10.0.0.0/8 ::1", 2), ("127.1.0.0/16", 5)):
        scene.server.reload(connections_per_address=2, unlimited_networks=networks)
        assert connections_of_an_address(scene) == count
    scene.assert_stayed()


@pytest.mark.slow
def test_the_least_rate_of_payloads_counts_for_one_that_is_on_its_way(make_scene):
    scene = make_scene(payload_rate=0)
    scene.stay()
    frame = file_frame(scene.user.id, "slow", bytes(10_000))
    with scene.connect() as slow:
        slow.send(frame[:1000])
        scene.server.reload(payload_rate=1000)
        for index in range(1000, 1500):
            if not slow.is_silent_for(0.2):
                break
            slow.send_as_far_as_taken(frame[index : index + 1])
        assert slow.has_ended()
    scene.assert_stayed()


def test_every_setting_that_is_read_again_has_a_test():
    describe = program("KESHERD", "kesherd").with_name("kesherd-describe")
    if not describe.exists():
        pytest.skip("kesherd-describe is not built")
    rows = [line.split("\t") for line in subprocess.check_output([describe], text=True).splitlines()]
    read_again = {row[1] for row in rows if row[0] == "reloads"}
    tested = {row[0] for row in SETTINGS} | {"unlimited-networks", "payload-rate", "list-rate"}
    tested |= IN_TEST_QUOTA | IN_TESTS_OF_THE_SECURE_PORT
    assert tested == read_again


# -- connections that are there when a limit becomes lower


def test_connections_stay_where_the_limit_becomes_lower_than_they_are_many(make_scene):
    scene = make_scene(connections=100)
    scene.stay()
    with connected(scene, 10) as clients:
        for client in clients:
            assert_served(client, scene.user)
        scene.server.reload(connections=3, connections_per_address=1, unlimited_networks="none")
        for client in clients:
            assert_served(client, scene.user)
        scene.assert_stayed()


def test_members_and_groups_stay_where_the_limit_becomes_lower_than_they_are_many(make_scene):
    scene = make_scene()
    hosts = [scene.open_chat() for _ in range(3)]
    guests = [scene.open_chat() for _ in range(3)]
    for host, guest in zip(hosts, guests):
        guest.join("guest", host.create("host"))
    scene.server.reload(groups=1, group_members=1)
    for host, guest in zip(hosts, guests):
        guest.write("still here")
        host.expect("guest: still here")
    assert groups_that_are_created(scene) == 0
