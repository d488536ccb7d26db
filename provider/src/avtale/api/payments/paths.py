"""Ids in paths, each of which has the shape of a UUID, and the key under which a request may be repeated."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import Header, Path

from avtale.domain.errors import NotFound

_UUID: dict[str, Any] = {"format": "uuid"}

AgreementId = Annotated[str, Path(alias="agreementId", json_schema_extra=_UUID)]
ChargeId = Annotated[str, Path(alias="chargeId", json_schema_extra=_UUID)]
PurchaseId = Annotated[str, Path(alias="purchaseId", json_schema_extra=_UUID)]
ProductIdPath = Annotated[str, Path(alias="productId", pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
ReceiptId = Annotated[str, Path(alias="receiptId", json_schema_extra=_UUID)]

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x20-\x7e]+$",
        description="The same key with the same request answers the same, however often it is sent; with another "
        "request it is refused (`idempotency_conflict`).",
    ),
]


def parse_id(text: str, noun: str) -> UUID:
    """The id that a path names. Raises NotFound (`<noun>_not_found`) as for one that does not exist."""
    try:
        found = UUID(text)
    except ValueError:
        found = None
    if found is None or str(found) != text.lower():
        raise NotFound(f"there is no {noun} with this id", code=f"{noun}_not_found")
    return found
