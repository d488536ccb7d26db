"""Tag Receipts: a person's receipts and credit notes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from avtale.api.accepting import language, media_type
from avtale.api.contract import refusals
from avtale.api.doors import AdminDoor, PersonDoor, Routes, TheHouse, TheVisit, Visit
from avtale.api.house import House
from avtale.api.payments.documents import document_of, page, pdf
from avtale.api.payments.paths import ReceiptId, parse_id
from avtale.api.payments.people import EncodedId, IssuerName, subjects
from avtale.api.payments.receipt_shapes import Receipt, Receipts
from avtale.service.checkout import Person
from avtale.service.reading import find_person, get_receipt, list_receipts

routes = Routes("Receipts", PersonDoor)
admin_routes = Routes("Receipts", AdminDoor)

JSON, HTML, PDF = FORMS = ("application/json", "text/html", "application/pdf")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_IN_THREE_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            HTML: {"schema": {"type": "string"}},
            PDF: {"schema": {"type": "string", "format": "binary"}},
        }
    }
}


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
    response_model=Receipt,
    responses=_IN_THREE_FORMS | refusals(401, 404, 406, 500, 503),
)
async def receipt(receipt_id: ReceiptId, visit: TheVisit, house: TheHouse, request: Request) -> Receipt | Response:
    """One of the caller's receipts or credit notes: JSON, a page or a PDF, whichever `Accept` asks for.

    Page and PDF are English or, by `Accept-Language`, Norwegian.
    """
    wanted = parse_id(receipt_id, "receipt")
    return await _answer(house, visit, visit.caller.person, wanted, request)


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
    response_model=Receipt,
    responses=_IN_THREE_FORMS | refusals(400, 401, 403, 404, 406, 500, 503),
)
async def receipt_of(
    encoded_id: EncodedId,
    receipt_id: ReceiptId,
    visit: TheVisit,
    house: TheHouse,
    request: Request,
    issuer: IssuerName = None,
) -> Receipt | Response:
    """One of somebody's receipts or credit notes, in the same three forms as its owner gets it."""
    wanted = parse_id(receipt_id, "receipt")
    person = await find_person(house.db, visit.tenant, subjects(encoded_id), issuer)
    return await _answer(house, visit, person, wanted, request)


async def _answer(house: House, visit: Visit, person: Person, wanted: UUID, request: Request) -> Receipt | Response:
    kind = media_type(request.headers.get("accept"), FORMS)
    found = await get_receipt(house.db, visit.tenant, person, wanted)
    if kind == JSON:
        return Receipt.of(found)
    corrects = await get_receipt(house.db, visit.tenant, person, found.corrects_id) if found.corrects_id else None
    spoken = language(request.headers.get("accept-language"))
    document = document_of(found, corrects, visit.tenant.zone, spoken)
    headers = {"Vary": "Accept, Accept-Language", "Content-Language": spoken}
    if kind == HTML:
        return Response(page(document), media_type=HTML, headers=headers | {"Content-Security-Policy": _POLICY})
    name = f"{found.kind.value}-{found.number}.pdf"
    headers["Content-Disposition"] = f'inline; filename="{name}"'
    return Response(await run_in_threadpool(pdf, document), media_type=PDF, headers=headers)
