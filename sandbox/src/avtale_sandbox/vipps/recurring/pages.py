"""Long lists in pages: by number, or by a continuation token that is good for some minutes."""

from __future__ import annotations

from ...clock import wall_now
from ...ids import Ids
from ...instants import MINUTE
from ..refusals import invalid

SIZE_DEFAULT = 500
SIZE_MAX = 2000
_LIFE = 10 * MINUTE


def asked(number: int | None, size: int | None) -> tuple[int, int | None]:
    """How many to skip and to give for the page that was asked for; all when none was. Raises Refused."""
    if number is None:
        if size is not None:
            raise invalid("pageNumber", "must be given together with pageSize")
        return 0, None
    if number < 1:
        raise invalid("pageNumber", "must be greater than or equal to 1")
    size = SIZE_DEFAULT if size is None else size
    if not 1 <= size <= SIZE_MAX:
        raise invalid("pageSize", f"must be between 1 and {SIZE_MAX}")
    return (number - 1) * size, size


class ContinuationTokens:
    """Where each unfinished list goes on; kept in memory only, since tokens are short-lived (wall time)."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._given = 0
        self._places: dict[str, tuple[int, str, str | None, int]] = {}

    def issue(self, agreement_id: str, status: str | None, number: int) -> str:
        """A token for going on below this running number."""
        now = wall_now()
        for token in [token for token, place in self._places.items() if place[0] <= now]:
            del self._places[token]
        self._given += 1
        token = self._ids.uuid("continuation", self._given)
        self._places[token] = (now + _LIFE, agreement_id, status, number)
        return token

    def read(self, token: str, agreement_id: str, status: str | None) -> int:
        """Below which number to go on; raises Refused for a token that is unknown, old or of another list."""
        place = self._places.get(token)
        if place is None or place[0] <= wall_now() or place[1:3] != (agreement_id, status):
            raise invalid("Continuation-Token", "is not valid (any more)")
        return place[3]
