"""Judges the answers on one connection to the binary port: each has to be one that its request may have.

A refusal is legal where a limit may be met. On a server whose limits are far away (`is_generous`) a sound request of
somebody who is known must be served.
"""

import struct
import time
from collections import deque
from collections.abc import Callable

from peer.crypto import aes_decrypt_as_server, cksum
from peer.drop import Received
from peer.frames import RESPONSE_HEADER, Answer, MessageAnswer, Request
from peer.messages import LISTED_USER, STORED, USER_KEY, WAITING_FIXED, Malformed
from powerloss.ledger import digest

from .framing import Exchange, Framing
from .model import NEVER, UNKNOWN_CONTENT, Model, Person, Shelf, is_kept, kept_name

LARGEST_ANSWER = 1 << 30
THANKED = (Request.CRC_OK, Request.CRC_WRONG, Request.GIVE_UP)
REFUSALS = {
    Request.REGISTER: {Answer.REGISTER_REFUSED, Answer.ERROR},
    Request.RECONNECT: {Answer.RECONNECT_REFUSED, Answer.ERROR},
}


class Wrong(Exception):
    """What an answer has and must not have."""


class Judge:
    """Of one connection. `link` is its number; `is_generous` tells whether limits are far away."""

    def __init__(
        self,
        model: Model,
        link: int,
        is_generous: Callable[[], bool],
        settle_seconds: float,
        tell: Callable[[str], None] = lambda line: None,
    ):
        self.model = model
        self.tell = tell
        self.link = link
        self.is_generous = is_generous
        self.settle_seconds = settle_seconds
        self.framing = Framing(self._begun, self._completed)
        self.due: deque[Exchange] = deque()
        self.keys: dict[bytes, bytes] = {}  # the AES keys that were issued here
        self.staged: dict[tuple[bytes, bytes], str | None] = {}  # uploads that were completed here
        self.is_lost = False  # an answer was wrong: what follows says nothing
        self.is_shaky = False  # of some answers nobody knows to which request they belong
        self.answers = 0
        self.refusals = 0
        self.has_shut = False
        self.may_be_closed = False  # a 1028 came from an id that perhaps nobody has
        self._last_messages: dict[bytes, int] = {}  # by receiver; one that is counted may be overtaken by others'
        self._received = bytearray()
        self._is_padded = False

    @property
    def is_served(self) -> bool:
        """Every request that was sent whole is answered, or need not be."""
        return not any(one.is_complete and not one.may_be_silent for one in self.due)

    # -- what was sent

    def sent(self, data: bytes) -> None:
        if self.framing.is_ambiguous:
            self.is_lost = True  # zeros, and what they were depends on how fast this follows
        self.framing.feed(data)

    def _begun(self, exchange: Exchange) -> None:
        self.due.append(exchange)
        person = self.model.people.get(exchange.client_id)
        if exchange.code == Request.SEND_FILE and (person is None or person.removing):
            self.may_be_closed = True
        if exchange.code == Request.CRC_WRONG:
            is_sound = not exchange.is_refused and is_kept(exchange.text)
            exchange.may_be_silent = is_sound and person is not None
        if exchange.is_refused:
            return
        if exchange.code in (Request.REGISTER, Request.REGISTER_FOR_MESSAGES):
            self.model.names.add((exchange.text or b"").decode("latin-1"))
        elif exchange.code in (Request.PUBLIC_KEY, Request.RECONNECT) and person is not None:
            self._key_is_asked_for(exchange, person)
        elif exchange.is_drop and person is not None and exchange.text is not None:
            self.model.shelf(person.id, exchange.text, self.link)

    def _key_is_asked_for(self, exchange: Exchange, person: Person) -> None:
        person.keys_unanswered += 1
        if exchange.code == Request.PUBLIC_KEY:
            person.keys_offered.add(exchange.fixed[255:])
            if person.key_since == NEVER:
                person.keys.add(exchange.fixed[255:])

    def _completed(self, exchange: Exchange) -> None:
        person = self.model.people.get(exchange.client_id)
        if exchange.is_refused or person is None:
            return
        if exchange.code == Request.SEND_MESSAGE:
            receiver = self.model.target(exchange.fixed[:16])
            if receiver is not None:
                kind, content = exchange.fixed[16], bytes(exchange.content)
                exchange.note = self.model.send(person, receiver, kind, content, exchange.began)
            exchange.content.clear()
        elif exchange.code == Request.SEND_FILE and exchange.text is not None:
            shelf = self.model.shelf(person.id, exchange.text, self.link)
            exchange.note = len(shelf.uploads)
            shelf.uploads.append(UNKNOWN_CONTENT)  # until the sum tells under which key it came
        elif exchange.code == Request.CRC_OK and exchange.text is not None:
            shelf = self.model.shelf(person.id, exchange.text, self.link)
            shelf.pending.add(exchange)

    # -- what came

    def received(self, data: bytes) -> None:
        self._received += data
        while not self.is_lost and self._take_answer():
            pass

    def _take_answer(self) -> bool:
        received = self._received
        if self.framing.is_padded or self.framing.is_ambiguous or self._is_padded:
            self._skip_padding()
        if len(received) < RESPONSE_HEADER.size:
            return False
        version, code, size = RESPONSE_HEADER.unpack_from(received)
        if size > LARGEST_ANSWER:
            self._lose(f"framing broken: an answer of {size} bytes, version {version}, code {code}")
            return False
        end = RESPONSE_HEADER.size + size
        if len(received) < end:
            return False
        payload = bytes(received[RESPONSE_HEADER.size : end])
        del received[:end]
        self._judge(version, code, payload)
        return True

    def _skip_padding(self) -> None:
        zeros = len(self._received) - len(self._received.lstrip(b"\0"))
        self._is_padded = self._is_padded or zeros > 0
        del self._received[:zeros]

    def _lose(self, text: str) -> None:
        self.is_lost = True
        self.model.problem(f"{text} (connection {self.link})")

    def _judge(self, version: int, code: int, payload: bytes) -> None:
        self.answers += 1
        exchange = self._whose(code, payload)
        if exchange is None:
            self._lose(f"answer without a request: {code}, {len(payload)} bytes")
            return
        name = exchange.text if exchange.is_drop and exchange.fixed is not None else ""
        self.tell(f"{code} with {len(payload)} bytes to a {exchange.code} {name} of {exchange.client_id.hex()[:8]}")
        try:
            self._judge_answer(exchange, version, code, payload)
        except (Wrong, Malformed, struct.error) as wrong:
            self._lose(f"answer wrong: {code} with {len(payload)} bytes to a {exchange.code}: {wrong}")

    def _whose(self, code: int, payload: bytes) -> Exchange | None:
        """The oldest request that is due; a 1030 has perhaps got none, and then this may be the next one's."""
        while self.due:
            exchange = self.due.popleft()
            if not exchange.may_be_silent:
                return exchange
            if code == Answer.THANKS and payload == exchange.client_id:
                self._share_silence()
                return exchange
            if code == Answer.ERROR and self._may_be_refused(exchange):
                self.is_lost = bool(self.due) and self.due[0].is_drop  # whose may it be?
                return exchange
            self._unanswered(exchange)
        return None

    def _may_be_refused(self, exchange: Exchange) -> bool:
        """A 1030 or 1031 of somebody who is known never is."""
        person = self.model.people.get(exchange.client_id)
        is_rejection = exchange.code in (Request.CRC_WRONG, Request.GIVE_UP) and is_kept(exchange.text)
        return not is_rejection or person is None or person.removing

    def _share_silence(self) -> None:
        """It may just as well be the answer to the one behind, if that may have the same."""
        if self.due and self.due[0].code in THANKED and not self.due[0].is_refused:
            self.due[0].may_be_silent = self.is_shaky = True

    def _unanswered(self, exchange: Exchange) -> None:
        if not exchange.is_refused and exchange.text is not None:
            self.staged.pop((exchange.client_id, kept_name(exchange.text)), None)

    def _judge_answer(self, exchange: Exchange, version: int, code: int, payload: bytes) -> None:
        if version != exchange.version:
            raise Wrong(f"version {version}")
        if self._is_refusal(exchange, code, payload):
            self.refusals += 1
            self._refused(exchange)
            return
        if exchange.is_refused:
            raise Wrong("the request makes no sense")
        if not exchange.is_complete:
            raise Wrong("the request was not complete")
        JUDGES[exchange.code](self, exchange, code, payload)

    def _is_refusal(self, exchange: Exchange, code: int, payload: bytes) -> bool:
        error = Answer.ERROR if exchange.is_drop else Answer.MESSAGES_ERROR
        if code not in REFUSALS.get(exchange.code, {error}):
            return False
        wanted = exchange.client_id if code == Answer.RECONNECT_REFUSED else b""
        if payload != wanted:
            raise Wrong("a refusal with a payload")
        return True

    def _refused(self, exchange: Exchange) -> None:
        person = self.model.people.get(exchange.client_id)
        if exchange.is_refused or person is None or person.removing or person.registered > exchange.began:
            return
        if exchange.code in (Request.PUBLIC_KEY, Request.RECONNECT):
            person.keys_unanswered -= 1
        if exchange.code == Request.CRC_OK and exchange.text is not None and not self.is_shaky:
            self.model.shelf(person.id, exchange.text, self.link).pending.discard(exchange)
        if self.is_generous() and self._must_be_served(exchange, person):
            raise Wrong("nothing was wrong with it")

    def _must_be_served(self, exchange: Exchange, person: Person) -> bool:
        if exchange.code in (Request.LIST_USERS, Request.PULL):
            return True
        if exchange.code == Request.RECONNECT:
            return exchange.text == person.name.encode("latin-1") and person.had_key(exchange.began)
        if exchange.code in (Request.KEY_OF_USER, Request.SEND_MESSAGE):
            target = self.model.target(exchange.fixed[:16])
            if target is None or target.removing or target.registered > exchange.began:
                return False
            return exchange.code == Request.SEND_MESSAGE or target.had_key(exchange.began)
        if exchange.code == Request.CRC_OK and exchange.text is not None:
            is_own = self._is_own(exchange) and not self.is_shaky
            return is_own and (person.id, kept_name(exchange.text)) in self.staged
        return False

    def _is_own(self, exchange: Exchange) -> bool:
        """No other connection has named this file, so nobody else has taken what is staged."""
        return self.model.shelf(exchange.client_id, exchange.text, self.link).connections == {self.link}

    def _asker(self, exchange: Exchange) -> Person:
        person = self.model.people.get(exchange.client_id)
        if person is None:
            raise Wrong("nobody has this id")
        if person.removed is not None and person.removed < exchange.began:
            raise Wrong(f"{person.name!r} was removed before")
        return person

    # -- each request

    def registration(self, exchange: Exchange, code: int, payload: bytes) -> None:
        if code != Answer.REGISTERED or len(payload) != 16:
            raise Wrong("no 2100 with an id")
        if exchange.text is None:
            raise Wrong("the name has no end")
        name = exchange.text.decode("latin-1")
        if not name or not all(" " <= letter <= "~" for letter in name) or name != name.strip(" "):
            raise Wrong(f"{name!r} is no name")
        key = exchange.fixed[255:] or None
        self.model.register(name, payload, key, exchange.began)

    def key(self, exchange: Exchange, code: int, payload: bytes) -> None:
        is_new = exchange.code == Request.PUBLIC_KEY
        if code != (Answer.KEY if is_new else Answer.KEY_AGAIN) or len(payload) != 16 + 128:
            raise Wrong("no key")
        person = self._asker(exchange)
        if payload[:16] != person.id:
            raise Wrong("another id")
        if exchange.text != person.name.encode("latin-1"):
            raise Wrong(f"{exchange.text!r} is not the name of {person.name!r}")
        if is_new and exchange.fixed[255:] not in person.possible_keys:
            raise Wrong("another public key was there")
        if is_new:
            person.keys = {exchange.fixed[255:]}
            person.key_since = min(person.key_since, time.monotonic())
        elif not person.possible_keys:
            raise Wrong("there is no public key")
        person.keys_unanswered -= 1
        person.keys_sent.append(payload[16:])
        self.keys[person.id] = payload[16:]

    def file(self, exchange: Exchange, code: int, payload: bytes) -> None:
        person = self._asker(exchange)
        if code != Answer.FILE_RECEIVED:
            raise Wrong("no 2103")
        received = Received.parse(payload)
        (size,) = struct.unpack_from("<I", exchange.fixed)
        if (received.client_id, received.content_size, received.name_field) != (person.id, size, exchange.fixed[4:]):
            raise Wrong("another id, size or name than was sent")
        content = self._content_with(person, bytes(exchange.content), received.cksum)
        exchange.content.clear()
        shelf = self.model.shelf(person.id, exchange.text, self.link)
        shelf.uploads[exchange.note] = content
        self.staged[person.id, kept_name(exchange.text)] = content
        self.tell(f"that is {content}")

    def _content_with(self, person: Person, encrypted: bytes, wanted: int) -> str:
        """The content, under the one of the user's keys with which it has that sum."""
        for key in self.model.aes_keys(person):
            plain = aes_decrypt_as_server(key, encrypted)
            if cksum(plain) == wanted:
                return digest(plain)
        if person.keys_unanswered == 0:
            raise Wrong(f"the cksum fits none of the {len(person.keys_sent)} keys of {person.name!r}")
        return UNKNOWN_CONTENT

    def thanks(self, exchange: Exchange, code: int, payload: bytes) -> None:
        person = self._asker(exchange)
        if code != Answer.THANKS or payload != person.id:
            raise Wrong("no 2104 with the id")
        if exchange.text is None:
            raise Wrong("the name has no end")
        place = (person.id, kept_name(exchange.text))
        shelf = self.model.shelf(person.id, exchange.text, self.link)
        staged = self.staged.pop(place, None)
        if exchange.code == Request.CRC_OK:
            self._confirmed(exchange, shelf, staged if self._is_own(exchange) and not self.is_shaky else None)

    def _confirmed(self, exchange: Exchange, shelf: Shelf, staged: str | None) -> None:
        shelf.pending.discard(exchange)
        if not shelf.uploads:
            raise Wrong("nothing was uploaded under this name")
        meanwhile = {content for moment, content in shelf.confirmed if moment >= exchange.began}
        contents = {staged} if staged is not None else set(shelf.uploads)
        shelf.certain = contents | meanwhile | (shelf.certain if self.is_shaky else set())
        shelf.confirmed += [(time.monotonic(), content) for content in contents]

    def users(self, exchange: Exchange, code: int, payload: bytes) -> None:
        asker = self._asker(exchange)
        if code != MessageAnswer.USERS or len(payload) % LISTED_USER.size:
            raise Wrong("no list")
        listed: dict[str, Person | None] = {}
        newest = 0.0
        for alias, field in LISTED_USER.iter_unpack(payload):
            name = field.partition(b"\0")[0].decode("latin-1")
            person = self._listed(exchange, asker, alias, name)
            if name in listed:
                raise Wrong(f"{name!r} is there twice")
            listed[name] = person
            if person is not None:
                if person.registered < newest:
                    raise Wrong(f"{name!r} stands behind somebody who came later")
                newest = max(newest, person.began)
        for person in self.model.people.values():
            is_owed = person.registered < exchange.began and not person.removing and person is not asker
            if is_owed and person.name not in listed:
                raise Wrong(f"{person.name!r} is not in it")

    def _listed(self, exchange: Exchange, asker: Person, alias: bytes, name: str) -> Person | None:
        person = self.model.by_alias.get(alias)
        if person is asker:
            raise Wrong("the asker is in it")
        if person is None and name not in self.model.names:
            raise Wrong(f"nobody has registered {name!r}")
        if person is not None and person.name != name:
            raise Wrong(f"{name!r} has the alias of {person.name!r}")
        if person is not None and person.removed is not None and person.removed < exchange.began:
            raise Wrong(f"{name!r} was removed before")
        return person

    def public_key(self, exchange: Exchange, code: int, payload: bytes) -> None:
        self._asker(exchange)
        if code != MessageAnswer.KEY_OF_USER:
            raise Wrong("no 2102")
        echoed, key = USER_KEY.unpack(payload)
        target = self.model.target(exchange.fixed)
        if echoed != exchange.fixed:
            raise Wrong("another target")
        if target is None or (target.removed is not None and target.removed < exchange.began):
            raise Wrong("there is no such user")
        if key not in target.possible_keys:
            raise Wrong(f"that is not the key of {target.name!r}")

    def stored(self, exchange: Exchange, code: int, payload: bytes) -> None:
        sender = self._asker(exchange)
        if code != MessageAnswer.STORED:
            raise Wrong("no 2103")
        echoed, message_id = STORED.unpack(payload)
        target = self.model.target(exchange.fixed[:16])
        if echoed != exchange.fixed[:16] or message_id == 0:
            raise Wrong("another target, or no id")
        if target is None or (target.removed is not None and target.removed < exchange.began):
            raise Wrong("there is no such user")
        last = self._last_messages.get(target.id, 0)
        if message_id <= last:
            raise Wrong(f"the id {message_id} after {last}")
        self._last_messages[target.id] = message_id
        if exchange.note is None:
            raise Wrong(f"{sender.name!r} was not known when it was sent")
        self.model.acknowledge(exchange.note, message_id)

    def waiting(self, exchange: Exchange, code: int, payload: bytes) -> None:
        asker = self._asker(exchange)
        if code != MessageAnswer.WAITING:
            raise Wrong("no 2104")
        place = last = 0
        while place < len(payload):
            alias, message_id, kind, size = WAITING_FIXED.unpack_from(payload, place)
            place += WAITING_FIXED.size + size
            if place > len(payload):
                raise Wrong("a message is longer than the answer")
            if message_id <= last:
                raise Wrong(f"the message {message_id} after {last}")
            last = message_id
            content = payload[place - size : place]
            self.model.deliver(asker, self.model.by_alias.get(alias), message_id, kind, content)

    # -- the end

    def ended(self) -> None:
        """The connection is gone. What was acknowledged and not read is delivered when it has settled, which the end
        of our input may have done at once; else it waits again."""
        now = time.monotonic()
        for exchange in self.due:
            person = self.model.people.get(exchange.client_id)
            is_settled = self.has_shut or now - exchange.began >= self.settle_seconds
            if person is not None and exchange.code == Request.PULL and is_settled:
                self.model.may_have_taken(person)
        self._received.clear()


JUDGES = {
    Request.REGISTER: Judge.registration,
    Request.REGISTER_FOR_MESSAGES: Judge.registration,
    Request.PUBLIC_KEY: Judge.key,
    Request.RECONNECT: Judge.key,
    Request.SEND_FILE: Judge.file,
    Request.CRC_OK: Judge.thanks,
    Request.CRC_WRONG: Judge.thanks,
    Request.GIVE_UP: Judge.thanks,
    Request.LIST_USERS: Judge.users,
    Request.KEY_OF_USER: Judge.public_key,
    Request.SEND_MESSAGE: Judge.stored,
    Request.PULL: Judge.waiting,
}
