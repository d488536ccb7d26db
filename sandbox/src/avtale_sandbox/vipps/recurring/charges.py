"""The life of a charge: created, shown, tried, captured, released, refunded."""

from __future__ import annotations

from ...failures import Failures
from ...ids import Ids
from ...instants import local_day, parse_day
from ...merchants import Market, Merchant, Merchants
from ...people import People
from ...settings import Settings
from ..refusals import Refused, invalid
from . import timerules
from .events import Publish, charge_event
from .resources import Actor, Agreement, Charge, FailureReason, HistoryEvent, Occurrence, Try
from .rules import check_ceiling, check_charge
from .shelf import Shelf
from .states import CHARGE_STEPS, ChargeStatus, ChargeStep
from .terms import ChargeTerms, InitialChargeTerms

# What the payer's or the merchant's stop of an agreement takes with it (Vipps Recurring, stopping).
_CANCELLED_BY_STOP: dict[Actor, tuple[ChargeStatus, ...]] = {
    "MERCHANT": ("PENDING", "DUE", "RESERVED"),
    "USER": ("PENDING", "DUE"),
    "ADMIN": ("PENDING", "DUE"),
}


class Charges:
    """All that happens to charges. `at` is the instant of business time at which it happens."""

    def __init__(
        self,
        shelf: Shelf,
        ids: Ids,
        people: People,
        failures: Failures,
        merchants: Merchants,
        publish: Publish,
        settings: Settings,
    ) -> None:
        self._shelf = shelf
        self._ids = ids
        self._people = people
        self._failures = failures
        self._merchants = merchants
        self._publish = publish
        self._settings = settings

    def create(self, merchant: Merchant, agreement: Agreement, terms: ChargeTerms, at: int, key: str) -> Charge:
        """Make a charge under an active agreement; raises Refused."""
        check_charge(terms, merchant)
        if agreement.status != "ACTIVE":
            reason = "Cannot create a charge for an agreement which is not active."
            raise Refused("charge-creation-failed", reason, [("agreement.status", reason)])
        if terms.due is not None:
            timerules.check_due(terms.due, at, merchant.terms, self._settings)
        check_ceiling(terms.amount, agreement)
        charge = self._new(merchant, agreement, terms, at, key)
        if terms.type == "UNSCHEDULED":
            charge.processing_mode = "SINGLE_ATTEMPT"
            charge.next_at = at
        else:
            shown = timerules.visible_at(parse_day(charge.due), merchant.terms, self._settings)
            if shown <= at:
                self._show(charge, merchant)
            else:
                charge.next_at = shown
        self._shelf.save_charge(charge)
        return charge

    def create_initial(
        self, merchant: Merchant, agreement: Agreement, terms: InitialChargeTerms, at: int, key: str
    ) -> Charge:
        """Make the charge that waits for the agreement's approval; raises Refused."""
        asked = ChargeTerms(
            amount=terms.amount,
            description=terms.description,
            transaction_type=terms.transaction_type,
            type="INITIAL",
            order_id=terms.order_id,
            external_id=terms.external_id,
        )
        charge = self._new(merchant, agreement, asked, at, key)
        self._shelf.save_charge(charge)
        return charge

    def capture(self, charge: Charge, amount: int, at: int, key: str) -> None:
        """Take part or all of what is reserved; raises Refused."""
        if (charge.status, "capture part") not in CHARGE_STEPS:
            raise Refused("charge-capture-failed", f"Cannot capture a charge with status {charge.status}")
        if amount > charge.remaining:
            raise Refused(
                "charge-capture-failed",
                f"The amount {amount} is higher than the remaining capturable amount {charge.remaining}",
                [("amount", f"must be less than or equal to {charge.remaining}")],
            )
        self._check_least(amount, charge.remaining, charge)
        self._step(charge, "capture rest" if amount == charge.remaining else "capture part")
        charge.captured += amount
        charge.captured_at = at
        if charge.remaining == 0:
            charge.next_at = None
        self._write(charge, "CAPTURE", amount, at, key)
        self._shelf.save_charge(charge)
        self._tell("captured", charge, at)

    def cancel(self, charge: Charge, at: int, key: str) -> None:
        """Call off a charge, or release what is left of its reservation; raises Refused."""
        waits_for_approval = charge.type == "INITIAL" and charge.reserved_at is None
        if (charge.status, "cancel") not in CHARGE_STEPS or waits_for_approval:
            raise Refused("cancel-charge-failed", f"Cannot cancel a charge with status {charge.status}")
        self._call_off(charge, at, key)

    def refund(self, charge: Charge, amount: int, at: int, key: str) -> None:
        """Give back part or all of what was captured; raises Refused."""
        if (charge.status, "refund part") not in CHARGE_STEPS or charge.captured_at is None:
            raise Refused("operation-failed", f"Cannot refund a charge with status {charge.status}")
        left = charge.captured - charge.refunded
        if amount > left:
            raise Refused(
                "operation-failed",
                f"The amount {amount} is higher than the remaining refundable amount {left}",
                [("amount", f"must be less than or equal to {left}")],
            )
        self._check_least(amount, left, charge)
        timerules.check_refund_window(charge.captured_at, at, self._settings)
        self._step(charge, "refund rest" if amount == left and charge.remaining == 0 else "refund part")
        charge.refunded += amount
        self._write(charge, "REFUND", amount, at, key)
        self._shelf.save_charge(charge)
        self._tell("refunded", charge, at)

    def stop_with(self, agreement: Agreement, actor: Actor, at: int) -> None:
        """Cancel what a stop of the agreement cancels; a payer's stop leaves reservations to the merchant."""
        for charge in self._shelf.charges_of(agreement.id):
            if charge.status in _CANCELLED_BY_STOP[actor]:
                self._call_off(charge, at, f"{charge.id}-{agreement.id}-StopAgreement")

    def drop_initial(self, charge: Charge, at: int) -> None:
        """End an initial charge whose agreement was rejected or has expired: it is failed if it was tried."""
        if charge.status == "PENDING":
            self._step(charge, "cancel")
            charge.cancelled = charge.amount
            charge.next_at = None
            self._write(charge, "CANCEL", charge.amount, at, f"{charge.id}-{charge.agreement_id}-DropAgreement")
            self._shelf.save_charge(charge)
        elif charge.status == "FAILED":
            self._tell("failed", charge, at)

    def execute(self, charge: Charge, agreement: Agreement, at: int) -> bool:
        """Try to take or reserve the money once; says whether it worked.

        A failed try of a recurring charge waits for its next slot, the last one makes it FAILED; a failed
        initial charge may be tried again as long as its agreement waits for approval.
        """
        reason = self._obstacle(charge, agreement, at)
        charge.tries.append(Try(at, reason))
        charge.failure_reason = reason
        charge.transaction_id = charge.transaction_id or self._transaction_id(charge)
        if reason is None:
            self._succeed(charge, agreement, at)
        else:
            charge.next_at = None
            if charge.type == "RECURRING":
                charge.next_at = timerules.next_try(charge, self._market(charge), at)
            if charge.next_at is None:
                self._step(charge, "fail")
                self._write(charge, "FAIL", charge.amount, at, _processing_key(charge), success=False)
        self._shelf.save_charge(charge)
        if reason is None:
            self._tell("captured" if charge.captured else "reserved", charge, at)
        elif charge.next_at is None and charge.type != "INITIAL":
            self._tell("failed", charge, at)
        return reason is None

    def fire(self, key: str) -> None:
        """Do what the agenda says is due for a charge."""
        charge = self._shelf.charge_at(key)
        if charge is None or charge.next_at is None:
            return
        at = charge.next_at
        if charge.remaining:
            self._call_off(charge, at, f"{charge.id}-{charge.agreement_id}-ReservationExpired")
        elif charge.status == "PENDING" and charge.type == "RECURRING":
            self._show(charge, self._merchant(charge))
            self._shelf.save_charge(charge)
        else:
            self.execute(charge, self._shelf.agreement(charge.agreement_id), at)

    def _new(self, merchant: Merchant, agreement: Agreement, terms: ChargeTerms, at: int, key: str) -> Charge:
        number = self._ids.next_number()
        charge_id = terms.order_id
        if charge_id is None:
            charge_id = f"chr-{self._ids.letters('charge', number, 7)}"
        if self._shelf.has_charge(merchant.merchant_serial_number, charge_id):
            reason = "is used by another charge of the sales unit"
            raise Refused("conflict", f"The orderId {charge_id} {reason}", [("orderId", reason)])
        charge = Charge(
            id=charge_id,
            number=number,
            agreement_id=agreement.id,
            msn=merchant.merchant_serial_number,
            type=terms.type,
            transaction_type=terms.transaction_type,
            amount=terms.amount,
            currency=agreement.currency,
            description=terms.description,
            due=terms.due or str(local_day(at, merchant.terms.zone)),
            created=at,
            retry_days=terms.retry_days or 0,
            processing_mode=terms.processing_mode or "MULTIPLE_ATTEMPTS",
            external_id=terms.external_id,
        )
        self._write(charge, "CREATE", charge.amount, at, key)
        return charge

    def _show(self, charge: Charge, merchant: Merchant) -> None:
        self._step(charge, "show")
        charge.transaction_id = self._transaction_id(charge)
        charge.next_at = timerules.next_try(charge, merchant.terms, None)

    def _obstacle(self, charge: Charge, agreement: Agreement, at: int) -> FailureReason | None:
        person = self._people.get(agreement.person or "")
        if person is None:
            return "non_technical_error"
        limit = agreement.max_amount
        if limit is not None and charge.type != "INITIAL" and charge.amount > limit:
            return "charge_amount_too_high"
        ordered = self._failures.reason_for(charge, agreement.person)
        if ordered is not None:
            return ordered
        return None if person.has_funds(at, self._market(charge).zone) else "user_action_required"

    def _succeed(self, charge: Charge, agreement: Agreement, at: int) -> None:
        if charge.transaction_type == "DIRECT_CAPTURE":
            self._step(charge, "take")
            charge.captured = charge.amount
            charge.captured_at = at
            charge.next_at = None
            self._write(charge, "CAPTURE", charge.amount, at, _processing_key(charge))
        else:
            self._step(charge, "reserve")
            charge.reserved_at = at
            charge.next_at = timerules.release_at(at, self._merchant(charge).capture_days)
            self._write(charge, "RESERVE", charge.amount, at, _processing_key(charge))

    def _call_off(self, charge: Charge, at: int, key: str) -> None:
        released = charge.remaining if charge.reserved_at is not None else charge.amount
        if charge.status == "PARTIALLY_REFUNDED":
            if charge.refunded == charge.captured:
                charge.status = "REFUNDED"
        else:
            self._step(charge, "cancel")
        charge.cancelled += released
        charge.next_at = None
        self._write(charge, "CANCEL", released, at, key)
        self._shelf.save_charge(charge)
        self._tell("canceled", charge, at)

    def _check_least(self, amount: int, left: int, charge: Charge) -> None:
        least = min(self._market(charge).amount_min, left)
        if amount < max(least, 1):
            raise invalid("amount", f"must be greater than or equal to {max(least, 1)}")

    def _step(self, charge: Charge, step: ChargeStep) -> None:
        charge.status = CHARGE_STEPS[charge.status, step]

    def _write(self, charge: Charge, event: HistoryEvent, amount: int, at: int, key: str, success: bool = True) -> None:
        charge.history.append(Occurrence(at, event, amount, key, success, charge.transaction_id))

    def _tell(self, name: str, charge: Charge, at: int) -> None:
        event = f"recurring.charge-{name}.v1"
        self._publish(charge.msn, event, charge.agreement_id, at, charge_event(name, charge, at))

    def _transaction_id(self, charge: Charge) -> str:
        return self._ids.digits("transaction", charge.number, 10)

    def _merchant(self, charge: Charge) -> Merchant:
        merchant = self._merchants.of_msn(charge.msn)
        if merchant is None:
            raise LookupError(f"the sales unit {charge.msn} of a stored charge is gone")
        return merchant

    def _market(self, charge: Charge) -> Market:
        return self._merchant(charge).terms


def _processing_key(charge: Charge) -> str:
    return f"{charge.id}-{charge.agreement_id}-ProcessPayment"
