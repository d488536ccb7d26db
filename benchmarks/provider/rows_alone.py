"""The rows of a plan without the plan: PostgreSQL copies within itself what planning has written, batch by batch."""

from __future__ import annotations

import time

from .business import Business

#: The table, how its rows are found from what was planned, and which of its columns get another value.
_COPIED = (
    ("charges", "id = planned.charge_id", {"id": "planned.next_charge", "period": "of.period + 1"}),
    ("attempts", "id = planned.attempt_id", {"id": "planned.next_attempt", "charge_id": "planned.next_charge"}),
    ("calls", "id = planned.call_id", {"id": "planned.next_attempt", "subject_id": "planned.next_attempt"}),
)


async def write(business: Business, count: int, batch_count: int) -> float:
    """Rows a second of one statement and one commit for each batch: the agreements move on, and get as many charges,
    attempts and calls again as were just planned for them."""
    await business.conn.execute(
        "CREATE TEMPORARY TABLE planned AS SELECT row_number() OVER (ORDER BY attempts.id) AS place, "
        "charges.agreement_id, charges.id AS charge_id, attempts.id AS attempt_id, calls.id AS call_id, "
        "gen_random_uuid() AS next_charge, gen_random_uuid() AS next_attempt FROM calls "
        "JOIN attempts ON attempts.id = calls.subject_id JOIN charges ON charges.id = attempts.charge_id "
        "WHERE calls.kind = 'charge' AND attempts.status = 'written'"
    )
    await business.conn.execute("CREATE INDEX ON planned (place)")
    await business.conn.execute("ANALYZE planned")
    copies = ", ".join([f"{one[0]}_copied AS ({await _copy(business, *one)})" for one in _COPIED])
    statement = (
        "WITH planned AS MATERIALIZED (SELECT * FROM planned WHERE place > %s AND place <= %s), "
        f"{copies} UPDATE agreements SET last_period = last_period + 1, version = version + 1 FROM planned "
        "WHERE agreements.tenant_id = %s AND agreements.id = planned.agreement_id"
    )
    done, began = 0, time.perf_counter()
    while done < count:
        moved = await business.conn.execute(statement, (done, done + batch_count, business.tenant_id))
        assert moved.rowcount == min(batch_count, count - done), f"{moved.rowcount} rows of a batch moved"
        done += moved.rowcount
    return done / (time.perf_counter() - began)


async def _copy(business: Business, table: str, found: str, changed: dict[str, str]) -> str:
    rows = await business.conn.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position", (table,)
    )
    names = [row[0] for row in await rows.fetchall()]
    values = ", ".join(changed.get(name, f"of.{name}") for name in names)
    mine = f"of.tenant_id = '{business.tenant_id}' AND of.{found}"
    return f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table} AS of JOIN planned ON {mine}"
