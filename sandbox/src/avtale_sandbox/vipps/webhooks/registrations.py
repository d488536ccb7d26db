"""Who wants to be told of which events, and the secrets they share with the sandbox."""

from __future__ import annotations

import base64

from msgspec import Struct

from ...clock import Agenda, Clock
from ...ids import Ids
from ...instants import DAY
from ...settings import Settings
from ...store import Store
from ..recurring.events import AGREEMENT_EVENTS, CHARGE_EVENTS
from ..refusals import invalid
from .signing import target_of

# A registration that has not answered for so long is removed (Vipps Webhooks, since March 2026).
DEAD_AFTER = 14 * DAY

EPAYMENT_EVENTS = tuple(
    f"epayments.payment.{name}.v1"
    for name in (
        "created",
        "aborted",
        "expired",
        "cancelled",
        "captured",
        "refunded",
        "authorized",
        "terminated",
    )
)
KNOWN_EVENTS = frozenset((*AGREEMENT_EVENTS, *CHARGE_EVENTS, *EPAYMENT_EVENTS))


class Registration(Struct, kw_only=True, omit_defaults=True):
    """One address of one sales unit; `next_at` is when it is removed if it stays silent."""

    id: str
    number: int
    msn: str
    url: str
    events: list[str]
    secret: str
    created: int
    failing_since: int | None = None
    next_at: int | None = None


class Registrations:
    """All registrations."""

    def __init__(self, store: Store, ids: Ids, clock: Clock, agenda: Agenda, settings: Settings) -> None:
        self._table = store.table("webhook", Registration)
        self._ids = ids
        self._clock = clock
        self._agenda = agenda
        self._limit = settings.webhook_registrations_max
        # Wanted often, changed seldom: who is told of which event of which sales unit.
        self._wanting: dict[tuple[str, str], list[str]] = {}
        agenda.declare("webhook", 4, self._due_at, self._remove_if_dead)

    def __len__(self) -> int:
        return len(self._table)

    def load(self) -> None:
        """Build the look-ups and the agenda from the store."""
        self._wanting.clear()
        for registration in self._table.values():
            self._ids.reached(registration.number)
            self._note(registration)

    def get(self, registration_id: str) -> Registration | None:
        """A copy of the registration, or None."""
        return self._table.get(registration_id)

    def of(self, msn: str) -> list[Registration]:
        """A sales unit's registrations, oldest first."""
        return [registration for registration in self._table.values() if registration.msn == msn]

    def all(self) -> list[Registration]:
        """Everybody's registrations, oldest first."""
        return list(self._table.values())

    def wanting(self, msn: str, event: str) -> list[str]:
        """The ids of the registrations that are to be told of the event."""
        return self._wanting.get((msn, event), [])

    def add(self, msn: str, url: str, events: list[str]) -> Registration:
        """Register an address; raises Refused."""
        try:
            target_of(url)
        except ValueError as problem:
            raise invalid("url", f"The URL is not valid: {problem}") from None
        events = list(dict.fromkeys(events))
        for event in events:
            if event.startswith(("recurring.", "epayments.")) and event not in KNOWN_EVENTS:
                raise invalid("events", f"The event type '{event}' is not known")
            if len(self.wanting(msn, event)) >= self._limit:
                raise invalid("events", f"There are {self._limit} webhooks for '{event}' already")
        number = self._ids.next_number()
        registration = Registration(
            id=self._ids.uuid("webhook", number),
            number=number,
            msn=msn,
            url=url,
            events=events,
            secret=base64.b64encode(self._ids.octets("webhook secret", number, 64)).decode(),
            created=self._clock.now(),
        )
        self._table.put(registration.id, registration)
        self._note(registration)
        return registration

    def delete(self, msn: str, registration_id: str) -> bool:
        """Forget a registration of this sales unit; says whether there was one."""
        found = self._table.get(registration_id)
        if found is None or found.msn != msn:
            return False
        self._table.delete(registration_id)
        for event in found.events:
            self._wanting[msn, event].remove(registration_id)
        return True

    def answered(self, registration_id: str, well: bool, at: int) -> None:
        """Note whether the address answered; silence for two weeks removes it."""
        registration = self._table.get(registration_id)
        if registration is None or well == (registration.failing_since is None):
            return
        registration.failing_since = None if well else at
        registration.next_at = None if well else at + DEAD_AFTER
        self._table.put(registration_id, registration)
        if registration.next_at is not None:
            self._agenda.add(registration.next_at, "webhook", registration.number, registration_id)

    def _note(self, registration: Registration) -> None:
        for event in registration.events:
            self._wanting.setdefault((registration.msn, event), []).append(registration.id)
        if registration.next_at is not None:
            self._agenda.add(registration.next_at, "webhook", registration.number, registration.id)

    def _due_at(self, registration_id: str) -> int | None:
        found = self._table.get(registration_id)
        return None if found is None else found.next_at

    def _remove_if_dead(self, registration_id: str) -> None:
        found = self._table.get(registration_id)
        if found is not None:
            self.delete(found.msn, registration_id)
