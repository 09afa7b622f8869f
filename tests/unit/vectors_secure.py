#!/usr/bin/python3
"""Turns tests/vectors-secure.json into a C header: vectors_secure.py VECTORS.json HEADER"""

import json
import sys


def quoted(text):
    return json.dumps(text)  # hex, base64 and links need no escape that C does not have too


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
        ]
    )


if __name__ == "__main__":
    with open(sys.argv[1], encoding="ascii") as source:
        text = header(json.load(source))
    with open(sys.argv[2], "w", encoding="ascii") as target:
        target.write(text)
