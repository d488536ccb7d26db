"""The customer API over HTTP: the three operations, their own shapes of answers and faults, and the pace."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree

import aiohttp
import pytest
from starlette.requests import Request

from avtale.api.vipps_agreements.speaking import answer, prefers_xml
from avtale.service.checkout import Person
from avtale.storage import customer_apis, turns
from avtale.storage.database import Database

from .conftest import Answer, World, listen, serving

PATH = "/v1/customer/payment/vipps/agreement"
PROBLEM = {"exceptionType", "errorMessage"}


async def add(world: World, product: str = "film-month", token: str | None = None) -> dict[str, Any]:
    answer = await world.call("POST", PATH, token=token or world.anna(), json={"productCode": product})
    assert answer.status == 200, answer.body
    return dict(answer.json)


async def listed(world: World, token: str | None = None) -> list[dict[str, Any]]:
    answer = await world.call("GET", PATH, token=token or world.anna())
    assert answer.status == 200, answer.body
    return list(answer.json["recurringAgreements"])


async def remove(world: World, ref: str, provider: int = 25, token: str | None = None) -> dict[str, Any]:
    said = {"agreementRef": ref, "paymentProviderId": provider}
    answer = await world.call("PATCH", PATH, token=token or world.anna(), json=said)
    assert answer.status == 200, answer.body
    return dict(answer.json)


def fault(answer: Answer) -> tuple[int, str]:
    assert set(answer.json) == PROBLEM, answer.body
    assert answer.json["errorMessage"]
    return answer.status, answer.json["exceptionType"]


async def test_only_agreements_in_force_are_listed(world: World) -> None:
    assert await listed(world) == []
    await world.draft()
    assert await listed(world) == []
    agreement = await world.subscribe()
    expected = {"agreementRef": agreement["agreementId"], "paymentProviderId": 25, "productCode": "film-month"}
    assert await listed(world) == [expected]
    assert await listed(world, world.bjorn()) == []


async def test_adding_begins_a_transaction_of_its_own_each_time(world: World) -> None:
    first, second = await add(world), await add(world)
    for said in (first, second):
        assert set(said) == {"success", "transactionId"}
        assert said["success"] is True
        assert 10_000_000 <= said["transactionId"] < 2**31
    assert first != second
    assert await listed(world) == []


async def test_what_somebody_has_already_is_not_added(world: World) -> None:
    await world.subscribe()
    assert await add(world) == {"success": False}
    assert (await add(world, token=world.bjorn()))["success"] is True


async def test_a_product_that_is_not_on_sale_is_a_fault(world: World) -> None:
    answer = await world.call("POST", PATH, token=world.anna(), json={"productCode": "radio"})
    assert fault(answer) == (400, "ProductUnknownException")


async def test_a_number_that_is_taken_is_drawn_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([10_000_001, 10_000_001, 10_000_002])
    monkeypatch.setattr("avtale.service.adding.secrets.choice", lambda numbers: next(drawn))
    assert [(await add(world))["transactionId"] for _ in range(2)] == [10_000_001, 10_000_002]


async def test_removing_stops_the_agreement_everywhere(world: World) -> None:
    agreement = await world.subscribe()
    assert await remove(world, agreement["agreementId"]) == {"success": True}
    assert await listed(world) == []
    path = f"/api/v1/pay/vipps/recurring/agreements/{agreement['agreementId']}"
    assert (await world.call("GET", path, token=world.anna())).json["status"] == "stopped"
    assert await remove(world, agreement["agreementId"]) == {"success": True}  # it is marked as deleted


async def test_removing_what_vipps_does_not_confirm_is_removing_all_the_same(world: World) -> None:
    agreement = await world.subscribe()
    await world.script("UpdateAgreementPatchV3", kind="status", status=503)
    assert await remove(world, agreement["agreementId"]) == {"success": True}
    assert await listed(world) == []


async def test_what_may_not_be_removed_is_said_so(world: World) -> None:
    agreement = await world.subscribe()
    ref = agreement["agreementId"]
    draft = await world.draft(world.bjorn())
    for said in (
        await remove(world, ref, token=world.bjorn()),
        await remove(world, ref, provider=26),
        await remove(world, draft["agreementId"], token=world.bjorn()),
        await remove(world, str(uuid4())),
        await remove(world, "abcd-efgh"),
        await remove(world, "{" + ref + "}"),
        await remove(world, "\u0000"),
    ):
        assert said == {"success": False}
    assert [one["agreementRef"] for one in await listed(world)] == [ref]


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("POST", {}),
        ("POST", {"productCode": 7}),
        ("POST", {"productCode": ""}),
        ("POST", {"productCode": "x" * 65}),
        ("POST", {"productCode": "film\u0000"}),
        ("POST", []),
        ("PATCH", {"agreementRef": "abcd"}),
        ("PATCH", {"agreementRef": "a" * 129, "paymentProviderId": 25}),
        ("PATCH", {"agreementRef": "abcd", "paymentProviderId": "25"}),
        ("PATCH", {"agreementRef": "abcd", "paymentProviderId": True}),
        ("PATCH", {"agreementRef": "abcd", "paymentProviderId": 2**64}),
    ],
)
async def test_a_wrong_body_is_a_bad_request(world: World, method: str, body: Any) -> None:
    answer = await world.call(method, PATH, token=world.anna(), json=body)
    assert fault(answer) == (400, "InvalidRequestException")


async def test_what_is_no_json_is_a_bad_request(world: World) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await world.call("POST", PATH, token=world.anna(), data=b"{", headers=headers)
    assert fault(answer) == (400, "InvalidRequestException")
    headers = {"Content-Type": "application/xml"}
    answer = await world.call("POST", PATH, token=world.anna(), data=b"<a/>", headers=headers)
    assert fault(answer) == (400, "MediaTypeUnsupportedException")
    answer = await world.call("POST", PATH, token=world.anna(), data=b" " * (1024 * 1024 + 1), headers=headers)
    assert fault(answer) == (400, "BodyTooLargeException")


async def test_members_that_nobody_knows_are_passed_over(world: World) -> None:
    answer = await world.call("POST", PATH, token=world.anna(), json={"productCode": "film-month", "campaign": "may"})
    assert answer.json["success"] is True


async def test_faults_of_tokens_are_told_as_oauth_has_them(world: World) -> None:
    for method in ("GET", "POST", "PATCH"):
        answer = await world.call(method, PATH)
        assert (answer.status, answer.json["error"]) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="avtale"'
        for token in ("nonsense", world.anna(exp=1), world.anna(aud="avis"), world.issuer.token(key="foreign")):
            answer = await world.call(method, PATH, token=token)
            assert answer.status == 401
            assert set(answer.json) == {"error", "error_description"}
            assert answer.json["error"] == "invalid_token"
            assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


async def test_a_tenant_without_a_customer_api_answers_so(world: World) -> None:
    token = world.anna(aud="avis")
    for method, body in (("GET", None), ("POST", {"productCode": "film-month"})):
        answer = await world.call(method, PATH, token=token, json=body, host="avis.localhost")
        assert fault(answer) == (404, "CustomerApiOffException")
    said = {"agreementRef": str(uuid4()), "paymentProviderId": 25}
    answer = await world.call("PATCH", PATH, token=token, json=said, host="avis.localhost")
    assert fault(answer) == (404, "CustomerApiOffException")
    answer = await world.call("GET", PATH, token=world.anna(), host="radio.localhost")
    assert fault(answer) == (404, "TenantUnknownException")


async def test_other_methods_and_paths_are_told_in_the_same_shape(world: World) -> None:
    assert fault(await world.call("DELETE", PATH, token=world.anna())) == (405, "MethodNotAllowedException")
    assert fault(await world.call("GET", "/v1/customer/profile", token=world.anna())) == (404, "RouteUnknownException")
    assert (await world.call("GET", f"{PATH}/", token=world.anna())).status == 200


async def test_xml_is_spoken_to_whoever_prefers_it(world: World) -> None:
    agreement = await world.subscribe()
    asked = {"Accept": "application/xml"}
    answer = await world.call("GET", PATH, token=world.anna(), headers=asked)
    assert answer.headers["Content-Type"] == "application/xml"
    assert "Accept" in answer.headers["Vary"].split(", ")
    root = ElementTree.fromstring(answer.body)
    (one,) = root.findall("recurringAgreements")
    assert {child.tag: child.text for child in one} == {
        "agreementRef": agreement["agreementId"],
        "paymentProviderId": "25",
        "productCode": "film-month",
    }
    said = {"agreementRef": agreement["agreementId"], "paymentProviderId": 25}
    root = ElementTree.fromstring((await world.call("PATCH", PATH, token=world.anna(), json=said, headers=asked)).body)
    assert root.findtext("success") == "true"
    sly = {"productCode": "<a>&</a>"}
    answer = await world.call("POST", PATH, token=world.anna(), json=sly, headers=asked)
    assert answer.status == 400
    assert ElementTree.fromstring(answer.body).findtext("exceptionType") == "ProductUnknownException"
    answer = await world.call("GET", PATH, headers=asked)
    assert ElementTree.fromstring(answer.body).findtext("error") == "unauthorized"


@pytest.mark.parametrize(
    ("accept", "xml"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/xml", True),
        ("text/xml", True),
        ("application/json, application/xml", False),
        ("application/json;q=0.5, application/xml;q=0.9", True),
        ("application/xml;q=0, */*", False),
        ("application/json;q=0, */*", True),
        ("text/html, application/xml;q=0.9, */*;q=0.8", True),
        ("application/xml;q=many", False),
        ("application/xml;q=1.1", False),
        (";;,,/", False),
    ],
)
def test_who_prefers_xml(accept: str, xml: bool) -> None:
    assert prefers_xml(accept) is xml


def test_xml_can_hold_any_text() -> None:
    request = Request({"type": "http", "headers": [(b"accept", b"text/xml")]})
    body = answer(request, {"text": "<a>&\u0000\u001f\ufffe\ud800</a>æ", "none": [], "many": [{"a": 1}, {"a": 2}]}).body
    root = ElementTree.fromstring(bytes(body))
    assert root.findtext("text") == "<a>&\ufffd\ufffd\ufffd\ufffd</a>æ"
    assert [one.findtext("a") for one in root.findall("many")] == ["1", "2"]


async def test_too_many_calls_are_told_when_to_come_back_whichever_process_they_come_to(world: World) -> None:
    house = replace(world.house, customer_calls_per_minute_max=4)
    bound = [listen(), listen()]
    async with serving(house, bound[0]) as one, serving(house, bound[1]) as other, aiohttp.ClientSession() as http:

        async def ask(base: str, token: str) -> tuple[int, str | None, Any]:
            async with http.get(f"{base}{PATH}", headers={"Authorization": f"Bearer {token}"}) as answer:
                return answer.status, answer.headers.get("Retry-After"), await answer.json()

        anna = world.anna()
        answers = await asyncio.gather(*(ask(base, anna) for base in (one, other) * 4))
        refused = [(after, said) for status, after, said in answers if status == 429]
        assert sorted(status for status, _, _ in answers) == [200] * 4 + [429] * 4
        for after, said in refused:
            assert 1 <= int(after or 0) <= 16
            assert said["exceptionType"] == "TooManyRequestsException"
        assert (await ask(one, world.bjorn()))[0] == 200


async def test_a_pace_is_kept_and_old_rows_are_forgotten(db: Database) -> None:
    pace, ahead = timedelta(seconds=20), timedelta(minutes=1)
    tenant = uuid4()
    async with db.tenant(tenant) as tx:
        now = tx.wall

        async def ask(after: float, subject: str = "anna") -> float | None:
            tx.wall = now + timedelta(seconds=after)
            welcome = await turns.take_turn(tx, "https://id.example", subject, pace, ahead)
            return None if welcome is None else (welcome - now).total_seconds()

        assert [await ask(0) for _ in range(4)] == [None, None, None, 20.0]
        assert await ask(0, "bjørn") is None
        assert await ask(19.9) == 20.0
        assert await ask(20) is None
        assert await ask(20) == 40.0
        assert [await ask(300) for _ in range(4)] == [None, None, None, 320.0]
        await turns.forget_turns(tx)
        assert await ask(300) == 320.0
        tx.wall = now + timedelta(seconds=3000)
        await turns.forget_turns(tx)
        rows = (await tx.conn.exec_driver_sql("SELECT count(*) FROM turns")).scalar_one()
        assert rows == 0


async def test_the_contract_says_what_is_answered(world: World) -> None:
    said = (await world.call("GET", "/v1/customer/openapi.json")).json
    assert list(said["paths"]) == ["/payment/vipps/agreement"]
    operations = said["paths"]["/payment/vipps/agreement"]
    assert {method: one["operationId"] for method, one in operations.items()} == {
        "get": "listVippsAgreements",
        "post": "addVippsAgreement",
        "patch": "removeVippsAgreement",
    }
    for operation in operations.values():
        assert operation["security"] == [{"Authorization_Code": []}]
        assert {"200", "400", "429", "500"} <= set(operation["responses"])
        assert set(operation["responses"]["200"]["content"]) == {"application/json", "application/xml"}
        assert "422" not in operation["responses"]
    wanted = said["components"]["schemas"]["RemoveRequest"]
    assert wanted["properties"]["agreementRef"]["maxLength"] == 128
    assert json.dumps(said)


async def test_rows_belong_to_one_tenant(world: World) -> None:
    transaction_id = (await add(world))["transactionId"]
    async with world.db.tenant(world.film.id) as tx:
        found = await customer_apis.get_addition(tx, transaction_id)
    assert found is not None
    assert Person(found.issuer, found.subject) == Person(world.issuer.url, "auth0|anna")
    async with world.db.tenant(world.avis.id) as tx:
        assert await customer_apis.get_addition(tx, transaction_id) is None
