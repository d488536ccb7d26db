"""A business of many agreements in a house of real processes: one moves in by the front door, the rest are copies."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from avtale.runtime import ACCOUNT_SECONDS_MAX
from avtale.service.ids import new_id
from stories.almanac import iso
from stories.clients import Refused
from stories.houses import MIGRATION_SECRET, Houses, Size
from stories.moving.file import COLUMNS

PRICE = 9900
START, END = "2027-01-15", "2027-02-15"
BEGIN = datetime(2027, 1, 31, 9, tzinfo=UTC)
#: When idle agreements and readings that nobody asked for would be due.
LATER = "2028-01-15T00:00:00Z"
WAIT_SECONDS_MAX = 600.0
LOOK_SECONDS = 0.05
BEGIN_SECONDS_MAX = 60.0

#: Tables of which one agreement has a row, with the columns that hold its ids.
_COPIED = (
    ("agreements", {"id": "agreement_id"}),
    ("drafts", {"id": "draft_id", "agreement_id": "agreement_id", "order_id": "order_id"}),
    ("charges", {"id": "charge_id", "agreement_id": "agreement_id"}),
    ("entitlements", {"id": "agreement_id", "agreement_id": "agreement_id"}),
    ("checks", {"id": "draft_id"}),
)

_RECEIPTS = (
    "INSERT INTO attempts (tenant_id, id, charge_id, gateway, gateway_agreement_id, status, captured, refunded, "
    "cancelled, created_at) "
    "SELECT tenant_id, id, id, 'vipps', 'agr_' || id, 'captured', 9900, 0, 0, now() FROM charges",
    "INSERT INTO ledger (tenant_id, id, agreement_id, charge_id, attempt_id, kind, amount, currency, booked_at) "
    "SELECT tenant_id, id, agreement_id, id, id, 'capture', 9900, 'NOK', now() FROM charges",
    "INSERT INTO receipts (tenant_id, id, seller, kind, number, ledger_id, agreement_id, charge_id, issuer, subject, "
    "gross, vat, vat_basis_points, currency, content, issued_at) "
    "SELECT c.tenant_id, c.id, '999999999', 'receipt', row_number() OVER (), c.id, c.agreement_id, c.id, a.issuer, "
    "a.subject, 9900, 1980, 2500, 'NOK', jsonb_build_object('seller', t.seller, 'product', 'Film, monthly', 'period', "
    "1, 'periodStart', '2027-01-15', 'periodEnd', '2027-02-15', 'dueDate', '2027-01-15', 'gateway', 'vipps'), now() "
    "FROM charges AS c JOIN agreements AS a ON a.tenant_id = c.tenant_id AND a.id = c.agreement_id "
    "JOIN tenants AS t ON t.tenant_id = c.tenant_id",
)


@dataclass
class Business:
    """A running house with its database open as the owner. Its clock follows nobody."""

    houses: Houses
    conn: psycopg.AsyncConnection
    tenant_id: UUID

    async def add_due(self, count: int, next_charge_at: datetime) -> list[str]:
        """Active agreements that the sandbox has as well, each to be charged at that instant; gives their ids there."""
        past = {"amount": PRICE, "start": "2026-05-15", "productName": "Film", "charged": [START]}
        people = [past | {"phoneNumber": f"47{number:08}"} for number in range(count)]
        ids = await self.houses.sandbox.plant(people)
        await self._copy(ids, iso(next_charge_at))
        return ids

    async def add_idle(self, count: int) -> None:
        """Active agreements that are not due for a year."""
        for at in range(0, count, 50_000):
            await self._copy([f"agr_idle_{uuid4().hex}" for _ in range(min(50_000, count - at))], LATER)
        await self.conn.execute("ANALYZE")

    async def write_receipts(self) -> None:
        """A receipt for everybody, with the captured attempt and the entry of the ledger that it documents."""
        for statement in _RECEIPTS:
            await self.conn.execute(statement)
        await self.conn.execute("ANALYZE")

    async def count(self, table: str, where: str = "true") -> int:
        """Rows of the tenant."""
        found = await (await self.conn.execute(f"SELECT count(*) FROM {table} WHERE {where}")).fetchone()
        assert found is not None
        return int(found[0])

    async def turn(self, now: datetime) -> None:
        """Turn the provider's clock, and wait for nothing."""
        url, token = f"{self.houses.base}/admin/clock", self.houses.environment["AVTALE_CLOCK_TOKEN"]
        wish = {"now": iso(now), "running": False, "waitSecondsMax": 0}
        headers = {"Authorization": f"Bearer {token}"}
        async with self.houses.session.post(url, json=wish, headers=headers) as answer:
            if answer.status != 200:
                raise Refused("POST", url, answer.status, await answer.text())

    async def until(self, table: str, where: str, count: int) -> None:
        """Wait until so many rows are so."""
        for _ in range(int(WAIT_SECONDS_MAX / LOOK_SECONDS)):
            if await self.count(table, where) >= count:
                return
            await asyncio.sleep(LOOK_SECONDS)
        raise TimeoutError(f"{table} where {where}: {await self.count(table, where)}, and not {count}")

    def start_worker(self, name: str) -> None:
        """Start one worker, for the first time or again."""
        if name in self.houses.processes.names():
            self.houses.processes.restart(name)
        else:
            self.houses.add_worker(name)

    async def ready(self) -> None:
        """Wait until every worker has begun, has looked around once, and knows how the tenant's charges are created."""
        processes = self.houses.processes
        logs = [processes[name].log for name in processes.names() if name.startswith("worker-")]
        for log in logs:
            for _ in range(int(BEGIN_SECONDS_MAX / LOOK_SECONDS)):
                if "avtale works" in log.read_text():
                    break
                await asyncio.sleep(LOOK_SECONDS)
        await asyncio.sleep(ACCOUNT_SECONDS_MAX + 1)

    async def _copy(self, gateway_ids: Sequence[str], next_charge_at: str) -> None:
        rows = [(one, new_id(), new_id(), new_id(), new_id()) for one in gateway_ids]
        async with self.conn.transaction(), self.conn.cursor() as cursor:
            await cursor.execute(
                "CREATE TEMPORARY TABLE fresh (gateway_agreement_id text, agreement_id uuid, draft_id uuid, "
                "order_id uuid, charge_id uuid) ON COMMIT DROP"
            )
            async with cursor.copy("COPY fresh FROM STDIN") as copy:
                for row in rows:
                    await copy.write_row(row)
            changed = {
                "agreements": {"next_charge_at": next_charge_at},
                "entitlements": {"access_until": LATER},
                "checks": {"due_at": LATER, "leased_wall": None},
            }
            for table, columns in _COPIED:
                ids = [f"'{column}', fresh.{source}" for column, source in columns.items()]
                if table in ("agreements", "drafts"):
                    ids.append("'gateway_agreement_id', fresh.gateway_agreement_id")
                if table in ("agreements", "entitlements"):
                    ids.append("'subject', 'person-' || fresh.agreement_id")
                await cursor.execute(
                    f"INSERT INTO {table} SELECT made.* FROM fresh, LATERAL jsonb_populate_record(NULL::{table}, "
                    f"(SELECT of_table FROM first WHERE name = '{table}') || %s || jsonb_build_object({', '.join(ids)})"
                    ") AS made",
                    (Jsonb(changed.get(table, {})),),
                )
            await cursor.execute(
                "INSERT INTO due_tenants (tenant_id, job, due_at) VALUES (%s, 'bill', %s) "
                "ON CONFLICT (tenant_id, job) DO UPDATE SET due_at = least(due_tenants.due_at, excluded.due_at)",
                (self.tenant_id, next_charge_at),
            )


@asynccontextmanager
async def opened(sandbox_profile: str = "lenient") -> AsyncIterator[Business]:
    """The house with one agreement, which moved in; its worker has ended."""
    async with Houses(start_at=BEGIN, size=Size(apis=1, workers=1), sandbox_profile=sandbox_profile) as houses:
        conn = await psycopg.AsyncConnection.connect(houses.environment["AVTALE_DATABASE_OWNER_URL"], autocommit=True)
        async with conn:
            await _move_in(houses)
            # Nothing is turned through, instant by instant: each clock is put where it is wanted.
            await houses.sandbox.leave("avtale")
            houses.processes.stop("worker-1")
            found = await (await conn.execute("SELECT tenant_id FROM tenants")).fetchone()
            assert found is not None
            await conn.execute("SELECT set_config('app.tenant_id', %s, false)", (str(found[0]),))
            await conn.execute("CREATE TEMPORARY TABLE first (name text PRIMARY KEY, of_table jsonb NOT NULL)")
            for table, _ in _COPIED:
                only = "WHERE kind = 'draft'" if table == "checks" else ""
                await conn.execute(
                    f"INSERT INTO first SELECT '{table}', to_jsonb(one) FROM {table} AS one {only} LIMIT 1"
                )
            yield Business(houses, conn, found[0])


async def _move_in(houses: Houses) -> None:
    past = {"phoneNumber": "4790000000", "amount": PRICE, "start": "2026-05-15", "productName": "Film"}
    (gateway_id,) = await houses.sandbox.plant([past | {"charged": [START]}])
    said = {
        "row_id": "1",
        "user_id": "the-first",
        "email": "first@film.example",
        "provider": "vipps",
        "provider_agreement_id": gateway_id,
        "product_payment_id": "film-month",
        "price_minor": str(PRICE),
        "currency": "NOK",
        "period_start": START,
        "period_end": END,
        "next_charge_date": END,
    }
    file = houses.processes.folder / "one.csv"
    with file.open("w", newline="") as out:
        csv.writer(out, delimiter=";").writerows([COLUMNS, [said[name] for name in COLUMNS]])
    one = await houses.provider.hand_in(f"/api/v1/migrate/v2/nordlys/film/{MIGRATION_SECRET}", file)
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while (seen := await houses.provider.get(f"/api/v1/imports/{one}"))["status"] != "applied":
            if seen["status"] in ("rejected", "failed"):
                raise RuntimeError(f"the first agreement cannot move in: {seen}")
            await asyncio.sleep(0.05)
