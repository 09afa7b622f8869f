"""Fixtures of the torture suite: those of the integration suite, whose peer it uses."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

import pytest  # noqa: E402

pytest.register_assert_rewrite("peer")

from peer.fixtures import *  # noqa: E402, F401, F403
