"""What a kind of file has to know: its columns, and how its rows are read, checked, applied and taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from avtale.domain.agreement import Terms
from avtale.domain.errors import Refusal
from avtale.domain.imports import RowState
from avtale.domain.ports import Gateways
from avtale.storage import tenants
from avtale.storage.database import Database, Transaction
from avtale.storage.imports import Import, ImportRow
from avtale.storage.tenants import Tenant


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What rows are read against: whose users they may be, and what is on sale."""

    issuers: tuple[str, ...]
    products: Mapping[str, Terms]

    def issuer(self, said: str | None) -> str:
        """Whose users they are; the tenant's only issuer where nothing is said. Raises Refusal."""
        if said is None and len(self.issuers) == 1:
            return self.issuers[0]
        if said is None:
            raise Refusal(
                "this tenant has several issuers: the column issuer says whose user it is", code="issuer_needed"
            )
        if said not in self.issuers:
            raise Refusal(f"this tenant does not know the issuer {said[:200]}", code="issuer_unknown")
        return said

    def terms(self, product_id: str) -> Terms:
        """A subscription on sale. Raises Refusal (`product_unknown`)."""
        if product_id not in self.products:
            raise Refusal(f"there is no subscription {product_id[:64]!r} on sale", code="product_unknown")
        return self.products[product_id]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check has come to: its rows, and how many seconds (wall time) to wait before the next; `problem` says why
    the gateway was no help."""

    rows: Sequence[ImportRow]
    wait_seconds: float = 0.0
    problem: str | None = None


class Kind(Protocol):
    """One kind of file."""

    def read(self, line: int, said: Mapping[str, str], product_id: str | None, catalogue: Catalogue) -> ImportRow:
        """A row as it is kept. Raises Refusal for one that cannot be meant."""

    def batch_count(self, calls_per_minute_max: int) -> int:
        """How many rows are checked at a time."""

    async def check(
        self, db: Database, gateways: Gateways, tenant: Tenant, this: Import, rows: Sequence[ImportRow], pace: int
    ) -> Checked:
        """Rows that were read, made ready or rejected; those that stay as they were are asked about again."""

    async def apply(self, tx: Transaction, tenant: Tenant, this: Import, rows: Sequence[ImportRow]) -> list[ImportRow]:
        """Rows that were ready, applied or rejected."""

    async def undo(self, tx: Transaction, tenant: Tenant, this: Import, rows: Sequence[ImportRow]) -> list[ImportRow]:
        """Rows that were applied, undone or kept."""


async def catalogue_of(tx: Transaction) -> Catalogue:
    """The tenant's, as it is now."""
    issuers = tuple(one.issuer for one in await tenants.get_issuers(tx))
    on_sale = await tenants.products_on_sale(tx)
    return Catalogue(issuers, {terms.product_id: terms for terms in on_sale if isinstance(terms, Terms)})


def rejected(row: ImportRow, code: str, reason: str) -> ImportRow:
    """The row, refused for a reason."""
    return replace(row, state=RowState.REJECTED, code=code, reason=reason)


def refused(row: ImportRow, refusal: Refusal) -> ImportRow:
    """The row, refused as a rule says."""
    return rejected(row, refusal.code, refusal.detail)
