"""Servers of a room in which everybody hears everybody, in each protocol that `kesher-bench chat` speaks, and
the lies that they can be told to tell. One thread with an event loop of its own serves them.

What a member hears of a line is up to `lie`, a function of the hearer's number, the writer's number, the line's
number and its text, which gives the texts that go out: `honest` gives the text to everybody but its writer.
"""

import asyncio
import ssl
import struct
import threading
from collections.abc import Callable

from .chat import ENTER_GROUP, ENTER_NAME, ENTER_NEW_PASSWORD, ENTER_PASSWORD, MENU, created, joined

Lie = Callable[[int, int, int, bytes], list[bytes]]

_SUBSCRIBER = 1 << 20  # numbers of those who only listen, where writers are apart


def honest(hearer: int, writer: int, number: int, text: bytes) -> list[bytes]:
    return [] if hearer == writer else [text]


class Room:
    """The part that all protocols share. With a context it speaks TLS, from the first byte but where the protocol
    begins in the clear."""

    BEGINS_IN_THE_CLEAR = False

    def __init__(self, lie: Lie = honest, tls: ssl.SSLContext | None = None):
        self.lie = lie
        self.tls = tls
        self.hearers: dict[int, asyncio.StreamWriter] = {}
        self.problems: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(
                self._serve, "127.0.0.1", 0, limit=1 << 20, ssl=None if self.BEGINS_IN_THE_CLEAR else tls
            )
        )
        self.chat_address = self._server.sockets[0].getsockname()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._server.close()
        self._loop.run_until_complete(self._end_conversations())
        self._loop.close()

    async def _end_conversations(self) -> None:
        conversations = asyncio.all_tasks() - {asyncio.current_task()}
        for conversation in conversations:
            conversation.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the tool has what it wanted, or has found us out
        except Exception as problem:  # told by the fixture
            self.problems.append(repr(problem))
        finally:
            writer.close()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    def frame(self, text: bytes) -> bytes:
        """A text as members hear it."""
        raise NotImplementedError

    def say(self, text: bytes) -> None:
        writer, number = int(text[:8], 16), int(text[8:16], 16)
        for hearer, stream in self.hearers.items():
            stream.write(b"".join(map(self.frame, self.lie(hearer, writer, number, text))))

    def enter_as_listener(self, stream: asyncio.StreamWriter) -> None:
        self.hearers[_SUBSCRIBER + len(self.hearers)] = stream


class KesherRoom(Room):
    """Group 1 of kesherd's chat."""

    async def converse(self, reader, writer):
        async def ask(prompt: str) -> str:
            writer.write(prompt.encode())
            return (await reader.readuntil(b"\n"))[:-1].decode()

        creates = await ask(MENU) == "2"
        name = await ask(ENTER_NAME)
        if creates:
            await ask(ENTER_NEW_PASSWORD)
        else:
            assert await ask(ENTER_GROUP) == "1"
            await ask(ENTER_PASSWORD)
        self.hearers[int(name, 16)] = writer
        writer.write((created(1) + "\n" if creates else joined(1)).encode())
        while True:
            self.say((await reader.readuntil(b"\n"))[:-1])

    def frame(self, text):
        return text[:8] + b": " + text + b"\n"


class RedisRoom(Room):
    async def _command(self, reader) -> list[bytes]:
        words = []
        for _ in range(int((await reader.readuntil(b"\r\n"))[1:])):
            size = int((await reader.readuntil(b"\r\n"))[1:])
            words.append((await reader.readexactly(size + 2))[:-2])
        return words

    async def converse(self, reader, writer):
        while True:
            match await self._command(reader):
                case [b"PING"]:
                    writer.write(b"+PONG\r\n")
                case [b"SUBSCRIBE", topic]:
                    self.topic = topic
                    self.enter_as_listener(writer)
                    writer.write(b"*3\r\n$9\r\nsubscribe\r\n$%d\r\n%b\r\n:1\r\n" % (len(topic), topic))
                case [b"PUBLISH", topic, text]:
                    assert topic == self.topic and text.endswith(b"\n")
                    self.say(text[:-1])
                    writer.write(b":%d\r\n" % self.counted())
                case other:
                    raise AssertionError(other)

    def counted(self) -> int:
        """How many got what was published, as we say."""
        return len(self.hearers)

    def frame(self, text):
        return b"*3\r\n$7\r\nmessage\r\n$%d\r\n%b\r\n$%d\r\n%b\n\r\n" % (
            len(self.topic),
            self.topic,
            len(text) + 1,
            text,
        )


class ForgetfulRedisRoom(RedisRoom):
    def counted(self):
        return len(self.hearers) - 1


class NatsRoom(Room):
    """Members are known by the order in which they came; a writer's own number is learnt when it speaks."""

    BEGINS_IN_THE_CLEAR = True

    async def converse(self, reader, writer):
        writer.write(b'INFO {"server_id":"test"}\r\n')
        if self.tls is not None:
            await writer.start_tls(self.tls)
        assert b'"echo":false' in await reader.readuntil(b"\r\n")
        while True:
            match (await reader.readuntil(b"\r\n")).split():
                case [b"SUB", topic, b"1"]:
                    self.topic = topic
                    self.enter_as_listener(writer)
                case [b"PING"]:
                    writer.write(b"PONG\r\nPING\r\n")
                case [b"PONG"]:
                    pass
                case [b"PUB", topic, size]:
                    assert topic == self.topic
                    text = (await reader.readexactly(int(size) + 2))[:-3]
                    self.know(writer, int(text[:8], 16))
                    self.say(text)
                case other:
                    raise AssertionError(other)

    def know(self, stream, number: int) -> None:
        if number not in self.hearers:
            self.hearers = {number if other is stream else old: other for old, other in self.hearers.items()}

    def frame(self, text):
        return b"MSG %b 1 %d\r\n%b\n\r\n" % (self.topic, len(text) + 1, text)


class IrcRoom(Room):
    async def converse(self, reader, writer):
        writer.write(b":test NOTICE * :looking you up\r\nPING :are you there\r\n")
        nick = (await reader.readuntil(b"\r\n")).split()[1]
        assert (await reader.readuntil(b"\r\n")).startswith(b"USER ")
        assert await reader.readuntil(b"\r\n") == b"PONG :are you there\r\n"
        writer.write(b":test 001 %b :welcome\r\n:test 422 %b :no message today\r\n" % (nick, nick))
        command, self.topic = (await reader.readuntil(b"\r\n")).split()
        assert command == b"JOIN"
        self.hearers[int(nick[1:], 16)] = writer
        for stream in self.hearers.values():
            stream.write(b":%b!bench@localhost JOIN :%b\r\n" % (nick, self.topic))
        writer.write(b":test 353 %b = %b :%b\r\n:test 366 %b %b :end\r\n" % (nick, self.topic, nick, nick, self.topic))
        while True:
            words = await reader.readuntil(b"\r\n")
            start = b"PRIVMSG %b :" % self.topic
            assert words.startswith(start)
            self.say(words[len(start) : -2])

    def frame(self, text):
        return b":m%b!bench@localhost PRIVMSG %b :%b\r\n" % (text[:8], self.topic, text)


class MqttRoom(Room):
    async def _packet(self, reader) -> tuple[int, bytes]:
        (kind,) = await reader.readexactly(1)
        size, shift, more = 0, 0, True
        while more:
            (byte,) = await reader.readexactly(1)
            size |= (byte & 127) << shift
            shift += 7
            more = byte > 127
        return kind, await reader.readexactly(size)

    async def converse(self, reader, writer):
        while True:
            kind, rest = await self._packet(reader)
            if kind == 0x10:
                assert rest.startswith(b"\0\4MQTT\4\2")
                writer.write(b"\x20\2\0\0")
            elif kind == 0x82:
                (size,) = struct.unpack_from(">H", rest, 2)
                self.topic = rest[2 : 4 + size]
                self.enter_as_listener(writer)
                writer.write(b"\x90\3\0\1\0")
            else:
                assert kind == 0x30 and rest.startswith(self.topic)
                self.say(rest[len(self.topic) : -1])

    def frame(self, text):
        rest = self.topic + text + b"\n"
        size = bytes([len(rest)]) if len(rest) < 128 else bytes([len(rest) & 127 | 128, len(rest) >> 7])
        return b"\x30" + size + rest
