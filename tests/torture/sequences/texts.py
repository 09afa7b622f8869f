"""What is said on connections to the chat, to ask and to the port of monitors; whether answers are of that kind.

Words of members carry a mark: whose they are, in which group, and how many of them were before. So a word that reaches
somebody of another group is seen, and one that comes twice, too early or out of order.
"""

import random
import re
from typing import TYPE_CHECKING

from peer.ask import BANNER, BANNER_SIZE
from peer.chat import (
    CREATE,
    ENTER_GROUP,
    ENTER_NAME,
    ENTER_NEW_PASSWORD,
    ENTER_PASSWORD,
    EXIT_CHAT,
    FULL,
    INVALID,
    JOIN,
    LEAVE,
    LEFT,
    MENU,
    NO_GROUP,
    NO_PASSWORD,
)

from .link import Talk

if TYPE_CHECKING:
    from .life import Life

MARK = re.compile(r"<(\d+)\.(\d+)\.(\d+)>")
START = "You can start to talk!"  # which has no end where a line has none yet
FIXED_LINES = {
    line
    for text in (MENU, ENTER_NAME, ENTER_GROUP, NO_GROUP, ENTER_PASSWORD, NO_PASSWORD, ENTER_NEW_PASSWORD, FULL)
    + (EXIT_CHAT, INVALID, LEFT, START)
    for line in text.split("\n")
}
LAST_OF_MENU = MENU.split("\n")[-2]
CREATED = re.compile(r"The id of the group is:(\d+)\Z")
JOINED = re.compile(r"You're connected to group chat #\d+\Z")
ABSENT = re.compile(r".* has removed from the group \Z", re.DOTALL)
RUBBISH = (b"\x1b[31m", b"\xff\xfe", b"\0", b"\t", "\u202e\u00e4\u20ac".encode(), b"\x7f", b": ", b"\xf0\x9f\x98")
REPLY_LIMIT = 2000
REST_LIMIT = 200  # longer than any mark or prompt


class Group:
    """One that somebody has created: a number may be another group's later, a password never is."""

    def __init__(self, token: int, number: int, is_guarded: bool):
        self.token = token
        self.number = number
        self.is_guarded = is_guarded  # else any line of its creator's may be its password
        self.password = f"secret {token}"
        self.heard: list[list[tuple[int, int]]] = []  # by each member, in its order

    def disorder(self) -> str:
        """Two words that members heard in different orders; empty when there are none."""
        places: dict[tuple[int, int], int] = {}
        for words in sorted(self.heard, key=len, reverse=True):
            known = [places[word] for word in words if word in places]
            if known != sorted(known):
                return f"of group {self.number}, {len(self.heard)} members"
            if not places:
                places = {word: place for place, word in enumerate(words)}
        return ""


class ChatTalk(Talk):
    """Speaks line by line, and follows the prompts; now and then it does not."""

    def __init__(self, life: "Life", number: int, chance: random.Random):
        self.life = life
        self.number = number
        self.chance = chance
        self.steps = chance.choice((5, 30, 200, 1000))
        self.rudeness = chance.choice((0, 0, 0, 0.05, 0.5))
        self.creates = not life.groups or chance.random() < 0.1
        self.wanted = None if self.creates else chance.choice(list(life.groups.values()))
        self.is_right = self.knows = True  # whether the last number and password that it gave are those
        self.is_tidy = self.rudeness == 0  # else a prompt may be for what came before the last answer
        self.group: Group | None = None
        self.heard: list[tuple[int, int]] = []
        self.last: dict[int, int] = {}
        self.said = 0
        self.rest = b""
        self.has_menu = False
        self.is_waiting = True  # for the menu, which comes before we speak
        self.has_left = False

    def next(self) -> bytes | None:
        if self.steps <= 0 or self.has_left:
            return None
        if self.group is not None:
            return self._words()
        if not self.is_waiting and self.chance.random() < self.rudeness * 0.05:
            self.steps -= 1
            return self._rubbish()
        return b""

    def _words(self) -> bytes:
        said = b""
        for _ in range(self.chance.randint(1, 6)):
            self.steps -= 1
            self.said += 1
            mark = b"<%d.%d.%d>" % (self.group.token, self.number, self.said)
            said += mark + b"x" * self.chance.choice((0, 0, 5, 100, 4000)) + self.chance.choice((b"\n", b"\n", b"\r\n"))
            if self.chance.random() < self.rudeness:
                said += self._rubbish()
        if self.chance.random() < 0.01:
            self.has_left = True
            said += LEAVE.encode() + b"\n"
        return said

    def _rubbish(self) -> bytes:
        parts = self.chance.choices((*RUBBISH, b"word", b"y" * 5000), k=self.chance.randint(1, 5))
        return b"".join(parts).replace(b"<", b"") + b"\n"

    def received(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self._line(line)
        self._prompt_without_end()

    def _prompt_without_end(self) -> None:
        """Before our first line, texts stand as they are: only the menu does."""
        if self.is_waiting and self.has_menu and self.rest == b" ":
            self.is_waiting = False
            self.rest = b""
            self._answer(CREATE if self.creates else JOIN)

    def _line(self, raw: bytes) -> None:
        try:
            line = raw.decode()
        except UnicodeDecodeError:
            self.life.problem(f"chat unclean: {raw[:100]!r} is no UTF-8 (connection {self.number})")
            return
        if any(letter < " " and letter != "\t" or letter == "\x7f" for letter in line):
            self.life.problem(f"chat unclean: {line[:100]!r} has control characters (connection {self.number})")
        if not self.is_tidy:  # what it said last may have been half a line, cut anywhere
            line = line.removeprefix(START)
        self.has_menu = self.has_menu or line == LAST_OF_MENU
        if line in FIXED_LINES or JOINED.match(line):
            self._prompted(line)
        elif created := CREATED.match(line):
            self._created(int(created[1]))
        elif not ABSENT.match(line):
            self._heard(line)

    def _prompted(self, line: str) -> None:
        if self.group is not None or self.has_left:
            return
        if line + "\n" == ENTER_NAME:
            self._answer(f"member {self.number}")
        elif line + "\n" == ENTER_NEW_PASSWORD:
            self.life.group_tokens += 1
            self.wanted = Group(self.life.group_tokens, 0, self.is_tidy)
            self._answer(self.wanted.password)
        elif line + "\n" == ENTER_GROUP:
            number = self.wanted.number if self.chance.random() < 0.9 else self.chance.randrange(1000)
            self.is_right = number == self.wanted.number
            self._answer(str(number))
        elif line + "\n" == ENTER_PASSWORD:
            self.knows = self.chance.random() < 0.9
            self._answer(self.wanted.password if self.knows else "a guess")
        elif JOINED.match(line) and not self.creates:
            if self.is_tidy and not (self.is_right and self.knows):
                self.life.problem(f"chat unguarded: connection {self.number} is let in by a guess")
            self._enter(self.wanted)

    def _created(self, number: int) -> None:
        if self.wanted is None:
            return
        self.wanted.number = number
        self.life.groups[self.wanted.token] = self.wanted
        self._enter(self.wanted)

    def _enter(self, group: Group) -> None:
        self.life.trace(f"c{self.number}", f"is in group {group.number}, token {group.token}")
        if not self.is_tidy:
            self.life.untidy.add(self.number)
        self.group = group
        group.heard.append(self.heard)

    def _answer(self, text: str) -> None:
        self.steps -= 1
        self.life.trace(f"c{self.number}", f"answers {text!r}, {self.steps} steps left")
        if self.steps > 0:
            self.life.say(self, text.encode() + b"\n")

    def _heard(self, line: str) -> None:
        if ": " not in line:
            self.life.problem(f"chat unknown: {line[:100]!r} (connection {self.number})")
        for token, speaker, count in MARK.findall(line):
            self._heard_mark(int(token), int(speaker), int(count))

    def _heard_mark(self, token: int, speaker: int, count: int) -> None:
        self.life.counts["words heard"] += 1
        if (self.group is None or token != self.group.token) and self._is_certain(token, speaker):
            own, groups = self.group and self.group.token, {t: g.number for t, g in self.life.groups.items()}
            self.life.problem(
                f"chat leaks: connection {self.number} heard a word of group token {token} by {speaker}; "
                f"{type(self).__name__} in {own}, wanted {self.wanted and self.wanted.token}; groups {groups}"
            )
        if speaker == self.number:
            self.life.problem(f"chat echoes: connection {self.number} heard its own word")
        if count <= self.last.get(speaker, 0):
            self.life.problem(f"chat disordered: word {count} of {speaker} came late to {self.number}")
        self.last[speaker] = count
        self.heard.append((speaker, count))

    def _is_certain(self, token: int, speaker: int) -> bool:
        """Whether both are where they think they are. Nobody is in a guarded group without knowing it; who is not tidy,
        or whose answers come in pieces, may be in another one instead, into which a piece of a password has let him."""
        said_in = self.life.groups.get(token)
        is_hearer_certain = said_in is None or said_in.is_guarded
        is_own_guarded = self.group is not None and self.group.is_guarded
        return is_hearer_certain and (is_own_guarded or speaker not in self.life.untidy)


class ChunkTalk(ChatTalk):
    """As the course's client: what it says has no end of a line, and texts reach it without one."""

    PROMPTS = (LAST_OF_MENU + "\n ", ENTER_NAME, ENTER_NEW_PASSWORD, ENTER_GROUP, ENTER_PASSWORD)
    FOUND = re.compile(
        "|".join([MARK.pattern, *map(re.escape, PROMPTS)])
        + r"|The id of the group is:(\d+)\n|You're connected to group chat #\d+\n"
    )

    def __init__(self, life: "Life", number: int, chance: random.Random):
        super().__init__(life, number, chance)
        self.is_tidy = False  # a piece of an answer is an answer

    def _words(self) -> bytes:
        return super()._words().replace(b"\r", b"").replace(b"\n", b"")

    def _rubbish(self) -> bytes:
        return b""

    def received(self, data: bytes) -> None:
        held = self.rest + data
        end = 0
        for found in self.FOUND.finditer(held.decode("latin-1")):
            end = found.end()
            if found[1] is not None:
                self._heard_mark(int(found[1]), int(found[2]), int(found[3]))
            else:
                self._prompt(found[0], found[4])
        self.rest = held[max(end, len(held) - REST_LIMIT) :]

    def _prompt(self, text: str, number: str | None) -> None:
        if number is not None:
            self._created(int(number))
        elif text.startswith(LAST_OF_MENU):
            self._answer(CREATE if self.creates else JOIN)
        else:
            self._prompted(text.removesuffix("\n"))

    def _answer(self, text: str) -> None:
        self.steps -= 1
        self.life.trace(f"c{self.number}", f"answers {text!r}, {self.steps} steps left")
        if self.steps > 0:
            self.life.say(self, text.encode())


class RudeTalk(Talk):
    """Says anything, to whomever, and listens to nothing."""

    def __init__(self, life: "Life", number: int, chance: random.Random):
        self.life = life
        self.chance = chance
        self.steps = chance.choice((1, 5, 50))

    def next(self) -> bytes | None:
        if self.steps <= 0:
            return None
        self.steps -= 1
        words = (b"1", b"2", b"3", b"Exit", b"a name", b"7", b"TIME", b"GET / HTTP/1.1", *RUBBISH)
        parts = [self.chance.choice(words) for _ in range(self.chance.randint(1, 30))]
        between = self.chance.choice((b"\n", b"\r\n", b"", b" "))
        return between.join(parts) + self.chance.randbytes(self.chance.choice((0, 9)))


class AskTalk(Talk):
    """Greets, asks, and parses the replies; those to requests that are sound one by one."""

    PATTERNS = {
        b"TIME": re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"),
        b"NAME": re.compile(rb"kesher"),
        b"RAND": re.compile(rb"[1-9]|10"),
        b"STAT": re.compile(rb"[^\n]+"),
        b"WHAT": re.compile(rb".*unknown.*TIME, NAME, RAND, STAT and EXIT"),
    }

    def __init__(self, life: "Life", number: int, chance: random.Random):
        self.life = life
        self.number = number
        self.chance = chance
        self.steps = chance.choice((1, 20, 500))
        self.is_sound = chance.random() < 0.7
        self.due: list[bytes] = []
        self.held = b""
        self.unsent = 0
        self.was_greeted = self.has_greeted = self.has_left = False

    def next(self) -> bytes | None:
        said = self._say()
        self.unsent += len(said or b"")
        return said

    def sent(self, data: bytes) -> None:
        """Of a request that goes out in pieces the first is a request when the next is late."""
        self.unsent -= len(data)
        if self.unsent > 0:
            self.is_sound = False
            self.due.clear()

    def _say(self) -> bytes | None:
        if not self.has_greeted:
            self.has_greeted = True
            return b"Hi\n"
        if self.steps <= 0 or self.has_left:
            return None
        self.steps -= 1
        asked = self.chance.choices(list(self.PATTERNS), k=self.chance.randint(1, 20))
        if not self.is_sound:
            rude = (self.chance.randbytes(9), b"TI\nME", b"timeRaNd\r\r", b"E" * 99, b"".join(asked))
            return self.chance.choice(rude)
        self.due += asked
        said = b"".join(name + self.chance.choice((b"", b"\n", b"\r\n")) for name in asked)
        if self.chance.random() < 0.02:
            self.has_left = True
            said += b"EXIT"
        return said

    def received(self, data: bytes) -> None:
        self.held += data
        if not self.was_greeted and len(self.held) >= BANNER_SIZE:
            self.was_greeted = True
            self._expect(self.held[:BANNER_SIZE] == BANNER, self.held[:BANNER_SIZE])
            self.held = self.held[BANNER_SIZE:]
        while self.was_greeted and len(self.held) >= 4:
            length = self.held[:4]
            if not length.isdigit() or int(length) > REPLY_LIMIT:
                self._expect(False, length)
                self.held = b""
                return
            if len(self.held) < 4 + int(length):
                return
            self._reply(self.held[4 : 4 + int(length)])
            self.held = self.held[4 + int(length) :]

    def _reply(self, text: bytes) -> None:
        self.life.counts["replies"] += 1
        if not self.is_sound:
            return
        asked = self.due.pop(0) if self.due else None
        self._expect(asked is not None and bool(self.PATTERNS[asked].fullmatch(text)), text)

    def _expect(self, is_right: bool, what: bytes) -> None:
        if not is_right:
            self.life.problem(f"ask wrong: {what[:80]!r} (connection {self.number})")

    @property
    def is_served(self) -> bool:
        return not self.due


class MonitorTalk(Talk):
    """Reads metrics and health, and asks for what there is not."""

    REQUESTS = {
        b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n": (200,),
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n": (200, 503),
        b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n": (404,),
        b"PUT /metrics HTTP/1.1\r\nHost: x\r\n\r\n": (405,),
    }
    RUDE = (
        b"GET\r\n\r\n",
        b"\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
        b"G" * 9000,
        b"GET /metrics HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
    )
    STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) [A-Z][A-Za-z ]+\r\n(?:[A-Za-z-]+: [^\r\n]*\r\n)*\r\n")
    LENGTH = re.compile(rb"Content-Length: (\d+)\r\n")

    def __init__(self, life: "Life", number: int, chance: random.Random):
        self.life = life
        self.number = number
        self.chance = chance
        self.steps = chance.choice((1, 5, 30))
        self.is_sound = chance.random() < 0.7
        self.due: list[tuple[int, ...]] = []
        self.held = b""

    def next(self) -> bytes | None:
        if self.steps <= 0:
            return None
        self.steps -= 1
        if not self.is_sound and self.chance.random() < 0.3:
            self.steps = 0
            return self.chance.choice(self.RUDE)
        requests = self.chance.choices(list(self.REQUESTS), k=self.chance.choice((1, 1, 30)))
        self.due += [self.REQUESTS[request] for request in requests]
        return b"".join(requests)

    def received(self, data: bytes) -> None:
        self.held += data
        while b"\r\n\r\n" in self.held:
            head = self.STATUS.match(self.held)
            length = self.LENGTH.search(self.held)
            if head is None or length is None:
                self.life.problem(f"monitor wrong: {self.held[:200]!r} (connection {self.number})")
                self.held = b""
                return
            end = head.end() + int(length[1])
            if len(self.held) < end:
                return
            self._answered(int(head[1]))
            self.held = self.held[end:]

    def _answered(self, status: int) -> None:
        self.life.counts["scrapes"] += 1
        due = self.due.pop(0) if self.due else (400, 431)
        if self.is_sound and status not in due:
            self.life.problem(f"monitor wrong: {status} instead of {due} (connection {self.number})")

    @property
    def is_served(self) -> bool:
        return not self.due
