"""Fixtures of the integration suite; see peer/fixtures.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import pytest  # noqa: E402

pytest.register_assert_rewrite("peer")

from peer.fixtures import *  # noqa: E402, F401, F403
