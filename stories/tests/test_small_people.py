"""A small story of what people may use, how they leave, what is stored about them, and of a move to another server."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest

from stories.audit import audit
from stories.clients import Refused
from stories.houses import Houses
from stories.processes import installed
from stories.world import Line, Person, World

pytestmark = pytest.mark.story

FILM, RENTAL = "film-month", "film-rent"
UNREADABLE = ({"operationId": "FetchChargeV3"}, {"kind": "status", "status": 503})


async def test_people_come_and_leave_are_forgotten_and_the_house_moves(world: World) -> None:
    merchant = world.houses.provider
    anna = await world.shop.subscribe(await world.person("Anna"))
    bo = await world.shop.subscribe(await world.person("Bo"))
    carl = await world.shop.subscribe(await world.person("Carl"))
    eva = await world.shop.subscribe(await world.person("Eva"))
    await world.shop.rent(bo.person)
    assert await uses(world, bo.person) == [FILM, RENTAL]
    claim = await merchant.get(f"/api/v1/entitlements/admin/{encoded(bo.person)}/claim?limit=1")
    assert claim["claims"] == {"entitlements": [FILM], "has_more_tvod": True}

    # Nobody had asked for it to begin at once: all of it is given back.
    await world.advance_to("2027-02-05T12:00")
    ended = await eva.person.provider.withdraw(eva.agreement_id)
    assert (ended["status"], ended["withdrawal"]["withdrawnAt"]) == ("stopped", "2027-02-05T11:00:00Z")
    assert await eva.charges() == [Line("2027-01-31", "refunded", 1, 9900, 9900)]
    assert (await uses(world, eva.person), await uses(world, bo.person)) == ([], [FILM])

    # At the end of what is paid: Vipps hears of it at once, and access is kept.
    await anna.person.provider.stop(anna.agreement_id)
    assert [deal["status"] for deal in await anna.at_gateway()] == ["STOPPED"]
    assert await uses(world, anna.person) == [FILM]

    # At once, while a charge is made that cannot be read: the end is final when nothing is unknown any more.
    await world.advance_to("2027-02-26T12:00")
    await world.sandbox.fault(*UNREADABLE, times=2)
    now = await merchant.post(f"/api/v1/agreements/admin/{encoded(carl.person)}/{carl.agreement_id}/stop?immediateStop")
    assert (now["status"], await uses(world, carl.person)) == ("stopping", [])
    await world.settle()
    assert await carl.status() == "stopped"
    assert await carl.charges() == [Line("2027-01-31", "paid", 1, 9900), Line("2027-02-28", "cancelled", 0, 0)]

    # Who has left may be forgotten; what accounts need stays, as nobody's.
    with pytest.raises(Refused) as active:
        await forget(world, bo.person)
    assert active.value.code == "person_active"
    await world.advance_to("2027-03-01")
    assert await uses(world, anna.person) == []
    copy = (await anna.person.provider.get("/api/v1/people/me"))["records"]
    assert {"agreements", "charges", "ledger", "receipts", "events"} <= copy.keys()
    assert bo.agreement_id not in str(copy)
    pseudonym = (await forget(world, anna.person))["pseudonym"]
    assert (await anna.person.provider.get("/api/v1/people/me"))["records"] == {}
    told = [event for event in await merchant.events() if event["agreementId"] == anna.agreement_id]
    assert {(event["issuer"], event["subject"]) for event in told} == {("urn:avtale:erased", pseudonym)}
    assert await world.audit() == []

    # The house moves, and nobody outside sees more of it than that the next month is charged once.
    before = await world.exports()
    await move(world.houses)
    assert audit(before[0], (await world.exports())[1]) == []
    assert (await world.exports())[1] == before[1]
    await world.advance_to("2027-04-02")
    paid = [Line(due, "paid", 1, 9900) for due in ("2027-01-31", "2027-02-28", "2027-03-31")]
    assert await bo.charges() == paid


def encoded(person: Person) -> str:
    """The person as administrators' paths name them."""
    return urlsafe_b64encode(person.subject.encode()).decode().rstrip("=")


async def uses(world: World, person: Person) -> list[str]:
    """What somebody may use now, which all who ask are told alike."""
    mine = await person.provider.get("/api/v1/entitlements")
    theirs = await world.houses.provider.get(f"/api/v1/entitlements/admin/{encoded(person)}")
    assert theirs == mine
    products = [one["productId"] for one in mine["entitlements"]]
    for product in (FILM, RENTAL):
        live = await person.provider.check_entitlements(product)
        assert live == [product for one in products if one == product]
    claim = await world.houses.provider.get(f"/api/v1/entitlements/admin/{encoded(person)}/claim")
    assert claim["claims"] == {"entitlements": sorted(products), "has_more_tvod": False}
    return sorted(products)


async def forget(world: World, person: Person) -> dict[str, str]:
    """An administrator erases somebody."""
    return await world.houses.provider.post(f"/api/v1/people/admin/{encoded(person)}/erase", {"why": "Asked for it"})


async def move(houses: Houses) -> None:
    """Stop the provider, carry its database to another server in a file, and go on at the same address."""
    port = houses.base.rpartition(":")[2]
    houses.processes.stop("worker-1")
    houses.processes.stop("api-1")
    file = str(houses.processes.folder / "business.copy")
    await houses.processes.run("export", installed("avtale"), "db", "export", file, environment=houses.environment)
    houses.processes.stop("database")
    data = str(houses.processes.folder / "elsewhere")
    command = (installed("avtale"), "db", "embedded", "--data-dir", data)
    houses.processes.start("database-2", *command, ready_file=True, wave=3)
    database = await houses.processes.ready("database-2")
    houses.environment |= {"AVTALE_DATABASE_URL": database["url"], "AVTALE_DATABASE_OWNER_URL": database["ownerUrl"]}
    await houses.processes.run("import", installed("avtale"), "db", "import", file, environment=houses.environment)
    serve = (installed("avtale"), "serve", "--host", "127.0.0.1", "--port", port)
    houses.processes.start("api-2", *serve, environment=houses.environment, ready_file=True)
    await houses.processes.ready("api-2")
    houses.add_worker("worker-2")
