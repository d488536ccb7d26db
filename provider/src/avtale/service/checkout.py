"""Start a checkout: one agreement for one wish, drafted at Vipps, whatever is repeated or lost on the way."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import UUID

from avtale.domain.agreement import Agreement, AgreementStatus, Terms
from avtale.domain.campaign import Campaign
from avtale.domain.errors import Conflict, GatewayBusy, GatewayRefused, GatewayUnknown, Invalid
from avtale.domain.gateway import GatewayName
from avtale.domain.observations import Drafted
from avtale.domain.outcome import Answered, Outcome, Refused, Throttled
from avtale.domain.periods import local_date, start_of
from avtale.domain.ports import Gateways, RecurringGateway
from avtale.domain.wishes import DraftWish, WrittenRequest
from avtale.service.ids import new_id
from avtale.service.vouching import take_voucher, voucher_terms
from avtale.storage import agreements, calls, checks, drafts, idempotency, locks, tenants
from avtale.storage.calls import Call, CallKind
from avtale.storage.campaigns import campaigns_on_sale
from avtale.storage.checks import CheckKind
from avtale.storage.database import Database, Transaction
from avtale.storage.drafts import Draft
from avtale.storage.tenants import Tenant

#: A draft that is not approved in this time expires (Vipps Recurring, T1).
DRAFT_LIFE = timedelta(minutes=10)
#: A second checkout answers the draft that is there while the person has this long left to approve it. One with the
#: same Idempotency-Key answers it for as long as it lives.
DRAFT_LEFT_MIN = timedelta(minutes=2)
#: After this long we look whether a draft was approved, if no webhook has told us.
DRAFT_CHECK_AFTER = DRAFT_LIFE + timedelta(minutes=1)
#: How often one checkout drafts before it says that the gateway does not answer.
DRAFTS_COUNT_MAX = 2


class BoughtOnce(Invalid):
    """The product is on sale, but no subscription: what is made of it is a purchase."""


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in user: an issuer, and the subject that it vouches for; `why` they do what they do now, if they say."""

    issuer: str
    subject: str
    why: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class CheckoutWish:
    """What a person wants to subscribe to or to buy, under which of its campaigns or with which voucher, and where to
    return.

    `consents`: the person asks that it begins within the time in which they may withdraw. `returns_alone`: nobody
    else's draft will do, for it would lead back to another address.
    """

    product_id: str
    return_url: str
    phone_number: str | None = None
    is_app: bool = False
    campaign: str | None = None
    consents: bool = False
    voucher: str | None = None
    returns_alone: bool = field(default=False, repr=False)  # no part of what an Idempotency-Key stands for


@dataclass(frozen=True, slots=True)
class Checkout:
    """A drafted agreement that waits for the person at `confirmation_url` until `expires_at`."""

    agreement_id: UUID
    confirmation_url: str
    expires_at: datetime


async def start_checkout(
    db: Database,
    gateways: Gateways,
    tenant: Tenant,
    person: Person,
    wish: CheckoutWish,
    idempotency_key: str | None = None,
) -> Checkout:
    """Draft an agreement, or answer the one that this wish has already drafted.

    Raises Invalid (`product_unknown`, `campaign_unknown`, `campaign_over`, `voucher_unknown`, `voucher_over`,
    `voucher_unsuited`), Conflict (`agreement_active`, `voucher_used`, `idempotency_conflict`), GatewayRefused,
    GatewayBusy, and GatewayUnknown (with `agreement_id`, which can be polled) when Vipps does not answer.
    """
    gateway = await gateways.recurring(tenant.id)
    for drafts_left in reversed(range(DRAFTS_COUNT_MAX)):
        async with db.tenant(tenant.id) as tx:
            agreement, found = await _agreement_for(tx, tenant, person, wish, idempotency_key)
            if found is not None:
                return found
            draft, request = await _write_draft(tx, tenant, gateway, agreement, wish)
        outcome = await gateway.draft(request)
        async with db.tenant(tenant.id) as tx:
            checkout = await _record_draft(tx, draft, outcome)
        if checkout is not None:
            return checkout
        _refuse(outcome)
        if not drafts_left:
            raise GatewayUnknown(
                "Vipps did not answer; ask for the agreement's status, or start the checkout again",
                agreement_id=str(agreement.id),
            )
    raise AssertionError("a checkout ends in its loop")


async def _agreement_for(
    tx: Transaction, tenant: Tenant, person: Person, wish: CheckoutWish, idempotency_key: str | None
) -> tuple[Agreement, Checkout | None]:
    """The pending agreement for this wish, new or found, and its draft if that one can still be approved."""
    terms = await tenants.get_product(tx, wish.product_id)
    if not isinstance(terms, Terms):
        kind = Invalid if terms is None else BoughtOnce
        raise kind(f"there is no product {wish.product_id!r} on sale", code="product_unknown")
    if wish.campaign is not None:
        terms = replace(terms, campaign=await _campaign(tx, tenant, wish.product_id, wish.campaign))
    terms = await voucher_terms(tx, tenant, terms, wish.voucher, wish.campaign)
    await locks.lock_person_and_product(tx, person.issuer, person.subject, wish.product_id)
    new = replace(new_agreement(tx, person, terms), consented_at=tx.now if wish.consents else None)
    first_use = new.id
    if idempotency_key is not None:
        digest = hashlib.sha256(repr(wish).encode()).digest()
        stored, first_use = await idempotency.remember(
            tx, person.issuer, person.subject, "checkout", idempotency_key, digest, new.id
        )
        if stored != digest:
            raise Conflict("this Idempotency-Key was used for another request", code="idempotency_conflict")
    existing = await agreements.agreements_of(tx, person.issuer, person.subject, product_id=wish.product_id, lock=True)
    existing = [a for a in existing if a.gateway is GatewayName.VIPPS or a.status is AgreementStatus.ACTIVE]
    repeated = next((a for a in existing if a.id == first_use), None)
    active = next((a for a in existing if a.status is AgreementStatus.ACTIVE), None)
    if active is not None:
        raise Conflict(
            "there is an active agreement for this product already",
            code="agreement_active",
            agreement_id=str(active.id),
        )
    if repeated is not None and not _still_open(tx, repeated):
        raise Conflict(
            f"this checkout has ended: its agreement is {repeated.status.value}",
            code="checkout_ended",
            agreement_id=str(repeated.id),
        )
    open_ones = [a for a in reversed(existing) if a.terms == terms and _still_open(tx, a)]
    same = (a for a in open_ones if (a.consented_at is not None) == wish.consents)
    agreement = repeated or next(same, None)
    if agreement is not None:
        if wish.returns_alone:
            return agreement, None
        left_min = timedelta(0) if agreement is repeated else DRAFT_LEFT_MIN
        return agreement, await _open_draft(tx, agreement, left_min)
    new = await take_voucher(tx, new, wish.voucher)
    await agreements.insert_agreement(tx, new)
    return new, None


async def _campaign(tx: Transaction, tenant: Tenant, product_id: str, campaign_id: str) -> Campaign:
    offered = (await campaigns_on_sale(tx)).get(product_id, [])
    campaign = next((one for one in offered if one.id == campaign_id), None)
    if campaign is None:
        raise Invalid(f"product {product_id!r} has no campaign {campaign_id!r}", code="campaign_unknown")
    if not campaign.offered(local_date(tx.now, tenant.zone)):
        raise Invalid(f"the campaign {campaign_id!r} is over", code="campaign_over")
    return campaign


def _still_open(tx: Transaction, agreement: Agreement) -> bool:
    return agreement.status is AgreementStatus.PENDING and agreement.created_at + DRAFT_LIFE > tx.now


def new_agreement(
    tx: Transaction,
    person: Person,
    terms: Terms,
    gateway: GatewayName = GatewayName.VIPPS,
    life: timedelta = DRAFT_LIFE,
) -> Agreement:
    """A pending agreement, not written yet; its person has `life` to approve it."""
    return Agreement(
        id=new_id(),
        issuer=person.issuer,
        subject=person.subject,
        terms=terms,
        status=AgreementStatus.PENDING,
        gateway_agreement_id=None,
        anchor=None,
        last_period=0,
        next_charge_at=None,
        created_at=tx.now,
        expires_at=tx.now + life,
        activated_at=None,
        stopped_at=None,
        stop_reason=None,
        parked_reason=None,
        version=1,
        gateway=gateway,
    )


async def _open_draft(tx: Transaction, agreement: Agreement, left_min: timedelta) -> Checkout | None:
    for draft in reversed(await drafts.drafts_of(tx, [agreement.id])):
        if draft.status == "drafted" and draft.confirmation_url and draft.expires_at - tx.now >= left_min:
            return Checkout(agreement.id, draft.confirmation_url, draft.expires_at)
    return None


async def _write_draft(
    tx: Transaction, tenant: Tenant, gateway: RecurringGateway, agreement: Agreement, wish: CheckoutWish
) -> tuple[Draft, WrittenRequest]:
    draft = Draft(
        id=new_id(),
        agreement_id=agreement.id,
        order_id=new_id(),
        status="written",
        gateway_agreement_id=None,
        confirmation_url=None,
        expires_at=tx.now + DRAFT_LIFE,
    )
    until = agreement.terms.campaign.until if agreement.terms.campaign else None
    drafted = DraftWish(
        draft_id=draft.id,
        order_id=draft.order_id,
        reference=agreement.id,
        terms=agreement.terms,
        redirect_url=with_reference(wish.return_url, "agreementId", agreement.id),
        phone_number=wish.phone_number,
        is_app=wish.is_app,
        campaign_ends_at=start_of(until, tenant.zone) if until else None,
    )
    try:
        request = gateway.write_draft(drafted)
    except ValueError as error:
        raise Invalid(f"Vipps would not take this: {error}") from error
    async with tx.together():
        await drafts.insert_draft(tx, draft)
        await calls.write_calls(tx, [Call(request, CallKind.DRAFT, draft.id)], lease_seconds_max=None)
        await checks.ask(tx, CheckKind.DRAFT, [draft.id], tx.now + DRAFT_CHECK_AFTER)
    return draft, request


async def _record_draft(tx: Transaction, draft: Draft, outcome: Outcome[Drafted]) -> Checkout | None:
    if isinstance(outcome, Answered):
        drafted = outcome.value
        async with tx.together():
            await calls.close_calls(tx, [draft.id], "accepted")
            await drafts.update_draft(
                tx,
                draft.id,
                status="drafted",
                gateway_agreement_id=drafted.gateway_agreement_id,
                confirmation_url=drafted.confirmation_url,
            )
        return Checkout(draft.agreement_id, drafted.confirmation_url, draft.expires_at)
    if isinstance(outcome, Refused | Throttled):
        answer = outcome.detail if isinstance(outcome, Refused) else "too many requests"
        await calls.close_calls(tx, [draft.id], "rejected", answer)
        await drafts.update_draft(tx, draft.id, status="refused")
    else:
        # It may have been drafted, but nobody has its address: whoever approves it is found by our draft id.
        await calls.close_calls(tx, [draft.id], "unknown", outcome.reason)
        await drafts.update_draft(tx, draft.id, status="unknown")
    return None


def _refuse(outcome: Outcome[Drafted]) -> None:
    if isinstance(outcome, Refused):
        raise GatewayRefused(f"Vipps refused the agreement: {outcome.detail}", reason=outcome.code)
    if isinstance(outcome, Throttled):
        raise GatewayBusy("Vipps asks us to wait; try again", outcome.retry_after_seconds)


def with_reference(return_url: str, name: str, reference: UUID) -> str:
    """The return address with our reference: Vipps itself adds nothing to it."""
    parts = urlsplit(return_url)
    query = "&".join(filter(None, [parts.query, urlencode({name: str(reference)})]))
    return urlunsplit(parts._replace(query=query))
