"""The one private key of all users: making keys takes time."""

import json
from base64 import b64decode

from peer.crypto import private_key
from peer.kesherd import REPOSITORY


def _key():
    vectors = json.loads((REPOSITORY / "tests" / "vectors.json").read_text())
    return private_key(b64decode(vectors["keys"][0]["private_pkcs8_base64"]))


KEY = _key()
