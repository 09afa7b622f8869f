"""Links to servers and invitations, as docs/protocol.md, section 7, has them; and fingerprints as text."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

SECURE_PORT = 1358
HTTPS_PORT = 443

_CODE = r"[A-Za-z0-9_-]{22}"
_FINGERPRINT = r"[A-Za-z0-9_-]{43}"
_PLACE = r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?"
_SERVER = re.compile(rf"(?P<scheme>https|kesher)://{_PLACE}/?(?:#(?P<fingerprint>{_FINGERPRINT}))?")
_JOIN = re.compile(
    rf"(?P<scheme>https|kesher)://{_PLACE}/join#(?P<code>{_CODE})(?:\.(?P<fingerprint>{_FINGERPRINT}))?"
)


class NoLink(Exception):
    pass


@dataclass(frozen=True)
class Link:
    host: str  # an IPv6 address without its brackets
    port: int
    fingerprint: bytes | None = None
    code: bytes | None = None

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port


def base64url(data: bytes) -> str:
    """Without padding: 43 characters of a fingerprint, 22 of an invitation."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Only what base64url writes itself: the unused bits at the end are zeros."""
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64url(data) != text:
        raise NoLink(f"bits left over: {text}")
    return data


def parse_link(link: str) -> Link:
    found = _SERVER.fullmatch(link) or _JOIN.fullmatch(link)
    if not found:
        raise NoLink(link)
    parts = found.groupdict()
    port = int(parts["port"] or (HTTPS_PORT if parts.get("scheme") == "https" else SECURE_PORT))
    if not 0 < port < 65536:
        raise NoLink(link)
    fingerprint, code = (
        from_base64url(parts[name]) if parts.get(name) else None for name in ("fingerprint", "code")
    )
    return Link(parts["host"].strip("[]").lower(), port, fingerprint, code)
