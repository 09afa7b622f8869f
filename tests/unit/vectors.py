#!/usr/bin/python3
"""Turns tests/vectors.json into a C header: vectors.py VECTORS.json HEADER"""

import json
import sys


def array(declaration, rows):
    return "\n".join([f"static const {declaration}[] = {{", *(f"    {{{row}}}," for row in rows), "};", ""])


def header(vectors):
    quoted = json.dumps  # hex and base64 need no escape that C does not have too
    keys = [
        f"{quoted(key['public_spki_hex'])}, {quoted(key['private_pkcs8_base64'])}" for key in vectors["keys"]
    ]
    oaep = [
        f"{number}, {quoted(pair['plain_hex'])}, {quoted(pair['cipher_hex'])}"
        for number, key in enumerate(vectors["keys"])
        for pair in key["oaep_sha1"]
    ]
    aes = [
        f"{quoted(row['key_hex'])}, {quoted(row['plain_hex'])}, {quoted(row['cipher_hex'])}"
        for row in vectors["aes_128_cbc_zero_iv_pkcs7"]
    ]
    cksum = [f"{row['n']}U, {row['cksum']}U" for row in vectors["cksum_of_bytes_j_times_31_plus_n"]]
    return "\n".join(
        [
            "/* Made from tests/vectors.json by tests/unit/vectors.py. */",
            array("struct { const char *public_hex; const char *private_base64; } vector_keys", keys),
            array("struct { int key; const char *plain_hex; const char *cipher_hex; } vector_oaep", oaep),
            array("struct { const char *key_hex; const char *plain_hex; const char *cipher_hex; } vector_aes", aes),
            array("struct { unsigned n; unsigned cksum; } vector_cksum", cksum),
        ]
    )


if __name__ == "__main__":
    with open(sys.argv[1], encoding="ascii") as source:
        text = header(json.load(source))
    with open(sys.argv[2], "w", encoding="ascii") as target:
        target.write(text)
