"""Moving in over HTTP: who is let in, what is taken, and how a file is followed to its end."""

from __future__ import annotations

from typing import Any

import pytest

from avtale.api.payments.migration import AGREEMENTS_CSV, AGREEMENTS_V2_CSV
from avtale.service.configuring import apply_tenant

from .conftest import SECRET, Answer, World, tenant_entry

V1 = f"/api/v1/migrate/nordlys/film/film-month/{SECRET}-film"
V2 = f"/api/v1/migrate/v2/nordlys/film/{SECRET}-film"
CSV = {"Content-Type": "text/csv"}


async def hand_in(world: World, path: str = V1, text: str = AGREEMENTS_CSV, **more: Any) -> Answer:
    given = {"token": world.admin(), "headers": CSV} | more
    return await world.call("POST", path, data=text.encode("windows-1252"), **given)


async def moved_from(world: World) -> str:
    order = {"agreements": [{"phoneNumber": "4790000001", "amount": 9900, "start": "2026-06-01"}]}
    return str((await world.control("POST", "/past-agreements", order))["agreementIds"][0])


async def see(world: World, import_id: str) -> dict[str, Any]:
    return dict((await world.call("GET", f"/api/v1/imports/{import_id}", token=world.admin())).json)


@pytest.mark.shows(
    "payments:postV1Migrate",
    "payments:listV1Imports",
    "payments:getV1Imports",
    "payments:listV1ImportsRows",
    "payments:getV1ImportsResult",
    "payments:postV1ImportsApply",
    "payments:postV1ImportsUndo",
)
async def test_a_file_is_reported_applied_and_taken_back(world: World) -> None:
    text = AGREEMENTS_CSV.replace("agr_5kSeqz7", await moved_from(world)).replace(";anna;", ";bjørn;")
    answer = await hand_in(world, f"{V1}/?dryRun=true", f"{text}2;=cmd();agr_none;9900;NOK;2027-01-01;2027-02-01\n")
    assert (answer.status, answer.json["rows"]) == (200, 2)
    one = answer.json["importId"]
    await world.settle()
    told = await see(world, one)
    assert (told["status"], told["encoding"], told["separator"]) == ("checked", "windows-1252", ";")
    assert (told["rows"], told["counts"]["ready"], told["counts"]["rejected"]) == (2, 1, 1)
    assert told["sums"] == [{"currency": "NOK", "state": s, "amount": 9900} for s in ("ready", "rejected")]
    assert [(r["code"], r["firstLine"]) for r in told["reasons"]] == [("agreement_not_found", 3)]

    async def follow(verb: str) -> dict[str, Any]:
        assert (await world.call("POST", f"/api/v1/imports/{one}/{verb}", token=world.admin())).status == 200
        await world.settle()
        return await see(world, one)

    assert (await follow("apply"))["counts"]["applied"] == 1
    page = await world.call("GET", f"/api/v1/imports/{one}/rows?state=applied&limit=1", token=world.admin())
    (row,) = page.json["rows"]
    assert (row["line"], row["userId"], page.json["nextAfter"]) == (2, "bjørn", 2)
    result = await world.call("GET", f"/api/v1/imports/{one}/result", token=world.admin())
    assert result.headers["Content-Type"].startswith("text/csv")
    assert ",'=cmd()," in result.body.decode()
    assert (await follow("undo"))["counts"]["undone"] == 1
    assert (await follow("apply"))["counts"]["applied"] == 1
    listed = await world.call("GET", "/api/v1/imports", token=world.admin())
    assert [this["importId"] for this in listed.json["imports"]] == [one]


async def test_only_who_knows_the_secret_and_is_an_administrator_gets_in(world: World) -> None:
    wrong = V1.replace(SECRET, "something-else-that-is-long")
    for path in (wrong, V1.replace("/film/", "/avis/"), V1.replace("-film", "-avis")):
        answer = await hand_in(world, path)
        assert (answer.status, answer.code) == (404, "route_unknown")
        assert answer.json["instance"].endswith("/***")
    assert (await hand_in(world, token=None)).code == "token_missing"
    assert (await hand_in(world, token=world.anna())).code == "admin_only"
    for method in ("GET", "PUT"):
        refused = await world.call(method, V1, token=world.admin())
        assert SECRET not in refused.body.decode()


@pytest.mark.shows("payments:postV1MigrateV2")
async def test_a_tenant_may_trust_the_secret_alone_or_shut_the_door(world: World) -> None:
    house = world.house
    entry = tenant_entry("film", "127.0.0.1", world.url, world.issuer.url, world.sandbox)
    assert entry.migration is not None
    alone = entry.model_copy(update={"migration": entry.migration.model_copy(update={"admin_token": False})})
    await apply_tenant(world.db, house.gateways, house.sealer, "nordlys", alone, {})
    answer = await hand_in(world, V2, AGREEMENTS_V2_CSV, token=None)
    assert (answer.status, answer.json["rows"]) == (200, 1)
    assert (await see(world, answer.json["importId"]))["requestedBy"] == "(the secret in the path)"
    await apply_tenant(
        world.db, house.gateways, house.sealer, "nordlys", entry.model_copy(update={"migration": None}), {}
    )
    assert (await hand_in(world)).code == "route_unknown"


@pytest.mark.parametrize(
    ("path", "text", "headers", "status", "code"),
    [
        (V1, AGREEMENTS_CSV, {"Content-Type": "application/json"}, 415, "media_type_unsupported"),
        (V1, "", CSV, 400, "file_empty"),
        (V1, "row_id;user_id\n", CSV, 400, "columns_missing"),
        (V2, AGREEMENTS_CSV, CSV, 400, "columns_missing"),
        (V1.replace("film-month", "film-year"), AGREEMENTS_CSV, CSV, 400, "product_unknown"),
    ],
)
async def test_what_is_no_such_file_is_refused_whole(
    world: World, path: str, text: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = await hand_in(world, path, text, headers=headers)
    assert (answer.status, answer.code) == (status, code)
    listed = await world.call("GET", "/api/v1/imports", token=world.admin())
    assert listed.json["imports"] == []
