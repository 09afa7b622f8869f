"""Headers of the PROXY protocol, version 2 (HAProxy's), which name the client to whom a proxy listens."""

import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
UNSPECIFIED, TCP4, TCP6 = 0x00, 0x11, 0x21


def header(
    source: str = "",
    port: int = 40000,
    *,
    command: int = PROXY,
    family: int | None = None,
    more: bytes = b"",
    declared: int | None = None,
) -> bytes:
    """That a client at `source` speaks; `more` stands behind the addresses, `declared` replaces the true size."""
    addresses, right_family = b"", UNSPECIFIED
    if source:
        address = ipaddress.ip_address(source)
        addresses = address.packed * 2 + struct.pack(">HH", port, 1358)  # from there to there
        right_family = TCP4 if address.version == 4 else TCP6
    body = addresses + more
    size = len(body) if declared is None else declared
    return SIGNATURE + struct.pack(">BBH", command, right_family if family is None else family, size) + body
