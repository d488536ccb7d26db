"""The people of a migration: out to an identity provider that makes them anew, and in again under their new ids."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from avtale.domain.errors import Conflict, Invalid, Refusal
from avtale.domain.imports import ImportKind, RowState
from avtale.domain.moving import email, phone, subject
from avtale.domain.ports import Gateways
from avtale.domain.records import written
from avtale.service.imports.kinds import Catalogue, Checked, refused
from avtale.storage import import_people, imports
from avtale.storage.database import Database, Transaction
from avtale.storage.import_people import ImportedPerson
from avtale.storage.imports import Import, ImportRow
from avtale.storage.tenants import Tenant

NEEDED = ("new_user_id",)
KNOWN = (*NEEDED, "old_user_id", "issuer", "email", "email_verified", "phone", "phone_verified")
#: The columns of people who are to be made anew; with `new_user_id`, and what was verified, they come back.
COLUMNS = ("old_user_id", "issuer", "email", "phone")
PAGE_COUNT = 1000
PEOPLE_COUNT_MAX = 1_000_000
_YES = frozenset({"true", "1", "yes", "ja"})


async def remember(tx: Transaction, this: Import, rows: Sequence[ImportRow]) -> None:
    """Keep how the people of applied rows can be reached, so that they are known again when they get new ids."""
    people = {}
    for row in rows:
        if row.state is RowState.APPLIED:
            said = {"email": "", "phone": ""} | dict(row.said or {})
            whose = row.issuer or "", row.subject or ""
            people[whose] = ImportedPerson(*whose, email=email(said), phone=phone(said), import_id=this.id)
    await import_people.save(tx, list(people.values()))


async def prepared(db: Database, tenant: Tenant, count: int) -> AsyncIterator[str]:
    """The next people who have not been made anew yet, as CSV, at most so many."""
    yield written(list(COLUMNS))
    after = ("", "")
    while count > 0:
        async with db.tenant(tenant.id) as tx:
            page = await import_people.not_recreated(tx, after, min(count, PAGE_COUNT))
        if not page:
            return
        after, count = (page[-1].issuer, page[-1].subject), count - len(page)
        yield "".join(written([one.subject, one.issuer, one.email or "", one.phone or ""]) for one in page)


class RecreatedPeople:
    """Files of people who were made anew."""

    kind = ImportKind.RECREATE

    def read(self, line: int, said: Mapping[str, str], product_id: str | None, catalogue: Catalogue) -> ImportRow:
        """The new id, and by what its owner is known: an e-mail address or a number that somebody has verified."""
        new = subject(said, "new_user_id")
        address, number = email(said), phone(said)
        verified = {"email": address if _yes(said, "email") else None, "phone": number if _yes(said, "phone") else None}
        if not any(verified.values()):
            raise Invalid("neither e-mail nor phone of this row is verified", code="nothing_verified")
        kept = {name: value for name, value in verified.items() if value}
        kept |= {"old_user_id": said["old_user_id"]} if said["old_user_id"] else {}
        issuer = catalogue.issuer(said["issuer"] or None)
        return ImportRow(line, RowState.READ, row_id=new, issuer=issuer, subject=new, said=kept)

    def batch_count(self, calls_per_minute_max: int) -> int:
        """Nobody else is asked."""
        return 500

    async def check(
        self, db: Database, gateways: Gateways, tenant: Tenant, this: Import, rows: Sequence[ImportRow], pace: int
    ) -> Checked:
        """Whom each row means, and whether nothing stands against it."""
        async with db.tenant(tenant.id) as tx:
            before = await imports.done_before(tx, self.kind, {row.row_id for row in rows if row.row_id})
            done = []
            for row in rows:
                if row.row_id in before:
                    done.append(replace(row, state=RowState.ALREADY, code="known"))
                    continue
                try:
                    old = await _meant(tx, row)
                    done.append(replace(row, state=RowState.READY, found={"oldUserId": old.subject}))
                except Refusal as refusal:
                    done.append(refused(row, refusal))
        return Checked(done)

    async def apply(self, tx: Transaction, tenant: Tenant, this: Import, rows: Sequence[ImportRow]) -> list[ImportRow]:
        """Give agreements and access to the new ids."""
        done = []
        for row in rows:
            try:
                old = await _meant(tx, row)
                await import_people.rename(tx, old, row.subject or "")
                done.append(replace(row, state=RowState.APPLIED, found={"oldUserId": old.subject}))
            except Refusal as refusal:
                done.append(refused(row, refusal))
        return done

    async def undo(self, tx: Transaction, tenant: Tenant, this: Import, rows: Sequence[ImportRow]) -> list[ImportRow]:
        """New ids are not taken back: their owners may have signed in already."""
        raise Conflict("new ids are not taken back", code="import_final")


async def _meant(tx: Transaction, row: ImportRow) -> ImportedPerson:
    """The one person whom a row means. Raises Refusal."""
    said = row.said or {}
    found = await import_people.reached_by(tx, row.issuer or "", said.get("email"), said.get("phone"))
    if "old_user_id" in said:
        found = [one for one in found if one.subject == said["old_user_id"]]
    if not found:
        raise Refusal("nobody who moved in has this e-mail address or number, and waits for a new id", code="nobody")
    if len(found) > 1:
        raise Refusal(f"{len(found)} people have this e-mail address or number: say old_user_id", code="ambiguous")
    old = found[0]
    if await import_people.has_documents(tx, old):
        said_why = f"{old.subject} has receipts or purchases, which name a person for good"
        raise Refusal(said_why, code="has_receipts")
    both = await import_people.in_the_way(tx, old, row.subject or "")
    if both is not None:
        raise Refusal(f"two live agreements for one product: {both[0]} and {both[1]}", code="two_agreements")
    return old


def _yes(said: Mapping[str, str], name: str) -> bool:
    return said[f"{name}_verified"].lower() in _YES
