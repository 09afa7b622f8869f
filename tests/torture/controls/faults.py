"""All faults, and the sources that have them."""

from .fault import Edit, Fault
from .faults_of_accounts import ACCOUNTS
from .faults_of_own_files import OWN_FILES
from .faults_of_services import CHAT, LEASES_GIVEN, SERVICES
from .faults_of_storage import ANSWERS, IDS_AND_SALTS, JOURNAL_READING, KEPT

FAULTS = [*ANSWERS, *LEASES_GIVEN, *IDS_AND_SALTS, *JOURNAL_READING, *KEPT, *OWN_FILES, *SERVICES, *CHAT, *ACCOUNTS]


def broken(name: str, text: str) -> str:
    """The text of that file with all its faults, but for those whose edits do not fit any more."""
    for fault, edit in _edits_of(name):
        if text.count(edit.old) == 1:
            text = _apply(fault, edit, text)
    return text


def unfit(name: str, text: str) -> list[str]:
    """The edits of that file that do not fit any more."""
    problems = []
    for fault, edit in _edits_of(name):
        if text.count(edit.old) == 1:
            text = _apply(fault, edit, text)
        else:
            problems.append(f"{fault.name}: src/{name} has {text.count(edit.old)} times:\n{edit.old}")
    return problems


def files() -> set[str]:
    return {edit.file for fault in FAULTS for edit in fault.edits}


def _edits_of(name: str) -> list[tuple[Fault, Edit]]:
    return [(fault, edit) for fault in FAULTS for edit in fault.edits if edit.file == name]


def _apply(fault: Fault, edit: Edit, text: str) -> str:
    return text.replace(edit.old, edit.new.replace("FAULT", f'fault("{fault.name}")'))
