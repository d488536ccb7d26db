"""What merchants, payers and time do to agreements and charges, whichever version of the API they speak."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from ...clock import Agenda, Clock
from ...failures import Failures
from ...ids import Ids
from ...instants import SECOND, local_day
from ...merchants import Merchant, Merchants
from ...people import People, Person
from ...settings import Settings
from ...store import Store
from ..consents import Consents
from ..refusals import Refused, not_found
from . import confirmation
from .charges import Charges
from .events import Publish, agreement_event, charge_creation_failed_event
from .resources import Actor, Agreement, Charge
from .rules import campaign_of, check_charge, check_draft, check_update
from .shelf import Shelf
from .states import AGREEMENT_STEPS, AgreementStatus, AgreementStep
from .terms import ChargeTerms, DraftTerms, UpdateTerms
from .timerules import check_due

_NOT_ACTIVE = "Cannot modify an agreement which is not active."


class Recurring:
    """Agreements and charges of all merchants.

    Everything happens at the clock's now, except what the agenda fires, which happens at its due instant.
    Every method either takes full effect or raises Refused and changes nothing. What is given back is a
    copy.

    For the telephone (what a payer can do): `resolve_confirmation`, `open`, `approve`, `reject`,
    `stop_by_user`, `set_max_amount`, `agreements_of`, `charges_of`.
    """

    def __init__(
        self,
        store: Store,
        ids: Ids,
        clock: Clock,
        agenda: Agenda,
        people: People,
        consents: Consents,
        failures: Failures,
        merchants: Merchants,
        publish: Publish,
        settings: Settings,
    ) -> None:
        self.shelf = Shelf(store, ids, agenda)
        self.charges = Charges(self.shelf, ids, people, failures, merchants, publish, settings)
        self._ids = ids
        self._clock = clock
        self._people = people
        self._consents = consents
        self._merchants = merchants
        self._publish = publish
        self._settings = settings
        agenda.declare("agreement", 1, self.shelf.agreement_due_at, self._fire)
        agenda.declare("charge", 2, self.shelf.charge_due_at, self.charges.fire)

    # What a payer does on the telephone.

    def resolve_confirmation(self, token: str) -> Agreement:
        """The agreement that the token of a `vippsConfirmationUrl` is about, whatever its status.

        Raises Refused (`not-found`) for a token of somebody else, or of an agreement that is gone. A draft
        whose token has run out is EXPIRED: look at the status before showing buttons.
        """
        try:
            claims = confirmation.read(self._ids, token)
        except confirmation.NotAConfirmation:
            raise not_found("Agreement") from None
        return self.shelf.agreement(claims.sub)

    def open(self, agreement_id: str, phone_number: str) -> Agreement:
        """Put a waiting draft into a person's app without deciding; the person is made if new.

        Raises Refused (`not-found`; `validation-error` for what is no phone number). An agreement that does
        not wait is given back as it is.
        """
        agreement = self.shelf.agreement(agreement_id)
        if agreement.status == "PENDING" and agreement.person != phone_number:
            self._meet(phone_number)
            agreement.person = phone_number
            self.shelf.save_agreement(agreement, agreement.status)
        return agreement

    def approve(self, agreement_id: str, phone_number: str, max_amount: int | None = None) -> Agreement:
        """A person says yes. An initial charge is tried first, and only if it works the agreement is ACTIVE.

        Nothing is tried for who is under age, whose request expires (since December 2025), nor for who does
        not share what it asks for, which rejects it. When the initial charge fails the agreement is given
        back still PENDING, and may be approved again until it expires. `max_amount` (minor units; VARIABLE
        pricing only) is the payer's own limit; if not given, the one they are known for, else the suggested
        one. Raises Refused (`not-found`, `illegal-agreement-update` when it does not wait for approval,
        `validation-error` for what is no phone number or limit).
        """
        agreement = self.shelf.agreement(agreement_id)
        self._require(agreement, "approve")
        if max_amount is not None:
            _check_max_amount(agreement, max_amount)
        person = self._meet(phone_number)
        now = self._clock.now()
        agreement.person = phone_number
        if person.is_under_age(local_day(now, self._zone_of(agreement))):
            return self._end_draft(agreement, now)
        if agreement.scope and not person.shares:
            return self.reject(agreement_id, phone_number)
        if agreement.pricing == "VARIABLE":
            agreement.max_amount = (
                max_amount or agreement.max_amount or person.max_amount or agreement.suggested_max_amount
            )
        if agreement.initial_charge is not None:
            charge = self.shelf.charge(agreement.msn, agreement.initial_charge)
            if not self.charges.execute(charge, agreement, now):
                self.shelf.save_agreement(agreement, agreement.status)
                return agreement
        if agreement.scope:
            agreement.sub = self._consents.give(agreement.msn, phone_number, agreement.scope, now)
        agreement.start = now
        self._step(agreement, "approve")
        self._tell("activated", agreement, now)
        return agreement

    def reject(self, agreement_id: str, phone_number: str | None = None) -> Agreement:
        """A person says no: STOPPED; raises Refused (`not-found`, `illegal-agreement-update`)."""
        agreement = self.shelf.agreement(agreement_id)
        self._require(agreement, "reject")
        if phone_number is not None:
            self._meet(phone_number)
            agreement.person = phone_number
        now = self._clock.now()
        agreement.stop = now
        self._step(agreement, "reject")
        self._drop_initial(agreement, now)
        self._tell("rejected", agreement, now)
        return agreement

    def stop_by_user(self, agreement_id: str) -> Agreement:
        """The payer stops an active agreement; what is reserved stays for the merchant. Raises Refused."""
        return self._stop(self.shelf.agreement(agreement_id), "USER")

    def stop_by_leaving(self, phone_number: str) -> None:
        """A person deletes their profile: their active agreements are stopped (since July 2026)."""
        for agreement in self.shelf.agreements_of_person(phone_number):
            if agreement.status == "ACTIVE":
                self._stop(agreement, "ADMIN")

    def set_max_amount(self, agreement_id: str, amount: int) -> Agreement:
        """The payer changes the most (minor units) that may be charged, with VARIABLE pricing.

        Possible while waiting or active; no event tells of it. Raises Refused (`not-found`,
        `illegal-agreement-update`, `validation-error`).
        """
        agreement = self.shelf.agreement(agreement_id)
        if agreement.status not in ("PENDING", "ACTIVE"):
            raise _not_active()
        _check_max_amount(agreement, amount)
        agreement.max_amount = amount
        self.shelf.save_agreement(agreement, agreement.status)
        return agreement

    def agreements_of(self, phone_number: str) -> list[Agreement]:
        """What is in a person's app, in every status, in the order in which it came there."""
        return self.shelf.agreements_of_person(phone_number)

    def charges_of(self, agreement_id: str) -> list[Charge]:
        """All charges of an agreement, oldest first; raises Refused (`not-found`)."""
        return self.shelf.charges_of(self.shelf.agreement(agreement_id).id)

    def confirmation_token(self, agreement: Agreement) -> str:
        """The token in the agreement's `vippsConfirmationUrl`."""
        life = self._settings.confirmation_life_seconds
        return confirmation.issue(self._ids, agreement.id, agreement.created, life)

    # What a merchant does.

    def draft(self, merchant: Merchant, terms: DraftTerms, key: str) -> Agreement:
        """Make an agreement that waits for a payer, with its initial charge; raises Refused.

        It expires `confirmation_life_seconds` later.
        """
        check_draft(terms, merchant)
        now = self._clock.now()
        campaign = None
        if terms.campaign is not None:
            campaign = campaign_of(terms.campaign, terms.amount or 0, now, merchant.terms)
        number = self._ids.next_number()
        agreement = Agreement(
            id=self._free_id(number),
            number=number,
            msn=merchant.merchant_serial_number,
            uuid=self._ids.uuid("agreement", number),
            created=now,
            pricing=terms.pricing,
            currency=terms.currency,
            amount=(terms.amount or 0) if terms.pricing == "LEGACY" else 0,
            suggested_max_amount=(terms.suggested_max_amount or 0) if terms.pricing == "VARIABLE" else 0,
            interval=terms.interval,
            product_name=terms.product_name,
            product_description=terms.product_description,
            redirect_url=terms.redirect_url,
            agreement_url=terms.agreement_url,
            phone_number=terms.phone_number,
            external_id=terms.external_id,
            campaign=campaign,
            is_app=terms.is_app,
            scope=terms.scope,
            next_at=self._expires_at(now),
        )
        if terms.initial_charge is not None:
            initial = self.charges.create_initial(merchant, agreement, terms.initial_charge, now, key)
            agreement.initial_charge = initial.id
        if terms.skip_landing_page and terms.phone_number is not None:
            # Without a landing page the request goes straight to the phone with this number: at this very
            # instant, but after the answer to the merchant.
            self._meet(terms.phone_number)
            agreement.person = terms.phone_number
            agreement.next_at = now
        self.shelf.save_agreement(agreement, None)
        return agreement

    def fetch(self, merchant: Merchant, agreement_id: str) -> Agreement:
        """One agreement of this merchant; raises Refused (`not-found`)."""
        return self.shelf.agreement(agreement_id, merchant.merchant_serial_number)

    def list(
        self, merchant: Merchant, status: AgreementStatus, skip: int = 0, count: int | None = None
    ) -> Iterator[Agreement]:
        """The merchant's agreements in one status."""
        return self.shelf.agreements_in(merchant.merchant_serial_number, status, skip, count)

    def update(self, merchant: Merchant, agreement_id: str, terms: UpdateTerms) -> Agreement:
        """Change the words, the price or the interval of an active agreement; raises Refused."""
        agreement = self.fetch(merchant, agreement_id)
        self._require(agreement, "update")
        check_update(terms, agreement, merchant.terms)
        if terms.campaign is not None:
            price = agreement.amount if terms.amount is None else terms.amount
            agreement.campaign = campaign_of(terms.campaign, price, self._clock.now(), merchant.terms)
        for name in ("product_name", "product_description", "agreement_url", "external_id"):
            if (value := getattr(terms, name)) is not None:
                setattr(agreement, name, value)
        if terms.amount is not None:
            agreement.amount = terms.amount
        if terms.suggested_max_amount is not None:
            agreement.suggested_max_amount = terms.suggested_max_amount
        if terms.interval is not None or terms.interval_removed:
            agreement.interval = terms.interval
        self._step(agreement, "update")
        return agreement

    def stop(self, merchant: Merchant, agreement_id: str) -> Agreement:
        """The merchant stops an active agreement, for good; raises Refused."""
        return self._stop(self.fetch(merchant, agreement_id), "MERCHANT")

    def force_accept(self, merchant: Merchant, agreement_id: str, phone_number: str) -> Agreement:
        """Approve in the payer's name, as the test environment lets merchants do; raises Refused."""
        return self.approve(self.fetch(merchant, agreement_id).id, phone_number)

    def create_charge(self, merchant: Merchant, agreement_id: str, terms: ChargeTerms, key: str) -> Charge:
        """Make a charge under an active agreement; raises Refused."""
        return self.charges.create(merchant, self.fetch(merchant, agreement_id), terms, self._clock.now(), key)

    def charge_of(self, merchant: Merchant, agreement_id: str | None, charge_id: str) -> Charge:
        """One charge of this merchant, and of this agreement if one is named; raises Refused."""
        if agreement_id is not None:
            self.fetch(merchant, agreement_id)
        return self.shelf.charge(merchant.merchant_serial_number, charge_id, agreement_id)

    def capture_charge(self, merchant: Merchant, agreement_id: str, charge_id: str, amount: int, key: str) -> None:
        """Take part or all of what is reserved; raises Refused."""
        charge = self.charge_of(merchant, agreement_id, charge_id)
        self.charges.capture(charge, amount, self._clock.now(), key)

    def cancel_charge(self, merchant: Merchant, agreement_id: str, charge_id: str, key: str) -> None:
        """Call off a charge, or release the rest of its reservation; raises Refused."""
        self.charges.cancel(self.charge_of(merchant, agreement_id, charge_id), self._clock.now(), key)

    def refund_charge(self, merchant: Merchant, agreement_id: str, charge_id: str, amount: int, key: str) -> None:
        """Give back part or all of what was captured; raises Refused."""
        charge = self.charge_of(merchant, agreement_id, charge_id)
        self.charges.refund(charge, amount, self._clock.now(), key)

    def check_charge_alone(self, merchant: Merchant, terms: ChargeTerms) -> None:
        """Raises Refused for what is wrong with a charge before its agreement has been looked at."""
        check_charge(terms, merchant)
        if terms.due is not None:
            check_due(terms.due, self._clock.now(), merchant.terms, self._settings)

    def tell_creation_failed(self, merchant: Merchant, agreement_id: str, terms: ChargeTerms) -> None:
        """Let the merchant know that a charge of a bulk call was not created after all."""
        now, msn = self._clock.now(), merchant.merchant_serial_number
        body = charge_creation_failed_event(msn, agreement_id, terms, merchant.terms.currency, now)
        self._publish(msn, "recurring.charge-creation-failed.v1", agreement_id, now, body)

    # What happens by itself, and what all of it is made of.

    def _fire(self, agreement_id: str) -> None:
        """A draft's time is over, or it reaches the telephone that it was sent to."""
        agreement = self.shelf.find_agreement(agreement_id)
        if agreement is None or agreement.next_at is None:
            return
        if agreement.next_at > agreement.created:
            self._end_draft(agreement, agreement.next_at)
            return
        agreement.next_at = self._expires_at(agreement.created)
        self.shelf.save_agreement(agreement, agreement.status)
        person = self._people.get(agreement.person or "")
        if person is not None and person.temperament == "approves":
            self.approve(agreement_id, person.phone_number)
        elif person is not None and person.temperament == "rejects":
            self.reject(agreement_id, person.phone_number)

    def _expires_at(self, created: int) -> int:
        return created + self._settings.confirmation_life_seconds * SECOND

    def _end_draft(self, agreement: Agreement, at: int) -> Agreement:
        self._step(agreement, "expire")
        self._drop_initial(agreement, at)
        self._tell("expired", agreement, at)
        return agreement

    def _stop(self, agreement: Agreement, actor: Actor) -> Agreement:
        self._require(agreement, "stop")
        now = self._clock.now()
        agreement.stop = now
        self._step(agreement, "stop")
        self.charges.stop_with(agreement, actor, now)
        self._tell("stopped", agreement, now, actor)
        return agreement

    def _require(self, agreement: Agreement, step: AgreementStep) -> None:
        if (agreement.status, step) not in AGREEMENT_STEPS:
            raise _not_active()

    def _step(self, agreement: Agreement, step: AgreementStep) -> None:
        was = agreement.status
        agreement.status = AGREEMENT_STEPS[was, step]
        if agreement.status != "PENDING":
            agreement.next_at = None
        self.shelf.save_agreement(agreement, was)

    def _drop_initial(self, agreement: Agreement, at: int) -> None:
        if agreement.initial_charge is not None:
            self.charges.drop_initial(self.shelf.charge(agreement.msn, agreement.initial_charge), at)

    def _tell(self, name: str, agreement: Agreement, at: int, actor: Actor | None = None) -> None:
        event = f"recurring.agreement-{name}.v1"
        self._publish(agreement.msn, event, agreement.id, at, agreement_event(name, agreement, at, actor))

    def _zone_of(self, agreement: Agreement) -> ZoneInfo:
        merchant = self._merchants.of_msn(agreement.msn)
        return ZoneInfo("UTC") if merchant is None else merchant.terms.zone

    def _meet(self, phone_number: str) -> Person:
        try:
            return self._people.meet(phone_number)
        except ValueError as problem:
            raise Refused("validation-error", "Input validation failed", [("phoneNumber", str(problem))]) from None

    def _free_id(self, number: int) -> str:
        attempt = 0
        while True:
            found = "agr_" + self._ids.letters(f"agreement {attempt}", number, 7)
            if not self.shelf.has_agreement(found):
                return found
            attempt += 1


def _not_active() -> Refused:
    return Refused("illegal-agreement-update", "Illegal update", [("status", _NOT_ACTIVE)])


def _check_max_amount(agreement: Agreement, amount: int) -> None:
    if agreement.pricing != "VARIABLE":
        raise Refused("illegal-agreement-update", "Only an agreement with VARIABLE pricing has a limit")
    if not 1 <= amount <= 2_147_483_647:
        raise Refused("validation-error", "Input validation failed", [("maxAmount", "must be a positive amount")])
