"""What an operator wants to know first: today's money, how agreements stand, the last months, and what is stuck."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from avtale.domain.agreement import Agreement
from avtale.domain.charge import OPEN_REFUNDS, Attempt, Charge, Refund
from avtale.domain.errors import NotFound
from avtale.domain.pace import Pace
from avtale.domain.periods import local_date, start_of
from avtale.domain.purchase import Purchase
from avtale.service.budgeting import Queue, look
from avtale.storage import agreements, charges, overview, purchases, receipts, refunds
from avtale.storage.database import Database, Transaction
from avtale.storage.overview import Flow, MonthFlow, Movement, Stuck, Unpaid
from avtale.storage.receipts import Receipt
from avtale.storage.tenants import Tenant, get_vipps_account

MONTHS_SHOWN = 12
MOVEMENTS_SHOWN = 12
DAYS_LOOKED_BACK = 30


@dataclass(frozen=True, slots=True)
class Overview:
    """An operator's first page, as of `now`; `unpaid` is about charges due today or in the tries before it."""

    now: datetime
    today: tuple[Flow, ...]
    lately: tuple[Flow, ...]
    unpaid: tuple[Unpaid, ...]
    unpaid_lately: tuple[Unpaid, ...]
    agreements: dict[str, int]
    purchases: dict[str, int]
    first_month: date
    months: tuple[MonthFlow, ...]
    stuck: tuple[Stuck, ...]
    movements: tuple[Movement, ...]
    queue: Queue | None


@dataclass(frozen=True, slots=True)
class ChargeView:
    """One charge with everything about it; `owner` is the agreement or purchase that it is of."""

    charge: Charge
    owner: Agreement | Purchase
    attempts: tuple[Attempt, ...]
    refunds: tuple[Refund, ...]
    documents: tuple[Receipt, ...]

    @property
    def refundable(self) -> int:
        """What can still be given back, in minor units: what was taken, less what went back or is about to."""
        asked = sum(refund.amount for refund in self.refunds if refund.status in OPEN_REFUNDS)
        return max(0, self.charge.totals.captured - self.charge.totals.refunded - asked)


async def oversee(db: Database, tenant: Tenant) -> Overview:
    """Look once; days and months are the tenant's local ones."""
    async with db.tenant(tenant.id) as tx:
        today = local_date(tx.now, tenant.zone)
        first_month = months_before(today, MONTHS_SHOWN - 1)
        day, tomorrow = start_of(today, tenant.zone), start_of(today + timedelta(days=1), tenant.zone)
        lately = start_of(today - timedelta(days=DAYS_LOOKED_BACK - 1), tenant.zone)
        tried_since = today - timedelta(days=tenant.rules.retry_days)
        return Overview(
            now=tx.now,
            today=tuple(await overview.flows(tx, day, tomorrow)),
            lately=tuple(await overview.flows(tx, lately, tomorrow)),
            unpaid=tuple(await overview.unpaid(tx, tried_since, today)),
            unpaid_lately=tuple(await overview.unpaid(tx, today - timedelta(days=DAYS_LOOKED_BACK - 1), today)),
            agreements=await overview.agreements_by_state(tx),
            purchases=await overview.purchases_by_state(tx),
            first_month=first_month,
            months=tuple(await overview.flows_by_month(tx, start_of(first_month, tenant.zone), tenant.zone)),
            stuck=tuple(await overview.stuck(tx, tenant.rules.retry_days, today)),
            movements=tuple(await overview.movements(tx, MOVEMENTS_SHOWN)),
            queue=await _queue(tx),
        )


async def _queue(tx: Transaction) -> Queue | None:
    """What waits for Vipps' budget, if anything does."""
    account = await get_vipps_account(tx)
    if account is None or not account.charge_calls_per_minute_max:
        return None
    queue = await look(tx, Pace(account.charge_calls_per_minute_max))
    return queue if queue.count else None


async def inspect_charge(db: Database, tenant: Tenant, charge_id: UUID) -> ChargeView:
    """One charge, anybody's, for an operator. Raises NotFound (`charge_not_found`)."""
    async with db.tenant(tenant.id) as tx:
        charge = (await charges.get_charges(tx, [charge_id])).get(charge_id)
        if charge is None:
            raise NotFound(f"there is no charge {charge_id}", code="charge_not_found")
        owner: Agreement | Purchase | None
        if charge.agreement_id is not None:
            owner = await agreements.get_agreement(tx, charge.agreement_id)
        else:
            owner = await purchases.get_purchase(tx, charge.owner_id)
        if owner is None:
            raise RuntimeError("a charge has an owner")
        return ChargeView(
            charge=charge,
            owner=owner,
            attempts=tuple(await charges.attempts_of(tx, [charge_id])),
            refunds=tuple(await refunds.refunds_of(tx, [charge_id])),
            documents=tuple(await receipts.receipts_of_charges(tx, [charge_id])),
        )


def months_before(day: date, count: int) -> date:
    """The first day of the month that lies so many months before the one of `day`."""
    year, month0 = divmod(day.year * 12 + day.month - 1 - count, 12)
    return date(year, month0 + 1, 1)
