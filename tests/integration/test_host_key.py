"""Where the host key comes from, who may read it, and what a server says when it is lost."""

import os
import shutil
import subprocess

import pytest
from peer import tls
from peer.kesherd import Kesherd, environment, program
from peer.links import base64url
from peer.operators import Operator

RUN_SECONDS = 60


def shown(server: Kesherd) -> bytes:
    """The fingerprint of who answers now."""
    with server.connect_secure() as client:
        return client.fingerprint


def give(folder, identity: tls.Identity, mode: int = 0o600) -> dict[str, str]:
    """Writes an identity into files; the options that name them."""
    certificate, key = folder / "certificate", folder / "private-key"
    certificate.write_bytes(identity.certificate_pem())
    key.write_bytes(identity.key_pem())
    key.chmod(mode)
    return {"certificate": str(certificate), "private_key": str(key)}


def refused_start(data, *options: str, **variables: str) -> str:
    """What a server says that does not start."""
    run = subprocess.run(
        [program("KESHERD", "kesherd"), "--data", data, "--listen", "off", "--chat", "off", "--ask", "off"]
        + ["--secure", "127.0.0.1:0", *options],
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        env={**environment(), **variables},
        check=False,
    )
    assert run.returncode == 1, run
    return run.stderr


def check_config(*options: str, **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [program("KESHERD", "kesherd"), "--check-config", *options],
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        env={**environment(), **variables},
        check=False,
    )


# -- its own


def test_a_key_is_made_once_and_kept_over_crashes(make_secure):
    server = make_secure()
    first = shown(server)
    assert f"made a host key in {server.data}/tls: {base64url(first)}" in server.log()
    assert (server.data / "tls").stat().st_mode & 0o777 == 0o700
    assert (server.data / "tls/key.pem").stat().st_mode & 0o777 == 0o600
    for _ in range(2):
        server.restart_after_kill()
        assert shown(server) == first
    assert server.log().count("made a host key") == 1


def test_the_ready_line_has_what_to_hand_out_where_others_reach_the_port(make_server):
    server = make_server(host="0.0.0.0", also=("secure",))
    (ready,) = [line for line in server.log().splitlines() if " ready: " in line]
    with server.connect_secure() as client:
        assert f"/#{base64url(client.fingerprint)}, registration invited, on classic ports open" in ready


def test_on_loopback_the_ready_line_says_that_registration_is_open(make_secure):
    (ready,) = [line for line in make_secure().log().splitlines() if " ready: " in line]
    assert ", registration open, data in" in ready and "kesher://" not in ready


def test_a_key_that_others_can_read_is_refused_until_that_is_mended(make_secure):
    server = make_secure()
    first = shown(server)
    server.stop()
    key = server.data / "tls/key.pem"
    key.chmod(0o640)
    assert f"chmod 600 {key}" in refused_start(server.data)
    key.chmod(0o600)
    assert shown(server.start()) == first


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_key_of_somebody_else_is_refused(make_secure):
    server = make_secure()
    server.stop()
    os.chown(server.data / "tls/key.pem", 4242, 4242)
    assert "belongs to user 4242" in refused_start(server.data)
    os.chown(server.data / "tls/key.pem", 0, 0)
    server.start()


def test_where_a_key_was_none_is_made(make_secure):
    server = make_secure()
    server.stop()
    key = server.data / "tls/key.pem"
    kept = key.read_bytes()
    key.unlink()
    assert "bring it back from a backup" in refused_start(server.data)
    assert not key.exists()
    key.touch(mode=0o600)
    key.write_bytes(kept)
    server.start()


def test_a_lost_directory_is_told_by_a_check_as_soon_as_somebody_has_an_account(make_secure, new_account):
    server = make_secure()
    operator = Operator(server.data)
    new_account(server)
    lost = server.data / "tls"
    shutil.move(lost, server.data.with_name("kept"))
    for _ in range(2):
        outcome = operator.run("check")
        assert outcome.status == 1, outcome
        wrong, sums = outcome.lines()
        assert wrong[0] == "wrong" and str(lost) in wrong[1] and "backup" in wrong[2]
        assert sums[0] == "sums" and sums[-1] == "1"
        server.stop()
    shutil.move(server.data.with_name("kept"), lost)
    operator.succeed("check")
    server.start()


def test_a_check_tells_of_a_key_that_others_can_read(make_secure):
    server = make_secure()
    key = server.data / "tls/key.pem"
    key.chmod(0o644)
    outcome = Operator(server.data).run("check", "--json")
    assert outcome.status == 1
    wrong, sums = outcome.objects()
    assert wrong["wrong"] and f"chmod 600 {key}" in wrong["what"] and sums["wrong_things"] == 1
    key.chmod(0o600)
    Operator(server.data).succeed("check")


def test_a_key_that_is_changed_while_a_server_runs_is_shown_after_its_reload_and_its_restart(make_secure):
    server = make_secure()
    operator = Operator(server.data)
    operator.succeed("key", "next")
    (new,) = [line["key"] for line in operator.succeed("key", "use", "--json").objects()]
    server.read_again()
    assert base64url(shown(server)) == new
    assert base64url(shown(server.restart())) == new
    assert "no key is prepared" in operator.fail("key", "use")


# -- the operator's


def test_credentials_of_systemd_are_found_by_their_names(make_server, tmp_path):
    identity = tls.Identity.generate("chat.example.org")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    give(credentials, identity)
    server = Kesherd(tmp_path / "data", also=("secure",))
    server.variables = {"CREDENTIALS_DIRECTORY": str(credentials)}
    try:
        server.start()
        assert shown(server) == identity.fingerprint
        assert not (server.data / "tls/key.pem").exists()
        # Who runs a command does not see them; what the server shows is what counts.
        shown_by_command = Operator(server.data).succeed("address", "--json").objects()[0]
        assert shown_by_command["fingerprint"] == base64url(identity.fingerprint)
        assert "given" in Operator(server.data).fail("key", "next")
        assert "given" in Operator(server.data).fail("key", "use")
    finally:
        server.stop()


def test_a_given_key_that_others_can_read_is_refused_at_the_start_and_by_a_reload(make_secure, tmp_path):
    identity = tls.Identity.generate("chat.example.org")
    options = give(tmp_path, identity)
    server = make_secure(**options)
    os.chmod(options["private_key"], 0o644)
    assert "stays as it was: others can read" in server.read_again()
    assert shown(server) == identity.fingerprint
    told = refused_start(
        tmp_path / "other", "--certificate", options["certificate"], "--private-key", options["private_key"]
    )
    assert "others can read" in told


def test_the_configuration_is_judged_with_the_files_that_it_names(tmp_path):
    identity, other = tls.Identity.generate("a.example.org"), tls.Identity.generate("b.example.org")
    options = give(tmp_path, identity)
    both = ("--certificate", options["certificate"], "--private-key", options["private_key"])
    assert check_config(*both).returncode == 0
    assert check_config(CREDENTIALS_DIRECTORY=str(tmp_path)).returncode == 0
    for words in (both[:2], both[2:]):
        wrong = check_config(*words)
        assert (wrong.returncode, wrong.stdout) == (2, "") and "give both, or none" in wrong.stderr
    (tmp_path / "private-key").write_bytes(other.key_pem())
    for wrong in (check_config(*both), check_config(CREDENTIALS_DIRECTORY=str(tmp_path))):
        assert wrong.returncode == 2 and "not the key of the certificate" in wrong.stderr
    assert check_config("--secure", "off", *both).returncode == 0
    missing = check_config("--certificate", "/nowhere/a", "--private-key", "/nowhere/b")
    assert missing.returncode == 2 and "/nowhere/a" in missing.stderr


def test_a_certificate_that_has_ended_is_shown_and_told(make_secure, tmp_path):
    """Clients that trust the key do not look at its time."""
    identity = tls.Identity.generate("chat.example.org", days=0)
    server = make_secure(**give(tmp_path, identity))
    assert "the certificate of the secure port has ended at" in server.log()
    assert shown(server) == identity.fingerprint
    give(tmp_path, tls.Identity.generate("chat.example.org", days=3))
    assert "ends at" in server.read_again()
    give(tmp_path, tls.Identity.generate("chat.example.org", days=30))
    assert "renew it" not in server.read_again()


def test_going_back_to_its_own_key_shows_the_one_that_it_had(make_secure, tmp_path):
    server = make_secure()
    own = shown(server)
    identity = tls.Identity.generate("chat.example.org")
    server.reload(**give(tmp_path, identity))
    assert shown(server) == identity.fingerprint
    server.reload()
    assert shown(server) == own
