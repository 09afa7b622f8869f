#!/usr/bin/python3
"""Turns tests/vectors-secure.json into a C header: vectors_secure.py VECTORS.json HEADER"""

import json
import sys


def quoted(text):
    return json.dumps(text)  # hex, base64, links and reasons need no escape that C does not have too


def hexed(text):
    return quoted(text.encode().hex())


def array(declaration, rows):
    return "\n".join([f"static const {declaration}[] = {{", *(f"    {{{row}}}," for row in rows), "};", ""])


def define(name, value):
    return f"#define {name} {value}"


def entries_of(lists):
    return [
        f"{number}, {entry['key']}, {quoted(entry['value_hex'])}"
        for number, row in enumerate(lists)
        for entry in row["entries"]
    ]


def row(entry, *keys):
    return ", ".join(quoted(value) if isinstance(value := entry[key], str) else str(value) for key in keys)


def number(value):
    return f"UINT64_C({value})"


FACTS = "uint64_t size; uint64_t time; int has_cksum; uint32_t cksum; int has_sha256; const char *sha256_hex;"


def facts(entry):
    cksum, sha256 = entry["cksum"], entry["sha256_hex"]
    known = [int(cksum is not None), cksum or 0, int(sha256 is not None), quoted(sha256 or "")]
    return ", ".join([number(entry["size"]), number(entry["time"]), *map(str, known)])


def own_files(vectors):
    return [
        array(
            "struct { const char *payload_hex; const char *name_hex; } vector_names_alone",
            [row(entry, "payload_hex", "name_hex") for entry in vectors["names_alone"]],
        ),
        array(
            "struct { const char *payload_hex; const char *name_hex; uint64_t offset; uint32_t cksum; "
            "uint64_t length; } vector_gets",
            [
                f"{row(entry, 'payload_hex', 'name_hex')}, {number(entry['offset'])}, "
                f"{entry['prefix_cksum']}, {number(entry['length'])}"
                for entry in vectors["gets"]
            ],
        ),
        array(
            "struct { const char *payload_hex; const char *put_id_hex; const char *name_hex; unsigned flags; "
            "uint64_t size; } vector_puts",
            [
                f"{row(entry, 'payload_hex', 'put_id_hex', 'name_hex', 'flags')}, {number(entry['size'])}"
                for entry in vectors["puts"]
            ],
        ),
        array(
            "struct { const char *payload_hex; unsigned more; unsigned files; } vector_pages",
            [f"{row(entry, 'payload_hex', 'more')}, {len(entry['files'])}" for entry in vectors["pages"]],
        ),
        array(
            f"struct {{ const char *name_hex; {FACTS} }} vector_page_files",
            [
                f"{row(entry, 'name_hex')}, {facts(entry)}"
                for page in vectors["pages"]
                for entry in page["files"]
            ],
        ),
        array(
            f"struct {{ const char *payload_hex; uint64_t offset; uint64_t length; {FACTS} }} vector_coming",
            [
                f"{row(entry, 'payload_hex')}, {number(entry['offset'])}, {number(entry['length'])}, {facts(entry)}"
                for entry in vectors["coming"]
            ],
        ),
        array(
            "struct { const char *payload_hex; unsigned is_kept; uint64_t offset; uint32_t cksum; } vector_opened",
            [
                f"{row(entry, 'payload_hex', 'is_kept')}, {number(entry['offset'])}, {entry['cksum']}"
                for entry in vectors["opened"]
            ],
        ),
        array(
            "struct { unsigned code; const char *payload_hex; const char *why; } vector_malformed",
            [row(entry, "code", "payload_hex", "why") for entry in vectors["malformed"]],
        ),
        array(
            "struct { uint64_t device; uint64_t inode; uint64_t size; uint64_t time; const char *name_hex; "
            "const char *put_id_hex; } vector_put_ids",
            [
                ", ".join(number(entry[key]) for key in ("device", "inode", "size", "time_ns"))
                + f", {row(entry, 'name_hex', 'put_id_hex')}"
                for entry in vectors["put_ids"]
            ],
        ),
        array(
            "struct { const char *name_hex; } vector_file_names", [quoted(name) for name in vectors["names_hex"]]
        ),
        array(
            "struct { const char *name_hex; } vector_no_file_names",
            [quoted(name) for name in vectors["no_names_hex"]],
        ),
    ]


def header(vectors):
    adoption = vectors["adoption"]
    return "\n".join(
        [
            "/* Made from tests/vectors-secure.json by tests/unit/vectors_secure.py. */",
            define("VECTOR_SECRET_HEX", quoted(vectors["account"]["secret_hex"])),
            define("VECTOR_KEY_HEX", quoted(vectors["account"]["key_hex"])),
            define("VECTOR_CHANNEL_HEX", quoted(vectors["channel_hex"])),
            define("VECTOR_NAME_HEX", hexed(vectors["name"])),
            define("VECTOR_INVITATION", quoted(vectors["invitation"])),
            define("VECTOR_CLASSIC_ID_HEX", quoted(vectors["classic_id_hex"])),
            define("VECTOR_ADOPTION_SECRET_HEX", quoted(adoption["secret_hex"])),
            define("VECTOR_CHALLENGE_HEX", quoted(adoption["challenge_hex"])),
            define("VECTOR_NOT_A_CHALLENGE_HEX", quoted(adoption["not_a_challenge_hex"])),
            define("VECTOR_PROVEN_HEX", quoted(adoption["proven_hex"])),
            define("VECTOR_PROOF_HEX", quoted(adoption["proof_hex"])),
            array(
                "struct { const char *secret_hex; const char *key_hex; const char *message_hex; "
                "const char *signature_hex; } vector_ed25519",
                [row(entry, "secret_hex", "key_hex", "message_hex", "signature_hex") for entry in vectors["ed25519"]],
            ),
            array(
                "struct { unsigned request; const char *signed_hex; const char *signature_hex; "
                "const char *payload_hex; } vector_signed",
                [row(entry, "request", "signed_hex", "signature_hex", "payload_hex") for entry in vectors["signed"]],
            ),
            array(
                "struct { const char *key_hex; const char *text; } vector_short_fingerprints",
                [row(entry, "key_hex", "text") for entry in vectors["short_fingerprints"]],
            ),
            array(
                "struct { const char *payload_hex; } vector_lists",
                [row(entry, "payload_hex") for entry in vectors["lists"]],
            ),
            array(
                "struct { unsigned list; unsigned key; const char *value_hex; } vector_list_entries",
                entries_of(vectors["lists"]),
            ),
            array(
                "struct { unsigned reason; const char *sentence_hex; const char *payload_hex; } vector_refusals",
                [
                    f"{entry['reason']}, {hexed(entry['sentence'])}, {quoted(entry['payload_hex'])}"
                    for entry in vectors["refusals"]
                ],
            ),
            array(
                "struct { const char *link; const char *host; unsigned port; const char *fingerprint_hex; "
                "const char *code_hex; } vector_links",
                [row(entry, "link", "host", "port", "fingerprint_hex", "code_hex") for entry in vectors["links"]],
            ),
            array("struct { const char *link; } vector_no_links", [quoted(link) for link in vectors["no_links"]]),
            array(
                "struct { const char *name_hex; const char *skeleton_hex; } vector_names",
                [f"{hexed(entry['name'])}, {hexed(entry['skeleton'])}" for entry in vectors["names"]],
            ),
            *own_files(vectors["own_files"]),
        ]
    )


if __name__ == "__main__":
    with open(sys.argv[1], encoding="ascii") as source:
        text = header(json.load(source))
    with open(sys.argv[2], "w", encoding="ascii") as target:
        target.write(text)
