"""The integration suite: the programs from outside, against a peer written independently of them.

    KESHERD=build/kesherd KESHER=build/kesher /usr/bin/python3 -m pytest tests/integration tests/torture

Without the variables the programs are those of build-test. KESHER_SLOW=1 adds the slow tests; tests whose
program is not built are skipped. The fixtures are in peer/fixtures.py.
"""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

# Under nohup, or behind a shell's "&", some signals are ignored, which every program started here would inherit.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

# kesher refuses homes to which a group may write, as those are that a test makes under a lax umask.
os.umask(0o022)

import pytest  # noqa: E402

pytest.register_assert_rewrite("peer")

from peer.chat_fixtures import *  # noqa: E402, F401, F403
from peer.file_fixtures import *  # noqa: E402, F401, F403
from peer.fixtures import *  # noqa: E402, F401, F403
from peer.message_fixtures import *  # noqa: E402, F401, F403
from peer.secure_fixtures import *  # noqa: E402, F401, F403
