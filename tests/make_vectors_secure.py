#!/usr/bin/python3
"""Makes tests/vectors-secure.json, the test vectors of the secure port (docs/protocol.md, section 11), from fixed inputs:
by the peer of the integration tests, which shares no code with kesher.

    tests/make_vectors_secure.py > tests/vectors-secure.json
"""

import json
import os
import struct
import sys
from base64 import b64decode
from pathlib import Path

TESTS = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS / "integration"))

from Cryptodome.Cipher import PKCS1_OAEP  # noqa: E402
from Cryptodome.Hash import SHA1  # noqa: E402
from peer import accounts, crypto, links, own_files  # noqa: E402
from peer.accounts import Account, Entry, Kind, Reason, Request, sign_in_payload, text  # noqa: E402

ACCOUNT = Account(bytes(range(32)))
CERTIFICATE = bytes(range(0x40, 0x60))
EXPORTER = bytes(range(0x80, 0xA0))
CHANNEL = CERTIFICATE + EXPORTER
NAME = "Zoë Ångström"
INVITATION = links.base64url(bytes(range(0xF0, 0x100)))
CLASSIC_ID = bytes(range(0x10, 0x20))
SECRET = bytes(range(0xC0, 0xE0))

# RFC 8032, 7.1: tests 1 to 3.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]

# By hand, with the data of ICU 72 (UTS 39): what makes names alike (section 8.2).
NAMES = [
    ("paypal", "paypal"),
    ("PayPal", "paypal"),
    ("paypa1", "paypal"),
    ("paypaI", "paypal"),
    ("раypаl", "paypal"),  # Cyrillic er and a
    ("ｐａｙｐａｌ", "paypal"),  # fullwidth
    ("alice", "allce"),
    ("aIice", "allce"),  # a capital i
    ("ALICE", "allce"),
    ("a1ice", "allce"),
    ("bob", "bob"),
    ("B0B", "bob"),
    ("ВОВ", "bob"),  # Cyrillic, all of it
    ("Straße", "strasse"),
    ("STRASSE", "strasse"),
    ("ﬁsh", "flsh"),  # a ligature
    ("modem", "rnodern"),
    ("modern", "rnodern"),
    ("scope", "scope"),
    ("ѕсоре", "scope"),  # Cyrillic, all of it
    ("Tom", "torn"),
    ("ТОМ", "torn"),  # Cyrillic, all of it
    ("Вор", "bop"),  # Cyrillic, all of it
    ("Bop", "bop"),
    ("東京", "東京"),
    ("カ", "力"),  # a syllable of katakana, which looks like the character for power
    ("Ωmega", "ωrnega"),
    ("O’Neil", "o'nell"),
    ("HANNA", "hanna"),
    ("Mia Müller", "rnla rnüller"),
]

LINKS = [
    "kesher://example.org/",
    "kesher://Example.ORG",
    "https://example.org/",
    "kesher://example.org:4711/",
    f"kesher://example.org/#{links.base64url(CERTIFICATE)}",
    f"kesher://127.0.0.1:1358/#{links.base64url(CERTIFICATE)}",
    f"kesher://[2001:db8::1]:99/#{links.base64url(CERTIFICATE)}",
    f"kesher://[::1]/join#{INVITATION}",
    f"https://example.org/join#{INVITATION}",
    f"https://example.org:1358/join#{INVITATION}.{links.base64url(CERTIFICATE)}",
    f"kesher://example.org/join#{INVITATION}.{links.base64url(CERTIFICATE)}",
]

NO_LINKS = [
    "",
    "kesher://",
    "kesher:///",
    "kesher://example.org:0/",
    "kesher://example.org:65536/",
    "kesher://example.org:/",
    "kesher://[::1/",
    f"kesher://example.org/#{links.base64url(CERTIFICATE)[:-1]}",
    f"kesher://example.org/#{links.base64url(CERTIFICATE)}A",
    f"kesher://example.org/#{links.base64url(CERTIFICATE)[:-1]}9",
    f"kesher://example.org/#{links.base64url(CERTIFICATE)[:-1]}=",
    f"https://example.org/join#{INVITATION[:-1]}",
    f"https://example.org/join#{INVITATION}.",
    f"https://example.org/join#{INVITATION}.{INVITATION}",
    "https://example.org/join",
    "kesher://example.org/other",
    "http://example.org/join#" + INVITATION,
    f"https://someone@example.org/join#{INVITATION}",
]


# Names of own files (section 10); hex, for a name is bytes.
FILE_NAMES = [
    b"a",
    b"hello.txt",
    b"a/b",
    b"a/b/c",
    b" ",
    b" a ",
    b"...",
    b".hidden",
    b"..a/b..",
    b"a/.../b",
    b"-rf",
    b"~",
    b"C:",
    b"*?<>|\"'`$",
    "שלום/Grüße 😀.txt".encode(),
    b"\xff\xfe",  # no UTF-8
    b"\xc2\x80",  # U+0080, a control character, but no byte below 0x20
    b"\x80\x9f",
    b"n" * 254,
    b"/".join([b"d"] * 127) + b"x",
]

NO_FILE_NAMES = [
    b"",
    b"n" * 255,
    b".",
    b"..",
    b"/",
    b"/a",
    b"a/",
    b"a//b",
    b"./a",
    b"a/.",
    b"a/./b",
    b"../a",
    b"a/..",
    b"a/../b",
    b"a\\b",
    b"\\",
    b"a\0",
    b"a\0b",
    b"\0",
    b"a\n",
    b"\x1f",
    b"a/\x01/b",
    b"a\x7f",
]

LARGEST = (1 << 63) - 1


def signed(request: Request, label: bytes, data: bytes, behind: bytes = b"") -> dict:
    signature = ACCOUNT.sign(data)
    payload = (
        signature if request == Request.REMOVE else sign_in_payload(ACCOUNT.key, signature) + behind
    )
    return {
        "request": int(request),
        "label": label[:-1].decode(),
        "signed_hex": data.hex(),
        "signature_hex": signature.hex(),
        "payload_hex": payload.hex(),
    }


def all_signed() -> list[dict]:
    key = ACCOUNT.key
    return [
        signed(Request.SIGN_IN, accounts.SIGN_IN, accounts.sign_in_signed(CHANNEL, key)),
        signed(
            Request.REGISTER,
            accounts.REGISTER,
            accounts.register_signed(CHANNEL, key, NAME, INVITATION),
            text(NAME) + text(INVITATION),
        ),
        signed(
            Request.REGISTER,
            accounts.REGISTER,
            accounts.register_signed(CHANNEL, key, NAME),
            text(NAME) + text(""),
        ),
        signed(
            Request.ADOPT,
            accounts.ADOPT,
            accounts.adopt_signed(CHANNEL, key, CLASSIC_ID, NAME),
            CLASSIC_ID + text(NAME),
        ),
        signed(Request.REMOVE, accounts.REMOVE, accounts.remove_signed(CHANNEL, key)),
    ]


def adoption() -> dict:
    classic = json.loads((TESTS / "vectors.json").read_text())["keys"][0]
    key = crypto.private_key(b64decode(classic["private_pkcs8_base64"]))
    fixed = {"hashAlgo": SHA1, "randfunc": lambda size: b"seed of OAEP, fixed."[:size]}
    public = key.public_key()
    return {
        "rsa_key": "keys[0] of vectors.json",
        "secret_hex": SECRET.hex(),
        "challenge_hex": PKCS1_OAEP.new(public, label=accounts.OAEP_LABEL, **fixed).encrypt(SECRET).hex(),
        "not_a_challenge_hex": PKCS1_OAEP.new(public, **fixed).encrypt(SECRET).hex(),
        "proven_hex": accounts.adopt_signed(CHANNEL, ACCOUNT.key, CLASSIC_ID, NAME).hex(),
        "proof_hex": accounts.adoption_proof(SECRET, CHANNEL, ACCOUNT.key, CLASSIC_ID, NAME).hex(),
    }


def link(told: str) -> dict:
    read = links.parse_link(told)
    return {
        "link": told,
        "host": read.host,
        "port": read.port,
        "fingerprint_hex": (read.fingerprint or b"").hex(),
        "code_hex": (read.code or b"").hex(),
    }


def short_fingerprints() -> list[dict]:
    keys = [ACCOUNT.key, bytes(32), b"\xff" * 32, *(bytes.fromhex(row[1]) for row in RFC_8032)]
    return [{"key_hex": key.hex(), "text": accounts.short_fingerprint(key)} for key in keys]


def lists() -> list[dict]:
    public_id = bytes(range(16))
    entries = [(Entry.NAME, NAME.encode()), (Entry.MESSAGE_LIMIT, (1 << 26).to_bytes(8, "little"))]
    rows = [
        [],
        [(Entry.PUBLIC_ID, public_id), *entries],
        [(Entry.PUBLIC_ID, public_id), *entries, (Entry.NEXT_KEY, CERTIFICATE), (999, b"of later")],
        [(Entry.CLASSIC, b"\0"), (Entry.CLASSIC, b"\1")],
    ]
    return [
        {
            "payload_hex": accounts.list_payload(*row).hex(),
            "entries": [{"key": int(key), "value_hex": value.hex()} for key, value in row],
        }
        for row in rows
    ]


def refusals() -> list[dict]:
    sentences = {Reason.NAME_TAKEN: "The name is taken.", Reason.TROUBLE: "Später noch einmal."}
    return [
        {
            "reason": int(reason),
            "sentence": sentence,
            "payload_hex": (int(reason).to_bytes(2, "little") + text(sentence)).hex(),
        }
        for reason, sentence in sentences.items()
    ]


# -- own files


def u64(number: int) -> bytes:
    return struct.pack("<Q", number)


def named(payload_of, rows: list[dict]) -> list[dict]:
    """Rows with their payloads; a name, or a put id, is bytes there and hex here."""
    return [
        {
            "payload_hex": payload_of(**row).hex(),
            **{(key + "_hex" if isinstance(value, bytes) else key): hexed(value) for key, value in row.items()},
        }
        for row in rows
    ]


def hexed(value):
    return value.hex() if isinstance(value, bytes) else value


def file_names() -> list[dict]:
    """3010, 3012, 3016: the name is all there is."""
    return named(own_files.name_payload, [{"name": name} for name in (b"", b"a/b", "Grüße".encode(), b"n" * 254)])


def gets() -> list[dict]:
    rows = [
        {"name": b"hello.txt", "offset": 0, "prefix_cksum": 0, "length": LARGEST},
        {"name": b"a/b", "offset": 5, "prefix_cksum": crypto.cksum(b"hello"), "length": 1},
        {"name": b"\xff", "offset": LARGEST, "prefix_cksum": 0xFFFFFFFF, "length": 0},
        {"name": b"x", "offset": 1 << 32, "prefix_cksum": 1, "length": (1 << 64) - 1},
        {"name": b"", "offset": 0, "prefix_cksum": 0, "length": 0},  # which no file has
    ]
    return named(own_files.get_payload, rows)


def puts() -> list[dict]:
    put_id = bytes(range(0xA0, 0xB0))
    rows = [
        {"put_id": put_id, "name": b"hello.txt", "size": 5, "flags": 0},
        {"put_id": bytes(16), "name": b"a/b", "size": 0, "flags": int(own_files.Put.REPLACE)},
        {"put_id": put_id, "name": "Grüße".encode(), "size": 5 << 30, "flags": int(own_files.Put.ANEW)},
        {"put_id": b"\xff" * 16, "name": b"n" * 254, "size": LARGEST, "flags": 3},
        {"put_id": put_id, "name": b"", "size": 0x0123456789ABCDEF, "flags": 0},  # a name that none may have
    ]
    return named(own_files.put_payload, rows)


FACTS = [
    own_files.Facts(5, 1_700_000_000_123_456_789, crypto.cksum(b"hello"), bytes(range(0x20, 0x40))),
    own_files.Facts(0, 1, None, None),
    own_files.Facts(LARGEST, (1 << 64) - 1, 0, None),  # a cksum that is 0 is one
    own_files.Facts(5 << 30, 0, None, bytes(32)),
]


def facts(of: own_files.Facts) -> dict:
    return {
        "size": of.size,
        "time": of.time,
        "cksum": of.cksum,
        "sha256_hex": None if of.sha256 is None else of.sha256.hex(),
    }


def pages() -> list[dict]:
    """4010."""
    names = [b"hello.txt", b"hello.txt/a", "Grüße".encode(), b"n" * 254]
    files = [own_files.File(name.decode(), of) for name, of in zip(names, FACTS)]
    return [
        {
            "payload_hex": own_files.files_payload(more, page).hex(),
            "more": int(more),
            "files": [{"name_hex": own_files.name_bytes(file.name).hex(), **facts(file.facts)} for file in page],
        }
        for more, page in ((False, []), (True, files[:1]), (False, files))
    ]


def coming() -> list[dict]:
    """4011."""
    places = [(0, 5), (0, 0), (LARGEST - 1, 1), (1 << 32, 1 << 30)]
    return [
        {
            "payload_hex": own_files.coming_payload(own_files.Coming(offset, length, of)).hex(),
            "offset": offset,
            "length": length,
            **facts(of),
        }
        for (offset, length), of in zip(places, FACTS)
    ]


def opened() -> list[dict]:
    """4013."""
    rows = [(False, 0, crypto.cksum(b"")), (True, 5, crypto.cksum(b"hello")), (False, LARGEST, 1)]
    return [
        {
            "payload_hex": own_files.opened_payload(own_files.Opened(*row)).hex(),
            "is_kept": int(row[0]),
            "offset": row[1],
            "cksum": row[2],
        }
        for row in rows
    ]


def malformed() -> list[dict]:
    """Of each code what it may not be, besides what is too short or too long."""
    name = own_files.name_payload("x")
    over = LARGEST + 1
    known = own_files.facts_bytes(FACTS[0])
    unknown = own_files.facts_bytes(FACTS[1])
    rows = [
        (Request.LIST_FILES, b"\2\0x", "a name that is cut"),
        (Request.GET_FILE, struct.pack("<QIQ", over, 0, 1) + name, "an offset over 2^63 - 1"),
        (Request.GET_FILE, struct.pack("<QIQ", 0, 0, 1) + b"\2\0x", "a name that is cut"),
        (Request.PUT_FILE, bytes(16) + b"\0" + u64(over) + name, "a size over 2^63 - 1"),
        (Request.PUT_FILE, bytes(16) + b"\0" + u64((1 << 64) - 1) + name, "a size over 2^63 - 1"),
        (Request.PUT_FILE, bytes(16) + b"\4" + u64(1) + name, "a flag that there is not"),
        (Request.PUT_FILE, bytes(16) + b"\x80" + u64(1) + name, "a flag that there is not"),
        (Request.PUT_FILE, bytes(16) + b"\0" + u64(1) + b"\0\1x", "a name that is cut"),
        (accounts.Answer.FILES, b"\0" + u64(over) + known[8:] + name, "a size over 2^63 - 1"),
        (accounts.Answer.FILES, b"\0" + known + b"\2\0x", "a name that is cut"),
        (accounts.Answer.FILES, b"\0" + unknown[:17] + b"\1" + unknown[18:] + name, "a cksum that is not known"),
        (accounts.Answer.FILES, b"\0" + unknown[:-1] + b"\1" + name, "a SHA-256 that is not known"),
        (accounts.Answer.FILES, b"\0" + unknown[:16] + b"\4" + unknown[17:] + name, "a flag that there is not"),
        (accounts.Answer.FILE_COMES, u64(over) + u64(0) + known, "an offset over 2^63 - 1"),
        (accounts.Answer.FILE_COMES, u64(0) + u64(over) + known, "a length over 2^63 - 1"),
        (accounts.Answer.FILE_COMES, u64(0) + u64(0) + u64(over) + known[8:], "a size over 2^63 - 1"),
        (accounts.Answer.PUT_OPEN, b"\0" + u64(over) + bytes(4), "an offset over 2^63 - 1"),
        (accounts.Answer.FILE_COMES, u64(5) + u64(1) + known, "a length behind the end of the file"),
        (accounts.Answer.FILE_COMES, u64(6) + u64(0) + known, "an offset behind the end of the file"),
        (accounts.Answer.PUT_OPEN, b"\2" + u64(0) + bytes(4), "a flag that there is not"),
    ]
    return [{"code": int(code), "payload_hex": payload.hex(), "why": why} for code, payload, why in rows]


def put_ids() -> list[dict]:
    """What `kesher` makes of a file on disk."""
    rows = [
        (2049, 1234567, 5, 1_700_000_000_123_456_789, b"hello.txt"),
        (1 << 63, 1, 5 << 30, 0, "Grüße/x".encode()),
    ]
    keys = ("device", "inode", "size", "time_ns", "name_hex", "put_id_hex")
    made = []
    for device, inode, size, time, name in rows:
        status = os.stat_result((0, inode, device, 0, 0, 0, size, 0, 0, 0), {"st_mtime_ns": time})
        values = (device, inode, size, time, name.hex(), own_files.kesher_put_id(status, name).hex())
        made.append(dict(zip(keys, values)))
    return made


def sums() -> list[dict]:
    """cksums by which a put goes on."""
    whole = bytes(range(256)) * 5
    contents = [whole[:size] for size in (0, 1, 5, 255, 256, 1280)]
    return [{"content_hex": content.hex(), "cksum": crypto.cksum(content)} for content in contents]


def all_own_files() -> dict:
    return {
        "names_alone": file_names(),
        "gets": gets(),
        "puts": puts(),
        "pages": pages(),
        "coming": coming(),
        "opened": opened(),
        "malformed": malformed(),
        "put_ids": put_ids(),
        "sums": sums(),
        "names_hex": [name.hex() for name in FILE_NAMES],
        "no_names_hex": [name.hex() for name in NO_FILE_NAMES],
    }


def vectors() -> dict:
    return {
        "made_by": "tests/make_vectors_secure.py",
        "account": {
            "secret_hex": ACCOUNT.secret.hex(),
            "key_hex": ACCOUNT.key.hex(),
            "kind": int(Kind.CHANNEL),
        },
        "channel_hex": CHANNEL.hex(),
        "name": NAME,
        "invitation": INVITATION,
        "classic_id_hex": CLASSIC_ID.hex(),
        "ed25519": [dict(zip(("secret_hex", "key_hex", "message_hex", "signature_hex"), row)) for row in RFC_8032],
        "signed": all_signed(),
        "adoption": adoption(),
        "short_fingerprints": short_fingerprints(),
        "lists": lists(),
        "refusals": refusals(),
        "links": [link(told) for told in LINKS],
        "no_links": NO_LINKS,
        "own_files": all_own_files(),
        "names": [{"name": name, "skeleton": skeleton} for name, skeleton in NAMES],
    }


if __name__ == "__main__":
    print(json.dumps(vectors(), indent=1, ensure_ascii=True))
