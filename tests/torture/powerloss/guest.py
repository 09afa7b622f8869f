"""A client of a server in which things fail: it takes a refusal, or the loss of its connection, and goes on. What no
fault may lead to is a problem: a wrong answer, another answer than those, and none at all.

In the strict mode nothing fails any more, and whatever is refused or lost is a problem, too.
"""

import contextlib
import struct
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from peer.drop import Refused
from peer.frames import Answer, Connection, ConnectionEnded
from peer.messages import Malformed

from .server import Server

NOT_SERVED = "not served again"
PATIENCE = 60  # seconds; who has waited so long waits for ever
REFUSALS = (Answer.ERROR, Answer.MESSAGES_ERROR)

T = TypeVar("T")


class Lost(Exception):
    """The server is not there any more."""


class Course:
    """How a run goes on, told by all who take part in it."""

    def __init__(self, server: Server, *, is_strict: bool, tell: Callable[[str], None] | None = None):
        """Problems are told at once, or kept."""
        self.server = server
        self.is_strict = is_strict
        self.problems: list[str] = []
        self._tell = tell or self.problems.append
        self.counts: Counter = Counter()
        self.leavers: set[bytes] = set()  # users who may have been removed
        self._lock = threading.Lock()

    def problem(self, text: str) -> None:
        with self._lock:
            self._tell(text)

    def suffered(self, what: str, how: BaseException, step: str) -> None:
        """Something was refused or lost, as a fault may have it."""
        with self._lock:
            self.counts[what] += 1
        if self.is_strict:
            self.problem(f"{NOT_SERVED}: {step}: {what}, {type(how).__name__} {how} {_payload(how)}")


def _payload(how: BaseException) -> bytes:
    return how.answer.payload[:600] if isinstance(how, Refused) else b""


class Guest:
    """One client, which has a connection when it needs one. Belongs to one thread."""

    def __init__(self, course: Course, connect: Callable[[], Connection]):
        self.course = course
        self.connect = connect
        self.connection: Connection | None = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.leave()

    def leave(self) -> None:
        """The next step has another connection."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def reset(self) -> None:
        if self.connection is not None:
            self.connection.reset()
            self.connection = None

    def take(self, step: Callable[[Connection], T], *, legal: tuple[int, ...] = ()) -> T | None:
        """What came of it; None when it was refused, or lost. `legal` are refusals that only this step may get."""
        name = getattr(step, "__name__", "step")
        try:
            if self.connection is None:
                self.connection = self.connect()
            return step(self.connection)
        except Refused as refused:
            if refused.answer.code in (*REFUSALS, *legal):
                self.course.suffered("refusals", refused, name)
            else:
                self.course.problem(f"answer wrong: {name}: {refused}")
                self.leave()
        except TimeoutError:
            self.course.problem(f"no answer: {name}")
            self.leave()
        except (ConnectionEnded, OSError) as lost:
            self._look_for_server()
            self.course.suffered("connections lost", lost, name)
            self.leave()
        except (AssertionError, Malformed, struct.error, ValueError, IndexError) as wrong:
            self.course.problem(f"answer wrong: {name}: {type(wrong).__name__} {str(wrong)[:300]}")
            self.leave()
        return None

    def take_all(self, step: Callable[[Connection], T], **options) -> T | None:
        """The same of a step that has several answers: after a refusal, others are on their way."""
        before = self.course.counts["refusals"]
        came = self.take(step, **options)
        if came is None and self.course.counts["refusals"] != before:
            self.leave()
        return came

    def _look_for_server(self) -> None:
        process = self.course.server.process
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
            raise Lost(f"the server ended with status {process.returncode}")
