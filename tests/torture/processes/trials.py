"""The campaigns of this folder: the server's process, its clock, its descriptors, and its peers."""

from harness.campaign import Campaign
from powerloss.server import is_built

from .clocks import clock
from .kills import KILLS
from .pauses import pause
from .receivers import receivers
from .shortages import shortage
from .talks import talks


def _needs() -> str:
    return "" if is_built() else "the release server is not built"


CAMPAIGNS = [
    *(
        Campaign(
            f"kill/{name}", f"kill -9 under {name.replace('-', ' ')}, while starting and stopping", round,
            sample=1, share=1, full=80, needs=_needs,
        )
        for name, round in KILLS.items()
    ),
    Campaign("pause", "SIGSTOP, short and longer than the server's patience", pause, sample=1, share=2, full=100, needs=_needs),
    Campaign("clock", "the time of day jumps, both ways and far, in and between lives", clock, sample=1, share=2, full=200, needs=_needs),
    Campaign("descriptors", "no descriptors for a while, under load", shortage, sample=1, share=2, full=300, needs=_needs),
    Campaign("receivers", "peers that die unread, stall, compete, reset, shut down half", receivers, sample=1, share=2, full=300, needs=_needs),
    Campaign("chat", "groups under pauses, shortages, resets, silent members, kill -9", talks, sample=1, share=2, full=300, needs=_needs),
]
