"""Special users: rights without a payment agreement, each as a gift with an end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from avtale.domain.errors import Invalid, Refusal
from avtale.domain.imports import ImportKind, RowState
from avtale.domain.moving import day, email, identifier, phone, subject
from avtale.domain.ports import Gateways
from avtale.service.checkout import Person
from avtale.service.giving import Gift, gift_days, give
from avtale.service.ids import new_id
from avtale.service.imports.kinds import Catalogue, Checked, refused
from avtale.service.imports.known import known
from avtale.service.imports.people import remember
from avtale.service.imports.undoing import undo_agreements
from avtale.storage import locks
from avtale.storage.database import Database, Transaction
from avtale.storage.imports import Import, ImportRow
from avtale.storage.tenants import Tenant

NEEDED = ("row_id", "user_id", "period_end")
KNOWN = (*NEEDED, "issuer", "email", "phone", "period_start", "reason")
REASON_LENGTH_MAX = 100


class SpecialRights:
    """Files of special users."""

    kind = ImportKind.SPECIAL

    def read(self, line: int, said: Mapping[str, str], product_id: str | None, catalogue: Catalogue) -> ImportRow:
        """Whose right it is and until when; it begins today unless `period_start` says otherwise."""
        day(said, "period_end")
        if said["period_start"]:
            day(said, "period_start")
        if len(said["reason"]) > REASON_LENGTH_MAX or not said["reason"].isprintable():
            raise Invalid(f"reason is one line of at most {REASON_LENGTH_MAX} letters", code="reason_invalid")
        email(said), phone(said)
        return ImportRow(
            line=line,
            state=RowState.READ,
            row_id=identifier(said, "row_id"),
            issuer=catalogue.issuer(said["issuer"] or None),
            subject=subject(said, "user_id"),
            product_id=product_id,
            said={name: value for name, value in said.items() if value},
        )

    def batch_count(self, calls_per_minute_max: int) -> int:
        """Nobody else is asked."""
        return 500

    async def check(
        self, db: Database, gateways: Gateways, tenant: Tenant, this: Import, rows: Sequence[ImportRow], pace: int
    ) -> Checked:
        """What we know, and whether the days can be."""
        async with db.tenant(tenant.id) as tx:
            done = []
            for row in await known(tx, self.kind, rows):
                try:
                    if row.state is RowState.READ:
                        gift_days(tx, tenant, _gift(row))
                        row = replace(row, state=RowState.READY)
                    done.append(row)
                except Refusal as refusal:
                    done.append(refused(row, refusal))
        return Checked(done)

    async def apply(self, tx: Transaction, tenant: Tenant, this: Import, rows: Sequence[ImportRow]) -> list[ImportRow]:
        """Give them."""
        await locks.lock_people_and_products(tx, [row.whose for row in rows])
        done = []
        for row in await known(tx, self.kind, rows):
            if row.state is not RowState.READY:
                done.append(row)
                continue
            made = new_id()
            try:
                await give(tx, tenant, _gift(row), made)
                done.append(replace(row, state=RowState.APPLIED, agreement_id=made))
            except Refusal as refusal:
                done.append(refused(row, refusal))
        await remember(tx, this, done)
        return done

    async def undo(self, tx: Transaction, tenant: Tenant, this: Import, rows: Sequence[ImportRow]) -> list[ImportRow]:
        """See service.imports.undoing."""
        return await undo_agreements(tx, this, rows)


def _gift(row: ImportRow) -> Gift:
    said = row.said or {}
    return Gift(
        person=Person(row.issuer or "", row.subject or ""),
        product_id=row.product_id or "",
        reason=said.get("reason") or "moved in",
        start=day(said, "period_start") if said.get("period_start") else None,
        end=day(said, "period_end"),
    )
