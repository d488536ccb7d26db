"""A transaction belongs to one tenant and ends as a whole; what people read often is found by index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import event, insert, select, text

from avtale.storage import agreements, calls, charges, entitlements, receipts
from avtale.storage import tables as t
from avtale.storage.database import Database, DatabaseDown, DatabaseFault, Job, Transaction
from avtale.storage.due import refresh_due
from avtale.storage.home import Home

ISSUER = "https://id.example"
#: So many rows that no plan reads them all for one person's.
ROWS = 5000

_CROWD = (
    "INSERT INTO agreements (tenant_id, id, issuer, subject, product_id, product_name, product_description, price, "
    "currency, interval_unit, interval_count, vat_basis_points, agreement_url, status, last_period, anchor, "
    "gateway_agreement_id, activated_at, created_at, version, gateway) SELECT %(tenant)s::uuid, "
    "md5(%(tenant)s::text || n)::uuid, %(issuer)s, 'person-' || n, 'film', 'Film', '', 9900, 'NOK', 'month', 1, 2500, "
    "'https://film.example', 'active', 0, '2027-01-01', 'agr_' || n, now(), now(), 1, 'vipps' "
    "FROM generate_series(1, %(rows)s) AS n",
    "INSERT INTO charges (tenant_id, id, agreement_id, kind, period, period_start, period_end, due, price, currency, "
    "vat_basis_points, status, captured, refunded, cancelled, version) SELECT tenant_id, id, id, 'recurring', 1, "
    "'2027-01-01', '2027-02-01', '2027-01-01', 9900, 'NOK', 2500, 'paid', 9900, 0, 0, 1 FROM agreements",
    "INSERT INTO entitlements (tenant_id, id, agreement_id, issuer, subject, product_id, access_until, ended) "
    "SELECT tenant_id, id, id, issuer, subject, product_id, now(), true FROM agreements",
    "INSERT INTO attempts (tenant_id, id, charge_id, gateway, status, captured, refunded, cancelled, created_at) "
    "SELECT tenant_id, id, id, 'vipps', 'captured', 9900, 0, 0, now() FROM charges",
    "INSERT INTO ledger (tenant_id, id, agreement_id, charge_id, attempt_id, kind, amount, currency, booked_at) "
    "SELECT tenant_id, id, agreement_id, id, id, 'capture', 9900, 'NOK', now() FROM charges",
    "INSERT INTO receipts (tenant_id, id, seller, kind, number, ledger_id, agreement_id, charge_id, issuer, subject, "
    "gross, vat, vat_basis_points, currency, content, issued_at) SELECT tenant_id, id, '999999999', 'receipt', "
    "row_number() OVER (), id, id, id, issuer, subject, 9900, 1980, 2500, 'NOK', '{}', now() FROM agreements",
)


@pytest.fixture
def tenant_id() -> UUID:
    return uuid4()


async def test_what_is_written_together_is_kept_together(db: Database, tenant_id: UUID) -> None:
    async with db.tenant(tenant_id) as tx, tx.together():
        for job in ("bill", "check"):
            await tx.conn.execute(insert(t.due_tenants), _due(tenant_id, job))
    assert await _jobs(db, tenant_id) == ["bill", "check"]


async def test_what_is_wrong_with_one_write_undoes_the_others(home: Home, tenant_id: UUID) -> None:
    db = Database(home.url, pool_size=1)

    async def write_one_twice() -> None:
        async with db.tenant(tenant_id) as tx, tx.together():
            for job in ("check", "bill", "bill"):
                await tx.conn.execute(insert(t.due_tenants), _due(tenant_id, job))

    with pytest.raises(DatabaseFault, match="due_tenants"):
        await write_one_twice()
    assert await _jobs(db, tenant_id) == [], "and the only connection is fit for use"
    await db.close()


async def test_who_leaves_a_transaction_undoes_it_and_takes_the_tenant_along(home: Home, tenant_id: UUID) -> None:
    db = Database(home.url, pool_size=1)

    async def write_and_leave() -> None:
        async with db.tenant(tenant_id) as tx:
            await tx.conn.execute(insert(t.due_tenants), _due(tenant_id, "bill"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write_and_leave()
    async with db.routing() as tx:
        assert (await tx.conn.execute(text("SELECT current_setting('app.tenant_id')"))).scalar_one() == ""
    assert await _jobs(db, tenant_id) == []
    await db.close()


async def test_a_connection_that_was_ended_between_two_transactions_is_told_of(home: Home, tenant_id: UUID) -> None:
    db = Database(home.url, pool_size=1)
    async with db.tenant(tenant_id) as tx:
        pid = (await tx.conn.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    with psycopg.connect(home.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    with pytest.raises(DatabaseDown):
        async with db.tenant(tenant_id):
            pass
    assert await _jobs(db, tenant_id) == [], "the next one is another"
    await db.close()


async def test_what_a_person_reads_is_found_by_index(db: Database, home: Home, tenant_id: UUID) -> None:
    said: list[tuple[str, Any]] = []
    with psycopg.connect(home.owner_url, autocommit=True) as owner:
        owner.execute("SELECT set_config('app.tenant_id', %s, false)", (str(tenant_id),))
        for statement in _CROWD:
            owner.execute(statement, {"tenant": str(tenant_id), "issuer": ISSUER, "rows": ROWS})
        owner.execute("ANALYZE agreements, charges, entitlements, receipts")
    async with db.tenant(tenant_id) as tx:
        event.listen(db.engine.sync_engine, "before_cursor_execute", lambda *all_: said.append(all_[2:4]))
        (mine,) = await agreements.agreements_of(tx, ISSUER, "person-7")
        assert len(await charges.charges_of(tx, [mine.id])) == 1
        assert len(await entitlements.access_until(tx, [mine.id])) == 1
        assert len(await receipts.receipts_of_person(tx, ISSUER, "person-7")) == 1
        read = list(said)
        assert len(read) == 4
        for plan in await _plans(tx, read):
            assert "Index Scan" in plan, plan
            assert "Seq Scan" not in plan, plan


async def test_what_waits_for_a_budget_is_neither_sorted_nor_in_the_way(
    db: Database, home: Home, tenant_id: UUID
) -> None:
    said: list[tuple[str, Any]] = []
    _wait(home, tenant_id)
    async with db.tenant(tenant_id) as tx:
        tx.due(Job.SEND, tx.wall)
    async with db.tenant(tenant_id) as tx:
        event.listen(db.engine.sync_engine, "before_cursor_execute", lambda *all_: said.append(all_[2:4]))
        claimed = await calls.claim_unsent(tx, 200, lambda count: 60.0, counted_count_max=3)
        assert [call.kind for call in claimed] == ["stop", "charge", "charge", "charge"]
        assert await refresh_due(tx, Job.SEND) is not None
        read = [one for one in said if one[0].startswith("SELECT") and " calls" in one[0]]
        assert len(read) == 4
        plans = await _plans(tx, read)
        for place, plan in enumerate(plans):
            assert ("calls_uncounted_ix", "calls_counted_ix")[place in (1, 2)] in plan, plan
            assert "Seq Scan" not in plan, plan
        assert "Incremental Sort" in plans[1], f"only those that began to wait at once are sorted: {plans[1]}"


async def test_a_call_without_an_answer_is_found_among_all_that_have_one(
    db: Database, home: Home, tenant_id: UUID
) -> None:
    said: list[tuple[str, Any]] = []
    _wait(home, tenant_id, count=5)
    async with db.tenant(tenant_id) as tx:
        event.listen(db.engine.sync_engine, "before_cursor_execute", lambda *all_: said.append(all_[2:4]))
        assert await calls.hasten(tx) == 0
        (plan,) = await _plans(tx, list(said))
        assert "calls_unsent_ix" in plan, plan
        assert "Seq Scan" not in plan, plan


def _wait(home: Home, tenant_id: UUID, count: int = ROWS) -> None:
    """Write a stop and many charges, of which so many are not sent yet."""
    with psycopg.connect(home.owner_url, autocommit=True) as owner:
        owner.execute("SELECT set_config('app.tenant_id', %s, false)", (str(tenant_id),))
        owner.execute(
            "INSERT INTO calls (tenant_id, id, kind, subject_id, gateway, method, path, body, status, sends, "
            "written_wall, send_wall) SELECT %s, gen_random_uuid(), CASE n WHEN 1 THEN 'stop' ELSE 'charge' END, "
            "gen_random_uuid(), 'vipps', 'POST', '/', '{}', CASE WHEN n <= %s THEN 'written' ELSE 'accepted' END, 0, "
            "now(), CASE WHEN n <= %s THEN now() - n / 100 * interval '1 second' END FROM generate_series(1, %s) AS n",
            (tenant_id, count, count, ROWS),
        )
        owner.execute("ANALYZE calls")


async def _plans(tx: Transaction, read: Sequence[tuple[str, Any]]) -> list[str]:
    plans = []
    for statement, values in read:
        rows = await tx.conn.exec_driver_sql(f"EXPLAIN {statement}", values)
        plans.append("\n".join(row[0] for row in rows))
    return plans


def _due(tenant_id: UUID, job: str) -> dict[str, Any]:
    return {"tenant_id": tenant_id, "job": job, "due_at": "2027-01-01T00:00:00Z"}


async def _jobs(db: Database, tenant_id: UUID) -> list[str]:
    async with db.routing() as tx:
        mine = select(t.due_tenants.c.job).where(t.due_tenants.c.tenant_id == tenant_id)
        return list((await tx.conn.execute(mine.order_by(t.due_tenants.c.job))).scalars())
