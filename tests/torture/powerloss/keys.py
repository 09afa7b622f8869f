"""The private keys of all users, who may share one: making keys takes time."""

import json
from base64 import b64decode

from peer.crypto import private_key
from peer.kesherd import REPOSITORY


def _keys() -> list:
    vectors = json.loads((REPOSITORY / "tests" / "vectors.json").read_text())
    return [private_key(b64decode(key["private_pkcs8_base64"])) for key in vectors["keys"]]


KEYS = _keys()
KEY = KEYS[0]
