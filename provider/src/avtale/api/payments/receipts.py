"""Tag Receipts: a person's receipts and credit notes."""

from __future__ import annotations

from avtale.api.contract import refusals
from avtale.api.doors import AdminDoor, PersonDoor, Routes, TheHouse, TheVisit
from avtale.api.payments.paths import ReceiptId, parse_id
from avtale.api.payments.people import EncodedId, IssuerName, subjects
from avtale.api.payments.shapes import Receipt, Receipts
from avtale.service.reading import find_person, get_receipt, list_receipts

routes = Routes("Receipts", PersonDoor)
admin_routes = Routes("Receipts", AdminDoor)


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


@admin_routes.get(
    "/api/v1/receipt/admin/{encodedId}",
    operation_id="getV1ReceiptAdmin",
    summary="Get all receipts for user (admin)",
    responses=refusals(400, 401, 403, 404, 500, 503),
)
async def receipts_of(encoded_id: EncodedId, visit: TheVisit, house: TheHouse, issuer: IssuerName = None) -> Receipts:
    """Somebody's receipts and credit notes, newest first."""
    person = await find_person(house.db, visit.tenant, subjects(encoded_id), issuer)
    return Receipts(receipts=[Receipt.of(one) for one in await list_receipts(house.db, visit.tenant, person)])


@admin_routes.get(
    "/api/v1/receipt/admin/{encodedId}/{receiptId}",
    operation_id="getV1ReceiptAdmin2",
    summary="Get one receipt for user (admin)",
    responses=refusals(400, 401, 403, 404, 500, 503),
)
async def receipt_of(
    encoded_id: EncodedId, receipt_id: ReceiptId, visit: TheVisit, house: TheHouse, issuer: IssuerName = None
) -> Receipt:
    """One of somebody's receipts or credit notes."""
    wanted = parse_id(receipt_id, "receipt")
    person = await find_person(house.db, visit.tenant, subjects(encoded_id), issuer)
    return Receipt.of(await get_receipt(house.db, visit.tenant, person, wanted))
