"""Login: a standard OpenID Connect client signs a test person in, and reads what they share."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

ANNA = "4791234567"
BASE = "/access-management-1.0/access"
BACK = "https://film.example/signed-in?from=vipps"
STATE = "a-state-of-eight-or-more"


class Client:
    """What a merchant's web server does, with nothing but HTTP and the discovery document."""

    def __init__(self, sandbox: Any, document: dict[str, Any], client_id: str, client_secret: str) -> None:
        self.sandbox = sandbox
        self.document = document
        self.pair = (client_id, client_secret)
        self.verifier = secrets.token_urlsafe(48)

    def path(self, endpoint: str) -> str:
        return str(self.document[endpoint]).removeprefix(self.sandbox.url)

    def question(self, **changes: Any) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.pair[0],
            "redirect_uri": BACK,
            "scope": "openid name phoneNumber email address birthDate nin",
            "state": STATE,
            "nonce": "a-nonce",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        } | changes
        return urlencode({name: value for name, value in query.items() if value is not ...})

    async def ask(self, **changes: Any) -> Any:
        return await self.go("GET", f"{self.path('authorization_endpoint')}?{self.question(**changes)}")

    async def choose(self, choice: dict[str, str], **changes: Any) -> Any:
        """Press a button on the page."""
        path = f"{self.path('authorization_endpoint')}?{self.question(**changes)}"
        return await self.go("POST", path, urlencode(choice), {"Content-Type": "application/x-www-form-urlencoded"})

    async def go(self, method: str, path: str, data: Any = None, headers: Any = None) -> Any:
        url = self.sandbox.url + path
        async with self.sandbox.http.request(method, url, data=data, headers=headers, allow_redirects=False) as reply:
            return reply.status, dict(reply.headers), await reply.text()

    async def code(self, **changes: Any) -> str:
        status, headers, _ = await self.choose({"person": ANNA}, **changes)
        assert status == 302
        return returned(headers)["code"]

    async def redeem(self, code_given: str, how: str = "basic", **changes: Any) -> Any:
        form: dict[str, Any] = {
            "grant_type": "authorization_code",
            "code": code_given,
            "redirect_uri": BACK,
            "code_verifier": self.verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if how == "basic":
            pair = base64.b64encode(":".join(self.pair).encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        elif how == "post":
            form |= {"client_id": self.pair[0], "client_secret": self.pair[1]}
        form = {name: value for name, value in (form | changes).items() if value is not ...}
        return await self.sandbox.raw("POST", self.path("token_endpoint"), urlencode(form), headers)


def returned(headers: dict[str, str]) -> dict[str, str]:
    """The query of the address that a browser was sent on to, which must be the merchant's."""
    assert headers["Location"].startswith(BACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(headers["Location"]).query).items()}


@pytest.fixture
async def client(sandbox: Any) -> Client:
    document = (await sandbox.raw("GET", f"{BASE}/.well-known/openid-configuration")).body
    return Client(sandbox, document, "dev-client-id", "dev-client-secret")


@pytest.mark.shows("operation:discoverOpenIDConfiguration")
async def test_everything_is_on_the_host_that_was_asked(sandbox: Any) -> None:
    path = f"{BASE}/.well-known/openid-configuration"
    reply = await sandbox.raw("GET", path, None, {"Host": "vipps.test:8400"})
    assert reply.headers["Cache-Control"] == "max-age=3600"
    assert reply["issuer"] == f"http://vipps.test:8400{BASE}/"
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"):
        assert reply[name].startswith("http://vipps.test:8400/")
    assert {"client_secret_basic", "client_secret_post"} == set(reply["token_endpoint_auth_methods_supported"])


@pytest.mark.shows("operation:oauthAuth", "operation:oauthAuthAnswer", "operation:oauth2Token", "operation:wellKnown")
@pytest.mark.shows("operation:userinfoAuthorizationCode")
@pytest.mark.parametrize("how", ["basic", "post"])
async def test_a_person_signs_in(sandbox: Any, client: Client, how: str) -> None:
    status, headers, page = await client.ask()
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "Anna Berg" in page
    status, headers, _ = await client.choose({"person": ANNA})
    answer = returned(headers)
    assert (status, answer["state"], answer["from"]) == (302, STATE, "vipps")
    assert answer["scope"] == "openid name phoneNumber email address birthDate nin"

    tokens = await client.redeem(answer["code"], how)
    assert tokens.status == 200, tokens.body
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("bearer", 3599, answer["scope"])
    assert tokens["access_token"].count(".") == 1
    assert tokens.headers["Cache-Control"] == "no-store"

    keys = KeySet.import_key_set((await sandbox.raw("GET", client.path("jwks_uri"))).body)
    token = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"])
    assert token.header["kid"].startswith("public:")
    claims = token.claims
    assert claims["iss"] == client.document["issuer"]
    assert (claims["aud"], claims["nonce"], claims["msn"]) == (["dev-client-id"], "a-nonce", "123456")
    assert claims["exp"] - claims["iat"] == 3600
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()

    path = client.path("userinfo_endpoint")
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    for spelled in (path, path + "/"):
        shown = await sandbox.raw("GET", spelled, None, bearer)
        assert shown.status == 200
        assert (shown["sub"], shown["sid"]) == (claims["sub"], claims["sid"])
        assert (shown["name"], shown["given_name"], shown["family_name"]) == ("Anna Berg", "Anna", "Berg")
        assert (shown["phone_number"], shown["email"], shown["email_verified"]) == (
            ANNA,
            "anna.berg@example.com",
            False,
        )


async def test_a_sub_is_one_persons_in_one_sales_unit_however_they_met(sandbox: Any, client: Client) -> None:
    tokens = await client.redeem(await client.code())
    agreement_id = await sandbox.agree(scope="name")
    shown = await sandbox.raw(
        "GET", client.path("userinfo_endpoint"), None, {"Authorization": f"Bearer {tokens['access_token']}"}
    )
    assert shown["sub"] == (await sandbox.fetch(agreement_id))["sub"]


@pytest.mark.shows("rule:T14")
async def test_a_code_works_once_and_for_two_minutes(sandbox: Any, client: Client, monkeypatch: Any) -> None:
    code = await client.code()
    assert (await client.redeem(code)).status == 200
    again = await client.redeem(code)
    assert (again.status, again["error"]) == (400, "invalid_grant")
    grants, ahead = sandbox.world.logins, [0.0]
    wall = grants._wall
    monkeypatch.setattr(grants, "_wall", lambda: wall() + ahead[0])
    early, late = await client.code(), await client.code()
    ahead[0] = 118.0
    tokens = await client.redeem(early)
    assert tokens.status == 200
    ahead[0] = 121.0
    assert (await client.redeem(late))["error"] == "invalid_grant"
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    ahead[0] = 118.0 + 595
    assert (await sandbox.raw("GET", client.path("userinfo_endpoint"), None, bearer)).status == 200
    ahead[0] = 118.0 + 605
    refused = await sandbox.raw("GET", client.path("userinfo_endpoint"), None, bearer)
    assert (refused.status, refused["status"]) == (401, "401")


async def test_a_turned_clock_does_not_age_a_code(sandbox: Any, client: Client) -> None:
    code = await client.code()
    await sandbox.advance(by="P1M")
    assert (await client.redeem(code)).status == 200


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"code": "unknown"}, 400, "invalid_grant"),
        ({"code": ...}, 400, "invalid_request"),
        ({"redirect_uri": BACK + "/"}, 400, "invalid_grant"),
        ({"redirect_uri": ...}, 400, "invalid_request"),
        ({"code_verifier": "x" * 50}, 400, "invalid_grant"),
        ({"code_verifier": ...}, 400, "invalid_grant"),
        ({"grant_type": ...}, 400, "invalid_request"),
        ({"grant_type": "refresh_token"}, 400, "unsupported_grant_type"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_secret": ...}, 401, "invalid_client"),
    ],
)
async def test_a_token_is_refused(client: Client, changes: dict[str, Any], status: int, error: str) -> None:
    refused = await client.redeem(await client.code(), "post", **changes)
    assert (refused.status, refused["error"]) == (status, error)
    assert refused["error_description"]


async def test_a_token_request_that_is_no_form(sandbox: Any, client: Client) -> None:
    path = client.path("token_endpoint")
    for body, media_type in ((b'{"grant_type": "x"}', "application/json"), (b"\xff\xfe", "text/plain")):
        refused = await sandbox.raw("POST", path, body, {"Content-Type": media_type})
        assert (refused.status, refused["error"]) == (400, "invalid_request")
    many = "&".join(f"a{number}=1" for number in range(1000))
    refused = await sandbox.raw("POST", path, many, {"Content-Type": "application/x-www-form-urlencoded"})
    assert (refused.status, refused["error"]) == (400, "invalid_request")
    basic = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": "Basic %%%"}
    refused = await sandbox.raw("POST", path, "grant_type=authorization_code", basic)
    assert (refused.status, refused["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"state": "short"}, "invalid_state"),
        ({"state": ...}, "invalid_state"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "name"}, "invalid_scope"),
        ({"code_challenge_method": "S512"}, "invalid_request"),
        ({"code_challenge": ...}, "invalid_request"),
    ],
)
async def test_a_wrong_question_is_bounced(client: Client, changes: dict[str, Any], error: str) -> None:
    status, headers, _ = await client.ask(**changes)
    answer = returned(headers)
    assert (status, answer["error"]) == (302, error)
    assert "code" not in answer
    assert answer.get("state") == (None if changes.get("state") is ... else changes.get("state", STATE))


async def test_an_unknown_scope_is_left_out_without_a_word(client: Client) -> None:
    _, headers, _ = await client.choose({"person": ANNA}, scope="openid name shoeSize")
    assert returned(headers)["scope"] == "openid name"


async def test_without_pkce_and_with_a_plain_challenge(client: Client) -> None:
    bare = {"code_challenge": ..., "code_challenge_method": ...}
    assert (await client.redeem(await client.code(**bare), code_verifier=...)).status == 200
    assert (await client.redeem(await client.code(**bare)))["error"] == "invalid_grant"
    plain = {"code_challenge": client.verifier, "code_challenge_method": ...}
    assert (await client.redeem(await client.code(**plain))).status == 200


async def test_nobody_is_sent_to_an_address_that_is_not_the_merchants(sandbox: Any, client: Client) -> None:
    other = {
        "clientId": "other-id",
        "clientSecret": "other-secret",
        "subscriptionKey": "other-key",
        "merchantSerialNumber": "654321",
        "redirectUris": [BACK],
    }
    assert (await sandbox.control("POST", "/merchants", other)).status == 201
    for changes in (
        {"client_id": "other-id", "redirect_uri": BACK + "/"},
        {"client_id": "other-id", "redirect_uri": "https://evil.example"},
        {"client_id": "nobody"},
        {"redirect_uri": "javascript://%0aalert(1)"},
        {"redirect_uri": "back"},
        {"redirect_uri": "https://film.example/#part"},
        {"redirect_uri": ...},
    ):
        status, headers, body = await client.ask(**changes)
        assert (status, "Location" in headers) == (401, False), changes
        assert json.loads(body)["error"] in ("invalid_client", "invalid_request")
    assert (await client.ask(client_id="other-id"))[0] == 200
    assert (await client.ask(redirect_uri="filmapp://signed-in"))[0] == 200
    code = await client.code(client_id="other-id")
    assert (await client.redeem(code))["error"] == "invalid_grant"


async def test_who_cancels_is_told_to_the_merchant(client: Client) -> None:
    status, headers, _ = await client.choose({"cancel": "1"})
    assert (status, returned(headers)["error"]) == (302, "access_denied")


async def test_somebody_who_is_gone_cannot_be_chosen(client: Client) -> None:
    status, _, page = await client.choose({"person": "4700000000"})
    assert status == 400
    assert "no longer here" in page


async def test_a_person_with_a_settled_mind_needs_no_page(sandbox: Any, client: Client) -> None:
    await sandbox.person("4790000001", name="Ola Nordmann", temperament="approves")
    await sandbox.person("4790000002", temperament="rejects")
    _, headers, _ = await client.ask(login_hint="+47 90000001")
    tokens = await client.redeem(returned(headers)["code"])
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await sandbox.raw("GET", client.path("userinfo_endpoint"), None, bearer))["name"] == "Ola Nordmann"
    _, headers, _ = await client.ask(login_hint="4790000002")
    assert returned(headers)["error"] == "access_denied"
    assert (await client.ask())[0] == 200


async def test_the_key_outlives_a_reset_and_codes_do_not(sandbox: Any, client: Client) -> None:
    before = (await sandbox.raw("GET", client.path("jwks_uri"))).body
    code = await client.code()
    await sandbox.control("POST", "/reset")
    assert (await sandbox.raw("GET", client.path("jwks_uri"))).body == before
    assert (await client.redeem(code))["error"] == "invalid_grant"


async def test_the_record_holds_no_secret_of_a_sign_in(sandbox: Any, client: Client) -> None:
    code = await client.code()
    tokens = await client.redeem(code, "post")
    recorded = json.dumps((await sandbox.control("GET", f"/requests?path={BASE}")).body)
    for secret in (code, tokens["access_token"], tokens["id_token"], client.verifier, "dev-client-secret"):
        assert secret not in recorded
