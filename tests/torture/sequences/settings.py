"""Settings by chance: of a server whose limits are far away, or of one that has some of them very near."""

import random

NEAR: dict[str, tuple] = {
    "connections": (4, 16, 60),
    "connections_per_address": (2, 10),
    "unlimited_networks": ("none", "127.0.0.1"),
    "registrations_per_hour": (1, 10, 100),
    "keys_per_hour": (1, 20),
    "buffers": ("1M", "2M", "8M"),
    "header_timeout": ("1s", "2s"),
    "payload_timeout": ("1s", "2s"),
    "prompt_timeout": ("1s", "2s"),
    "payload_rate": (0, 1_000_000),
    "stage_lifetime": ("1s", "2s"),
    "uploads_per_user": (1, 3),
    "uploads": (1, 4, 20),
    "user_files": (1, 5),
    "user_bytes": ("1M", "2M"),
    "message_limit": (1, 50, 100_000),
    "list_budget": ("1M",),
    "list_rate": ("64K",),
    "pull_limit": (1, 100, 10_000, 600_000),
    "waiting_messages": (1, 10, 200),
    "waiting_bytes": ("1M", "2M"),
    "lease_lifetime_ms": ("1s", "3s"),
    "settle_time_ms": (1, 50, 1000),
    "groups": (1, 3),
    "group_members": (1, 4),
    "member_queue": ("64K",),
    "chat_queues": ("1M",),
    "wrong_passwords": (1, 3),
    "log_rate": (1, 50),
    "free_space": (0,),
}
ANY: dict[str, tuple] = {
    "stat": ("plain", "full"),
    "crc_wrong_delay_ms": (1, 50, 300, 2000),
    "log_level": ("debug", "info", "notice"),
}
SETTLE_SECONDS = 5.0


def far(chance: random.Random) -> dict[str, object]:
    """Limits that nobody meets."""
    return {name: chance.choice(values) for name, values in ANY.items()}


def near(chance: random.Random) -> dict[str, object]:
    """Some that everybody meets: few of them, so that not each request ends at the same one."""
    names = chance.sample(list(NEAR), chance.choice((1, 2, 4, 8)))
    return {**far(chance), **{name: chance.choice(NEAR[name]) for name in names}}


def settle_seconds(options: dict[str, object]) -> float:
    value = options.get("settle_time_ms")
    return SETTLE_SECONDS if value is None else int(value) / 1000
