"""The commands that are broken: what there is before, how the command is called, and what has to hold after it was
broken and was called again. `broken` is the run that was killed, or of which a call failed."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from peer.crypto import AES_KEY_SIZE, aes_decrypt, aes_encrypt
from peer.drop import stored_name
from peer.kesher import read_identity, write_transfer_info
from peer.messages import Type
from peer.ports import free_port

from powerloss.keys import KEYS

from .breaking import Ended
from .world import World

BIG = bytes(range(256)) * 1200  # more than one piece
OLD, NEW = b"old content\n", b"new content\n" * 100


@dataclass(frozen=True)
class Command:
    name: str
    arguments: Callable[[World], tuple]
    check: Callable[[World, Ended], None]
    prepare: Callable[[World], None] = World.settle_alice
    input: bytes = b""

    @property
    def is_repeatable(self) -> bool:
        """Nobody can tell afterwards how often it ran."""
        return not self.name.startswith(("send", "request"))


# -- texts, files and keys that go out


def _talking(world: World) -> None:
    """alice has a key of her own for bob, and bob has it."""
    world.settle_alice()
    world.succeed("send", "bob", input=b"first")
    world.bob_takes()


def _asked(world: World) -> None:
    """bob asks for a key, so the next text goes behind one more."""
    _talking(world)
    world.voice.ask_for_key(world.link, world.alias_of_alice())
    world.succeed("inbox")


def _check_sent(content: bytes, *again: str, input: bytes = b"") -> Callable[[World, Ended], None]:
    def check(world: World, broken: Ended) -> None:
        world.succeed("send", "bob", *again, input=input)
        texts = world.bob_takes()[1]  # only now: what was sent last by who was killed takes a moment to arrive
        is_there = len(texts) > 1
        if not texts or any(text != content for text in texts):
            world.problem(f"text lost: bob got {texts!r}"[:200])
        if len(texts) > 2:
            world.problem(f"sent twice: {len(texts)} times by two commands")
        if (broken.said_done or "sent to" in broken.stdout) and not is_there:
            world.problem("text lost: sent, as alice was told, and not there")
        is_told = "may have arrived" in broken.stderr or broken.broken.call.startswith("write")  # to the terminal
        if broken.status == 1 and is_there and not is_told:
            world.problem(f"sent, and told that it was not: {broken.broken}, {broken.stderr[-300:]!r}")
        _check_answer(world)

    return check


def _check_answer(world: World) -> None:
    """What bob writes under the key that he has from alice can be read."""
    alias = world.alias_of_alice()
    if alias not in world.voice.keys:
        world.problem("bob has no key: of alice's, though she sent under one")
        return
    world.voice.write(world.link, alias, b"answer")
    texts = [told.get("text") for told in world.objects(world.succeed("inbox", "--json"))]
    if "answer" not in texts:
        world.problem(f"answer unreadable: under the key that bob was sent; {texts}")


def _big_file(world: World) -> None:
    world.settle_alice()
    (world.folder / "big").write_bytes(BIG)


def _check_shared(world: World, broken: Ended) -> None:
    _, texts = world.bob_takes()
    if world.voice.keys:
        _check_answer(world)  # under the key of the run that was broken
    world.succeed("share-key", "bob")
    world.bob_takes()
    _check_answer(world)
    world.succeed("send", "bob", input=b"under the last")
    if world.bob_takes()[1] != [b"under the last"]:
        world.problem("text lost: behind a shared key")


def _check_requested(world: World, broken: Ended) -> None:
    world.succeed("request-key", "bob")
    types = [message.type for message in world.bob_takes()[0]]
    if types not in ([Type.KEY_REQUEST], [Type.KEY_REQUEST] * 2) or (broken.said_done and len(types) < 2):
        world.problem(f"requests wrong: bob got {types}")


# -- other users' keys


def _check_pinned(world: World, broken: Ended) -> None:
    told = world.objects(world.succeed("key", "bob", "--json"))
    if broken.said_done and told and told[0]["new"]:
        world.problem("pin lost: the key was shown, and is new again")
    world.succeed("send", "bob", input=b"pinned")
    if world.bob_takes()[1] != [b"pinned"]:
        world.problem("text lost: after bob's key was shown")
    again = world.objects(world.succeed("key", "bob", "--json"))
    if not told or not again or told[0]["fingerprint"] != again[0]["fingerprint"] or again[0]["new"]:
        world.problem(f"pin lost: {told} {again}")


def _check_forgotten(world: World, broken: Ended) -> None:
    again = world.kesher("key", "bob", "--forget")
    if broken.said_done and again.status == 0:
        world.problem("forgetting lost: bob was there still")
    told = world.objects(world.succeed("key", "bob", "--json"))
    if not told or not told[0]["new"]:
        world.problem(f"not forgotten: {told}")
    world.succeed("send", "bob", input=b"anew")
    if world.bob_takes()[1] != [b"anew"]:
        world.problem("text lost: after bob was forgotten")


def _key_came(world: World) -> None:
    _talking(world)
    world.voice.share_key(world.link, world.alias_of_alice())
    world.succeed("inbox")


def _check_accepted(world: World, broken: Ended) -> None:
    again = world.kesher("key", "bob", "--accept-key")
    if again.status != 0 and "no key of 'bob' is there to be accepted" not in again.stderr:
        world.problem(f"key not accepted: {again.stderr[-300:]!r}")
    if broken.said_done and again.status == 0:
        world.problem("acceptance lost: the key was there to be accepted again")
    world.voice.write(world.link, world.alias_of_alice(), b"accepted")
    told = world.objects(world.succeed("inbox", "--json"))
    if [(one.get("text"), one.get("key")) for one in told] != [("accepted", None)]:
        world.problem(f"key not accepted: {told}")


def _check_listed(world: World, broken: Ended) -> None:
    if "bob" not in world.succeed("users").stdout:
        world.problem("bob is not listed")


# -- what comes in

OUTSIDER = b"k" * 16  # a key that never comes


def key_unlike(others: list[bytes], text: bytes) -> bytes:
    """A key under which the text is none under the others: by chance 1 in 256 has a right padding there."""
    while True:
        key = os.urandom(AES_KEY_SIZE)
        content = aes_encrypt(key, text)
        if not any(is_content(content, other) for other in others):
            return key


def is_content(content: bytes, key: bytes) -> bool:
    try:
        aes_decrypt(key, content)
    except ValueError:
        return False
    return True


def _mailed(world: World) -> None:
    """A key, texts, files, a request for a key, and texts under keys that come later and never."""
    _talking(world)
    voice, link, alias = world.voice, world.link, world.alias_of_alice()
    voice.write(link, alias, b"text 1")
    old = voice.keys[alias]
    voice.share_key(link, alias)
    early = voice.keys[alias]
    voice.write(link, alias, b"text 2")
    voice.write(link, alias, b"file content" * 500, Type.FILE)
    link.send_message(world.bob, alias, aes_encrypt(OUTSIDER, b"never read"), Type.TEXT)
    voice.keys[alias] = world.later_key = key_unlike([old, early], b"text 3")
    voice.write(link, alias, b"text 3")
    voice.keys[alias] = early
    voice.ask_for_key(link, alias)
    voice.write(link, alias, b"text 4")


def _mailed_elsewhere(world: World) -> None:
    _mailed(world)
    world.saved = world.disk / "new" / "folder"


def _inbox_elsewhere(world: World) -> tuple:
    return ("inbox", "--json", "--save-to", str(world.saved))


def _inbox_checker(*options: str) -> Callable[[World, Ended], None]:
    def check(world: World, broken: Ended) -> None:
        shown = world.objects(broken)
        last = shown[-1].get("id") if shown else None
        last_type = shown[-1].get("type") if shown else None
        cut = broken.stdout.endswith("\n") is False and broken.stdout != ""
        where = ("--save-to", str(world.saved), *options)
        again = [told for told in world.objects(world.succeed("inbox", "--json", *where)) if not told.get("discarded")]
        rest = world.objects(world.succeed("inbox", "--json", *where))
        if any(not told.get("discarded") for told in rest):
            world.problem(f"shown for ever: {rest}")
        shown = [told for told in shown if not told.get("discarded")]
        # What was delivered twice is shown once, but a request for a key each time; what could not be read or saved
        # is shown again when it can be.
        readable = Counter(
            told["id"]
            for told in (*shown, *again)
            if told.get("readable", True) and told.get("saved", True) and told["type"] != "key-request"
        )
        texts = [told["text"] for told in (*shown, *again) if "text" in told]
        for text in ("text 1", "text 2", "text 4"):
            if text not in texts:
                world.problem(f"message lost: {text!r} was never shown; {broken.broken}")
        for number, times in readable.items():
            if times > (2 if number == last else 1) and not cut and not world.was_cut:
                world.problem(f"shown twice: message {number}, the last before was {last} {last_type}; {broken.broken}")
        _check_files(world, [*shown, *again], broken)
        if not any(told["type"] == "key-request" for told in (*shown, *again)):
            world.problem(f"message lost: the request for a key was never shown; {broken.broken}")
        if not options and not any(told.get("readable") is False for told in (*shown, *again)):
            world.problem(f"message lost: the unreadable one was never told; {broken.broken}")
        world.voice.write(world.link, world.alias_of_alice(), b"afterwards")
        if "afterwards" not in [told.get("text") for told in world.objects(world.succeed("inbox", "--json"))]:
            world.problem("message lost: one that was sent afterwards")
        if not options:
            _check_kept(world, broken)

    return check


def _check_kept(world: World, broken: Ended) -> None:
    """What could not be read is shown when its key comes, and not once more."""
    world.voice.share_key(world.link, world.alias_of_alice(), world.later_key)
    for times, what in ((1, "lost: 'text 3' was not shown when its key came"), (0, "shown twice: 'text 3'")):
        texts = [told.get("text") for told in world.objects(world.succeed("inbox", "--json"))]
        if texts.count("text 3") != times:
            world.problem(f"message {what}; {broken.broken}")


def _check_files(world: World, shown: list[dict], broken: Ended) -> None:
    paths = [told["path"] for told in shown if "path" in told]
    saved = list(world.saved.glob("*"))
    if not paths:
        world.problem(f"message lost: the file was never shown; {broken.broken}")
    if any(path.read_bytes() != b"file content" * 500 for path in saved if "bob" in path.name):
        world.problem(f"file damaged: {saved}; {broken.broken}")
    if (len(saved) > 2 and not world.was_cut) or not {str(path) for path in saved} >= set(paths):
        world.problem(f"files wrong: {saved} for {paths}; {broken.broken}")


# -- registrations


def _nobody(world: World) -> None:
    """There is no home."""


def _check_registered(world: World, broken: Ended) -> None:
    again = world.kesher("register", "alice")
    ((known,),) = world.server.rows("SELECT count(*) FROM clients WHERE Name = 'alice'")
    if again.status == 1 and "already holds" in again.stderr:
        mended = world.kesher("register", "alice", "--again")
        if mended.status == 1 and "knows this home" not in mended.stderr:
            world.problem(f"registration lost: {mended.stderr[-300:]!r}; {broken.broken}")
    elif again.status == 1 and known == 1 and not (world.home / "me.info").exists():
        # The server made the id, and its answer did not reach the disk: the protocol has nothing against that.
        if broken.said_done:
            world.problem(f"registration lost: alice was told that it was made; {broken.broken}")
        if broken.was_killed and not _is_in_window(broken):
            world.problem(f"registration lost: outside of the moment between answer and disk; {broken.broken}")
        world.succeed("register", "alice2")
    elif again.status == 1:
        world.problem(f"cannot register: {again.stderr[-300:]!r}; {broken.broken}")
    read_identity(world.home)
    _check_identity(world)


def _is_in_window(broken: Ended) -> bool:
    """Something was sent."""
    return any(line.startswith("sendto ") for line in broken.calls)


def _check_identity(world: World) -> None:
    """Id and key are of use: for files, and for messages in both directions."""
    world.succeed("users")
    (world.folder / "proof").write_bytes(NEW)
    world.succeed("put", str(world.folder / "proof"))
    world.succeed("send", "bob", input=b"hello")
    if world.bob_takes()[1] != [b"hello"]:
        world.problem("text lost: after a registration")
    (alias,) = world.voice.keys or (None,)
    if alias:
        world.voice.write(world.link, alias, b"answer")
        if "answer" not in world.succeed("inbox").stdout:
            world.problem("answer unreadable: after a registration")


def _forgotten(world: World) -> None:
    """The server has lost its data."""
    world.link.close()
    world.server.port = free_port()
    world.server.restart()
    world.link = world.server.connect()
    world.settle_alice()
    world.succeed("users")
    world.link.close()
    world.server.stop()
    for path in world.server.data.glob("kesher.db*"):
        path.unlink()
    world.server.start()
    world.link = world.server.connect()
    world.bob = world.link.register_for_messages(world.bob)
    world.voice.user = world.bob


def _check_again(world: World, broken: Ended) -> None:
    again = world.kesher("register", "alice", "--again")
    if again.status == 1 and "knows this home" in again.stderr:
        pass
    elif again.status == 1 and "taken" in again.stderr and not broken.said_done:
        world.succeed("register", "alice2", "--again")
    elif again.status == 1:
        world.problem(f"cannot register again: {again.stderr[-300:]!r}; {broken.broken}")
    kept = read_identity(world.home)
    if kept.private_key != KEYS[0]:
        world.problem("key lost: register --again has made another")
    _check_identity(world)


# -- files


def _files(world: World) -> None:
    world.settle_alice()
    for name, content in (("a", OLD), ("b", b""), ("big", BIG)):
        (world.folder / name).write_bytes(content)
    world.succeed("put", str(world.folder / "a"))
    (world.folder / "a").write_bytes(NEW)


def _paths(world: World) -> list[str]:
    return [str(world.folder / name) for name in ("a", "b", "big")]


def _stored(world: World, name: str) -> bytes | None:
    rows = world.server.file_rows(world.alice.id)
    return world.server.stored(world.alice.id, name) if any(row[0] == name and row[2] for row in rows) else None


def _put_checker(*options: str) -> Callable[[World, Ended], None]:
    wanted = {"a": NEW, "b": b"", "big": BIG}

    def check(world: World, broken: Ended) -> None:
        there = {name: _stored(world, name) for name in wanted}
        for name, content in there.items():
            if content not in (wanted[name], OLD if name == "a" else None):
                world.problem(f"file damaged: {name}, {broken.broken}")
            if f"{name}: " in broken.stdout and "confirmed" in _line(broken, f"{name}: ") and content != wanted[name]:
                world.problem(f"file lost: {name} was confirmed, and is not there; {broken.broken}")
        if broken.said_done and there != wanted:
            world.problem(f"file lost: all were put; {broken.broken}")
        world.succeed("put", *options, *_paths(world))
        if {name: _stored(world, name) for name in wanted} != wanted:
            world.problem(f"file lost: put again; {broken.broken}")

    return check


def _line(ended: Ended, begin: str) -> str:
    return next((line for line in ended.stdout.splitlines() if line.startswith(begin)), "")


def _transfer(world: World) -> None:
    (world.folder / "a").write_bytes(NEW)
    write_transfer_info(world.home, world.server.address, "alice", world.folder / "a")
    world.home.chmod(0o700)
    (world.home / "transfer.info").chmod(0o600)


def _check_transferred(world: World, broken: Ended) -> None:
    again = world.kesher("transfer")
    if again.status == 1 and "taken" in again.stderr and not (world.home / "me.info").exists():
        if broken.said_done or (broken.was_killed and not _is_in_window(broken)):
            world.problem(f"registration lost: {again.stderr[-300:]!r}; {broken.broken}")
        write_transfer_info(world.home, world.server.address, "alice2", world.folder / "a")
        again = world.kesher("transfer")
    if again.status != 0:
        world.problem(f"transfer fails afterwards: {again.stderr[-300:]!r}; {broken.broken}")
        return
    world.alice = read_identity(world.home)
    if _stored(world, stored_name("a")) != NEW:
        world.problem(f"file lost: transferred; {broken.broken}")
    _check_identity(world)


COMMANDS = [
    Command("register", lambda world: ("register", "alice"), _check_registered, _nobody),
    Command("register-again", lambda world: ("register", "alice", "--again"), _check_again, _forgotten),
    Command("put", lambda world: ("put", *_paths(world)), _put_checker(), _files),
    Command("put-pipeline", lambda world: ("put", "--pipeline", *_paths(world)), _put_checker("--pipeline"), _files),
    Command("transfer", lambda world: ("transfer",), _check_transferred, _transfer),
    Command("users", lambda world: ("users",), _check_listed),
    Command("send-first", lambda world: ("send", "bob"), _check_sent(b"hello", input=b"hello"), input=b"hello"),
    Command("send", lambda world: ("send", "bob"), _check_sent(b"hello", input=b"hello"), _talking, b"hello"),
    Command("send-asked", lambda world: ("send", "bob"), _check_sent(b"hello", input=b"hello"), _asked, b"hello"),
    Command(
        "send-file",
        lambda world: ("send", "bob", "--file", str(world.folder / "big")),
        lambda world, broken: _check_sent(BIG, "--file", str(world.folder / "big"))(world, broken),
        _big_file,
    ),
    Command("share-key", lambda world: ("share-key", "bob"), _check_shared),
    Command("request-key", lambda world: ("request-key", "bob"), _check_requested),
    Command("key", lambda world: ("key", "bob"), _check_pinned),
    Command("key-forget", lambda world: ("key", "bob", "--forget"), _check_forgotten, _talking),
    Command("key-accept", lambda world: ("key", "bob", "--accept-key"), _check_accepted, _key_came),
    Command("inbox", lambda world: ("inbox", "--json"), _inbox_checker(), _mailed),
    Command("inbox-save", _inbox_elsewhere, _inbox_checker(), _mailed_elsewhere),
    Command("inbox-discard", lambda world: ("inbox", "--json", "--discard"), _inbox_checker("--discard"), _mailed),
]
