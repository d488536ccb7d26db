"""Moving in over HTTP: who is let in, what is taken, and how a file is followed to its end."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from avtale.api.payments.migration import AGREEMENTS_CSV, AGREEMENTS_V2_CSV, SPECIAL_CSV
from avtale.domain.outcome import Answered
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


def path(kind: str, *more: str) -> str:
    return "/".join([f"/api/v1/migrate/{kind}/nordlys/film", *more, f"{SECRET}-film"])


async def done(world: World, answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    await world.settle()
    return await see(world, answer.json["importId"])


async def agreements_of(world: World, subject: str) -> list[dict[str, Any]]:
    answer = await world.call("GET", "/api/v1/agreements", token=world.issuer.token(subject))
    return [dict(one) for one in answer.json["agreements"]]


@pytest.mark.shows("payments:postV1MigrateSpecial")
async def test_special_users_have_rights_without_a_payment(world: World) -> None:
    text = SPECIAL_CSV + "2;bjorn;2027-01-15;over\n3;cecilie;2027-03-01;staff\n3;dag;2027-03-01;staff\n"
    told = await done(world, await hand_in(world, path("special", "film-month"), text))
    assert (told["counts"]["applied"], [one["code"] for one in told["reasons"]]) == (2, ["gift_dates", "row_id_twice"])
    (anna,) = await agreements_of(world, "anna")
    assert (anna["provider"], anna["status"], anna["accessUntil"]) == ("none", "active", "2027-12-31T23:00:00Z")
    again = await done(world, await hand_in(world, path("special", "film-month"), text))
    assert (again["counts"]["applied"], again["counts"]["already"]) == (0, 2)
    await world.call("POST", f"/api/v1/imports/{told['importId']}/undo", token=world.admin())
    await world.settle()
    assert await agreements_of(world, "anna") == []


@pytest.mark.shows("payments:postV1MigrateFixAgreements")
async def test_what_a_file_got_wrong_is_put_right_while_nothing_has_happened(world: World) -> None:
    moved = await moved_from(world)
    wrong = AGREEMENTS_V2_CSV.replace("agr_5kSeqz7", moved)
    assert (await done(world, await hand_in(world, V2, wrong)))["counts"]["applied"] == 1
    right = wrong.replace(";anna;", ";anne;").replace("2027-02-01", "2027-01-20").replace("2027-01-01", "2026-12-20")
    for _ in range(2):
        told = await done(world, await hand_in(world, path("fix/agreements"), right))
        assert told["counts"]["applied"] == 1, told
    assert await agreements_of(world, "anna") == []
    (anne,) = await agreements_of(world, "anne")
    assert (anne["nextChargeDate"], len(anne["charges"])) == ("2027-01-20", 1)
    stop = f"/api/v1/agreements/{anne['agreementId']}/stop"
    assert (await world.call("POST", stop, token=world.issuer.token("anne"))).status == 200
    told = await done(world, await hand_in(world, path("fix/agreements"), right))
    assert [one["code"] for one in told["reasons"]] == ["in_use"]
    undo = await world.call("POST", f"/api/v1/imports/{told['importId']}/undo", token=world.admin())
    assert (undo.status, undo.code) == (409, "import_final")


@pytest.mark.shows(
    "payments:postV1MigrateFixCharges",
    "payments:postV1MigrateDashboardAgreements",
    "payments:postV1MigrateDashboardCharges",
)
async def test_everything_is_read_again_and_dashboards_are_filled_anew(world: World) -> None:
    agreement = await world.paid()
    (theirs,) = (await world.control("GET", "/export"))["agreements"]
    # A refund that nobody told us of.
    gateway = await world.house.gateways.recurring(world.film.id)
    outside = gateway.write_refund(uuid4(), theirs["agreementId"], theirs["charges"][0]["chargeId"], 4000, "Portal")
    assert isinstance(await gateway.refund(outside), Answered)
    await done(world, await world.call("POST", path("fix/charges"), token=world.admin()))
    await world.settle()
    (now,) = await agreements_of(world, "auth0|anna")
    assert now["charges"][0]["refunded"] == 4000
    for _ in range(2):
        for kind, named in (("agreements", agreement["agreementId"]), ("charges", now["charges"][0]["chargeId"])):
            told = await done(world, await world.call("POST", path(f"dashboard/{kind}"), token=world.admin()))
            assert (told["status"], told["rows"]) == ("applied", 1)
            model = await world.call("GET", f"/api/v1/imports/{told['importId']}/result", token=world.admin())
            head, row = model.body.decode().splitlines()
            assert head.startswith(f"{kind.removesuffix('s')}_id,")
            assert row.startswith(named)


@pytest.mark.shows("payments:getV1MigratePrepare", "payments:postV1MigrateRecreate")
async def test_people_are_made_anew_and_keep_what_they_have(world: World) -> None:
    text = AGREEMENTS_CSV.replace("agr_5kSeqz7", await moved_from(world)).replace("_end\n", "_end;email;phone\n")
    text = text.replace("2027-02-01\n", "2027-02-01;Anna@Film.Example;91234567\n")
    assert (await done(world, await hand_in(world, text=text)))["counts"]["applied"] == 1
    out = await world.call("GET", path("prepare", "film", "5"), token=world.admin())
    assert out.body.decode().splitlines()[1] == f"anna,{world.issuer.url},anna@film.example,4791234567"
    rows = (
        "new_user_id,email,email_verified,phone,phone_verified\n"
        "auth0|1,anna@film.example,no,91234567,true\n"
        "auth0|2,bjorn@film.example,true,,\n"
        "auth0|3,anna@film.example,,,\n"
    )
    wrong = await hand_in(world, path("recreate", "film", "true"), rows)
    assert (wrong.status, wrong.code) == (400, "wrong_environment")
    told = await done(world, await hand_in(world, path("recreate", "film", "false"), rows))
    assert told["counts"]["applied"] == 1
    assert {one["code"] for one in told["reasons"]} == {"nothing_verified", "nobody"}
    assert await agreements_of(world, "anna") == []
    (anna,) = await agreements_of(world, "auth0|1")
    assert (anna["status"], anna["nextChargeDate"]) == ("active", "2027-02-01")
    out = await world.call("GET", path("prepare", "film", "5"), token=world.admin())
    assert len(out.body.decode().splitlines()) == 1
