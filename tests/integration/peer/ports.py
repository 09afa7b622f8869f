"""Ports of the loopback that stay what they are while other tests run beside.

Whoever asks the system for any port gets one of those from 32768 on (Linux), perhaps the one that was closed a moment
ago. So what must stay free, or is listened on again later, is taken from below, at random.
"""

import random
import socket

PORTS = range(10000, 32768)


def free_port() -> int:
    """A port on which nobody listens, and which nobody gets who asks for any."""
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", random.choice(PORTS)))
            except OSError:
                continue
            return probe.getsockname()[1]


def free_address() -> tuple[str, int]:
    return "127.0.0.1", free_port()
