"""What operators do about things that do not go on by themselves: each verb is small, safe to repeat, and noted."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from avtale.domain.agreement import AgreementStatus
from avtale.domain.change import Change, ChangeKind, ChangeStatus
from avtale.domain.charge import OPEN_ATTEMPTS, ChargeStatus
from avtale.domain.errors import Conflict, NotFound
from avtale.domain.periods import local_date
from avtale.domain.ports import Gateways
from avtale.service import dunning
from avtale.service.announcing import announce, changed
from avtale.service.checkout import Person
from avtale.service.ids import new_id
from avtale.service.noting import note
from avtale.service.refunding import refund_charge
from avtale.storage import agreements, calls, changes, charges, checks, drafts, inbox, refunds
from avtale.storage.checks import CheckKind
from avtale.storage.database import Database, Transaction
from avtale.storage.tenants import Tenant


async def resume_billing(db: Database, tenant: Tenant, agreement_id: UUID, by: Person, why: str) -> None:
    """Bill an agreement that waited for an operator: its next late period now; what is late after that waits again.

    Raises NotFound, and Conflict (`agreement_not_parked`) for one that does not wait.
    """
    async with db.tenant(tenant.id) as tx:
        agreement = await agreements.get_agreement(tx, agreement_id, lock=True)
        if agreement is None:
            raise NotFound(f"there is no agreement {agreement_id}", code="agreement_not_found")
        if agreement.parked_reason is None or agreement.status is not AgreementStatus.ACTIVE:
            raise Conflict("this agreement does not wait for an operator", code="agreement_not_parked")
        await agreements.save_agreements(tx, [replace(agreement, parked_reason=None)])
        await note(tx, by, "resume billing", f"agreement {agreement_id}", why, agreement_id=agreement_id)


async def take_over_price(db: Database, tenant: Tenant, agreement_id: UUID, by: Person, why: str) -> None:
    """Agree to the price that Stripe asks, since somebody changed it there: it holds from the next period.

    Raises NotFound, Conflict (`price_as_agreed`; `plan_differs` for another currency or interval).
    """
    async with db.tenant(tenant.id) as tx:
        agreement = await agreements.get_agreement(tx, agreement_id, lock=True)
        if agreement is None:
            raise NotFound(f"there is no agreement {agreement_id}", code="agreement_not_found")
        asked, terms = agreement.asked, agreement.terms
        if asked is None or agreement.status is not AgreementStatus.ACTIVE:
            raise Conflict("Stripe asks what was agreed", code="price_as_agreed")
        if asked.interval != terms.interval or asked.price.currency != terms.price.currency:
            detail = "Stripe asks for another period, or in another currency: change it back there"
            raise Conflict(detail, code="plan_differs")
        taken = replace(agreement, terms=replace(terms, price=asked.price), asked=None)
        begins = agreement.next_period.start
        change = Change(
            id=new_id(),
            agreement_id=agreement_id,
            kind=ChangeKind.PRICE,
            status=ChangeStatus.DONE,
            version=await changes.next_version(tx, agreement_id),
            requested_by=by.subject,
            created_at=tx.now,
            day=begins,
            amount=asked.price.amount,
            noticed_on=local_date(tx.now, tenant.zone),
            takes_effect=begins,
            done_at=tx.now,
        )
        await agreements.save_terms(tx, taken)
        await agreements.save_asked(tx, {agreement_id: None})
        await changes.insert_change(tx, change)
        await announce(tx, [changed(taken, change)])
        about = f"agreement {agreement_id}"
        await note(tx, by, "take price over", about, why, agreement_id=agreement_id, amount=asked.price.amount)


async def try_charge_again(db: Database, tenant: Tenant, charge_id: UUID, by: Person, why: str) -> None:
    """Make a new order for a charge that Vipps refused to create. Raises NotFound, Conflict (`charge_not_parked`)."""
    async with db.tenant(tenant.id) as tx:
        agreement_id = await _unpark(tx, charge_id)
        if agreement_id is None:
            raise Conflict("this charge does not wait for an operator", code="charge_not_parked")
        await charges.replan_charge(tx, charge_id, tx.now)
        await note(tx, by, "try again", f"charge {charge_id}", why, agreement_id=agreement_id)


async def give_charge_up(db: Database, tenant: Tenant, charge_id: UUID, by: Person, why: str) -> None:
    """Never charge a period that Vipps refused to create. Raises Conflict (`charge_not_parked`)."""
    async with db.tenant(tenant.id) as tx:
        agreement_id = await _unpark(tx, charge_id)
        tried = await charges.attempts_of(tx, [charge_id])
        if agreement_id is None or any(attempt.status in OPEN_ATTEMPTS for attempt in tried):
            raise Conflict("this charge does not wait for an operator", code="charge_not_parked")
        await charges.close_charge(tx, charge_id, ChargeStatus.CANCELLED, None)
        await dunning.give_up(tx, tenant, (await charges.get_charges(tx, [charge_id]))[charge_id])
        await note(tx, by, "give up", f"charge {charge_id}", why, agreement_id=agreement_id)


async def send_again(db: Database, tenant: Tenant, by: Person, why: str) -> int:
    """Make every call without a certain answer again now, with the same bytes; returns how many there are."""
    async with db.tenant(tenant.id) as tx:
        count = await calls.hasten(tx)
        await note(tx, by, "send again", "calls without an answer", why, count=count)
        return count


async def read_again(db: Database, tenant: Tenant, agreement_id: UUID, by: Person, why: str) -> None:
    """Read an agreement and its open charges at the gateway now. Raises NotFound (`agreement_not_found`)."""
    async with db.tenant(tenant.id) as tx:
        if await agreements.get_agreement(tx, agreement_id) is None:
            raise NotFound(f"there is no agreement {agreement_id}", code="agreement_not_found")
        its_drafts = await drafts.drafts_of(tx, [agreement_id])
        known = [draft.id for draft in its_drafts if draft.gateway_agreement_id is not None]
        owed = await charges.charges_of(tx, [agreement_id])
        tried = await charges.attempts_of(tx, [charge.id for charge in owed])
        await checks.ask(tx, CheckKind.DRAFT, known, tx.now)
        await checks.ask(tx, CheckKind.ATTEMPT, [attempt.id for attempt in tried], tx.now)
        await note(tx, by, "read again", f"agreement {agreement_id}", why, agreement_id=agreement_id)


async def refund_again(db: Database, gateways: Gateways, tenant: Tenant, refund_id: UUID, by: Person, why: str) -> None:
    """Give back once more what came to nothing. Raises NotFound, Conflict (`refund_not_failed`,
    `refund_exceeds_captured`) and GatewayRefused: then it is the new one that an operator has to look at."""
    async with db.tenant(tenant.id) as tx:
        found = await refunds.get_refund(tx, refund_id)
        if found is None:
            raise NotFound(f"there is no refund {refund_id}", code="refund_not_found")
    again = replace(by, why=why)
    await refund_charge(
        db, gateways, tenant, found.charge_id, found.amount, found.reason, by=again, instead_of=refund_id
    )


async def let_refund_be(db: Database, tenant: Tenant, refund_id: UUID, by: Person, why: str) -> None:
    """A refund that came to nothing needs no look any more. Raises Conflict (`refund_not_failed`)."""
    async with db.tenant(tenant.id) as tx:
        seen = await refunds.see_to(tx, refund_id)
        if seen is None:
            raise Conflict("this refund does not wait for an operator", code="refund_not_failed")
        await note(tx, by, "let be", f"charge {seen.charge_id}", why, refund=str(refund_id))


async def settle_event(db: Database, tenant: Tenant, event_id: UUID, by: Person, why: str, *, dismiss: bool) -> None:
    """Look at a parked webhook once more, or let it be. Raises Conflict (`event_not_parked`)."""
    async with db.tenant(tenant.id) as tx:
        if not await inbox.unpark(tx, event_id, "done" if dismiss else "new"):
            raise Conflict("this webhook is not parked", code="event_not_parked")
        await note(tx, by, "dismiss" if dismiss else "look again", f"webhook {event_id}", why)


async def _unpark(tx: Transaction, charge_id: UUID) -> UUID | None:
    """Let a charge wait no more, its agreement locked first; None for one that did not wait."""
    found = (await charges.get_charges(tx, [charge_id])).get(charge_id)
    if found is None:
        raise NotFound(f"there is no charge {charge_id}", code="charge_not_found")
    if found.agreement_id is not None:
        await agreements.lock_agreements(tx, [found.agreement_id])
    return await charges.unpark(tx, charge_id)
