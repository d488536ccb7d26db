"""Where agreements and charges stand: two tables, and the look-ups that make each question cost the same."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from ...clock import Agenda
from ...ids import Ids
from ...store import Store
from ..refusals import not_found
from .resources import Agreement, Charge, charge_key
from .states import AgreementStatus


class Shelf:
    """All agreements and charges, with their due instants on the agenda."""

    def __init__(self, store: Store, ids: Ids, agenda: Agenda) -> None:
        self._agreements = store.table("agreement", Agreement)
        self._charges = store.table("charge", Charge)
        self._ids = ids
        self._agenda = agenda
        self._by_status: dict[tuple[str, AgreementStatus], dict[str, None]] = {}
        self._by_person: dict[str, dict[str, None]] = {}
        self._charge_keys: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return len(self._agreements)

    def load(self) -> None:
        """Build the look-ups and the agenda from what the store holds."""
        self._by_status.clear()
        self._by_person.clear()
        self._charge_keys.clear()
        agreements = sorted(self._agreements.values(), key=_entered_status)
        for agreement in agreements:
            self._ids.reached(agreement.number)
            self._by_status.setdefault((agreement.msn, agreement.status), {})[agreement.id] = None
            self._note(agreement)
        for key, charge in zip(list(self._charges.encoded), self._charges.values(), strict=True):
            self._ids.reached(charge.number)
            self._charge_keys.setdefault(charge.agreement_id, []).append(key)
            self._plan(charge)

    def find_agreement(self, agreement_id: str) -> Agreement | None:
        """A copy of the agreement, whoever it belongs to, or None."""
        return self._agreements.get(agreement_id)

    def agreement(self, agreement_id: str, msn: str | None = None) -> Agreement:
        """A copy of the agreement; raises Refused when there is none, or it is not this sales unit's."""
        found = self._agreements.get(agreement_id)
        if found is None or (msn is not None and found.msn != msn):
            raise not_found("Agreement")
        return found

    def has_agreement(self, agreement_id: str) -> bool:
        """Whether the id is taken."""
        return agreement_id in self._agreements

    def save_agreement(self, agreement: Agreement, was: AgreementStatus | None) -> None:
        """Store an agreement that is new (`was` is None) or had the status `was`."""
        self._agreements.put(agreement.id, agreement)
        if was != agreement.status:
            if was is not None:
                del self._by_status[agreement.msn, was][agreement.id]
            self._by_status.setdefault((agreement.msn, agreement.status), {})[agreement.id] = None
        self._note(agreement)

    def agreements_in(
        self, msn: str, status: AgreementStatus, skip: int = 0, count: int | None = None
    ) -> Iterator[Agreement]:
        """A sales unit's agreements in a status, in the order in which they came into it."""
        keys = self._by_status.get((msn, status), {})
        for key in list(islice(keys, skip, None if count is None else skip + count)):
            yield self.agreement(key)

    def agreements_of_person(self, phone_number: str) -> list[Agreement]:
        """What a person has in their app, oldest first."""
        found = (self.agreement(key) for key in self._by_person.get(phone_number, {}))
        return [agreement for agreement in found if agreement.person == phone_number]

    def all_agreements(self) -> Iterator[Agreement]:
        """Every agreement, oldest first."""
        return self._agreements.values()

    def newest_agreements(self) -> Iterator[Agreement]:
        """Every agreement, newest first."""
        return self._agreements.newest()

    def newest_charges(self) -> Iterator[Charge]:
        """Every charge, newest first."""
        return self._charges.newest()

    def counts(self) -> dict[AgreementStatus, int]:
        """How many agreements there are in each status."""
        counts: dict[AgreementStatus, int] = {}
        for (_, status), keys in self._by_status.items():
            counts[status] = counts.get(status, 0) + len(keys)
        return counts

    def find_charge(self, msn: str, charge_id: str) -> Charge | None:
        """A copy of the charge, or None."""
        return self._charges.get(charge_key(msn, charge_id))

    def charge(self, msn: str, charge_id: str, agreement_id: str | None = None) -> Charge:
        """A copy of the charge; raises Refused when there is none, or it is not of this agreement."""
        found = self.find_charge(msn, charge_id)
        if found is None or (agreement_id is not None and found.agreement_id != agreement_id):
            raise not_found("Charge")
        return found

    def has_charge(self, msn: str, charge_id: str) -> bool:
        """Whether the id is taken in this sales unit."""
        return charge_key(msn, charge_id) in self._charges

    def save_charge(self, charge: Charge) -> None:
        """Store a new or changed charge."""
        key = charge.key
        if key not in self._charges:
            self._charge_keys.setdefault(charge.agreement_id, []).append(key)
        self._charges.put(key, charge)
        self._plan(charge)

    def charges_of(self, agreement_id: str) -> list[Charge]:
        """The charges of an agreement, oldest first."""
        found = (self._charges.get(key) for key in self._charge_keys.get(agreement_id, ()))
        return [charge for charge in found if charge is not None]

    def agreement_due_at(self, agreement_id: str) -> int | None:
        """When something happens to the agreement by itself, or None."""
        found = self._agreements.get(agreement_id)
        return None if found is None else found.next_at

    def charge_due_at(self, key: str) -> int | None:
        """When something happens to the charge by itself, or None."""
        found = self._charges.get(key)
        return None if found is None else found.next_at

    def charge_at(self, key: str) -> Charge | None:
        """A copy of the charge under a key of the agenda."""
        return self._charges.get(key)

    def _note(self, agreement: Agreement) -> None:
        if agreement.person is not None:
            self._by_person.setdefault(agreement.person, {})[agreement.id] = None
        if agreement.next_at is not None:
            self._agenda.add(agreement.next_at, "agreement", agreement.number, agreement.id)

    def _plan(self, charge: Charge) -> None:
        if charge.next_at is not None:
            self._agenda.add(charge.next_at, "charge", charge.number, charge.key)


def _entered_status(agreement: Agreement) -> tuple[int, int]:
    """When the agreement came into the status it has; ties are told by its number."""
    if agreement.status == "ACTIVE" and agreement.start is not None:
        return agreement.start, agreement.number
    if agreement.stop is not None:
        return agreement.stop, agreement.number
    return agreement.created, agreement.number
