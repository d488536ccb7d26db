"""The issuer's name, its documents, its keys, the tokens that tests order, and what survives a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from joserfc.errors import JoseError

from avtale_sandbox.identity.clients import Client
from avtale_sandbox.identity.issuer import Identity
from avtale_sandbox.identity.keys import BadToken
from avtale_sandbox.store import Store


async def test_the_document_names_the_issuer_after_the_host_that_was_asked(issuer: Any) -> None:
    port = issuer.origin.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost"):
        base = f"http://{host}:{port}/identity"
        async with issuer.http.get(f"{base}/.well-known/openid-configuration") as answer:
            document = await answer.json()
        assert document["issuer"] == base
        assert {document[name] for name in document if name.endswith("_endpoint") or name == "jwks_uri"} == {
            f"{base}/{end}" for end in ("authorize", "token", "userinfo", "end-session", "jwks.json")
        }
        assert document["code_challenge_methods_supported"] == ["S256"]


@pytest.mark.parametrize("host", ["evil.example/x?", "a b", "[::1", "", "x" * 301])
async def test_a_host_that_cannot_be_one_is_not_repeated(issuer: Any, host: str) -> None:
    headers = {"Host": host}
    async with issuer.http.get(f"{issuer.url}/.well-known/openid-configuration", headers=headers) as answer:
        if answer.status == 200:
            assert (await answer.json())["issuer"] == issuer.url
        else:
            assert answer.status == 400


def test_a_configured_base_names_the_issuer() -> None:
    identity = Identity(Store(), base_url="https://sandbox.example")
    assert identity.issuer("http://127.0.0.1:8400") == "https://sandbox.example/identity"


async def test_an_issuer_with_a_name_of_its_own_is_reached_where_it_was_asked(issuer: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(issuer.identity, "_base_url", "http://127.0.0.1:8400")
    async with issuer.http.get(f"{issuer.url}/.well-known/openid-configuration") as answer:
        document = await answer.json()
    assert document["issuer"] == "http://127.0.0.1:8400/identity"
    assert document["token_endpoint"] == f"{issuer.url}/token"
    assert document["jwks_uri"] == f"{issuer.url}/jwks.json"
    _, answer = await issuer.control("tokens", {"subject": "x|1"})
    assert (await issuer.claims(answer["accessToken"]))["iss"] == "http://127.0.0.1:8400/identity"


async def test_a_test_orders_a_token(issuer: Any) -> None:
    status, answer = await issuer.control("tokens", {"subject": "x|1"})
    assert (status, answer["expiresIn"]) == (200, 3600)
    claims = await issuer.claims(answer["accessToken"])
    assert (claims["sub"], claims["aud"], claims["iss"]) == ("x|1", "avtale", issuer.url)
    assert claims["exp"] - claims["iat"] == 3600

    order = {"subject": "x|1", "audience": "gym", "lifetimeSeconds": 5, "claims": {"roles": ["avtale:admin"]}}
    _, answer = await issuer.control("tokens", order)
    claims = await issuer.claims(answer["accessToken"])
    assert (claims["aud"], claims["roles"], claims["exp"]) == ("gym", ["avtale:admin"], 1_800_000_005)


async def test_a_test_orders_a_token_that_has_expired(issuer: Any) -> None:
    _, answer = await issuer.control("tokens", {"subject": "x|1", "lifetimeSeconds": -60})
    claims = await issuer.claims(answer["accessToken"])
    assert (claims["iat"], claims["exp"]) == (1_799_999_939, 1_799_999_940)


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"subject": ""},
        {"subject": 1},
        {"subject": "x", "audience": ""},
        {"subject": "x", "lifetimeSeconds": "1"},
        {"subject": "x", "lifetimeSeconds": 10**12},
        {"subject": "x", "claims": {"sub": "y"}},
        {"subject": "x", "claims": []},
        {"subject": "x", "lifetime": 5},
        [],
        "text",
    ],
)
async def test_an_order_that_makes_no_sense_is_refused(issuer: Any, order: object) -> None:
    status, problem = await issuer.control("tokens", order)
    assert (status, problem["status"]) == (400, 400)
    assert problem["detail"]


async def test_a_body_that_is_not_json_is_refused(issuer: Any) -> None:
    for body in (b"{", b"\xff", b"[" * 60_000, b" " * 70_000):
        async with issuer.http.post(f"{issuer.origin}/_sandbox/identity/tokens", data=body) as answer:
            assert answer.status == 400
            assert answer.content_type == "application/problem+json"


async def test_the_old_key_stays_published_for_a_while(issuer: Any) -> None:
    before = await issuer.signed_in()
    status, answer = await issuer.control("rotate-key", {"keepOldSeconds": 100})
    assert status == 200
    async with issuer.http.get(f"{issuer.url}/jwks.json") as published:
        keys = (await published.json())["keys"]
    assert len(keys) == 2
    assert keys[0]["kid"] == answer["kid"]
    assert not {"d", "p", "q", "dp", "dq", "qi"} & keys[0].keys()
    after = await issuer.signed_in()
    assert await issuer.claims(before["access_token"])
    assert await issuer.claims(after["access_token"])
    issuer.wall.now += 100
    with pytest.raises(JoseError):
        await issuer.claims(before["access_token"])
    with pytest.raises(BadToken):
        issuer.identity.keys.verify(before["access_token"], kind="at+jwt")
    assert await issuer.claims(after["access_token"])


async def test_a_stolen_key_can_be_withdrawn_at_once(issuer: Any) -> None:
    before = await issuer.signed_in()
    await issuer.control("rotate-key", {"keepOldSeconds": 0})
    with pytest.raises(BadToken):
        issuer.identity.keys.verify(before["access_token"], kind="at+jwt")
    assert (await issuer.control("rotate-key", {"keepOldSeconds": -1}))[0] == 400


def test_keys_sessions_and_people_survive_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "state"

    def start() -> tuple[Store, Identity]:
        store = Store()
        identity = Identity(store)
        store.open(file)
        identity.load()
        return store, identity

    store, identity = start()
    token = identity.mint("http://x/identity", "somebody")
    _, cookie = identity.open_session("somebody")
    identity.register(Client(client_id="new", name="New shop"))
    store.close()

    store, identity = start()
    assert identity.keys.verify(token, kind="at+jwt")["sub"] == "somebody"
    session = identity.read_session(cookie)
    assert session is not None
    assert session.subject == "somebody"
    assert identity.client("new") is not None
    # A reset empties the store: sessions end, but what others cached of the keys stays true.
    store.clear()
    identity.load()
    assert identity.read_session(cookie) is None
    assert identity.client("new") is not None
    assert identity.keys.verify(token, kind="at+jwt")["sub"] == "somebody"
    store.close()

    store, identity = start()
    assert identity.keys.verify(token, kind="at+jwt")["sub"] == "somebody"
    store.close()
