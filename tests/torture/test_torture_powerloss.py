"""The instrument of power cuts (the campaigns themselves are torture.py's): it must follow the server, be as cruel as
it says, and miss no sync that is left out."""

import itertools
import random
import sqlite3
from pathlib import Path

import pytest
from powerloss import controls
from powerloss.disk import ALL_KEPT, ALL_LOST, Disk, Snapshot, Style
from powerloss.ledger import Damage, Found, Ledger, Put, content_of, digest, own_stored_name
from powerloss.recording import Entry, Incomplete, Kind, Sync
from powerloss.loads import JOURNAL, SEGMENTS
from powerloss.older import make_older_directory, migrations
from powerloss.rounds import Round, check_images, differences, record, write_image
from powerloss.scenarios import journal_batches
from powerloss.server import is_built

needs_server = pytest.mark.skipif(not is_built(), reason="kesherd-release and its recorder are not built")


# -- the disk


ROOT, FOLDER, FILE = 1, 2, 3
EMPTY = Snapshot(ROOT, {})


def entry(kind: Kind, payload: bytes = b"", **fields) -> Entry:
    values = {"error": 0, "inode": 0, "other": 0, "offset": 0, "length": 0, "call": 0, **fields}
    return Entry(kind=kind, payload=payload, **values)


def create(name: bytes, inode: int = FILE, directory: int = ROOT) -> Entry:
    return entry(Kind.CREATE, name, inode=inode, other=directory)


def write(data: bytes, offset: int = 0, inode: int = FILE) -> Entry:
    return entry(Kind.WRITE, data, inode=inode, offset=offset, length=len(data))


def sync(inode: int, kind: Sync = Sync.FSYNC, call: int = 1, error: int = 0) -> list[Entry]:
    return [
        entry(Kind.SYNC_BEGIN, inode=inode, length=kind, call=call),
        entry(Kind.SYNC_END, inode=inode, length=kind, call=call, error=error),
    ]


@pytest.fixture
def image(tmp_path):
    """Makes images of what these entries leave: name -> content of each file, or None for a directory."""
    numbers = iter(range(1000))

    def make(entries: list[Entry], style: Style, *, before: Snapshot = EMPTY, ignored=(), seed=1) -> dict:
        disk = Disk(before, ignored)
        disk.follow(entries, len(entries))
        root = tmp_path / str(next(numbers))
        disk.write_image(random.Random(seed), style, root)
        return {
            str(path.relative_to(root)): path.read_bytes() if path.is_file() else None
            for path in sorted(root.rglob("*"))
        }

    return make


def test_a_power_cut_may_take_or_leave_what_is_not_synced(image):
    entries = [create(b"a"), write(b"data")]
    assert image(entries, ALL_KEPT) == {"a": b"data"}
    assert image(entries, ALL_LOST) == {}
    assert image(entries, Style("drop", "all")) == {"a": b""}
    assert image(entries, Style("zeros", "all")) == {"a": bytes(4)}


def test_a_sync_of_a_file_keeps_its_data_but_not_its_name(image):
    entries = [create(b"a"), write(b"data"), *sync(FILE)]
    assert image(entries, ALL_LOST) == {}
    assert image(entries, Style("drop", "all")) == {"a": b"data"}
    assert image([*entries, *sync(ROOT, call=2)], ALL_LOST) == {"a": b"data"}


def test_syncfs_keeps_everything(image):
    entries = [create(b"a"), write(b"data"), *sync(ROOT, Sync.SYNCFS)]
    assert image(entries, ALL_LOST) == {"a": b"data"}


def test_a_sync_covers_only_what_was_written_before_it_began(image):
    begin, end = sync(FILE)
    entries = [create(b"a"), write(b"data"), begin, write(b"DATA"), end]
    assert image(entries, Style("drop", "all")) == {"a": b"data"}
    assert image(entries[:-1], Style("drop", "all")) == {"a": b""}, "a sync that has not ended covers nothing"


def test_a_sync_that_failed_or_is_left_out_covers_nothing(image):
    entries = [create(b"a"), write(b"data")]
    assert image(entries + sync(FILE, error=5), Style("drop", "all")) == {"a": b""}
    assert image(entries + sync(FILE, call=7), Style("drop", "all"), ignored={7}) == {"a": b""}


def dsync(data: bytes, offset: int, *, call: int = 1, error: int = 0) -> list[Entry]:
    """A write that is its own sync."""
    begin, end = sync(FILE, Sync.DSYNC, call, error)
    of = {"offset": offset, "other": len(data)}
    return [write(data, offset), begin._replace(**of), end._replace(**of)]


OLD = Snapshot(ROOT, {"a": Snapshot(FILE, b"o" * 12)})


def test_a_write_that_is_its_own_sync_keeps_what_it_wrote_and_nothing_else(image):
    entries = [write(b"head"), *dsync(b"data", 6)]
    assert image(entries, ALL_LOST, before=OLD) == {"a": b"oooooodataoo"}
    assert image(entries, ALL_KEPT, before=OLD) == {"a": b"headoodataoo"}
    assert image(entries[:-1], ALL_LOST, before=OLD) == {"a": b"o" * 12}, "it has not answered"
    assert image(entries, ALL_LOST, before=OLD, ignored={1}) == {"a": b"o" * 12}
    assert image([*entries, *sync(FILE, call=2)], ALL_LOST, before=OLD) == {"a": b"headoodataoo"}


def test_a_write_that_is_its_own_sync_lies_over_what_was_written_there_before(image):
    entries = [write(b"n" * 12), *dsync(b"data", 4)]
    assert image(entries, ALL_LOST, before=OLD) == {"a": b"oooodataoooo"}
    assert image(entries, ALL_KEPT, before=OLD) == {"a": b"nnnndatannnn"}
    assert image([*entries, write(b"late", 4)], ALL_LOST, before=OLD) == {"a": b"oooodataoooo"}
    assert image([*entries, write(b"late", 4)], ALL_KEPT, before=OLD) == {"a": b"nnnnlatennnn"}


def test_a_write_that_is_its_own_sync_gives_the_file_its_size(image):
    entries = [write(b"head"), *dsync(b"data", 14)]
    assert image(entries, ALL_LOST, before=OLD) == {"a": b"o" * 12 + b"\0\0data"}


def test_a_write_whose_own_sync_failed_is_lost_and_nothing_else(image):
    written, begin, end = dsync(b"data", 6, error=5)
    entries = [write(b"head"), written, begin, entry(Kind.LOST, inode=FILE, offset=6, length=4), end]
    assert image(entries, ALL_KEPT, before=OLD) == {"a": b"headoooooooo"}
    assert image([*entries, *sync(FILE, call=2)], ALL_LOST, before=OLD) == {"a": b"headoooooooo"}


def test_a_write_that_is_its_own_sync_behind_a_pending_truncation_is_too_much_for_us(image):
    with pytest.raises(Incomplete):
        image([entry(Kind.TRUNCATE, inode=FILE, length=2), *dsync(b"data", 6)], ALL_LOST, before=OLD)


def test_what_a_write_back_lost_never_arrives(image):
    entries = [create(b"a"), write(b"data"), entry(Kind.LOST, inode=FILE), *sync(FILE), *sync(ROOT, call=2)]
    for style in (ALL_KEPT, ALL_LOST):
        assert image(entries, style) == {"a": bytes(4)}
    assert image([*entries, write(b"DATA")], ALL_KEPT) == {"a": b"DATA"}


FROM, TO = Snapshot(FOLDER, {"a": Snapshot(FILE, b"new")}), Snapshot(4, {"a": Snapshot(5, b"old")})
BOTH = Snapshot(ROOT, {"from": FROM, "to": TO})
RENAMED = [entry(Kind.RENAME, b"a\0a", other=FOLDER, inode=4)]


def test_a_rename_is_kept_by_a_sync_of_the_directory_that_it_goes_to(image):
    assert image(RENAMED, ALL_LOST, before=BOTH)["to/a"] == b"old"
    kept = image([*RENAMED, *sync(4)], ALL_LOST, before=BOTH)
    assert (kept["to/a"], kept["from/a"]) == (b"new", b"new"), "the old name may still be there, too"
    assert "from/a" not in image(RENAMED, ALL_KEPT, before=BOTH)


def test_names_arrive_as_a_prefix_or_directory_by_directory(image):
    entries = [create(b"a", 10), create(b"b", 11, FOLDER), create(b"c", 12)]
    before = Snapshot(ROOT, {"folder": Snapshot(FOLDER, {})})
    prefixes = {tuple(image(entries, Style("keep", "prefix"), before=before, seed=seed)) for seed in range(40)}
    assert prefixes <= {("a", "folder"), ("a", "folder", "folder/b"), ("a", "c", "folder", "folder/b")}
    alone = {tuple(image(entries, Style("keep", "directories"), before=before, seed=seed)) for seed in range(60)}
    assert ("folder", "folder/b") in alone and ("a", "c", "folder") in alone


@pytest.mark.parametrize("data, unit", [("sectors", 512), ("torn", 512), ("pages", 4096), ("torn page", 4096)])
def test_writes_are_torn_at_the_edges_of_sectors_and_pages(image, data, unit):
    before = Snapshot(ROOT, {"a": Snapshot(FILE, b"o" * 20_000)})
    found = {image([write(b"n" * 16_000, 100)], Style(data, "all"), before=before, seed=s)["a"] for s in range(20)}
    assert len(found) > 3
    for content in found:
        edges = [i for i in range(1, 20_000) if content[i - 1] != content[i]]
        assert all(edge % unit == 0 or edge in (100, 16_100) for edge in edges), edges


def test_what_a_file_has_grown_by_may_be_garbage_and_nothing_else(image):
    before = Snapshot(ROOT, {"a": Snapshot(FILE, b"o" * 8192)})
    style = Style("garbage", "all")
    found = [image([write(b"n" * 8192, 4096)], style, before=before, seed=seed)["a"] for seed in range(9)]
    assert all(set(content[:8192]) <= set(b"on") for content in found)
    assert any(set(content[8192:]) - set(b"n\0") for content in found)


def test_names_may_arrive_each_by_itself_but_a_rename_whole(image):
    entries = [create(b"a", 10), create(b"b", 11), entry(Kind.RENAME, b"b\0c", other=ROOT, inode=ROOT)]
    found = {tuple(image(entries, Style("keep", "names"), seed=seed)) for seed in range(200)}
    assert found == {(), ("a",), ("b",), ("a", "b"), ("c",), ("a", "c")}


def test_one_sector_may_be_lost_of_all(image):
    before = Snapshot(ROOT, {"a": Snapshot(FILE, b"o" * 8192)})
    content = image([write(b"n" * 8192)], Style("one sector", "all"), before=before)["a"]
    assert content.count(b"o") == 512


def test_an_image_is_the_same_each_time(image):
    entries = [create(b"a"), *(write(bytes([n]) * 700, n * 600) for n in range(20)), create(b"b", 9)]
    for seed in range(20):
        style = Style.choose(random.Random(seed))
        assert image(entries, style, seed=seed) == image(entries, style, seed=seed)


# -- the ledger


ALICE, BOB = b"alice's id 16 by", b"bob's id 16 byte"
LETTER = ("letter", ((1, 0), ALICE, BOB, 3, 20))
STORED = ("stored", ((1, 0), 7))
MESSAGE = (7, BOB, ALICE, 3, content_of(1, 0, 20))
REMAINS = "message of a removed user"


def settle(notes: list[tuple], *, messages=(), files=None, users=None, ledger: Ledger | None = None):
    """The kinds of what is wrong, and what is owed then."""
    owed = (ledger or Ledger()).at([(0, what, values) for what, values in notes], 0)
    problems = owed.settle(Found(users or {}, files or {}, list(messages)))
    return [problem.partition(":")[0] for problem in problems], owed


def test_an_acknowledged_message_must_be_there_as_it_was_sent():
    assert settle([LETTER, STORED], messages=[MESSAGE])[0] == []
    assert settle([LETTER, STORED])[0] == ["message lost"]
    assert settle([LETTER, STORED], messages=[(*MESSAGE[:4], MESSAGE[4][:-1] + b"?")])[0] == ["message wrong"]
    assert settle([LETTER, STORED], messages=[(8, *MESSAGE[1:])])[0] == ["message id given twice"]
    assert settle([LETTER, STORED], messages=[MESSAGE, (8, *MESSAGE[1:])])[0][0] == "message twice"


def test_a_message_that_nobody_acknowledged_may_be_there_but_never_come_back():
    assert settle([LETTER], messages=[MESSAGE])[0] == []
    wrong, owed = settle([LETTER])
    assert wrong == []
    assert settle([], messages=[MESSAGE], ledger=owed)[0] == ["message came back"]


def test_what_came_out_of_a_crash_must_stay():
    _, owed = settle([LETTER], messages=[MESSAGE])
    assert settle([], ledger=owed)[0] == ["message lost"]


def test_a_message_that_was_sent_to_its_receiver_may_be_gone_or_come_again_with_its_id():
    taken = ("delivered", ([(7, (1, 0))],))
    assert settle([LETTER, STORED, taken])[0] == []
    assert settle([LETTER, STORED, taken], messages=[MESSAGE])[0] == []
    assert settle([LETTER, STORED, taken], messages=[(9, *MESSAGE[1:])])[0] == ["message id given twice"]


def test_an_id_that_was_told_is_never_another_messages():
    other = ("letter", ((2, 0), ALICE, BOB, 3, 20))
    told = [LETTER, STORED, ("delivered", ([(7, (1, 0))],)), other]
    found = [(7, BOB, ALICE, 3, content_of(2, 0, 20))]
    assert settle(told, messages=found)[0] == ["message id given twice"]


def test_a_message_that_was_never_sent_is_found_out():
    assert settle([], messages=[MESSAGE])[0] == ["message unknown"]


def test_a_verified_file_stays_until_a_later_one_of_its_name():
    first, second = ("upload", (ALICE, "a", "one")), ("upload", (ALICE, "a", "two"))
    verified = ("verified", (ALICE, "a", "one"))
    for content in ("one", "two"):
        assert settle([first, verified, second], files={(ALICE, "a"): content})[0] == []
    assert settle([first, verified, second])[0] == ["file lost"]
    assert settle([first, verified, second, ("verified", (ALICE, "a", "two"))], files={(ALICE, "a"): "one"})[0] == [
        "file wrong"
    ]
    assert settle([], files={(ALICE, "a"): "one"})[0] == ["file unknown"]


UPLOAD_X, UPLOAD_Y = ("upload", (ALICE, "a", "x")), ("upload", (ALICE, "a", "y"))
VERIFIED_X, VERIFIED_Y = ("verified", (ALICE, "a", "x")), ("verified", (ALICE, "a", "y"))
REMOVING, REMOVED = ("removing file", (ALICE, "a")), ("removed file", (ALICE, "a"))


@pytest.mark.parametrize(
    ("told", "may_be"),
    [
        ([UPLOAD_X, VERIFIED_X], ["x"]),
        ([UPLOAD_X, VERIFIED_X, REMOVING], ["x", None]),
        ([UPLOAD_X, VERIFIED_X, REMOVING, REMOVED], [None]),
        ([UPLOAD_X, VERIFIED_X, REMOVING, REMOVED, UPLOAD_Y], [None, "y"]),
        ([UPLOAD_X, REMOVING, UPLOAD_Y], [None, "x", "y"]),
        ([UPLOAD_X, REMOVING, UPLOAD_Y, VERIFIED_X], ["x", None, "y"]),
        ([UPLOAD_X, REMOVING, UPLOAD_Y, VERIFIED_X, REMOVED], [None, "y"]),
        ([UPLOAD_X, REMOVING, UPLOAD_Y, VERIFIED_X, REMOVED, VERIFIED_Y], ["y"]),
        ([UPLOAD_X, REMOVING, UPLOAD_Y, REMOVING, VERIFIED_X, REMOVED, VERIFIED_Y], ["y", None]),
    ],
)
def test_puts_and_removals_of_one_name_take_effect_in_their_order(told, may_be):
    for content in ("x", "y", None):
        files = {(ALICE, "a"): content} if content else {}
        assert (settle(told, files=files)[0] == []) == (content in may_be), content


def test_a_removed_file_never_comes_back():
    _, owed = settle([UPLOAD_X, VERIFIED_X, REMOVING])
    assert settle([], files={(ALICE, "a"): "x"}, ledger=owed)[0] == ["file wrong"]


def test_an_own_file_without_its_row_is_known_by_the_name_that_it_has_on_disk():
    for name in ("a/b", "long/" * 40 + "name"):
        there = {(ALICE, own_stored_name(name)): "x"}
        told = [("upload", (ALICE, name, "x"))]
        assert settle(told, files=there)[0] == []
        assert settle([], files=there)[0] == ["file unknown"]


def test_a_put_is_gone_on_with_where_its_owner_is():
    put = Put(ALICE, "a", b"put id", (1, 0), 20)
    told = [("account", ("alice",)), ("registering", ("alice",)), ("putting", (put,))]
    assert settle(told)[1].known_puts() == []
    owed = settle([*told, ("registered", ("alice", ALICE, False))], users={"alice": (ALICE, False)})[1]
    assert owed.copy().known_puts() == [put] and owed.copy().known_accounts() == ["alice"]


def test_a_registered_user_stays_with_the_id_and_the_key():
    told = [("registering", ("alice",)), ("registered", ("alice", ALICE, True))]
    assert settle(told, users={"alice": (ALICE, True)})[0] == []
    assert settle(told)[0] == ["user lost"]
    assert settle(told, users={"alice": (BOB, True)})[0] == ["user changed"]
    assert settle(told, users={"alice": (ALICE, False)})[0] == ["key lost"]
    assert settle(told[:1])[0] == []
    assert settle([], users={"alice": (ALICE, True)})[0] == ["user unknown"]


def test_who_was_removed_is_gone_with_all_that_was_there_and_stays_gone():
    told = [("registered", ("bob", BOB, True)), LETTER, STORED, ("upload", (BOB, "a", "one"))]
    told += [("verified", (BOB, "a", "one"))]
    there = {"users": {"bob": (BOB, True)}, "messages": [MESSAGE], "files": {(BOB, "a"): "one"}}
    assert settle([*told, ("removing", ("bob", BOB))], **there)[0] == []
    _, owed = settle([*told, ("removing", ("bob", BOB))])
    assert settle([], ledger=owed, **there)[0] == ["user unknown", "file wrong", "message came back", REMAINS]
    told += [("removing", ("bob", BOB)), ("removed", ("bob", BOB))]
    assert settle(told)[0] == []
    assert settle(told, **there)[0] == ["user unknown", "file wrong", REMAINS]


def test_whoever_is_being_removed_is_there_with_everything_or_gone():
    told = [("registered", ("bob", BOB, True)), LETTER, STORED, ("removing", ("bob", BOB))]
    assert settle(told, users={"bob": (BOB, True)})[0] == ["message lost"]
    assert settle(told, messages=[MESSAGE])[0] == [REMAINS]


def test_a_key_that_was_reset_stays_away_until_it_is_sent_again():
    told = [("registered", ("bob", BOB, True)), ("resetting", ("bob",))]
    for has_key in (True, False):
        assert settle(told, users={"bob": (BOB, has_key)})[0] == []
    told.append(("reset", ("bob",)))
    assert settle(told, users={"bob": (BOB, True)})[0] == ["reset key came back"]
    assert settle([*told, ("key", ("bob",))], users={"bob": (BOB, True)})[0] == []


def test_what_was_refused_is_nowhere():
    assert settle([LETTER, ("not stored", ((1, 0),))], messages=[MESSAGE])[0] == ["message was refused"]
    refused = [("upload", (ALICE, "a", "one")), ("refused", (ALICE, "a", "one"))]
    assert settle(refused)[0] == []
    assert settle(refused, files={(ALICE, "a"): "one"})[0] == ["file wrong"]


def test_what_is_damaged_is_there_or_put_aside_and_after_a_repair_not_there():
    def owed() -> Ledger:
        ledger = Ledger()
        ledger.damaged = {7: Damage(digest(b"rotten"), "whole")}
        return ledger

    def kinds(messages: list, aside: dict[str, bool], notes: tuple = ()) -> list[str]:
        ledger = owed().at([(0, *note) for note in notes], 0)
        return [problem.partition(":")[0] for problem in ledger.settle(Found({}, {}, messages, {}, aside))]

    there, repaired = [(7, BOB, ALICE, 3, b"rotten")], (("repaired", ()),)
    assert kinds(there, {}) == kinds([], {"whole": False}) == kinds([], {"whole": True}, repaired) == []
    assert kinds([], {}) == ["damaged thing lost"]
    assert kinds([(7, BOB, ALICE, 3, b"worse")], {}) == ["damaged thing changed"]
    assert kinds(there, {"whole": True}, repaired) == ["repair undone"]
    assert kinds([], {"whole": False}, repaired) == ["note lost"]


# -- directories of older versions


def test_older_directories_are_of_each_version_that_was_released(tmp_path):
    """Each step is one that a released version took, and the last one is ours."""
    versions = set()
    for seed in range(40):
        root = tmp_path / str(seed)
        owed = make_older_directory(root, random.Random(seed))
        database = sqlite3.connect(root / "data" / "kesher.db")
        ((version,),) = database.execute("PRAGMA user_version")
        assert database.execute("SELECT count(*) FROM clients").fetchone() == (len(owed.users),)
        database.close()
        versions.add(version)
    assert versions == set(range(1, len(migrations())))


# -- the recorder


@needs_server
@pytest.mark.parametrize("load", ["mixtures", "replacements", "checkpoints", "own-files"])
def test_a_recording_makes_the_directory_that_the_server_made(scratch, load):
    """Byte for byte: nothing escapes it."""
    made = record(scratch / "round", load, "1", orderly=True)
    assert differences(made) == []
    kinds = {entry.kind for entry in made.entries()}
    assert {Kind.CREATE, Kind.WRITE, Kind.UNLINK, Kind.SYNC_BEGIN, Kind.SYNC_END, Kind.SEND_END} <= kinds


def segments_in_turn(made: Round) -> list[int]:
    places = [offset // JOURNAL for _, offset, _ in journal_batches(made, made.entries())]
    return [segment for segment, _ in itertools.groupby(places)]


@needs_server
def test_the_journals_segments_are_filled_in_turn_and_again(scratch):
    """Unless the server comes to rest in between, and takes messages another way."""
    for attempt in range(5):
        turns = segments_in_turn(record(scratch / str(attempt), "journal-segments", str(attempt)))
        if turns[: SEGMENTS + 1] == [*range(SEGMENTS), 0]:
            return
    pytest.fail(f"segments in turn: {turns}")


def files_below(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@needs_server
def test_a_recording_that_was_kept_makes_the_same_image_again(scratch):
    made = record(scratch / "round", "replacements", "1")
    image = made.image(5, made.entries())
    assert check_images(made, [image], scratch / "image") == []
    made.save()
    write_image(made, image, scratch / "then")
    kept = Round.kept_in(made.folder)
    assert kept.images == {5: image}
    write_image(kept, image, scratch / "now")
    assert files_below(scratch / "then") == files_below(scratch / "now") != {}


# -- the server


@needs_server
@pytest.mark.parametrize(
    "load, words",
    [
        ("registrations", "of kesher.db-wal,"),
        ("replacements", "of something of a user's,"),
        ("small-messages", "of journal,"),
        ("large-messages", "of messages,"),
    ],
)
def test_a_sync_that_is_left_out_is_missed(scratch, load, words):
    found = controls.run_controls(scratch, loads=(load,), images=30, words=words, one_is_enough=True)
    assert any(control.caught for control in found), controls.control_table(found)


@needs_server
@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_every_sync_is_missed_or_known_to_be_redundant(scratch, capsys):
    found = controls.run_controls(scratch, images=200)
    with capsys.disabled():
        print("\n" + controls.control_table(found))
    caught = [control.place for control in found if control.caught]
    for words in ("kesher.db,", "kesher.db-wal,", "of journal,", "of messages,", "of files,", "of a user's,", "syncfs"):
        assert any(words in place for place in caught), words
    unknown = [c.place for c in found if not c.caught and not controls.why_redundant(c.place)]
    assert unknown == []
