"""A file that is handed in, its rows, and the states through which both go."""

from __future__ import annotations

from enum import StrEnum


class ImportKind(StrEnum):
    """What is asked for. `agreements` is of versions 1 and 2 of the migration alike; the last three have no file."""

    AGREEMENTS = "agreements"
    SPECIAL = "special"
    FIX_AGREEMENTS = "fix_agreements"
    RECREATE = "recreate"
    FIX_CHARGES = "fix_charges"
    DASHBOARD_AGREEMENTS = "dashboard_agreements"
    DASHBOARD_CHARGES = "dashboard_charges"


class ImportStatus(StrEnum):
    """Where a file stands: it is read, checked and reported before anything of it is done."""

    RECEIVING = "receiving"
    ABANDONED = "abandoned"
    CHECKING = "checking"
    CHECKED = "checked"
    APPLYING = "applying"
    APPLIED = "applied"
    UNDOING = "undoing"
    UNDONE = "undone"


class RowState(StrEnum):
    """What has become of a row. Each is in exactly one state, so that totals in are totals out.

    `already`: an earlier file did it. `kept`: it was to be undone, and something has happened to it since.
    """

    READ = "read"
    READY = "ready"
    APPLIED = "applied"
    ALREADY = "already"
    REJECTED = "rejected"
    UNDONE = "undone"
    KEPT = "kept"


#: Statuses in which there is work to do.
WORKING = frozenset({ImportStatus.CHECKING, ImportStatus.APPLYING, ImportStatus.UNDOING})

#: The statuses from which a file may be applied, and undone.
MAY_APPLY = frozenset({ImportStatus.CHECKED, ImportStatus.UNDONE})
MAY_UNDO = frozenset({ImportStatus.APPLYING, ImportStatus.APPLIED})
