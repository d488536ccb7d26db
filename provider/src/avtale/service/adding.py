"""Add an agreement through a browser: a transaction that its owner begins, follows to Vipps, and comes back from."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from avtale.domain.agreement import AgreementStatus, Terms
from avtale.domain.errors import (
    Conflict,
    GatewayBusy,
    GatewayRefused,
    GatewayUnknown,
    IllegalStep,
    Invalid,
    NotFound,
)
from avtale.domain.gateway import GatewayName
from avtale.domain.ports import Gateways
from avtale.service.checking import read_now
from avtale.service.checkout import CheckoutWish, Person, start_checkout
from avtale.service.reading import AgreementView, list_agreements
from avtale.service.stopping import stop_agreement
from avtale.storage import agreements, customer_apis, drafts, tenants, turns
from avtale.storage.customer_apis import Addition, Client, CustomerApi
from avtale.storage.database import Database, Transaction
from avtale.storage.tenants import Tenant

#: Transaction ids fit the signed 32 bits that clients may keep them in, and do not tell how many there are.
TRANSACTION_IDS = range(10_000_000, 2**31)
#: How much of a way back is secret, and how it is written.
LANDING_BYTES = 24
_LANDING = re.compile(r"[A-Za-z0-9_-]{32}")
#: A transaction that nobody began by then is over (wall time).
TRANSACTION_LIFE = timedelta(hours=1)
#: How long one visit may take to draft, before another may try (wall time); longer than the calls of a checkout.
CLAIM_LIFE = timedelta(seconds=75)
#: How often the truth is asked for, while somebody who has come back waits for it.
READ_EVERY_SECONDS = 0.5


class Result(StrEnum):
    """How adding an agreement went, in the words of the customer API."""

    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"
    UNKNOWN = "unknown"
    INITIATED = "initiated"


#: What an agreement says of the addition that it came from; while it is pending nothing is certain.
_RESULTS = {
    AgreementStatus.ACTIVE: Result.FINISHED,
    AgreementStatus.STOPPING: Result.FAILED,
    AgreementStatus.STOPPED: Result.FAILED,
    AgreementStatus.REJECTED: Result.CANCELLED,
    AgreementStatus.EXPIRED: Result.FAILED,
}
#: These are not looked into again. A failure is: a draft that we had given up may have been approved all the same.
_FINAL = frozenset({Result.FINISHED, Result.CANCELLED})
_WAITING = frozenset({Result.INITIATED, Result.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Told:
    """An addition whose result is to be told at its client's address."""

    addition: Addition
    result: Result


async def customer_api(db: Database, tenant: Tenant) -> CustomerApi:
    """The tenant's customer API. Raises NotFound (`customer_api_off`) when it has none."""
    async with db.tenant(tenant.id) as tx:
        return await _customer_api(tx)


async def list_valid(db: Database, tenant: Tenant, person: Person) -> list[AgreementView]:
    """A person's agreements with Vipps that are in force, newest first."""
    views = await list_agreements(db, tenant, person)
    in_force = [view for view in views if view.agreement.status is AgreementStatus.ACTIVE]
    with_vipps = [view for view in in_force if view.agreement.gateway is GatewayName.VIPPS]
    return [view for view in with_vipps if view.agreement.gift_reason is None]


async def begin_adding(db: Database, tenant: Tenant, person: Person, product_id: str) -> int | None:
    """A transaction for adding an agreement; None when the person has one about this product already.

    Raises Invalid (`product_unknown`) for what is not on sale.
    """
    async with db.tenant(tenant.id) as tx:
        if not isinstance(await tenants.get_product(tx, product_id), Terms):
            raise Invalid(f"there is no product {product_id!r} on sale", code="product_unknown")
        held = await agreements.agreements_of(tx, person.issuer, person.subject, product_id=product_id)
        if any(agreement.status is AgreementStatus.ACTIVE for agreement in held):
            return None
        await turns.forget_turns(tx)
        while True:
            addition = Addition(
                transaction_id=secrets.choice(TRANSACTION_IDS),
                issuer=person.issuer,
                subject=person.subject,
                product_id=product_id,
                landing=secrets.token_urlsafe(LANDING_BYTES),
                created_wall=tx.wall,
            )
            if await customer_apis.insert_addition(tx, addition):
                return addition.transaction_id


async def remove_agreement(
    db: Database, gateways: Gateways, tenant: Tenant, person: Person, agreement_ref: str, payment_provider_id: int
) -> bool:
    """Stop a person's agreement; False for one that is not theirs, not of this provider, or was never active."""
    api = await customer_api(db, tenant)
    agreement_id = _uuid(agreement_ref)
    if agreement_id is None or api.payment_provider_id != payment_provider_id:
        return False
    try:
        await stop_agreement(db, gateways, tenant, person, agreement_id)
    except (NotFound, IllegalStep):
        return False
    return True


async def follow(
    db: Database,
    gateways: Gateways,
    tenant: Tenant,
    person: Person,
    transaction_id: int,
    client: Client,
    return_url: str,
    error_url: str,
    landing_url: Callable[[Addition], str],
    phone_number: str | None = None,
) -> str | Told:
    """The address at Vipps at which the owner of a transaction goes on, or how it has ended already.

    The first visit binds the transaction to a client and its two addresses, and drafts the agreement; a later one
    finds both. `phone_number` is whom Vipps may ask at once. Raises NotFound for a transaction of somebody else
    (`transaction_not_found`), Conflict for one that was bound otherwise (`transaction_bound`), is too old
    (`transaction_expired`), or that another visit is drafting just now (`transaction_starting`); GatewayBusy and
    GatewayUnknown when Vipps does not answer.
    """
    async with db.tenant(tenant.id) as tx:
        addition = await customer_apis.get_addition(tx, transaction_id, lock=True)
        if addition is None or (addition.issuer, addition.subject) != (person.issuer, person.subject):
            raise NotFound("there is no such transaction of yours", code="transaction_not_found")
        addition = await _bound(tx, addition, client, return_url, error_url)
        drafting = addition.agreement_id is None and addition.result is None
        if drafting:
            addition = await _claimed(tx, addition)
        now = tx.now
    if drafting:
        wish = CheckoutWish(addition.product_id, landing_url(addition), phone_number, returns_alone=True)
        return await _draft(db, gateways, tenant, person, addition, wish)
    told = await tell(db, gateways, tenant, addition)
    waits = told.result in _WAITING
    if waits and addition.confirmation_url is not None and addition.confirm_until and now < addition.confirm_until:
        return addition.confirmation_url
    return told


async def come_back(db: Database, gateways: Gateways, tenant: Tenant, landing: str, wait_seconds_max: float) -> Told:
    """How an addition went, for whoever comes back from Vipps; a moment is given to what is not certain yet.

    Raises NotFound (`transaction_not_found`) for a way back that leads nowhere.
    """
    addition = None
    if _LANDING.fullmatch(landing):
        async with db.tenant(tenant.id) as tx:
            addition = await customer_apis.addition_at(tx, landing)
    if addition is None or addition.return_url is None:
        raise NotFound("this way back leads nowhere", code="transaction_not_found")
    told = await tell(db, gateways, tenant, addition)
    until = time.monotonic() + wait_seconds_max
    while told.result in _WAITING and time.monotonic() < until:
        await asyncio.sleep(READ_EVERY_SECONDS)
        told = await tell(db, gateways, tenant, addition)
    return told


async def tell(db: Database, gateways: Gateways, tenant: Tenant, addition: Addition) -> Told:
    """How an addition stands now, read at Vipps where that is not certain."""
    if addition.agreement_id is None or addition.result in _FINAL:
        return Told(addition, Result(addition.result or Result.UNKNOWN))
    async with db.tenant(tenant.id) as tx:
        agreement = await agreements.get_agreement(tx, addition.agreement_id)
        its_drafts = await drafts.drafts_of(tx, [addition.agreement_id])
    answered = False
    if agreement is not None and agreement.status is AgreementStatus.PENDING:
        gateway = await gateways.recurring(tenant.id)
        for draft in its_drafts:
            if draft.confirmation_url == addition.confirmation_url:
                answered = await read_now(db, gateway, tenant, draft)
    async with db.tenant(tenant.id) as tx:
        result = await _certain(tx, addition)
        if result is not None and result != addition.result:
            await customer_apis.update_addition(tx, addition.transaction_id, result=result.value)
    return Told(addition, result or (Result.INITIATED if answered else Result.UNKNOWN))


async def _certain(tx: Transaction, addition: Addition) -> Result | None:
    """What the rows say of an addition; while others wait for the same agreement, its own draft decides."""
    if addition.agreement_id is None:
        return None
    agreement = await agreements.get_agreement(tx, addition.agreement_id)
    if agreement is not None and agreement.status is not AgreementStatus.PENDING:
        return _RESULTS[agreement.status]
    its_drafts = await drafts.drafts_of(tx, [addition.agreement_id])
    mine = next((draft.status for draft in its_drafts if draft.confirmation_url == addition.confirmation_url), "")
    return {"rejected": Result.CANCELLED, "dead": Result.FAILED}.get(mine)


async def _bound(tx: Transaction, addition: Addition, client: Client, return_url: str, error_url: str) -> Addition:
    bound = replace(addition, client_id=client.client_id, return_url=return_url, error_url=error_url)
    if addition.client_id is not None and addition != bound:
        raise Conflict("this transaction was begun in another way", code="transaction_bound")
    if addition.client_id is None:
        if addition.created_wall + TRANSACTION_LIFE < tx.wall:
            raise Conflict("this transaction is too old", code="transaction_expired")
        await customer_apis.update_addition(
            tx, addition.transaction_id, client_id=client.client_id, return_url=return_url, error_url=error_url
        )
    return bound


async def _claimed(tx: Transaction, addition: Addition) -> Addition:
    if addition.claimed_wall is not None and addition.claimed_wall + CLAIM_LIFE > tx.wall:
        raise Conflict("this is being prepared", code="transaction_starting")
    await customer_apis.update_addition(tx, addition.transaction_id, claimed_wall=tx.wall)
    return replace(addition, claimed_wall=tx.wall)


async def _draft(
    db: Database, gateways: Gateways, tenant: Tenant, person: Person, addition: Addition, wish: CheckoutWish
) -> str | Told:
    """Draft the agreement of an addition that is ours to draft; what cannot be tried again is a failure."""
    try:
        drafted = await start_checkout(db, gateways, tenant, person, wish)
    except (Conflict, Invalid, GatewayRefused, GatewayUnknown, GatewayBusy) as refusal:
        # The agreement that there is already, the product that went off sale, and Vipps' definite no stay as they are.
        over = isinstance(refusal, Invalid | GatewayRefused) or refusal.code == "agreement_active"
        values = {"result": Result.FAILED.value} if over else {"claimed_wall": None}
        async with db.tenant(tenant.id) as tx:
            await customer_apis.update_addition(tx, addition.transaction_id, **values)
        if over:
            return Told(addition, Result.FAILED)
        raise
    async with db.tenant(tenant.id) as tx:
        await customer_apis.update_addition(
            tx,
            addition.transaction_id,
            agreement_id=drafted.agreement_id,
            confirmation_url=drafted.confirmation_url,
            confirm_until=drafted.expires_at,
        )
    return drafted.confirmation_url


def _uuid(text: str) -> UUID | None:
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None


async def _customer_api(tx: Transaction) -> CustomerApi:
    found = await customer_apis.get_customer_api(tx)
    if found is None:
        raise NotFound("this tenant has no customer API", code="customer_api_off")
    return found
