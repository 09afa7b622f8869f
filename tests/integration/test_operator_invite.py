"""`kesherd address` and `kesherd invite`: what an operator hands out leads to this server, and to no other."""

import subprocess
import time

import pytest
from peer import tls
from peer.accounts import Account
from peer.kesherd import program
from peer.links import base64url, parse_link
from peer.operators import Operator
from peer.secure import SecureClient

WEEK = 7 * 86400


@pytest.fixture
def server(make_secure):
    return make_secure(registration="invited")


@pytest.fixture
def operator(server) -> Operator:
    return Operator(server.data)


def address_of(operator: Operator, *words: str) -> str:
    (link,) = operator.succeed("address", *words).out.splitlines()
    return link


def invited(operator: Operator, *words: str) -> dict:
    (made,) = operator.succeed("invite", "--json", *words).objects()
    return made


# -- addresses


def test_the_address_is_the_same_with_and_without_a_server(server, operator):
    link = parse_link(address_of(operator))
    with SecureClient.at(link) as client:
        assert client.fingerprint == link.fingerprint
    server.stop()
    assert parse_link(address_of(operator)) == link


def test_a_host_that_is_given_stands_in_the_link_perhaps_with_a_port(server, operator):
    port = server.secure_address[1]
    fingerprint = parse_link(address_of(operator)).fingerprint
    for host, told in {
        "Chat.Example.org": f"chat.example.org:{port}",
        "chat.example.org:1358": "chat.example.org",
        "2001:db8::7": f"[2001:db8::7]:{port}",
        "[2001:db8::7]:443": "[2001:db8::7]:443",
    }.items():
        assert address_of(operator, "--host", host) == f"kesher://{told}/#{base64url(fingerprint)}"


@pytest.mark.parametrize("host", ["a b", "a/b", "a#b", "a:0", "a:65536", "http://a", "", "[::1"])
def test_what_is_no_host_is_refused(operator, host):
    operator.fail("address", "--host", host, status=2)


def test_a_machines_own_name_is_doubted(make_server):
    server = make_server(host="0.0.0.0", also=("secure",))
    outcome = Operator(server.data).run("address")
    assert outcome.status == 0 and parse_link(outcome.out.strip()).port == server.secure_address[1]
    assert "say it with --host" in outcome.err
    Operator(server.data).succeed("address", "--host", "chat.example.org")


def test_where_an_authority_vouches_the_link_has_its_name_and_no_fingerprint(make_secure, tmp_path):
    authority = tls.Identity.generate("authority of the tests")
    identity = tls.Identity.generate("chat.example.org", issuer=authority)
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(identity.certificate_pem())
    key.touch(mode=0o600)
    key.write_bytes(identity.key_pem())
    server = make_secure(certificate=certificate, private_key=key)
    port = server.secure_address[1]
    assert address_of(Operator(server.data)) == f"kesher://chat.example.org:{port}/"
    made = invited(Operator(server.data), "--host", "other.example.org")
    assert made["link"].startswith(f"https://other.example.org:{port}/join#")
    assert parse_link(made["link"]).fingerprint is None


def test_curl_gets_what_it_takes(server, operator):
    fingerprint = parse_link(address_of(operator)).fingerprint
    command = address_of(operator, "--curl").split()
    assert command[0] == "curl" and command[-1] == "https://127.0.0.1:%d/" % server.secure_address[1]
    assert subprocess.run([*command, "--silent"], capture_output=True, check=True).stdout.startswith(b"This is a kesher")
    wrong = [word.replace("sha256//", "sha256//A") for word in command]
    assert fingerprint and subprocess.run([*wrong, "--silent"], capture_output=True, check=False).returncode != 0


def test_without_a_secure_port_there_is_no_address(operator):
    run = subprocess.run(
        [program("KESHERD", "kesherd"), "address", "--data", operator.data, "--config", "/dev/stdin"],
        input=b"secure = off\n",
        capture_output=True,
        check=False,
    )
    assert run.returncode == 1 and b"secure is off" in run.stderr


def test_before_the_first_start_there_is_no_address(own_server):
    """It listens on no secure port."""
    assert "the first start" in Operator(own_server.data).fail("address")


# -- invitations


@pytest.mark.parametrize("is_running", [True, False])
def test_an_invitation_leads_to_an_account(server, operator, fresh_name, is_running):
    if not is_running:
        server.stop()
    (line,) = operator.succeed("invite").out.splitlines()
    if not is_running:
        server.start()
        # The port is another one after a start; the key is the same.
        line = line.replace(line.split("/join")[0], "https://%s:%d" % server.secure_address)
    link = parse_link(line)
    assert line.startswith("https://")
    with SecureClient.at(link) as client:
        client.register(Account(), fresh_name(), base64url(link.code))


def test_no_invitation_is_like_another(operator):
    codes = {parse_link(operator.succeed("invite").out.strip()).code for _ in range(5)}
    assert len(codes) == 5


def test_an_invitation_holds_for_a_week_and_one_unless_more_is_said(operator):
    begin = int(time.time())
    made = invited(operator)
    assert made["uses"] == 1 and made["for"] is None
    assert begin + WEEK <= made["until"] <= time.time() + WEEK
    made = invited(operator, "--uses", "30", "--days", "0", "--for", "Zoë")
    assert (made["uses"], made["until"], made["for"]) == (30, None, "Zoë")


@pytest.mark.parametrize(
    "words",
    [
        ("--uses", "0"),
        ("--uses", "100001"),
        ("--days", "-1"),
        ("--days", "36501"),
        ("--for", ""),
        ("--for", "a\n1 remove alice"),
        ("--for", "a\u202eb"),
        ("--for", "x" * 65),
        ("--curl",),
        ("alice",),
    ],
)
def test_an_invitation_that_makes_no_sense_is_refused(operator, words):
    operator.fail("invite", *words, status=2)


def test_a_link_that_nobody_could_use_makes_no_invitation(server, operator):
    outcome = operator.run("invite", "--host", "-")
    assert outcome.status == 1 and outcome.out == ""
    assert server.rows("SELECT count(*) FROM invitations") == [(0,)]


def test_neither_log_nor_disk_has_the_invitation(server, operator):
    code = parse_link(operator.succeed("invite").out.strip()).code
    server.stop()
    text = base64url(code)
    assert text not in server.log()
    for path in server.data.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert code not in content and text.encode() not in content, path
    server.start()


# -- users


def test_an_account_is_shown_as_one(server, operator, new_account, classic_key, make_secure):
    server = make_secure()
    operator = Operator(server.data)
    client, account = new_account(server)
    fields = operator.succeed("user", "show", account.name).fields()
    assert fields["classic ports"] == "off" and len(fields["account"].split("-")) == 5
    assert operator.users()[account.name]["account"] is True
    client.classic_on(classic_key)
    (shown,) = operator.succeed("user", "show", account.name, "--json").objects()
    assert (shown["account"], shown["classic"]) == (True, True)
    assert shown["short_fingerprint"] == fields["account"] and shown["public_id"] == account.public_id.hex()
