"""Codes are used once and in time, secrets and verifiers are checked, and machines get their roles."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PARAMETERS = (
    "client_id", "client_secret", "code", "code_challenge", "code_challenge_method", "grant_type",
    "id_token_hint", "max_age", "name", "nonce", "phone", "post_logout_redirect_uri", "prompt",
    "redirect_uri", "response_type", "scope", "state", "subject",
)  # fmt: skip


async def code_of(issuer: Any, **changes: str | None) -> str:
    answer = await issuer.sign_in({"subject": "phone|4791234567"}, **changes)
    return str(answer.sent["code"])


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


async def test_a_code_works_once(issuer: Any) -> None:
    code = await code_of(issuer)
    assert (await issuer.redeem(code))[0] == 200
    status, error = await issuer.redeem(code)
    assert (status, error["error"]) == (400, "invalid_grant")


async def test_a_code_lives_for_two_minutes(issuer: Any) -> None:
    in_time, late = await code_of(issuer), await code_of(issuer)
    issuer.wall.now += 119.9
    assert (await issuer.redeem(in_time))[0] == 200
    issuer.wall.now += 0.1
    status, error = await issuer.redeem(late)
    assert (status, error["error"]) == (400, "invalid_grant")


async def test_outdated_codes_take_no_room(issuer: Any) -> None:
    for _ in range(5):
        await code_of(issuer)
    issuer.wall.now += 120
    await code_of(issuer)
    assert len(issuer.identity._grants) == 1


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": None}, "invalid_grant"),
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:9/other"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"code": None}, "invalid_request"),
        ({"code": "guess"}, "invalid_grant"),
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unauthorized_client"),
    ],
)
async def test_a_wrong_redemption_is_refused(issuer: Any, changes: dict[str, str | None], error: str) -> None:
    code = await code_of(issuer)
    status, answer = await issuer.redeem(**({"code": code} | changes))
    assert (status, answer["error"]) == (400, error)
    assert answer["error_description"]


async def test_another_application_cannot_use_a_code_nor_spoil_it(issuer: Any) -> None:
    code = await code_of(issuer)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": "http://127.0.0.1:9/return?shop=film",
    }
    status, error = await issuer.post_token(form, **basic("server", "s3cret/+ %"))
    assert (status, error["error"]) == (400, "invalid_grant")
    assert (await issuer.redeem(code))[0] == 200


@pytest.mark.parametrize("encoded", [False, True])
async def test_a_server_authenticates_by_header(issuer: Any, encoded: bool) -> None:
    back = "https://gym.example/return"
    code = await code_of(issuer, client_id="server", redirect_uri=back, code_challenge=None, code_challenge_method=None)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
    secret = quote_plus("s3cret/+ %") if encoded else "s3cret/+ %"
    status, tokens = await issuer.post_token(form, **basic("server", secret))
    assert status == 200, tokens
    assert (await issuer.claims(tokens["access_token"]))["aud"] == "gym"
    assert (await issuer.claims(tokens["id_token"]))["aud"] == "server"


async def test_a_server_that_used_pkce_must_finish_it(issuer: Any) -> None:
    back = "https://gym.example/return"
    code = await code_of(issuer, client_id="server", redirect_uri=back)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
    status, error = await issuer.post_token(form, **basic("server", "s3cret/+ %"))
    assert (status, error["error"]) == (400, "invalid_grant")


async def test_a_verifier_without_a_challenge_is_refused(issuer: Any) -> None:
    back = "https://gym.example/return"
    code = await code_of(issuer, client_id="server", redirect_uri=back, code_challenge=None, code_challenge_method=None)
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": "v" * 43,
        "client_id": "server", "client_secret": "s3cret/+ %",
    }  # fmt: skip
    status, error = await issuer.post_token(form)
    assert (status, error["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        ({"client_id": "robot", "client_secret": "wrong"}, {}),
        ({"client_id": "robot"}, {}),
        ({"client_id": "nobody", "client_secret": "beep"}, {}),
        ({"client_id": "web", "client_secret": "anything"}, {}),
        ({}, {}),
        ({}, basic("robot", "wrong")),
        ({}, basic("web", "")),
        ({}, {"Authorization": "Bearer x"}),
        ({}, {"Authorization": "Basic not-base64"}),
        ({}, {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode()}),
        ({}, {"Authorization": "Basic " + base64.b64encode(b"no colon").decode()}),
    ],
)
async def test_an_application_that_cannot_prove_itself_gets_401(
    issuer: Any, form: dict[str, str], headers: dict[str, str]
) -> None:
    async with issuer.http.post(
        f"{issuer.url}/token", data={"grant_type": "client_credentials"} | form, headers=headers
    ) as answer:
        assert (answer.status, (await answer.json())["error"]) == (401, "invalid_client")
        assert ("WWW-Authenticate" in answer.headers) == ("Authorization" in headers)


async def test_one_way_of_proving_is_enough(issuer: Any) -> None:
    form = {"grant_type": "client_credentials", "client_id": "robot", "client_secret": "beep"}
    status, error = await issuer.post_token(form, **basic("robot", "beep"))
    assert (status, error["error"]) == (400, "invalid_request")
    form = {"grant_type": "client_credentials", "client_id": "web"}
    status, error = await issuer.post_token(form, **basic("robot", "beep"))
    assert (status, error["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("by_header", [True, False])
async def test_a_machine_gets_its_roles(issuer: Any, by_header: bool) -> None:
    form = {"grant_type": "client_credentials", "scope": "charges"}
    if by_header:
        status, tokens = await issuer.post_token(form, **basic("robot", "beep"))
    else:
        status, tokens = await issuer.post_token(form | {"client_id": "robot", "client_secret": "beep"})
    assert (status, tokens["scope"], "id_token" in tokens) == (200, "charges", False)
    claims = await issuer.claims(tokens["access_token"])
    assert (claims["sub"], claims["roles"], claims["aud"]) == ("robot", ["avtale:admin", "read"], "avtale")


async def test_a_server_may_not_act_in_its_own_name_nor_a_machine_sign_people_in(issuer: Any) -> None:
    status, error = await issuer.post_token({"grant_type": "client_credentials"}, **basic("server", "s3cret/+ %"))
    assert (status, error["error"]) == (400, "unauthorized_client")
    status, error = await issuer.post_token(
        {"grant_type": "authorization_code", "code": "x", "redirect_uri": "y"}, **basic("robot", "beep")
    )
    assert (status, error["error"]) == (400, "unauthorized_client")


async def test_without_openid_there_is_no_id_token(issuer: Any) -> None:
    tokens = await issuer.signed_in(scope="phone unheard-of")
    assert (tokens["scope"], "id_token" in tokens) == ("phone", False)


async def test_userinfo_tells_what_the_scopes_allow(issuer: Any) -> None:
    tokens = await issuer.signed_in(scope="openid email")
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    async with issuer.http.get(f"{issuer.url}/userinfo", headers=headers) as answer:
        told = await answer.json()
    assert told == {"sub": "phone|4791234567", "email": "anna.berg@example.com", "email_verified": True}
    issuer.wall.now += 3600
    async with issuer.http.get(f"{issuer.url}/userinfo", headers=headers) as answer:
        assert (answer.status, (await answer.json())["error"]) == (401, "invalid_token")
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


async def test_userinfo_refuses_what_is_no_access_token(issuer: Any) -> None:
    tokens = await issuer.signed_in()
    _, minted = await issuer.control("tokens", {"subject": "phone|4791234567"})
    for header, status in (
        (None, 401),
        ("Basic x", 401),
        ("Bearer ", 401),
        ("Bearer nonsense", 401),
        ("Bearer a.b.c", 401),
        (f"Bearer {tokens['id_token']}", 401),
        (f"Bearer {tokens['access_token'][:-4]}AAAA", 401),
        (f"Bearer {minted['accessToken']}", 403),
    ):
        headers = {} if header is None else {"Authorization": header}
        async with issuer.http.get(f"{issuer.url}/userinfo", headers=headers) as answer:
            assert answer.status == status, header
            assert "WWW-Authenticate" in answer.headers


async def test_the_token_endpoint_reads_forms_only(issuer: Any) -> None:
    async with issuer.http.post(f"{issuer.url}/token", json={"grant_type": "client_credentials"}) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "invalid_request")
    form = {"grant_type": "x" * 70_000}
    status, error = await issuer.post_token(form)
    assert (status, error["error"]) == (400, "invalid_request")
    body = "grant_type=client_credentials&grant_type=password"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with issuer.http.post(f"{issuer.url}/token", data=body, headers=headers) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "invalid_request")


async def test_pages_of_other_origins_may_call_the_token_endpoint(issuer: Any) -> None:
    async with issuer.http.options(f"{issuer.url}/token") as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, "*")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_nothing_an_application_sends_is_answered_with_5xx(issuer: Any, data: Any) -> None:
    words = st.one_of(
        st.text(max_size=30),
        st.sampled_from(
            ["code", "openid", "web", "server", "S256", "none", "http://127.0.0.1:9/", "authorization_code"]
        ),
    )
    names = st.sampled_from(PARAMETERS)
    fields = data.draw(st.dictionaries(names, words, max_size=12))
    path = data.draw(st.sampled_from(["authorize", "sign-in", "token", "end-session", "userinfo", "jwks.json"]))
    method = data.draw(st.sampled_from(["GET", "POST"]))
    spoken = {name: value.encode("utf-8", "replace").decode() for name, value in fields.items()}
    options: dict[str, Any] = {"params": spoken} if data.draw(st.booleans()) else {"data": spoken}
    headers = {"Origin": issuer.origin}
    async with issuer.http.request(
        method, f"{issuer.url}/{path}", headers=headers, allow_redirects=False, **options
    ) as answer:
        assert answer.status < 500
