"""Who lets which sales unit read what about them, since when, and under which name the sales unit knows them."""

from __future__ import annotations

from msgspec import Struct

from ..ids import Ids
from ..instants import HOUR
from ..store import Store

# How long what was consented to can be read, also when the consent is taken back meanwhile (Vipps Userinfo).
READABLE = 168 * HOUR


class Consent(Struct, frozen=True):
    """One person's latest consent to one sales unit, and the session it was given in; `given` is business time."""

    sub: str
    sid: str
    msn: str
    phone_number: str
    scopes: list[str]
    given: int

    def is_readable(self, now: int) -> bool:
        """Whether the data can still be read."""
        return now <= self.given + READABLE


class Consents:
    """All consents that came with an agreement or a payment."""

    def __init__(self, store: Store, ids: Ids) -> None:
        self._table = store.table("consent", Consent)
        self._ids = ids

    def sub(self, msn: str, phone_number: str) -> str:
        """How the sales unit knows the person: always the same, and another one in each sales unit."""
        return self._ids.uuid(f"sub:{msn}:{phone_number}", 0)

    def give(self, msn: str, phone_number: str, scope: str, at: int) -> str:
        """Note a consent to a scope such as `name email`; gives the person's `sub`."""
        sub = self.sub(msn, phone_number)
        sid = self._ids.uuid(f"sid:{sub}", at)
        self._table.put(_key(msn, sub), Consent(sub, sid, msn, phone_number, scope.split(), at))
        return sub

    def of(self, msn: str, sub: str) -> Consent | None:
        """What was consented to in this sales unit."""
        return self._table.get(_key(msn, sub))


def _key(msn: str, sub: str) -> str:
    return f"{msn}/{sub}"
