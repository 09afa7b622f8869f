"""The negative controls themselves: that they still are about the server that there is. Whether they are caught is
what their campaigns tell (controls/trials.py)."""

import pytest
from controls.fault import IntegrationTests, PowerCuts
from controls.faults import FAULTS, files, unfit
from controls.trials import CATCHABLE
from peer.kesherd import REPOSITORY
from powerloss.loads import LOADS

BUILT = (REPOSITORY / "tests" / "torture" / "controls" / "meson.build").read_text()
REDUNDANT = [fault for fault in FAULTS if fault.redundant]


@pytest.mark.parametrize("name", sorted(files()))
def test_every_fault_fits_its_source(name):
    assert unfit(name, (REPOSITORY / "src" / name).read_text()) == []


def test_an_edit_that_does_not_fit_is_told():
    name = FAULTS[0].edits[0].file
    assert len(unfit(name, "")) == sum(edit.file == name for fault in FAULTS for edit in fault.edits)


def test_kesherd_faulty_has_all_faults():
    assert [name for name in files() if f"'{name}'" not in BUILT] == []


def test_each_fault_has_a_name_of_its_own_and_something_that_catches_it_or_a_reason_why_not():
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names)
    assert all(part in names for name in names for part in name.split("+"))
    assert [fault.name for fault in CATCHABLE if fault.caught_by is None] == []
    assert [fault.name for fault in REDUNDANT if fault.caught_by is not None] == []


def test_what_catches_them_is_there():
    for fault in CATCHABLE:
        if isinstance(fault.caught_by, PowerCuts):
            assert fault.caught_by.load in LOADS, fault.name
        elif isinstance(fault.caught_by, IntegrationTests):
            for name in fault.caught_by.names:
                path, _, test = name.partition("::")
                text = (REPOSITORY / "tests" / "integration" / path).read_text()
                assert f"def {test}(" in text or not test, f"{fault.name}: {name}"
        else:
            assert f"'{fault.caught_by.program}'" in BUILT, fault.name
