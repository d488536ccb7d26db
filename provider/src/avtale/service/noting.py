"""Note what operators and administrators do, in the transaction in which they do it: who, what, to what, and why."""

from __future__ import annotations

from uuid import UUID

from avtale.domain.errors import Invalid
from avtale.service.checkout import Person
from avtale.service.ids import new_id
from avtale.storage import acts
from avtale.storage.acts import Act
from avtale.storage.database import Database, Transaction
from avtale.storage.tenants import Tenant

WHY_LENGTH_MAX = 200
ACTS_SHOWN = 100


async def note(
    tx: Transaction,
    by: Person,
    act: str,
    subject: str,
    why: str,
    *,
    agreement_id: UUID | None = None,
    **details: str | int | bool | None,
) -> None:
    """Write down that `by` did this; `details` are what else an auditor would ask."""
    said = "; ".join(dict.fromkeys(part for part in (why, by.why) if part))
    await acts.add(tx, Act(new_id(), act, subject, agreement_id, by.issuer, by.subject, said, tx.now, details))


async def list_acts(db: Database, tenant: Tenant, before: UUID | None = None, said: str = "") -> list[Act]:
    """The last acts, newest first, or those before one; with `said` those in which it occurs."""
    async with db.tenant(tenant.id) as tx:
        return await acts.latest(tx, ACTS_SHOWN, before, said)


def said_why(text: str) -> str:
    """A reason that somebody typed. Raises Invalid (`why_needed`) for none, or one that is no line of text."""
    said = " ".join(text.split())
    if not said or len(said) > WHY_LENGTH_MAX or not said.isprintable():
        raise Invalid(f"say why, in at most {WHY_LENGTH_MAX} letters: it goes into the log", code="why_needed")
    return said
