"""The campaigns of this folder: the server's process, its clock, its descriptors, and its peers."""

from harness.campaign import Campaign
from powerloss.server import is_built

from .clocks import clock
from .kills import KILLS
from .overloads import overload
from .pauses import pause
from .receivers import receivers
from .shortages import shortage
from .talks import talks


def _needs() -> str:
    return "" if is_built() else "the release server is not built"


def _campaign(name: str, about: str, round, full: int, share: int = 2) -> Campaign:
    return Campaign(name, about, round, sample=1, share=share, full=full, needs=_needs)


CAMPAIGNS = [
    *(
        _campaign(f"kill/{name}", f"kill -9 under {name.replace('-', ' ')}, while starting and stopping", round, 50, 1)
        for name, round in KILLS.items()
    ),
    _campaign("pause", "SIGSTOP, short ones and one longer than the server's patience", pause, 40),
    _campaign("clock", "the time of day jumps, both ways and far, in and between lives", clock, 100),
    _campaign("descriptors", "no descriptors for a while, under load", shortage, 150),
    _campaign("receivers", "peers that die unread, stall, compete, reset, shut down half", receivers, 80),
    _campaign("chat", "groups under pauses, shortages, resets, silent members, kill -9", talks, 60),
    _campaign("overload", "attackers from one address or many, among honest users", overload, 30, 1),
]
