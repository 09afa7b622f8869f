"""kesher at a secure server: accounts, who the server is, and what never happens in a home that belongs to one."""

import json
import re
import shutil

import pytest
from peer import tls
from peer.kesher import Kesher, read_identity, write_secret
from peer.links import base64url, parse_link
from peer.operators import Operator

SHORT = re.compile(r"[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){4}")
ALONE = {"start_new_session": True}  # without a terminal


def link_of(server, fingerprint: bytes | None = None) -> str:
    host, port = server.secure_address
    return f"kesher://{host}:{port}/" + (f"#{base64url(fingerprint)}" if fingerprint else "")


def one_line(text: str) -> str:
    assert text.startswith("kesher: ") and text.count("\n") == 1, text
    return text


@pytest.fixture
def at(tmp_path):
    """Clients by name, each with a home of its own, which need not be there."""
    return lambda name: Kesher(tmp_path / name)


@pytest.fixture
def registered(secure, at, fresh_name):
    """A home with an account at the shared server."""

    def make(home: str = "home", name: str | None = None) -> Kesher:
        kesher = at(home)
        kesher.succeed("register", name or fresh_name(), "--server", link_of(secure), **ALONE)
        return kesher

    return make


# -- accounts


def test_an_account_is_made_and_asked_for(secure, at, fresh_name):
    name = fresh_name()
    kesher = at("home")
    made = kesher.succeed("register", name, "--server", link_of(secure), **ALONE)
    first, second = made.stdout.splitlines()
    assert first == f"registered {name} at {link_of(secure)}"
    short = second.removeprefix("short fingerprint ")
    assert SHORT.fullmatch(short)
    fingerprint = parse_link(Operator(secure.data).run("address").out.strip()).fingerprint
    assert made.stderr.count("\n") == 1 and base64url(fingerprint) in made.stderr  # told, on this machine
    (account,) = kesher.succeed("account", "--json").objects()
    assert (account["name"], account["short_fingerprint"], account["classic"]) == (name, short, False)
    assert re.fullmatch("[0-9a-f]{32}", account["id"]) and account["files"] == 0
    lines = kesher.succeed("account").stdout.splitlines()
    assert lines[:3] == [name, f"id {account['id']}", f"short fingerprint {short}"]
    assert kesher.succeed("verify").stdout == f"{name}\nshort fingerprint {short}\n"
    (server,) = kesher.succeed("server", "--json").objects()
    assert server == {
        "server": link_of(secure),
        "secure": True,
        "trusted_by": "key",
        "fingerprint": base64url(fingerprint),
    }
    assert (kesher.home / "account.key").stat().st_mode & 0o777 == 0o600
    assert not (kesher.home / "me.info").exists()


def test_the_same_registration_again_is_the_same_account(registered, secure, fresh_name):
    name = fresh_name()
    kesher = registered(name=name)
    (before,) = kesher.succeed("account", "--json").objects()
    kesher.succeed("register", name, "--server", link_of(secure), **ALONE)
    assert kesher.succeed("account", "--json").objects() == [before]
    line = one_line(kesher.fail("register", fresh_name(), **ALONE).stderr)
    assert "another home" in line


def test_others_are_listed(registered, fresh_name):
    names = [fresh_name(), fresh_name()]
    first, second = registered("a", names[0]), registered("b", names[1])
    assert names[1] in first.succeed("users").stdout.splitlines()
    listed = {user["name"]: user["id"] for user in second.succeed("users", "--json").objects()}
    (account,) = first.succeed("account", "--json").objects()
    assert listed[names[0]] == account["id"] and names[1] not in listed


def test_a_name_that_is_taken_is_told_and_another_one_goes_on_with_the_same_key(registered, secure, at, fresh_name):
    taken = fresh_name()
    registered("a", taken)
    kesher = at("b")
    line = one_line(kesher.fail("register", taken.upper(), "--server", link_of(secure, fingerprint_of(secure)), **ALONE).stderr)
    assert "taken" in line and "choose another" in line
    key = (kesher.home / "account.key").read_bytes()
    kesher.succeed("register", fresh_name(), **ALONE)
    secret = re.search(rb"^secret .*$", key, re.M)[0]
    assert secret in (kesher.home / "account.key").read_bytes()


def fingerprint_of(server) -> bytes:
    return parse_link(Operator(server.data).run("address").out.strip()).fingerprint


def test_an_account_is_removed_only_when_it_is_meant(registered, fresh_name):
    name = fresh_name()
    kesher = registered(name=name)
    outcome = kesher.run("account", "remove", **ALONE)
    assert (outcome.status, outcome.stdout) == (2, "") and "--yes" in one_line(outcome.stderr)
    assert kesher.succeed("account", "--json").objects()[0]["name"] == name
    assert kesher.succeed("account", "remove", "--yes", "--json", **ALONE).objects() == [{"removed": True}]
    assert not (kesher.home / "account.key").exists() and (kesher.home / "account.key.old.1").exists()
    assert "no account" in one_line(kesher.fail("account", **ALONE).stderr)


def test_account_words_that_make_no_sense_are_wrong_usage(registered):
    kesher = registered()
    for words in (["classic"], ["classic", "perhaps"], ["remove", "now"], ["what"], ["--yes"]):
        outcome = kesher.run("account", *words, **ALONE)
        assert (outcome.status, outcome.stdout) == (2, ""), words
        one_line(outcome.stderr)


# -- invitations


def test_a_link_that_was_sent_is_joined_once(make_secure, at, fresh_name):
    server = make_secure(registration="invited")
    link = Operator(server.data).succeed("invite", "--host", "127.0.0.1").out.strip()
    alone = at("alone").run("register", fresh_name(), "--server", link_of(server), **ALONE)
    assert alone.status == 1 and "invitation" in alone.stderr
    name = fresh_name()
    joined = at("a").succeed("join", "-", name, input=link.encode() + b"\n", **ALONE)
    assert joined.stdout.startswith(f"registered {name} at {link_of(server)}\n")
    assert joined.stderr == ""  # the link says which key it is: nothing to tell, nobody to ask
    line = one_line(at("b").fail("join", link, fresh_name(), **ALONE).stderr)
    assert "used up" in line and parse_code(link) not in line


def parse_code(link: str) -> str:
    return link.split("#")[1].split(".")[0]


def test_an_invitation_is_given_beside_the_server(make_secure, at, fresh_name):
    server = make_secure(registration="invited")
    link = Operator(server.data).succeed("invite", "--host", "127.0.0.1").out.strip()
    words = ["--server", link_of(server, fingerprint_of(server)), "--invitation", "-"]
    at("a").succeed("register", fresh_name(), *words, input=parse_code(link).encode(), **ALONE)
    another = Operator(server.data).succeed("invite", "--host", "127.0.0.1").out.strip()
    at("b").succeed("register", fresh_name(), "--server", another, **ALONE)


@pytest.mark.parametrize("link", ["127.0.0.1:1357", "example", "-"])
def test_what_is_no_link_is_not_joined(at, link):
    outcome = at("home").run("join", link, "alice", **ALONE)
    assert (outcome.status, outcome.stdout) == (2, "")
    one_line(outcome.stderr)
    assert not at("home").home.exists()


# -- who the server is


def test_a_server_with_another_key_hears_nothing(make_secure_fake, at):
    server = make_secure_fake()
    kesher = at("home")
    kesher.succeed("register", "Alice", "--server", link_of(server), **ALONE)
    before, heard = server.identity.fingerprint, len(server.requests)
    server.identity = tls.Identity.generate()
    for words in (["users"], ["account"], ["key", "bob"], ["account", "classic", "on"], ["chat"]):
        line = one_line(kesher.fail(*words, **ALONE).stderr)
        assert base64url(before) in line and base64url(server.identity.fingerprint) in line
        assert "kesher server --forget" in line
    assert len(server.requests) == heard
    assert kesher.succeed("server", "--forget", "--json").objects() == [{"forgotten": True}]
    kesher.succeed("account", "--server", link_of(server), **ALONE)


def test_a_link_with_another_fingerprint_is_another_server(make_secure_fake, at):
    server = make_secure_fake()
    line = one_line(at("home").fail("register", "Alice", "--server", link_of(server, bytes(32)), **ALONE).stderr)
    assert base64url(server.identity.fingerprint) in line and base64url(bytes(32)) in line
    assert server.requests == [] and not at("home").home.exists()


@pytest.mark.parametrize("known", ["by its link", "by its key"])
def test_somebody_in_the_middle_hears_nothing(secure, make_man_in_the_middle, at, fresh_name, known):
    between = make_man_in_the_middle(secure)
    kesher = at("home")
    fingerprint = fingerprint_of(secure)
    if known == "by its key":
        kesher.succeed("register", fresh_name(), "--server", link_of(secure), **ALONE)
        words = ["account", "--moved"]
    else:
        words = ["register", fresh_name()]
    line = one_line(kesher.fail(*words, "--server", link_of(between, fingerprint), **ALONE).stderr)
    assert base64url(fingerprint) in line
    assert between.requests == []


def test_a_server_that_does_not_choose_kesher_is_refused(make_secure_fake, at):
    server = make_secure_fake(alpn=None)
    line = one_line(at("home").fail("register", "Alice", "--server", link_of(server), **ALONE).stderr)
    assert "kesher/1" in line and server.requests == []


def test_the_next_key_of_a_server_is_taken_over(make_secure_fake, at):
    server = make_secure_fake()
    kesher = at("home")
    later = tls.Identity.generate()
    kesher.succeed("register", "Alice", "--server", link_of(server), **ALONE)
    server.next_key = later.fingerprint
    kesher.succeed("account", **ALONE)
    (shown,) = kesher.succeed("server", "--json").objects()
    assert shown["next_fingerprint"] == base64url(later.fingerprint)
    server.identity, server.next_key = later, None
    changed = kesher.succeed("account", **ALONE)
    assert base64url(later.fingerprint) in changed.stderr
    (shown,) = kesher.succeed("server", "--json").objects()
    assert shown["fingerprint"] == base64url(later.fingerprint) and "next_fingerprint" not in shown


def test_a_server_that_has_moved_is_the_same_one_when_it_shows_the_same_key(make_secure_fake, at):
    server = make_secure_fake()
    kesher = at("home")
    kesher.succeed("register", "Alice", "--server", link_of(server), **ALONE)
    moved = make_secure_fake(identity=server.identity)
    moved.users = server.users
    line = one_line(kesher.fail("account", "--server", link_of(moved), **ALONE).stderr)
    assert "--moved" in line and moved.requests == []
    kesher.succeed("account", "--server", link_of(moved), "--moved", **ALONE)
    heard = len(moved.requests)
    kesher.succeed("account", **ALONE)
    assert len(moved.requests) > heard


def test_a_server_for_which_an_authority_vouches_is_trusted_by_that(make_secure_fake, at, tmp_path, monkeypatch):
    first, second, other = (tls.Identity.generate(name) for name in ("localhost", "localhost", "example.org"))
    authorities = tmp_path / "authorities"
    authorities.write_bytes(first.certificate_pem())
    monkeypatch.setenv("SSL_CERT_FILE", str(authorities))
    server = make_secure_fake(identity=first)
    kesher = at("home")
    link = f"kesher://localhost:{server.address[1]}/"
    kesher.succeed("register", "Alice", "--server", link, **ALONE)
    (shown,) = kesher.succeed("server", "--json").objects()
    assert (shown["trusted_by"], "fingerprint" in shown) == ("authority", False)
    server.identity = second  # renewed, with another key
    authorities.write_bytes(second.certificate_pem())
    kesher.succeed("account", **ALONE)
    heard = len(server.requests)
    authorities.write_bytes(second.certificate_pem() + other.certificate_pem())
    for identity in (other, tls.Identity.generate("localhost")):
        server.identity = identity  # for another name; vouched for by nobody
        line = one_line(kesher.fail("account", **ALONE).stderr)
        assert "kesher server --forget" in line
    assert len(server.requests) == heard


# -- nothing falls back


@pytest.mark.parametrize(
    "words",
    [
        ["send", "bob", "hello"],
        ["inbox"],
        ["request-key", "bob"],
        ["share-key", "bob"],
        ["transfer"],
        ["menu"],
    ],
)
def test_what_is_classic_is_refused_in_a_secure_home_and_nothing_is_sent(make_secure_fake, at, tmp_path, words):
    server = make_secure_fake()
    kesher = at("home")
    kesher.succeed("register", "Alice", "--server", link_of(server), **ALONE)
    heard = len(server.requests)
    (tmp_path / "file").write_text("content")
    (kesher.home / "transfer.info").write_text(f"127.0.0.1:1357\nAlice\n{tmp_path / 'file'}\n")
    for also in ([], ["--server", "127.0.0.1:1357"]):
        outcome = kesher.run(*words, *also, cwd=tmp_path, **ALONE)
        assert (outcome.status, outcome.stdout) == (1, ""), outcome
        assert "secure" in one_line(outcome.stderr)
    assert len(server.requests) == heard


def test_a_classic_address_is_refused_in_a_secure_home(registered, secure):
    kesher = registered()
    host, port = secure.address
    for words in (["users"], ["account"], ["register", "bob"], ["chat", "create"], ["key", "bob"]):
        outcome = kesher.run(*words, "--server", f"{host}:{port}", **ALONE)
        assert outcome.status in (1, 2) and outcome.stdout == ""
        one_line(outcome.stderr)


def test_a_classic_home_stays_classic(secure, at, fresh_name):
    host, port = secure.address
    kesher = at("home")
    kesher.succeed("register", fresh_name(), "--server", f"{host}:{port}")
    assert (kesher.home / "me.info").exists() and not (kesher.home / "account.key").exists()
    kesher.succeed("users")
    line = one_line(kesher.fail("users", "--server", link_of(secure), **ALONE).stderr)
    assert "--adopt" in line
    assert kesher.succeed("server").stdout.startswith(f"{host}:{port}\n")


# -- the two sides of one user


def test_a_classic_identity_becomes_an_account(secure, at, fresh_name):
    name = fresh_name()
    host, port = secure.address
    kesher = at("home")
    kesher.succeed("register", name, "--server", f"{host}:{port}")
    old = read_identity(kesher.home)
    outcome = kesher.run("register", fresh_name(), "--adopt", "--server", link_of(secure), **ALONE)
    assert outcome.status == 2 and "another one" in one_line(outcome.stderr)
    kesher.succeed("register", name, "--adopt", "--server", link_of(secure), **ALONE)
    assert not (kesher.home / "me.info").exists() and (kesher.home / "me.info.old.1").exists()
    assert kesher.succeed("account", "--json").objects()[0]["name"] == name
    with_old = at("old")
    write_secret(with_old.home / "me.info", (kesher.home / "me.info.old.1").read_bytes())
    assert with_old.run("users", "--server", f"{host}:{port}").status == 1, old


def test_an_account_has_a_classic_side_while_it_wants_one(registered, secure, at, fresh_name):
    name = fresh_name()
    kesher = registered("a", name)
    other = registered("b")
    assert kesher.succeed("account", "classic", "on", "--json", **ALONE).objects() == [{"classic": True}]
    identity = read_identity(kesher.home)
    assert identity.name == name
    (key,) = other.succeed("key", name, "--json", **ALONE).objects()
    assert key["name"] == name and key["new"] is True
    classic = at("classic")
    classic.home.mkdir(mode=0o700)
    for file in ("me.info", "priv.key"):
        shutil.copy2(kesher.home / file, classic.home / file)
    host, port = secure.address
    classic.succeed("users", "--server", f"{host}:{port}")
    kesher.succeed("account", "classic", "off", **ALONE)
    assert not (kesher.home / "me.info").exists()
    assert classic.run("users").status == 1
    assert kesher.succeed("account", "--json").objects()[0]["classic"] is False


# -- passphrases


def test_a_key_under_a_passphrase_needs_it(secure, at, tmp_path, fresh_name):
    right, wrong, kesher = tmp_path / "right", tmp_path / "wrong", at("home")
    right.write_text("correct horse battery staple\nand a line that is none of it\n")
    wrong.write_text("Tr0ub4dor&3\n")
    kesher.succeed(
        "register", fresh_name(), "--server", link_of(secure), "--passphrase", "--passphrase-file", right, **ALONE
    )
    assert kesher.succeed("account", "--json", "--passphrase-file", right).objects()[0]["passphrase"] is True
    for words in (["--passphrase-file", wrong], ["--passphrase-file", tmp_path / "none"], []):
        one_line(kesher.fail("account", *words, **ALONE).stderr)
    told = kesher.run("account", "--json", **ALONE).told()
    assert [error["error"] for error in told] == ["passphrase needed"]
    kesher.succeed("verify", **ALONE)  # the public half is no secret
    kesher.succeed("account", "passphrase", "off", "--passphrase-file", right, **ALONE)
    kesher.succeed("account", **ALONE)


# -- errors of the server


@pytest.mark.parametrize(
    "settings, word, advice",
    [({"registration": "closed"}, "refused", "operator"), ({"users": 1}, "full", "later")],
)
def test_a_refusal_is_one_line_that_says_what_to_do(make_secure, at, fresh_name, settings, word, advice):
    server = make_secure(**settings)
    at("first").run("register", fresh_name(), "--server", link_of(server), **ALONE)
    outcome = at("home").run("register", fresh_name(), "--server", link_of(server), "--json", **ALONE)
    assert (outcome.status, outcome.stdout) == (1, "")
    *_, error = outcome.told()
    assert error["error"] == word and advice in error["message"]


def test_a_server_that_is_not_there_leaves_nothing(at):
    line = one_line(at("home").fail("register", "alice", "--server", "kesher://127.0.0.1:1/", **ALONE).stderr)
    assert "127.0.0.1:1" in line and not at("home").home.exists()


def test_output_for_programs_is_one_object_in_each_line(registered):
    kesher = registered()
    for words in (["account"], ["server"], ["verify"], ["users"]):
        for line in kesher.succeed(*words, "--json").stdout.splitlines():
            assert isinstance(json.loads(line), dict)


def test_a_user_who_is_not_on_the_classic_ports_has_no_classic_key(registered, make_secure_fake, at, fresh_name):
    name = fresh_name()
    registered("a", name)
    line = one_line(registered("b").fail("key", name, **ALONE).stderr)
    assert "not on the classic ports" in line
    server = make_secure_fake()
    for home, other in (("c", "Alice"), ("d", "דנה")):
        at(home).succeed("register", other, "--server", link_of(server), **ALONE)
    assert "not on the classic ports" in one_line(at("c").fail("key", "דנה", **ALONE).stderr)


def test_ask_is_of_classic_servers_and_says_so(registered):
    line = one_line(registered().fail("ask", "time", **ALONE).stderr)
    assert "--server ADDR:PORT" in line


def test_users_of_others_are_not_verified_yet(registered):
    assert "next release" in one_line(registered().fail("verify", "bob", **ALONE).stderr)
