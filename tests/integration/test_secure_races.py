"""Things that happen at the same instant on the secure port, and clients that do not read what they asked for."""

import threading

import pytest
from peer.accounts import Account, Answer, Entry, Reason, Request
from peer.conversation import register_many, two_users
from peer.drop import register_frame
from peer.frames import Answer as Classic
from peer.frames import ConnectionEnded
from peer.kesherd import Kesherd
from peer.links import base64url, parse_link
from peer.memory import MemoryWatch, hold_back_little_freed_memory
from peer.operators import Operator
from peer.secure import PROBE, Refused, frame
from peer.tls import TlsFailed

MIB = 1 << 20
ROUNDS = 15
NOT_TAKEN_SECONDS = 3
LOST = (Refused, ConnectionEnded, TlsFailed, OSError)


def at_once(*steps) -> list:
    """Each in a thread, all released at the same instant; what each came to, which may be a refusal or an end."""
    barrier, outcomes = threading.Barrier(len(steps)), [None] * len(steps)

    def run(index: int) -> None:
        barrier.wait()
        try:
            outcomes[index] = steps[index]()
        except Exception as problem:
            outcomes[index] = problem

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(steps))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for outcome in outcomes:
        if isinstance(outcome, Exception) and not isinstance(outcome, LOST):
            raise outcome
    return outcomes


def assert_gone(client, account: Account) -> None:
    """Whatever it was answered before, from now on it is nobody."""
    try:
        assert client.is_served(), "it has not signed in"
    except (ConnectionEnded, TlsFailed, OSError):
        pass  # it has been cut


def test_who_signs_in_while_the_account_is_removed_is_cut_or_refused(secure, new_account, open_secure):
    for _ in range(ROUNDS):
        client, account = new_account()
        late = [open_secure() for _ in range(3)]
        again = [Account(account.secret) for _ in late]
        at_once(
            lambda client=client, account=account: client.remove(account),
            *(lambda one=one, key=key: one.sign_in(key) for one, key in zip(late, again)),
        )
        for one in late:
            assert_gone(one, account)
        last = open_secure()
        assert last.refusal(Request.SIGN_IN, last.sign_in_payload(account)) == Reason.UNKNOWN_ACCOUNT


def test_who_signs_in_while_the_name_goes_to_another_key_is_cut_or_refused(make_secure, new_account, open_secure):
    server = make_secure()
    for _ in range(ROUNDS // 3):
        _, account = new_account(server)
        made = Operator(server.data).run("invite", "--for", account.name)
        code = base64url(parse_link(made.out.strip()).code)
        heir, old = open_secure(server), open_secure(server)
        outcomes = at_once(
            lambda heir=heir, account=account, code=code: heir.register(Account(), account.name, code),
            lambda old=old, account=account: old.sign_in(Account(account.secret)),
        )
        assert isinstance(outcomes[0], Account)
        assert_gone(old, account)
        assert heir.account()[Entry.NAME] == account.name.encode()


def test_messages_that_come_while_somebody_is_adopted_wait_for_them(make_secure, new_user, open_secure):
    server = make_secure()
    for _ in range(3):
        with server.connect() as classic:
            sender, receiver, alias = two_users(classic, new_user)
            client = open_secure(server)
            sent, _ = at_once(
                lambda classic=classic, sender=sender, alias=alias: send_until_refused(classic, sender, alias),
                lambda client=client, user=receiver: client.adopt(Account(), user.id, user.name, user.private_key),
            )
            waiting = client.account()[Entry.WAITING]
            assert int.from_bytes(waiting, "little") == sent


def send_until_refused(classic, sender, target: bytes) -> int:
    """How many were taken: the receiver is no target any more once it is an account."""
    for count in range(1000):
        try:
            classic.send_message(sender, target, b"on the way")
        except Exception:  # the peer's own, for the answer that it is
            return count
    raise AssertionError("an account is a target of classic users")


def test_two_settings_at_once_leave_one_of_them(secure, new_account, open_secure, classic_key):
    client, account = new_account()
    for _ in range(ROUNDS):
        other = open_secure()
        other.sign_in(account)
        on, off = [(Entry.CLASSIC, b"\1"), (Entry.CLASSIC_KEY, classic_key)], [(Entry.CLASSIC, b"\0")]
        at_once(lambda on=on: client.account(*on), lambda other=other, off=off: other.account(*off))
        told = client.account()
        assert told[Entry.CLASSIC] in (b"\0", b"\1") and told[Entry.CLASSIC] == other.account()[Entry.CLASSIC]
        other.close()


def test_two_removals_at_once_remove_once(new_account, open_secure):
    for _ in range(ROUNDS // 3):
        client, account = new_account()
        other = open_secure()
        other.sign_in(account)
        outcomes = at_once(
            lambda client=client, account=account: client.remove(account),
            lambda other=other, account=account: other.remove(account),
        )
        assert None in outcomes
        assert_gone(client, account)
        assert_gone(other, account)


# -- names that were


def test_a_removed_name_is_nobodys_on_the_classic_port_either(make_secure, new_account, open_secure):
    server = make_secure()
    client, account = new_account(server, name="Paul 7")
    client.remove(account)
    for restart in (False, True):
        if restart:
            server.restart_after_kill()
        with server.connect() as classic:
            for name in ("Paul 7", "paul 7"):
                classic.send(register_frame(name))
                assert classic.receive().code == Classic.REGISTER_REFUSED
        for name in ("Paul 7", "PAUL 7", "Раul 7"):
            client = open_secure(server)
            reason = client.refusal(Request.REGISTER, client.register_payload(Account(), name))
            assert reason in (Reason.NAME_TAKEN, Reason.NAME)


def test_an_account_that_an_operator_removed_leaves_its_name_to_nobody(make_secure, new_account, open_secure):
    server = make_secure()
    _, account = new_account(server)
    Operator(server.data).succeed("user", "remove", account.name, "--yes")
    client = open_secure(server)
    reason = client.refusal(Request.REGISTER, client.register_payload(Account(), account.name))
    assert reason == Reason.NAME_TAKEN


# -- the log


def test_the_log_tells_nothing_that_is_a_secret_and_no_line_that_a_client_wrote(
    make_secure, open_secure, new_classic, fresh_name, classic_key
):
    server = make_secure(log_level="debug")
    made = Operator(server.data).run("invite")
    code = base64url(parse_link(made.out.strip()).code)
    user, client, account = new_classic(server), open_secure(server), Account()
    encrypted = client.challenge(account, user.id, user.name)
    proof = client.proof(account, user.id, user.name, user.private_key, encrypted)
    client.say(Request.PROOF, proof)
    client.hear(Answer.SIGNED_IN)
    classic_id = client.classic_on(classic_key)
    open_secure(server).register(Account(), fresh_name(), code)
    forged = "x\n2026-01-01 00:00:00.000+0000 notice  forged"
    stranger = open_secure(server)
    assert stranger.refusal(Request.REGISTER, stranger.register_payload(Account(), forged)) == Reason.NAME
    log = server.log()
    assert "\n2026-01-01" not in log
    secrets = [proof, account.secret, client.exporter, user.id, classic_id, parse_link(f"kesher://h/join#{code}").code]
    for secret in secrets:
        assert secret.hex() not in log and secret.hex().upper() not in log
    assert code not in log


# -- who does not read


def ask_and_never_read(server: Kesherd, client, asked: bytes, bystander) -> int:
    """As much of it as the server takes; by how much it grew meanwhile."""
    client.tcp.settimeout(NOT_TAKEN_SECONDS)
    with MemoryWatch(server) as memory:
        sending = threading.Thread(target=client.send_as_far_as_taken, args=(asked,))
        sending.start()
        for _ in range(100):
            bystander.account()
        sending.join()
    bystander.account()
    return memory.growth


def test_answers_that_nobody_reads_take_little_memory_and_hold_up_nobody(
    make_secure, open_secure, new_account, private_keys, monkeypatch
):
    """Lists, which are the largest ones: these would be 500 MiB."""
    hold_back_little_freed_memory(monkeypatch)
    server = make_secure(list_rate="1G", list_budget="1G", log_level="notice")
    with server.connect() as classic:
        register_many(classic, private_keys[0], 500)
    bystander, account = new_account(server)
    client = open_secure(server, receive_buffer=4096)
    client.sign_in(account)
    assert len(client.list_users()) == 500
    assert ask_and_never_read(server, client, frame(Request.LIST_USERS) * 4000, bystander) < 48 * MIB


@pytest.mark.slow
def test_answers_that_a_stranger_does_not_read_take_little_memory(make_secure, open_secure, new_account, monkeypatch):
    hold_back_little_freed_memory(monkeypatch)
    server = make_secure(log_level="notice", sign_in_timeout="1h")
    bystander, _ = new_account(server)
    client = open_secure(server, receive_buffer=4096)
    assert ask_and_never_read(server, client, frame(PROBE) * 1_000_000, bystander) < 32 * MIB


def test_answers_that_are_read_at_last_are_all_there(new_account):
    client, account = new_account()
    count = 2000
    sending = threading.Thread(target=client.tcp.sendall, args=(sealed(client, count),))
    sending.start()
    for _ in range(count):
        assert client.hear(Answer.ACCOUNT).startswith(b"\1\0\x10\0" + account.public_id)
    sending.join()


def sealed(client, count: int) -> bytes:
    """So many requests, encrypted beforehand: the connection belongs to one thread at a time."""
    client.socket.engine.write(frame(Request.ACCOUNT) * count)
    return client.socket.engine.take()
