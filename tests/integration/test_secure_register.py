"""Registration on the secure port: by whom, under which names, with which invitations."""

import os
import threading
import unicodedata

import pytest
from peer import accounts
from peer.accounts import Account, Answer, Reason, Request
from peer.frames import Answer as Classic
from peer.drop import User, register_frame
from peer.links import base64url, parse_link
from peer.operators import Operator
from peer.secure import Refused

INVITED = {"registration": "invited"}


def reason_of(client, account: Account, name: str | bytes, invitation: str = "") -> Reason:
    return client.refusal(Request.REGISTER, client.register_payload(account, name, invitation))


def invitation(server, *options: str) -> str:
    """The code in the link that the operator makes, as text."""
    made = Operator(server.data).run("invite", *options)
    assert made.status == 0, made  # it complains of an address that is the loopback's
    return base64url(parse_link(made.out.strip()).code)


# -- again, and twice


def test_the_same_name_and_key_again_is_answered_again(new_account, open_secure):
    _, account = new_account()
    again = open_secure().register(Account(account.secret), account.name)
    assert again.public_id == account.public_id


def test_a_key_has_one_name(new_account, open_secure, fresh_name):
    _, account = new_account()
    assert reason_of(open_secure(), account, fresh_name()) == Reason.KEY_TAKEN


def test_a_name_has_one_key(new_account, client):
    _, account = new_account()
    assert reason_of(client, Account(), account.name) == Reason.NAME_TAKEN


def test_names_of_classic_users_are_taken(secure, new_classic, client):
    user = new_classic(secure)
    for name in (user.name, user.name.upper()):
        assert reason_of(client, Account(), name) == Reason.NAME_TAKEN


def test_names_of_accounts_are_taken_on_the_classic_port(secure, new_account):
    _, account = new_account()
    with secure.connect() as classic:
        for name in (account.name, account.name.upper()):
            classic.send(register_frame(name))
            assert classic.receive().code == Classic.REGISTER_REFUSED


def test_one_of_many_who_want_a_name_at_once_gets_it(secure, open_secure, fresh_name):
    name, clients = fresh_name(), [open_secure() for _ in range(8)]
    payloads = [client.register_payload(Account(), name) for client in clients]
    for client, payload in zip(clients, payloads):
        client.say(Request.REGISTER, payload)
    answers = sorted(client.receive().code for client in clients)
    assert answers == [Answer.SIGNED_IN] + [Answer.REFUSED] * 7


def test_the_classic_and_the_secure_port_give_a_name_once(secure, open_secure, new_user):
    for _ in range(10):
        user, client = new_user(), open_secure()
        with secure.connect() as classic:
            classic.send(register_frame(user.name))
            client.say(Request.REGISTER, client.register_payload(Account(), user.name))
            codes = {client.receive().code, classic.receive().code}
        assert codes in (
            {Answer.SIGNED_IN, int(Classic.REGISTER_REFUSED)},
            {Answer.REFUSED, int(Classic.REGISTERED)},
        )


# -- names

LONGEST = "ä" * 32

GOOD_NAMES = [
    "a",
    "7",
    "Ann-Marie O'Neil",
    "Zoë Ångström",
    LONGEST,
    "Борис",
    "Ελένη",
    "محمد",
    "दीपक",
    "東京 Tokyo",
    "한국어 name",
    "ひらがな カタカナ 漢字 Latin",
]

BAD_NAMES = {
    "empty": "",
    "65 bytes": "a" * 65,
    "66 bytes": "ä" * 33,
    "blank in front": " ann",
    "blank behind": "ann ",
    "two blanks": "ann  marie",
    "no-break space": "ann\u00a0marie",
    "em space": "ann\u2003marie",
    "tab": "ann\tmarie",
    "newline": "ann\nmarie",
    "nul": "ann\0",
    "delete": "ann\x7f",
    "c1": "ann\x85",
    "no letter first": "-ann",
    "underscore first": "_ann",
    "combining first": "\u0301ann",
    "emoji first": "\U0001f600 ann",
    "decomposed": unicodedata.normalize("NFD", "Zoë"),
    "mixed Cyrillic": "раypal",
    "mixed Greek": "αnna",
    "mixed Cyrillic and Greek": "борισ",
    "Hebrew and Latin": "אnna",
    "Thai and Latin": "กnna",
    "Cyrillic and Chinese": "борис東",
    "right-to-left override": "ann\u202eeiram",
    "isolate": "ann\u2066x\u2069",
    "right-to-left mark": "ann\u200fx",
    "left-to-right mark": "ann\u200ex",
    "Arabic letter mark": "ann\u061cx",
    "zero width space": "an\u200bn",
    "zero width joiner": "an\u200dn",
    "zero width non-joiner": "an\u200cn",
    "word joiner": "an\u2060n",
    "byte order mark": "ann\ufeff",
    "soft hyphen": "an\u00adn",
    "variation selector": "ann\ufe0f",
    "tag": "ann\U000e0041",
    "line separator": "ann\u2028x",
    "private use": "ann\ue000",
    "unassigned": "ann\u0378",
    "noncharacter": "ann\uffff",
}

NOT_UTF_8 = [b"ann\xff", b"ann\xc0\xaf", b"ann\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ann\xc3"]


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_names_of_people_are_names(open_secure, name):
    client = open_secure()
    assert client.register(Account(), name).name == name
    assert name in [listed for _, listed in open_secure_as_somebody(open_secure).list_users()]


def open_secure_as_somebody(open_secure):
    client = open_secure()
    client.register(Account(), f"somebody {os.urandom(6).hex()}")
    return client


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES.keys())
def test_what_is_no_name_is_refused(client, name):
    assert reason_of(client, Account(), name) == Reason.NAME


@pytest.mark.parametrize("name", NOT_UTF_8, ids=range(len(NOT_UTF_8)))
def test_a_name_that_is_no_text_is_refused(client, name):
    assert reason_of(client, Account(), name) == Reason.NAME


LOOK_ALIKES = [
    ("paypal", ["PayPal", "PAYPAL", "paypa1", "раураӏ", "ｐａｙｐａｌ", "pаураl"]),
    ("scope", ["ѕсоре", "SCOPE", "𝐬𝐜𝐨𝐩𝐞"]),
    ("modern", ["modem", "Modem"]),
    ("Strasse", ["Straße", "STRASSE"]),
    ("fish", ["ﬁsh", "FISH"]),
    ("O'Neil", ["O’Neil", "o`neil"]),
    ("Борис", ["борис", "БОРИС"]),
    ("alice", ["aIice", "a1ice", "AlICE", "ａlice"]),
    ("bob", ["B0B", "ВОВ", "b0b"]),
    ("Вор", ["Bop"]),
    ("HANNA", ["ΗΑΝΝΑ"]),
]


@pytest.mark.parametrize("name, others", LOOK_ALIKES, ids=[name for name, _ in LOOK_ALIKES])
def test_nobody_is_called_what_looks_like_another(make_secure, open_secure, name, others):
    server = make_secure()
    open_secure(server).register(Account(), name)
    for other in others:
        reason = reason_of(open_secure(server), Account(), other)
        assert reason in (Reason.NAME_TAKEN, Reason.NAME), other


def test_look_alikes_are_refused_in_the_other_order_too(make_secure, open_secure):
    for name, others in LOOK_ALIKES[:1] + LOOK_ALIKES[-3:]:
        for other in others:
            server = make_secure()
            try:
                open_secure(server).register(Account(), other)
            except Refused as refused:
                assert refused.reason == Reason.NAME
                continue
            assert reason_of(open_secure(server), Account(), name) == Reason.NAME_TAKEN, other


def test_classic_users_look_like_nobody_who_registered_before(make_secure, open_secure, private_keys):
    server = make_secure()
    open_secure(server).register(Account(), "ѕсоре")
    with server.connect() as classic:
        classic.send(register_frame("scope"))
        assert classic.receive().code == Classic.REGISTER_REFUSED
        classic.register(User("another", private_keys[0]))


# -- who may register


def test_registration_may_be_closed_on_all_ports(make_secure, open_secure, fresh_name):
    server = make_secure(registration="closed")
    assert reason_of(open_secure(server), Account(), fresh_name()) == Reason.CLOSED
    with server.connect() as classic:
        classic.send(register_frame("classic"))
        assert classic.receive().code == Classic.REGISTER_REFUSED
    assert "registration closed" in server.log()


def test_registration_may_be_by_invitation(make_secure, open_secure, fresh_name):
    server = make_secure(**INVITED)
    assert reason_of(open_secure(server), Account(), fresh_name()) == Reason.INVITATION_NEEDED
    code = invitation(server)
    account = open_secure(server).register(Account(), fresh_name(), code)
    assert open_secure(server).register(account, account.name).public_id == account.public_id
    assert open_secure(server).register(account, account.name, code).public_id == account.public_id


def test_a_reload_opens_and_closes_registration(make_secure, open_secure, fresh_name):
    server = make_secure(registration="closed")
    server.reload(registration="open")
    _, account = open_secure(server), open_secure(server).register(Account(), fresh_name())
    server.reload(registration="closed")
    open_secure(server).sign_in(account)
    assert reason_of(open_secure(server), Account(), fresh_name()) == Reason.CLOSED


@pytest.mark.parametrize("code", ["A" * 22, "A" * 21, "A" * 23, "!" * 22, "A" * 21 + "B", "x", "A" * 300])
def test_an_unknown_invitation_is_refused_wherever_one_is_given(make_secure, open_secure, fresh_name, code):
    server = make_secure(**INVITED)
    assert reason_of(open_secure(server), Account(), fresh_name(), code) == Reason.INVITATION


def test_an_invitation_is_used_up_by_a_registration_alone(make_secure, open_secure, new_classic, fresh_name):
    server = make_secure(**INVITED)
    code, spare = invitation(server), invitation(server)
    account = open_secure(server).register(Account(), fresh_name(), spare)
    for name in (account.name, "раypal", "", "x" * 65):
        assert reason_of(open_secure(server), Account(), name, code) in (Reason.NAME_TAKEN, Reason.NAME)
    assert reason_of(open_secure(server), account, fresh_name(), code) == Reason.KEY_TAKEN
    open_secure(server).register(Account(), fresh_name(), code)
    assert reason_of(open_secure(server), Account(), fresh_name(), code) == Reason.INVITATION


def test_an_invitation_that_is_used_at_the_same_instant_is_used_once(make_secure, open_secure, fresh_name):
    server = make_secure(**INVITED)
    for _ in range(5):
        code = invitation(server)
        clients = [open_secure(server) for _ in range(6)]
        payloads = [client.register_payload(Account(), fresh_name(), code) for client in clients]
        together = threading.Barrier(len(clients))
        codes = []

        def use(client, payload, together=together, codes=codes):
            together.wait()
            client.say(Request.REGISTER, payload)
            codes.append(client.receive().code)

        threads = [threading.Thread(target=use, args=pair) for pair in zip(clients, payloads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(codes) == [Answer.SIGNED_IN] + [Answer.REFUSED] * 5


def test_an_invitation_may_be_for_several(make_secure, open_secure, fresh_name):
    server = make_secure(**INVITED)
    code = invitation(server, "--uses", "3")
    for _ in range(3):
        open_secure(server).register(Account(), fresh_name(), code)
    assert reason_of(open_secure(server), Account(), fresh_name(), code) == Reason.INVITATION


def test_an_invitation_is_there_after_a_crash_and_so_is_its_use(make_secure, open_secure, fresh_name):
    server = make_secure(**INVITED)
    code = invitation(server)
    server.restart_after_kill()
    open_secure(server).register(Account(), fresh_name(), code)
    server.restart_after_kill()
    assert reason_of(open_secure(server), Account(), fresh_name(), code) == Reason.INVITATION


def test_an_invitation_for_a_name_is_for_no_other(make_secure, open_secure, fresh_name):
    server = make_secure(**INVITED)
    name = fresh_name()
    code = invitation(server, "--for", name)
    assert reason_of(open_secure(server), Account(), fresh_name(), code) == Reason.INVITATION
    assert open_secure(server).register(Account(), name, code).name == name


def test_an_invitation_for_a_name_gives_it_to_a_new_key_and_ends_the_old_one(
    make_secure, open_secure, new_account
):
    server = make_secure()
    old_client, old = new_account(server)
    code = invitation(server, "--for", old.name)
    new = open_secure(server).register(Account(), old.name, code)
    assert new.public_id == old.public_id
    assert old_client.has_ended()
    client = open_secure(server)
    assert client.refusal(Request.SIGN_IN, client.sign_in_payload(old)) == Reason.UNKNOWN_ACCOUNT
    open_secure(server).sign_in(new)


def test_a_removed_name_is_nobodys_without_such_an_invitation(make_secure, open_secure, new_account):
    server = make_secure()
    client, account = new_account(server)
    client.remove(account)
    assert reason_of(open_secure(server), Account(), account.name) == Reason.NAME_TAKEN
    assert reason_of(open_secure(server), account, account.name) == Reason.NAME_TAKEN
    assert reason_of(open_secure(server), Account(), account.name, invitation(server)) == Reason.NAME_TAKEN
    heir = open_secure(server).register(Account(), account.name, invitation(server, "--for", account.name))
    assert heir.public_id == account.public_id


def test_the_database_has_no_invitation_that_anybody_could_use(make_secure, open_secure, fresh_name):
    server = make_secure(**INVITED)
    code = invitation(server)
    server.stop()
    raw = parse_link(f"kesher://h/join#{code}").code
    for path in server.data.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert raw not in content and code.encode() not in content, path
    assert code not in server.log()


def test_a_server_with_as_many_users_as_it_may_have_takes_no_more(
    make_secure, open_secure, new_account, fresh_name
):
    server = make_secure(users=2)
    new_account(server)
    client, account = new_account(server)
    assert reason_of(open_secure(server), Account(), fresh_name()) == Reason.FULL
    client.remove(account)
    new_account(server)


def test_registrations_of_one_network_are_limited(make_secure, open_secure, fresh_name, fresh_source):
    server = make_secure(registrations_per_hour=2, unlimited_networks="none")
    source = fresh_source()
    for _ in range(2):
        open_secure(server, source=source).register(Account(), fresh_name())
    assert reason_of(open_secure(server, source=source), Account(), fresh_name()) == Reason.TOO_MANY
    open_secure(server, source=fresh_source()).register(Account(), fresh_name())


def test_a_signature_over_another_name_or_invitation_registers_nobody(open_secure, fresh_name):
    client, account, name = open_secure(), Account(), fresh_name()
    signed = accounts.register_signed(client.channel, account.key, name)
    other = fresh_name()
    payload = accounts.sign_in_payload(account.key, account.sign(signed))
    behind = accounts.text(other) + accounts.text("")
    assert client.refusal(Request.REGISTER, payload + behind) == Reason.SIGNATURE
    behind = accounts.text(name) + accounts.text("A" * 22)
    assert client.refusal(Request.REGISTER, payload + behind) == Reason.SIGNATURE
