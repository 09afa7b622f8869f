"""The instruments of failing calls and disks: a fault fails what it says, is told with its place, and goes away."""

import errno

import pytest
from faults import disks, syncs, volume
from faults.calls import NAMELESS, FailingCalls, fault_of, number_of, numbers_of
from faults.injection import FOR_EVER, KINDS, Fault, Maps, injector_library
from harness.campaign import Trial
from peer.drop import User
from peer.frames import ConnectionEnded
from powerloss.keys import KEY

is_built = pytest.mark.skipif(not injector_library().exists(), reason="the injector is not built")
has_volumes = pytest.mark.skipif(bool(disks.needs()), reason=disks.needs())

SYNCS_OF_A_START = 8


@pytest.fixture
def victim(tmp_path):
    victim = FailingCalls(tmp_path)
    victim.life.start()
    yield victim
    victim.life.die()
    assert not victim.life.problems


def test_a_number_says_what_fails():
    for kind, errors in KINDS.items():
        for error in errors:
            fault = Fault(kind, error, start=77)
            assert fault_of(number_of(fault)) == fault
    calls = {"open": 3, NAMELESS: 0, "sleep": 1}
    assert len(list(numbers_of(calls))) == 3 * len(KINDS["open"]) + len(KINDS["sleep"])


@is_built
def test_a_fault_is_told_with_its_place_and_goes_away(victim):
    victim.injection.arm(Fault("send", errno.EPIPE, in_a_row=FOR_EVER))
    with victim.server.connect() as client, pytest.raises((ConnectionEnded, OSError)):
        client.register_for_messages(User("somebody", KEY))
    (first, *_) = victim.injection.faults(Maps(victim.server.process.pid))
    assert first.startswith("EPIPE of send 1 in ") and "ks_tcp_flush" in first
    victim.relieve()
    assert victim.life.serves_again()


@is_built
def test_calls_are_counted_and_fail_at_their_turn(victim):
    before = victim.injection.calls()["fdatasync"]
    victim.injection.arm(Fault("fdatasync", errno.EIO, start=2))
    course = victim.life.run()
    victim.relieve()
    assert victim.injection.calls()["fdatasync"] > before + 2
    assert victim.told[0].startswith(f"EIO of fdatasync {before + 2} in ") and len(victim.told) == 1
    assert course.counts["refusals"] >= 1
    assert victim.life.serves_again()


@pytest.mark.skipif(bool(syncs.needs()), reason=syncs.needs())
@pytest.mark.parametrize("place", range(1, SYNCS_OF_A_START + 1))
def test_a_start_whose_sync_fails_does_not_go_on_as_if_nothing_were(tmp_path, place):
    """It once did: the change to the write-ahead log had not been committed."""
    trial = Trial("calls/sync", 1, 2 * syncs.MOST_SYNCS + place, tmp_path)
    syncs.sync_fails(trial)
    assert not trial.problems
    assert trial.counts["starts refused"] + trial.counts["syncs failed"] > 0


@has_volumes
def test_a_volume_gets_full_and_breaks_and_is_mended(tmp_path):
    disk = volume.Volume(tmp_path, size=disks.SIZE)
    volume.fill(disk.path)
    assert not disk.is_writable()
    volume.relieve(disk.path)
    assert disk.is_writable()
    disk.break_down()
    assert not disk.is_writable()
    disk.mend()
    assert disk.is_writable()
    disk.close()
