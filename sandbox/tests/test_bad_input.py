"""Whatever a client sends: an answer below 500 in the API's own shape, and nothing changed."""

from __future__ import annotations

import asyncio
import io
import json
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avtale_sandbox.contracts.contract import Contract

V2 = "/recurring/v2/agreements"
V3 = "/recurring/v3/agreements"
BODIES = {
    "empty": b"",
    "not json": b"{",
    "words": b"hello",
    "broken utf-8": b'{"productName": "\xff\xfe"}',
    "broken utf-8 key": b'{"\xc3": 1}',
    "lone surrogate": b'{"productName": "\\ud800", "merchantRedirectUrl": "https://x.example"}',
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "null": b"null",
    "number": b"1e999",
    "huge number": b"9" * 5000,
    "nan": b'{"pricing": NaN}',
    "array": b"[]",
    "string": b'"x"',
    "nul": b"\x00",
    "bom": b"\xef\xbb\xbf{}",
}

V2_DRAFT = {
    "currency": "NOK",
    "price": 9900,
    "interval": "MONTH",
    "intervalCount": 1,
    "merchantRedirectUrl": "https://film.example/back",
    "merchantAgreementUrl": "https://film.example/my-page",
    "productName": "All films",
    "campaign": {"campaignPrice": 100, "end": "2027-06-01T00:00:00Z"},
    "initialCharge": {"amount": 100, "currency": "NOK", "description": "x", "transactionType": "DIRECT_CAPTURE"},
}
V2_CHARGE = {"amount": 9900, "currency": "NOK", "description": "February", "due": "2027-02-01", "retryDays": 2}


async def everything(sandbox: Any) -> Any:
    return (await sandbox.control("GET", "/export")).body, (await sandbox.control("GET", "/webhooks/deliveries")).body


@pytest.mark.parametrize("name", list(BODIES))
async def test_bodies_that_are_none(sandbox: Any, name: str) -> None:
    agreement_id = await sandbox.agree()
    charge_id = await sandbox.charge(agreement_id)
    before = await everything(sandbox)
    charges = f"{V3}/{agreement_id}/charges"
    for method, path in (
        ("POST", V3),
        ("PATCH", f"{V3}/{agreement_id}/accept"),
        ("POST", charges),
        ("POST", f"{charges}/{charge_id}/capture"),
        ("POST", f"{charges}/{charge_id}/refund"),
        ("POST", "/webhooks/v1/webhooks"),
    ):
        reply = await sandbox.raw(method, path, BODIES[name], await sandbox.headers())
        assert 400 <= reply.status < 500, (method, path, reply.status)
        assert reply["status"] == reply.status
    old = f"{V2}/{agreement_id}"
    for method, path in (
        ("POST", V2),
        ("PUT", old),
        ("PATCH", old),
        ("PATCH", f"{old}/accept"),
        ("POST", f"{old}/charges"),
        ("POST", f"{old}/charges/{charge_id}/refund"),
    ):
        reply = await sandbox.raw(method, path, BODIES[name], await sandbox.headers())
        assert 400 <= reply.status < 500, (method, path, reply.status)
        assert all(set(error) == {"field", "message", "code", "contextId"} for error in reply.body)
        assert len(reply.body) > 0
    for path in ("/people", "/merchants", "/faults", "/clock/advance", "/clock/participants"):
        reply = await sandbox.raw("POST", f"/_sandbox{path}", BODIES[name])
        assert reply.status == 400, (path, reply.status)
    assert await everything(sandbox) == before


@pytest.mark.shows("error:gateway-413")
async def test_a_body_too_large(sandbox: Any) -> None:
    for path in (V3, "/_sandbox/people", "/accesstoken/get"):
        reply = await sandbox.raw("POST", path, io.BytesIO(b"x" * 1_100_000), await sandbox.headers())
        assert reply.status == 413, path
    assert (await sandbox.call("POST", V3, sandbox.draft_body())).status == 201


@pytest.mark.shows("error:unsupported-media-type")
@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ("APPLICATION/JSON", 201),
        ("application/problem+json", 201),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/xml", 415),
    ],
)
async def test_media_types(sandbox: Any, content_type: str, status: int) -> None:
    headers = await sandbox.headers() | {"Content-Type": content_type}
    reply = await sandbox.raw("POST", V3, json.dumps(sandbox.draft_body()), headers)
    assert reply.status == status


async def test_a_body_where_none_is_needed_does_not_matter(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    for body in (b"", b"[]", b"null", b"{", b"\xff"):
        charge_id = await sandbox.charge(agreement_id)
        path = f"{V3}/{agreement_id}/charges/{charge_id}"
        assert (await sandbox.raw("DELETE", path, body, await sandbox.headers())).status == 204
        assert (await sandbox.raw("POST", "/accesstoken/get", body, sandbox.keys)).status == 200


@pytest.mark.shows("error:gateway-404")
async def test_doubled_slashes_and_strange_paths(sandbox: Any) -> None:
    agreement_id = (await sandbox.draft())["agreementId"]
    assert (await sandbox.call("GET", f"//recurring//v3/agreements///{agreement_id}/")).status == 200
    for path in (
        "/",
        "/recurring",
        "/recurring/v9/agreements",
        "/%00",
        "/%ff%fe",
        f"{V3}/%ff",
        f"{V3}/..%2f..%2fetc",
        f"{V3}/{'x' * 5000}",
        "/_sandbox/nothing",
        "/accesstoken",
    ):
        reply = await sandbox.call("GET", path)
        assert reply.status == 404, (path, reply.status)


@pytest.mark.shows("error:gateway-405")
async def test_a_method_that_is_not_there(sandbox: Any) -> None:
    reply = await sandbox.call("PUT", V3)
    assert reply.status == 405
    assert reply.headers["Allow"] == "GET, POST"
    assert (await sandbox.call("DELETE", "/accesstoken/get")).status == 405


async def test_octets_that_are_no_http(sandbox: Any) -> None:
    port = int(sandbox.url.rsplit(":", 1)[1])
    for octets in (b"\x16\x03\x01\x02\x00", b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", b"BREW /pot HTTP/1.1\r\n\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(octets)
        writer.write_eof()
        async with asyncio.timeout(5):
            answer = await reader.read()
        assert b" 500 " not in answer.split(b"\r\n")[0]
        writer.close()
        await writer.wait_closed()
    assert (await sandbox.control("GET", "/health")).status == 200


async def test_another_merchants_things_are_not_found(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    charge_id = await sandbox.charge(agreement_id)
    hook = await sandbox.call("POST", "/webhooks/v1/webhooks", {"url": "http://x.example", "events": ["a.b.v1"]})
    before = await everything(sandbox)
    await sandbox.control(
        "POST",
        "/merchants",
        {
            "clientId": "other-id",
            "clientSecret": "other-secret",
            "subscriptionKey": "other-key",
            "merchantSerialNumber": "654321",
        },
    )
    sandbox.keys = {
        "client_id": "other-id",
        "client_secret": "other-secret",
        "Ocp-Apim-Subscription-Key": "other-key",
    }
    sandbox.token = ""
    charges = f"{V3}/{agreement_id}/charges"
    money = {"amount": 100, "description": "x"}
    for method, path, body in (
        ("GET", f"{V3}/{agreement_id}", None),
        ("PATCH", f"{V3}/{agreement_id}", {"status": "STOPPED"}),
        ("GET", charges, None),
        ("POST", charges, sandbox.charge_body()),
        ("GET", f"{charges}/{charge_id}", None),
        ("GET", f"/recurring/v3/charges/{charge_id}", None),
        ("DELETE", f"{charges}/{charge_id}", None),
        ("POST", f"{charges}/{charge_id}/capture", money),
        ("POST", f"{charges}/{charge_id}/refund", money),
        ("DELETE", f"/webhooks/v1/webhooks/{hook['id']}", None),
    ):
        assert (await sandbox.call(method, path, body)).status == 404, (method, path)
    old = f"{V2}/{agreement_id}"
    for method, path, body in (
        ("GET", old, None),
        ("PUT", old, {"status": "STOPPED"}),
        ("PATCH", old, {"status": "STOPPED"}),
        ("PATCH", f"{old}/accept", {"customerPhoneNumber": "4791234567"}),
        ("GET", f"{old}/charges", None),
        ("POST", f"{old}/charges", V2_CHARGE),
        ("GET", f"{old}/charges/{charge_id}", None),
        ("DELETE", f"{old}/charges/{charge_id}", None),
        ("POST", f"{old}/charges/{charge_id}/capture", None),
        ("POST", f"{old}/charges/{charge_id}/refund", money),
    ):
        reply = await sandbox.call(method, path, body)
        assert (reply.status, reply.body[0]["code"]) == (400, "invalid.agreementId"), (method, path)
    assert (await sandbox.call("GET", V3)).body == (await sandbox.call("GET", V2)).body == []
    assert (await sandbox.call("GET", "/webhooks/v1/webhooks"))["webhooks"] == []
    assert (await everything(sandbox))[0] == before[0]


async def test_the_keys_of_one_and_the_token_of_another_do_not_mix(sandbox: Any) -> None:
    await sandbox.control(
        "POST",
        "/merchants",
        {
            "clientId": "other-id",
            "clientSecret": "other-secret",
            "subscriptionKey": "other-key",
            "merchantSerialNumber": "654321",
        },
    )
    headers = await sandbox.headers() | {"Ocp-Apim-Subscription-Key": "other-key"}
    assert (await sandbox.raw("GET", V3, None, headers)).status == 401
    mixed = sandbox.keys | {"Ocp-Apim-Subscription-Key": "other-key"}
    assert (await sandbox.raw("POST", "/accesstoken/get", b"", mixed)).status == 401


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(string.printable, max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def mutated(document: dict[str, Any], keys: list[str], value: Any) -> dict[str, Any]:
    """The document with one of its fields, perhaps deep inside, replaced."""
    changed: dict[str, Any] = json.loads(json.dumps(document))
    place = changed
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    return changed


FIELDS = [
    ["pricing"],
    ["pricing", "amount"],
    ["pricing", "type"],
    ["pricing", "currency"],
    ["interval"],
    ["interval", "unit"],
    ["interval", "count"],
    ["merchantRedirectUrl"],
    ["merchantAgreementUrl"],
    ["productName"],
    ["initialCharge"],
    ["initialCharge", "amount"],
    ["initialCharge", "orderId"],
    ["campaign"],
    ["campaign", "end"],
    ["campaign", "price"],
    ["scope"],
    ["isApp"],
    ["phoneNumber"],
    ["externalId"],
]


@given(field=st.sampled_from(FIELDS), value=JSON_VALUES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_value_in_any_field_of_a_draft_is_answered(sandbox: Any, field: list[str], value: Any) -> None:
    document = sandbox.draft_body(
        initialCharge={"amount": 100, "description": "x", "transactionType": "DIRECT_CAPTURE"},
        campaign={"type": "PRICE_CAMPAIGN", "price": 1, "end": "2027-06-01T00:00:00Z"},
    )
    reply = await sandbox.call("POST", V3, mutated(document, field, value))
    assert reply.status in (201, 400, 409), reply.body
    if reply.status == 201:
        assert (await sandbox.fetch(reply["agreementId"])).status == 200


V2_FIELDS = [
    *([name] for name in V2_DRAFT),
    *(["campaign", name] for name in ("campaignPrice", "end")),
    *(["initialCharge", name] for name in ("amount", "currency", "description", "transactionType", "orderId")),
    *([name] for name in ("variableAmount", "customerPhoneNumber", "isApp", "skipLandingPage", "scope")),
]


@given(field=st.sampled_from(V2_FIELDS), value=JSON_VALUES)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_value_in_any_field_of_a_draft_in_version_2_is_answered(
    sandbox: Any, field: list[str], value: Any
) -> None:
    reply = await sandbox.call("POST", V2, mutated(V2_DRAFT, field, value))
    assert reply.status in (201, 400, 403, 409), reply.body
    if reply.status == 201:
        assert (await sandbox.call("GET", f"{V2}/{reply['agreementId']}")).status == 200
        assert (await sandbox.fetch(reply["agreementId"])).status == 200


@given(name=st.sampled_from([*V2_CHARGE, "orderId"]), value=JSON_VALUES)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_value_in_any_field_of_a_charge_in_version_2_is_answered(sandbox: Any, name: str, value: Any) -> None:
    agreements = (await sandbox.call("GET", V2)).body
    agreement_id = agreements[0]["id"] if agreements else await sandbox.agree()
    reply = await sandbox.call("POST", f"{V2}/{agreement_id}/charges", V2_CHARGE | {name: value})
    assert reply.status in (201, 400, 409), reply.body
    if reply.status == 201:
        charge = await sandbox.call("GET", f"{V2}/{agreement_id}/charges/{reply['chargeId']}")
        assert charge["status"] in ("PENDING", "DUE")


@given(
    path=st.lists(st.text(string.ascii_letters + string.digits + "_-.~%é/?#", max_size=6), max_size=6), data=st.data()
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_path_is_answered(sandbox: Any, path: list[str], data: Any) -> None:
    operations = Contract("recurring-v2").operations + Contract("recurring-v3").operations
    known = data.draw(st.sampled_from(operations))
    parts = [part for part in known.path.split("/") if part]
    joined = "/" + "/".join(parts[: data.draw(st.integers(0, len(parts)))] + path)
    method = data.draw(st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT", "OPTIONS"]))
    reply = await sandbox.call(method, joined.replace("{", "").replace("}", ""), {})
    assert reply.status < 500


@pytest.mark.shows("error:invalid-json")
async def test_what_is_no_json_is_told_so(sandbox: Any) -> None:
    reply = await sandbox.raw("POST", V3, b'{"pricing":', await sandbox.headers())
    assert (reply.status, reply["type"].rpartition("#")[2]) == (400, "invalid-json")
