"""Rows of agreements."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, bindparam, delete, insert, select, tuple_, update

from avtale.domain.agreement import Agreement, AgreementStatus, Asked, Terms
from avtale.domain.gateway import GatewayName
from avtale.domain.money import Money
from avtale.domain.periods import Interval, Period, Unit
from avtale.storage import tables as t
from avtale.storage.campaigns import campaign_row, read_campaign
from avtale.storage.database import Job, Transaction
from avtale.storage.many import is_any, update_many

_INSERT = insert(t.agreements)


async def insert_agreement(tx: Transaction, agreement: Agreement) -> None:
    """Write a new agreement."""
    await insert_agreements(tx, [agreement])


async def insert_agreements(tx: Transaction, agreements: Sequence[Agreement]) -> None:
    """Write new agreements, and wake billing for their next charges."""
    if agreements:
        await tx.conn.execute(_INSERT, [_row(tx, agreement) for agreement in agreements])
    for agreement in agreements:
        if agreement.next_charge_at is not None:
            tx.due(Job.BILL, agreement.next_charge_at)


def _row(tx: Transaction, agreement: Agreement) -> dict[str, object]:
    return {
        "tenant_id": tx.tenant_id,
        "id": agreement.id,
        "issuer": agreement.issuer,
        "subject": agreement.subject,
        "voucher": agreement.voucher,
        **_terms(agreement.terms),
        **_state(agreement, (*_STATE, "created_at", "gift_reason", "gateway", "version")),
    }


def _terms(terms: Terms) -> dict[str, object]:
    return {
        "product_id": terms.product_id,
        "product_name": terms.name,
        "product_description": terms.description,
        "price": terms.price.amount,
        "currency": terms.price.currency,
        "interval_unit": terms.interval.unit,
        "interval_count": terms.interval.count,
        "vat_basis_points": terms.vat_basis_points,
        "agreement_url": terms.agreement_url,
        "campaign": campaign_row(terms.campaign),
        "suggested_max": terms.suggested_max,
    }


async def save_terms(tx: Transaction, agreement: Agreement) -> None:
    """Write an agreement with other terms than it had; it is locked by this transaction."""
    c = t.agreements.c
    await save_agreements(tx, [agreement])
    mine = (c.tenant_id == tx.tenant_id) & (c.id == agreement.id)
    await tx.conn.execute(update(t.agreements).where(mine).values(_terms(agreement.terms)))


async def save_asked(tx: Transaction, found: Mapping[UUID, Asked | None]) -> None:
    """Write what gateways ask for these agreements (locked), where that is not what was agreed; None: it is."""
    c = t.agreements.c
    for agreement_id, asked in sorted(found.items()):
        written = (
            None
            if asked is None
            else {
                "amount": asked.price.amount,
                "currency": asked.price.currency,
                "unit": asked.interval.unit.value,
                "count": asked.interval.count,
            }
        )
        mine = (c.tenant_id == tx.tenant_id) & (c.id == agreement_id)
        await tx.conn.execute(update(t.agreements).where(mine).values(asked=written))


def _asked(row: Mapping[str, Any] | None) -> Asked | None:
    if row is None:
        return None
    return Asked(Money(row["amount"], row["currency"]), Interval(Unit(row["unit"]), row["count"]))


async def save_agreements(tx: Transaction, agreements: Collection[Agreement]) -> None:
    """Write the states of agreements that this transaction has locked, and wake billing for their next charges."""
    if not agreements:
        return
    rows = [{"id": a.id, "version": a.version, **_state(a, _STATE)} for a in agreements]
    found = await update_many(tx, t.agreements, rows, ("id", "version"), "version = agreements.version + 1")
    if found != len(rows):
        raise RuntimeError("an agreement changed although its row was locked")
    for agreement in agreements:
        if agreement.next_charge_at is not None and agreement.parked_reason is None:
            tx.due(Job.BILL, agreement.next_charge_at)


async def move_on(tx: Transaction, moved: Sequence[tuple[Agreement, Period, datetime, bool]]) -> None:
    """The next periods of agreements that this transaction has locked have their charges: write where they stand, and
    when each goes on, or that it waits for an operator. What was said for that one period is over, a pause too."""
    rows = [
        {
            "id": agreement.id,
            "version": agreement.version,
            "last_period": planned.number,
            "next_charge_at": at,
            "parked_reason": "late_periods" if waits else None,
        }
        for agreement, planned, at, waits in moved
    ]
    also = ", ".join(f"{name} = NULL" for name in _OF_ONE_PERIOD)
    found = await update_many(tx, t.agreements, rows, ("id", "version"), f"version = agreements.version + 1, {also}")
    if found != len(rows):
        raise RuntimeError("an agreement changed although its row was locked")
    following = [at for _, _, at, waits in moved if not waits]
    if following:
        tx.due(Job.BILL, min(following))


async def get_agreement(tx: Transaction, agreement_id: UUID, *, lock: bool = False) -> Agreement | None:
    """One agreement, locked until the transaction ends when asked for."""
    found = await _select(tx, t.agreements.c.id == agreement_id, lock=lock)
    return found[0] if found else None


async def get_agreements(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, Agreement]:
    """These agreements, for reading."""
    found = await _select(tx, is_any(t.agreements.c.id, ids), lock=False)
    return {agreement.id: agreement for agreement in found}


async def lock_agreements(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, Agreement]:
    """These agreements, locked in key order."""
    found = await _select(tx, is_any(t.agreements.c.id, ids), lock=True)
    return {agreement.id: agreement for agreement in found}


async def claim_due(tx: Transaction, batch_count_max: int) -> list[Agreement]:
    """Agreements whose next charge is to be planned, each claimed by this transaction alone."""
    c = t.agreements.c
    statement = (
        select(t.agreements)
        .where(
            c.tenant_id == tx.tenant_id,
            c.next_charge_at <= tx.now,
            c.parked_reason.is_(None),
            c.status != AgreementStatus.PENDING,
        )
        .order_by(c.next_charge_at, c.id)
        .limit(batch_count_max)
        .with_for_update(skip_locked=True)
    )
    return [_agreement(row) for row in await tx.conn.execute(statement)]


async def gifts_to_begin(tx: Transaction, batch_count_max: int) -> list[Agreement]:
    """Gifts whose first day has come; not locked, for their people's locks are taken first."""
    c = t.agreements.c
    statement = (
        select(t.agreements)
        .where(c.tenant_id == tx.tenant_id, c.next_charge_at <= tx.now, c.status == AgreementStatus.PENDING)
        .order_by(c.issuer, c.subject, c.product_id, c.id)
        .limit(batch_count_max)
    )
    return [_agreement(row) for row in await tx.conn.execute(statement)]


async def agreements_of(
    tx: Transaction, issuer: str, subject: str, *, product_id: str | None = None, lock: bool = False
) -> list[Agreement]:
    """A person's agreements, oldest first, without those that were hidden."""
    whose = {"tenant_id": tx.tenant_id, "issuer": issuer, "subject": subject}
    if product_id is not None:
        whose["product_id"] = product_id
    return [_agreement(row) for row in await tx.conn.execute(_of_person(tuple(whose), lock), whose)]


@cache
def _of_person(named: tuple[str, ...], lock: bool) -> Select[Any]:
    """The statement, made once: to put it together takes longer than to have it answered."""
    c = t.agreements.c
    mine = (c[name] == bindparam(name) for name in named)
    statement = select(t.agreements).where(*mine, c.hidden_at.is_(None)).order_by(c.id)
    return statement.with_for_update() if lock else statement


async def active_of(tx: Transaction, wanted: Collection[tuple[str, str, str]]) -> dict[tuple[str, str, str], UUID]:
    """The active agreements of these: issuer, subject and product of each."""
    c = t.agreements.c
    if not wanted:
        return {}
    rows = await tx.conn.execute(
        select(c.issuer, c.subject, c.product_id, c.id).where(
            c.tenant_id == tx.tenant_id,
            c.status == AgreementStatus.ACTIVE,
            tuple_(c.issuer, c.subject, c.product_id).in_(sorted(wanted)),
        )
    )
    return {(row.issuer, row.subject, row.product_id): row.id for row in rows}


async def all_agreements(tx: Transaction) -> list[Agreement]:
    """Every agreement of the tenant, for audits."""
    return await _select(tx, t.agreements.c.tenant_id == tx.tenant_id, lock=False)


async def lock_untouched(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, Agreement]:
    """Those of these agreements to which nothing has happened since they were written, locked. One that was charged has
    moved on."""
    locked = await lock_agreements(tx, ids)
    found = {a.id: a for a in locked.values() if a.version == 1}
    attempted = (
        select(t.charges.c.agreement_id)
        .join(
            t.attempts,
            (t.attempts.c.tenant_id == t.charges.c.tenant_id) & (t.attempts.c.charge_id == t.charges.c.id),
        )
        .where(t.charges.c.tenant_id == tx.tenant_id, t.charges.c.agreement_id.in_(sorted(found)))
    )
    for row in (await tx.conn.execute(attempted)).all():
        found.pop(row.agreement_id, None)
    return found


async def forget_agreements(tx: Transaction, ids: Collection[UUID]) -> None:
    """Delete agreements, with what was written with them: drafts, waived charges, access."""
    gone = sorted(ids)
    drafts = select(t.drafts.c.id).where(t.drafts.c.tenant_id == tx.tenant_id, t.drafts.c.agreement_id.in_(gone))
    c = t.checks.c
    await tx.conn.execute(delete(t.checks).where(c.tenant_id == tx.tenant_id, c.kind == "draft", c.id.in_(drafts)))
    for table in (t.drafts, t.entitlements, t.charges):
        mine = (table.c.tenant_id == tx.tenant_id) & table.c.agreement_id.in_(gone)
        await tx.conn.execute(delete(table).where(mine))
    await tx.conn.execute(
        delete(t.agreements).where(t.agreements.c.tenant_id == tx.tenant_id, t.agreements.c.id.in_(gone))
    )


async def _select(tx: Transaction, wanted: Any, *, lock: bool) -> list[Agreement]:
    statement = select(t.agreements).where(t.agreements.c.tenant_id == tx.tenant_id, wanted)
    statement = statement.order_by(t.agreements.c.id)
    if lock:
        statement = statement.with_for_update()
    return [_agreement(row) for row in await tx.conn.execute(statement)]


#: What is said for the next period alone.
_OF_ONE_PERIOD = ("next_amount", "bridge_start", "paused_at", "paused_from", "resumes_on", "pause_reason")

_STATE = (
    "status",
    "gateway_agreement_id",
    "anchor",
    "last_period",
    "next_charge_at",
    "expires_at",
    "activated_at",
    "stopped_at",
    "stop_reason",
    "stop_comment",
    "parked_reason",
    "access_ends_at",
    "hidden_at",
    "phase_period",
    "phase_start",
    "bridge_start",
    "paused_at",
    "paused_from",
    "resumes_on",
    "pause_reason",
    "consented_at",
    "withdrawn_at",
    "limit_amount",
    "next_amount",
)


def _state(agreement: Agreement, names: Sequence[str]) -> dict[str, object]:
    return {name: getattr(agreement, "limit" if name == "limit_amount" else name) for name in names}


def _agreement(row: Row[Any]) -> Agreement:
    return Agreement(
        id=row.id,
        issuer=row.issuer,
        subject=row.subject,
        terms=Terms(
            product_id=row.product_id,
            name=row.product_name,
            description=row.product_description,
            price=Money(row.price, row.currency),
            interval=Interval(Unit(row.interval_unit), row.interval_count),
            vat_basis_points=row.vat_basis_points,
            agreement_url=row.agreement_url,
            campaign=read_campaign(row.campaign),
            suggested_max=row.suggested_max,
        ),
        status=AgreementStatus(row.status),
        gateway_agreement_id=row.gateway_agreement_id,
        anchor=row.anchor,
        last_period=row.last_period,
        next_charge_at=row.next_charge_at,
        created_at=row.created_at,
        expires_at=row.expires_at,
        activated_at=row.activated_at,
        stopped_at=row.stopped_at,
        stop_reason=row.stop_reason,
        parked_reason=row.parked_reason,
        version=row.version,
        gift_reason=row.gift_reason,
        access_ends_at=row.access_ends_at,
        hidden_at=row.hidden_at,
        phase_period=row.phase_period,
        phase_start=row.phase_start,
        bridge_start=row.bridge_start,
        paused_at=row.paused_at,
        paused_from=row.paused_from,
        resumes_on=row.resumes_on,
        pause_reason=row.pause_reason,
        consented_at=row.consented_at,
        withdrawn_at=row.withdrawn_at,
        voucher=row.voucher,
        stop_comment=row.stop_comment,
        asked=_asked(row.asked),
        limit=row.limit_amount,
        next_amount=row.next_amount,
        gateway=GatewayName(row.gateway),
    )
