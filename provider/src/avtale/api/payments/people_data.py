"""Tag People: a copy of what is stored about somebody, and its end."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field

from avtale.api.contract import refusals
from avtale.api.doors import AdminDoor, PersonDoor, Routes, TheHouse, TheVisit
from avtale.api.payments.kinds import OneLine, Shape, shown
from avtale.api.payments.people import EncodedId, IssuerName, subjects
from avtale.service.forgetting import erase_person, export_person
from avtale.service.reading import find_person

routes = Routes("People", PersonDoor)
admin_routes = Routes("People", AdminDoor)


class PersonData(Shape):
    """Every row about a person, by the table that it is in; tables without any are not named."""

    records: dict[str, list[dict[str, Any]]] = Field(description="names and values as they are stored")


class ErasureRequest(Shape):
    """Why somebody's data are to be erased; it goes into the log, so name nobody."""

    model_config = Shape.model_config | shown(why="Asked for it in writing")

    why: OneLine


class Erased(Shape):
    """The pseudonym that the facts are under from now on."""

    pseudonym: UUID


@routes.get(
    "/api/v1/people/me",
    operation_id="getV1PeopleMe",
    summary="Get a copy of everything that is stored about the caller",
    responses=refusals(401, 404, 500, 503),
)
async def mine(visit: TheVisit, house: TheHouse) -> PersonData:
    """Agreements, purchases, charges, documents, access, events, and what else there is."""
    return PersonData(records=await export_person(house.db, visit.tenant, visit.caller.person))


@admin_routes.get(
    "/api/v1/people/admin/{encodedId}",
    operation_id="getV1PeopleAdmin",
    summary="Get a copy of everything that is stored about somebody (admin)",
    responses=refusals(400, 401, 403, 404, 500, 503),
)
async def of_person(encoded_id: EncodedId, visit: TheVisit, house: TheHouse, issuer: IssuerName = None) -> PersonData:
    """As the person gets it; the log says who asked."""
    person = await find_person(house.db, visit.tenant, subjects(encoded_id), issuer)
    return PersonData(records=await export_person(house.db, visit.tenant, person, visit.caller.person))


@admin_routes.post(
    "/api/v1/people/admin/{encodedId}/erase",
    operation_id="postV1PeopleAdminErase",
    summary="Erase somebody (admin)",
    responses=refusals(400, 401, 403, 404, 408, 409, 413, 415, 500, 503),
)
async def erase(
    encoded_id: EncodedId, wish: ErasureRequest, visit: TheVisit, house: TheHouse, issuer: IssuerName = None
) -> Erased:
    """Keep what accounts need under a pseudonym, and forget the rest. Whoever has an active agreement is refused."""
    person = await find_person(house.db, visit.tenant, subjects(encoded_id), issuer)
    by = visit.caller.person
    return Erased(pseudonym=await erase_person(house.db, visit.tenant, person, by, wish.why))
