"""Which revisions of the schema this code knows, as the files of the migrations are named, without the tool that runs
them: every process asks at its start."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_VERSIONS = Path(__file__).parent / "migrations" / "versions"


@cache
def known_revisions() -> tuple[str, ...]:
    """Every revision, the first one first: `r0023_budgets.py` is revision 0023."""
    return tuple(sorted(path.name[1:5] for path in _VERSIONS.glob("r[0-9][0-9][0-9][0-9]_*.py")))


def head_revision() -> str:
    """The revision that this code needs."""
    return known_revisions()[-1]


def knows_revision(revision: str) -> bool:
    """Whether this code has come past a revision."""
    return revision in known_revisions()
