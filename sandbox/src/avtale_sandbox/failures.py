"""Which tries to take money fail by order: of one charge, one agreement or one person, for a while or for good."""

from __future__ import annotations

from msgspec import Struct

from .ids import Ids
from .store import Store
from .vipps.recurring.resources import Charge, FailureReason


class Failure(Struct, kw_only=True, rename="camel", omit_defaults=False, forbid_unknown_fields=True):
    """An order: the first `tries` tries of each charge that it names fail, all of them when no number is given.

    At least one of `charge_id`, `agreement_id` and `phone_number` says which charges; what is not given
    matches all. A charge may be named before it is made. It goes on as usual when its tries are used up.
    """

    id: str = ""
    charge_id: str | None = None
    agreement_id: str | None = None
    phone_number: str | None = None
    tries: int | None = None
    reason: FailureReason = "user_action_required"


class Failures:
    """All orders; the first that fits counts."""

    def __init__(self, store: Store, ids: Ids) -> None:
        self._table = store.table("failure", Failure)
        self._ids = ids
        self._live: list[Failure] = []

    def load(self) -> None:
        """Read the orders anew."""
        self._live = self.all()
        for failure in self._live:
            self._ids.reached_by(failure.id, "failure")

    def all(self) -> list[Failure]:
        """Every order, in order."""
        return list(self._table.values())

    def add(self, failure: Failure) -> Failure:
        """Add an order, or replace the one with its id; raises ValueError for one that names no charge."""
        if not (failure.charge_id or failure.agreement_id or failure.phone_number):
            raise ValueError("give chargeId, agreementId or phoneNumber")
        if failure.tries is not None and failure.tries < 1:
            raise ValueError("tries must be at least 1; leave it out for charges that fail for good")
        if not failure.id:
            failure.id = f"failure-{self._ids.next_number()}"
        self._table.put(failure.id, failure)
        self.load()
        return failure

    def delete(self, failure_id: str | None) -> bool:
        """Forget one order, or all; says whether there was any."""
        ids = [failure.id for failure in self._live] if failure_id is None else [failure_id]
        found = [self._table.delete(one) for one in ids]
        self.load()
        return any(found)

    def reason_for(self, charge: Charge, phone_number: str | None) -> FailureReason | None:
        """Why the charge's next try fails, or None when no order is about it."""
        for failure in self._live:
            if (
                failure.charge_id in (None, charge.id)
                and failure.agreement_id in (None, charge.agreement_id)
                and failure.phone_number in (None, phone_number)
                and (failure.tries is None or len(charge.tries) < failure.tries)
            ):
                return failure.reason
        return None
