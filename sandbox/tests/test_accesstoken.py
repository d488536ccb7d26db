"""Access tokens: who gets one, how long it is good, and what a wrong one is told."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

V3 = "/recurring/v3/agreements"
UNHELPFUL = "Something went wrong, please try again later"


@pytest.mark.shows("operation:fetchAuthorizationTokenUsingPost")
async def test_a_token_is_a_signed_jwt_with_the_fields_of_the_real_one(sandbox: Any, signing_key: Any) -> None:
    reply = await sandbox.raw("POST", "/accesstoken/get", b"", sandbox.keys)
    assert reply.status == 200
    assert reply["token_type"] == "Bearer"
    assert reply["expires_in"] == reply["ext_expires_in"] == 3600
    assert reply["expires_on"] - reply["not_before"] == 3600
    claims = jwt.decode(reply["access_token"], RSAKey.import_key(signing_key.jwk), algorithms=["RS256"]).claims
    assert claims["exp"] == reply["expires_on"]


@pytest.mark.shows("operation:fetchToken")
async def test_keys_of_accountants_get_a_token_of_a_quarter_of_an_hour(sandbox: Any) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    pair = base64.b64encode(b"dev-client-id:dev-client-secret").decode()
    good = form | {"Authorization": f"Basic {pair}"}
    reply = await sandbox.raw("POST", "/miami/v1/token", "grant_type=client_credentials", good)
    assert (reply.status, reply["token_type"], reply["expires_in"]) == (200, "Bearer", 900)
    headers = await sandbox.headers() | {"Authorization": f"Bearer {reply['access_token']}"}
    assert (await sandbox.raw("GET", V3, None, headers)).status == 200
    for body, headers, status, error in (
        ("grant_type=password", good, 400, "unsupported_grant_type"),
        ("", good, 400, "unsupported_grant_type"),
        ("grant_type=client_credentials", form, 401, "invalid_client"),
        ("grant_type=client_credentials", form | {"Authorization": "Basic ZGV2Og=="}, 401, "invalid_client"),
        ("grant_type=client_credentials", form | {"Authorization": f"Basic {pair[:-6]}"}, 401, "invalid_client"),
    ):
        refused = await sandbox.raw("POST", "/miami/v1/token", body, headers)
        assert (refused.status, refused["error"]) == (status, error)


@pytest.mark.parametrize("path", ["/accessToken/get", "//accesstoken//get", "/ACCESSTOKEN/GET", "/accesstoken/get/"])
async def test_spelling_of_the_path_does_not_matter(sandbox: Any, path: str) -> None:
    assert (await sandbox.raw("POST", path, b"[]", sandbox.keys)).status == 200


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "unauthorized_client"),
        ({"client_id": None}, 400, "invalid_request"),
        ({"client_secret": None}, 400, "invalid_request"),
    ],
)
async def test_wrong_credentials(sandbox: Any, change: dict[str, Any], status: int, error: str) -> None:
    headers = {name: value for name, value in (sandbox.keys | change).items() if value is not None}
    reply = await sandbox.raw("POST", "/accesstoken/get", b"", headers)
    assert (reply.status, reply["error"]) == (status, error)


@pytest.mark.shows("error:gateway-401-key-missing", "error:gateway-401-key-wrong")
@pytest.mark.parametrize("path", ["/accesstoken/get", V3])
async def test_the_subscription_key_comes_first(sandbox: Any, path: str) -> None:
    headers = await sandbox.headers() | sandbox.keys
    del headers["Ocp-Apim-Subscription-Key"]
    reply = await sandbox.raw("POST", path, b"", headers)
    assert reply.status == 401
    assert reply["responseInfo"] == {"responseCode": 401, "responseMessage": "Unauthorized"}
    assert "missing subscription key" in reply["result"]["message"]
    reply = await sandbox.raw("POST", path, b"", headers | {"Ocp-Apim-Subscription-Key": "wrong"})
    assert reply.status == 401
    assert "invalid subscription key" in reply["result"]["message"]


@pytest.mark.shows("error:gateway-401-token")
@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer x.y.z", "bearer {}", "Basic {}", "{}"])
async def test_a_wrong_token_is_told_nothing_helpful(sandbox: Any, authorization: str | None) -> None:
    headers = await sandbox.headers()
    del headers["Authorization"]
    if authorization is not None:
        headers["Authorization"] = authorization.format(sandbox.token)
    reply = await sandbox.raw("GET", V3, None, headers)
    assert (reply.status, reply["result"]["message"]) == (401, UNHELPFUL)


async def test_expiry_is_a_control_call_and_a_new_token_works(sandbox: Any) -> None:
    assert (await sandbox.call("GET", V3)).status == 200
    assert (await sandbox.control("POST", "/tokens/expire")).status == 204
    assert (await sandbox.call("GET", V3)).status == 401
    sandbox.token = ""
    assert (await sandbox.call("GET", V3)).status == 200


@pytest.mark.shows("rule:T3")
async def test_business_time_does_not_age_a_token(sandbox: Any) -> None:
    await sandbox.headers()
    await sandbox.advance(by="P1Y")
    assert (await sandbox.call("GET", V3)).status == 200


@pytest.mark.shows("error:gateway-403-msn")
async def test_another_sales_unit_cannot_be_named(sandbox: Any) -> None:
    headers = await sandbox.headers()
    right = await sandbox.raw("GET", V3, None, headers | {"Merchant-Serial-Number": "123456"})
    wrong = await sandbox.raw("GET", V3, None, headers | {"Merchant-Serial-Number": "654321"})
    assert (right.status, wrong.status) == (200, 403)
