"""Tag Receipts: a person's receipts and credit notes."""

from __future__ import annotations

from avtale.api.contract import refusals
from avtale.api.doors import PersonDoor, Routes, TheHouse, TheVisit
from avtale.api.payments.paths import ReceiptId, parse_id
from avtale.api.payments.shapes import Receipt, Receipts
from avtale.service.reading import get_receipt, list_receipts

routes = Routes("Receipts", PersonDoor)


@routes.get(
    "/api/v1/receipt",
    operation_id="listV1Receipt",
    summary="Get all receipts for authenticated end user",
    responses=refusals(401, 404, 500, 503),
)
async def receipts(visit: TheVisit, house: TheHouse) -> Receipts:
    """The caller's receipts and credit notes, newest first."""
    found = await list_receipts(house.db, visit.tenant, visit.caller.person)
    return Receipts(receipts=[Receipt.of(one) for one in found])


@routes.get(
    "/api/v1/receipt/{receiptId}",
    operation_id="getV1Receipt",
    summary="Get one receipt for authenticated end user",
    responses=refusals(401, 404, 500, 503),
)
async def receipt(receipt_id: ReceiptId, visit: TheVisit, house: TheHouse) -> Receipt:
    """One of the caller's receipts or credit notes."""
    wanted = parse_id(receipt_id, "receipt")
    return Receipt.of(await get_receipt(house.db, visit.tenant, visit.caller.person, wanted))
