"""What people and systems may read of agreements and receipts, put together from the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from avtale.domain.access import PAID
from avtale.domain.agreement import Agreement, AgreementStatus, Terms
from avtale.domain.charge import Charge
from avtale.domain.errors import Invalid, NotFound
from avtale.domain.gateway import GatewayName
from avtale.domain.ports import Gateways
from avtale.domain.purchase import PurchaseTerms
from avtale.domain.withdrawal import withdrawal_until
from avtale.service.checking import read_now
from avtale.service.checkout import Person
from avtale.service.stopping import may_see
from avtale.storage import agreements, charges, drafts, entitlements, people, receipts, tenants
from avtale.storage.database import Database, Transaction
from avtale.storage.receipts import Receipt
from avtale.storage.tenants import Tenant

_DRAFT_STATES = frozenset({AgreementStatus.PENDING, AgreementStatus.REJECTED, AgreementStatus.EXPIRED})


@dataclass(frozen=True, slots=True)
class AgreementView:
    """An agreement with its charges, and until when it gives access."""

    agreement: Agreement
    charges: tuple[Charge, ...]
    access_until: datetime | None
    zone: str = "Europe/Oslo"

    @property
    def withdrawal_until(self) -> datetime | None:
        """Until when its person may withdraw; None for what never began, or was given."""
        this = self.agreement
        if this.activated_at is None or this.gift_reason is not None:
            return None
        return withdrawal_until(this.activated_at, self.zone)

    @property
    def paid_until(self) -> date | None:
        """The local date on which the last paid period ends: what access lasts to once the agreement is stopped."""
        return max((charge.period_end for charge in self.charges if charge.status in PAID), default=None)

    @property
    def next_period_start(self) -> str | None:
        """The local date on which the next period that is not charged yet begins, while there is one."""
        this = self.agreement
        if this.gateway is GatewayName.STRIPE and this.status is AgreementStatus.ACTIVE and self.charges:
            # Stripe makes the next invoice when the period of the last one ends.
            return max(charge.period_end for charge in self.charges).isoformat()
        if this.next_charge_at is None or this.anchor is None or this.gift_reason is not None:
            return None
        return this.next_period.start.isoformat()


async def find_person(db: Database, tenant: Tenant, subjects: Sequence[str], issuer: str | None) -> Person:
    """Whom an administrator means: the first of these subjects that is known here.

    Raises NotFound (`person_unknown`), and Invalid (`issuer_needed`) for a subject of several issuers.
    """
    async with db.tenant(tenant.id) as tx:
        known = await people.people_named(tx, subjects, issuer)
    for subject in subjects:
        issuers = sorted(one for one, name in known if name == subject)
        if len(issuers) > 1:
            raise Invalid("several issuers have this subject: say which, with ?issuer=", code="issuer_needed")
        if issuers:
            return Person(issuers[0], subject)
    raise NotFound("this tenant knows nobody of this id", code="person_unknown")


async def only_issuer(db: Database, tenant: Tenant) -> str:
    """The tenant's issuer, where there is but one. Raises Invalid (`issuer_needed`)."""
    async with db.tenant(tenant.id) as tx:
        issuers = await tenants.get_issuers(tx)
    if len(issuers) != 1:
        raise Invalid("this tenant has several issuers: say whose subject this is", code="issuer_needed")
    return issuers[0].issuer


async def business_now(db: Database, tenant: Tenant) -> datetime:
    """What business time it is."""
    async with db.tenant(tenant.id) as tx:
        return tx.now


async def list_products(db: Database, tenant: Tenant) -> list[Terms | PurchaseTerms]:
    """What the tenant has on sale: subscriptions first, then what is bought once."""
    async with db.tenant(tenant.id) as tx:
        on_sale = await tenants.products_on_sale(tx)
    return sorted(on_sale, key=lambda terms: isinstance(terms, PurchaseTerms))


async def list_agreements(
    db: Database, tenant: Tenant, person: Person, *, include_drafts: bool = False
) -> list[AgreementView]:
    """A person's agreements, newest first; those that never became active only when asked for."""
    async with db.tenant(tenant.id) as tx:
        mine = await agreements.agreements_of(tx, person.issuer, person.subject)
        wanted = [a for a in reversed(mine) if include_drafts or a.status not in _DRAFT_STATES or _to_begin(a)]
        return await _views(tx, tenant, wanted)


def _to_begin(agreement: Agreement) -> bool:
    """A gift whose first day is to come: no draft, although it is pending."""
    return agreement.gift_reason is not None and agreement.status is AgreementStatus.PENDING


async def get_agreement(db: Database, tenant: Tenant, person: Person | None, agreement_id: UUID) -> AgreementView:
    """One agreement of a person, or anybody's for the merchant (None). Raises NotFound (`agreement_not_found`)."""
    async with db.tenant(tenant.id) as tx:
        agreement = await agreements.get_agreement(tx, agreement_id)
        if agreement is None or not may_see(person, agreement):
            raise NotFound(f"there is no agreement {agreement_id}", code="agreement_not_found")
        (view,) = await _views(tx, tenant, [agreement])
        return view


async def poll_agreement(
    db: Database, gateways: Gateways, tenant: Tenant, person: Person, agreement_id: UUID
) -> AgreementView:
    """One agreement, read again at its gateway while it is a draft, so that a lost webhook keeps nobody waiting."""
    view = await get_agreement(db, tenant, person, agreement_id)
    if view.agreement.status is not AgreementStatus.PENDING:
        return view
    gateway = await gateways.agreements(tenant.id, view.agreement.gateway)
    async with db.tenant(tenant.id) as tx:
        its_drafts = await drafts.drafts_of(tx, [agreement_id])
    for draft in its_drafts:
        await read_now(db, gateway, tenant, draft)
    return await get_agreement(db, tenant, person, agreement_id)


async def list_receipts(db: Database, tenant: Tenant, person: Person) -> list[Receipt]:
    """A person's receipts and credit notes, newest first."""
    async with db.tenant(tenant.id) as tx:
        return await receipts.receipts_of_person(tx, person.issuer, person.subject)


async def get_receipt(db: Database, tenant: Tenant, person: Person, receipt_id: UUID) -> Receipt:
    """One document of a person. Raises NotFound (`receipt_not_found`)."""
    async with db.tenant(tenant.id) as tx:
        receipt = await receipts.get_receipt(tx, receipt_id)
    if receipt is None or (receipt.issuer, receipt.subject) != (person.issuer, person.subject):
        raise NotFound(f"there is no receipt {receipt_id}", code="receipt_not_found")
    return receipt


async def _views(tx: Transaction, tenant: Tenant, wanted: Sequence[Agreement]) -> list[AgreementView]:
    ids = [agreement.id for agreement in wanted]
    owed: dict[UUID, list[Charge]] = {i: [] for i in ids}
    for charge in await charges.charges_of(tx, ids):
        owed[charge.owner_id].append(charge)
    until = await entitlements.access_until(tx, ids)
    return [AgreementView(a, tuple(owed[a.id]), until.get(a.id), tenant.zone) for a in wanted]
