"""What other people's programs say about the secure port: openssl, curl, sslscan, testssl."""

import json
import subprocess
import xml.etree.ElementTree as ElementTree
from base64 import b64encode

import pytest
from peer.links import parse_link
from peer.openssl import run_s_client
from peer.operators import Operator

TESTSSL_SECONDS = 600

# What testssl says that is neither well nor only for information, each with the reason why it is so.
EXPECTED_FINDINGS = {
    "cert_chain_of_trust": "self-signed: clients know the server by its fingerprint",
    "cert_trust": "the certificate names nobody",
    "cert_subjectAltName": "the certificate names nobody",
    "cert_revocation": "nobody could revoke it: a new key is a new fingerprint",
    "cert_validityPeriod": "it ends in the year 9999: the key is pinned, not the certificate",
    "DNS_CAArecord": "an address of the loopback is in no DNS",
    "HSTS": "there is no HTTP that one could fall back to on this port, and no page yet",
}
GROUPS = {"x25519", "secp256r1 (NIST P-256)", "secp384r1 (NIST P-384)"}


def run(*command: str, timeout: int = TESTSSL_SECONDS) -> subprocess.CompletedProcess:
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def place_of(server) -> str:
    host, port = server.secure_address
    return f"{host}:{port}"


def test_openssl_connects_and_sees_tls_1_3_and_kesher(secure):
    printed = run_s_client(secure.secure_address)
    assert "New, TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256" in printed
    assert "ALPN protocol: kesher/1" in printed
    assert "Post-Handshake New Session Ticket" not in printed


def test_curl_takes_the_fingerprint_that_is_handed_out(secure):
    fingerprint = parse_link(Operator(secure.data).run("address").out.strip()).fingerprint
    pin = "sha256//" + b64encode(fingerprint).decode()
    done = run("curl", "--silent", "--insecure", "--pinnedpubkey", pin, f"https://{place_of(secure)}/")
    assert done.returncode == 0, done.stderr
    wrong = "sha256//" + b64encode(bytes(32)).decode()
    done = run("curl", "--silent", "--insecure", "--pinnedpubkey", wrong, f"https://{place_of(secure)}/")
    assert done.returncode == 90  # the pin does not match


def test_what_the_operator_is_told_for_curl_is_what_curl_takes(secure):
    words = Operator(secure.data).run("address", "--curl").out.split()
    assert "--pinnedpubkey" in words
    pin = words[words.index("--pinnedpubkey") + 1].strip("'\"")
    done = run("curl", "--silent", "--insecure", "--pinnedpubkey", pin, f"https://{place_of(secure)}/")
    assert done.returncode == 0, done.stderr


def test_sslscan_finds_tls_1_3_alone_with_the_suites_and_groups_of_the_page(secure, tmp_path):
    report = tmp_path / "report.xml"
    assert run("sslscan", f"--xml={report}", place_of(secure)).returncode == 0
    tree = ElementTree.parse(report)
    protocols = [entry for entry in tree.iter("protocol") if entry.get("enabled") == "1"]
    assert [(entry.get("type"), entry.get("version")) for entry in protocols] == [("tls", "1.3")]
    suites = [entry.get("cipher") for entry in tree.iter("cipher")]
    assert suites[0] == "TLS_AES_128_GCM_SHA256"
    assert set(suites) == {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
    assert {entry.get("name") for entry in tree.iter("group")} == GROUPS
    assert [entry.get("vulnerable") for entry in tree.iter("heartbleed")] == ["0"]
    assert all(entry.get("supported") == "0" for entry in tree.iter("renegotiation"))
    assert [entry.get("bits") for entry in tree.iter("pk")] == ["128"]  # of ECDSA P-256, as strong as that


def findings_of_testssl(server, report, *options: str) -> dict[str, dict]:
    quietly = ["--quiet", "--color", "0", "--warnings", "off", "--ip", "one", "--jsonfile", str(report)]
    done = run("testssl", *quietly, *options, place_of(server))
    assert report.exists(), done.stdout + done.stderr
    return {entry["id"]: entry for entry in json.loads(report.read_text())}


# What testssl says of the openssl(1) beside it, and not of the server.
ABOUT_ITSELF = {"engine_problem"}


def assert_well(findings: dict[str, dict], expected: set[str]) -> None:
    """Besides what is expected, and then is found, all is well or only for information."""
    worse = {name: entry for name, entry in findings.items() if entry["severity"] not in ("OK", "INFO")}
    found = {name: entry for name, entry in worse.items() if name not in ABOUT_ITSELF}
    assert set(found) == expected, [found[name] for name in set(found) - expected]
    assert "final" in findings["TLS1_3"]["finding"]
    for version in ("SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2"):
        assert "not offered" in findings[version]["finding"], version


@pytest.mark.timeout(TESTSSL_SECONDS)
def test_testssl_finds_no_vulnerability(secure, tmp_path):
    findings = findings_of_testssl(secure, tmp_path / "report.json", "--fast", "-p", "-U")
    assert_well(findings, set())
    for attack in ("heartbleed", "CCS", "secure_client_renego", "CRIME_TLS", "POODLE_SSL", "DROWN", "RC4"):
        assert findings[attack]["severity"] == "OK", findings[attack]


@pytest.mark.slow
@pytest.mark.timeout(TESTSSL_SECONDS)
def test_testssl_finds_nothing_but_what_follows_from_a_certificate_of_its_own(secure, tmp_path):
    assert_well(findings_of_testssl(secure, tmp_path / "report.json"), set(EXPECTED_FINDINGS))
