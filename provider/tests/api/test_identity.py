"""Tokens: what holds at a tenant, and everything that must not."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from avtale.api import identity as module
from avtale.api.identity import Caller, Identity, NotSignedIn
from avtale.api.keys import SOFT_SECONDS_MAX, IssuerKeys
from avtale.service.checkout import Person

from .conftest import ADMIN, KEYS, Issuer, fetch_json


def wall() -> datetime:
    return datetime.now(UTC)


async def ask(issuer: Issuer, token: str, **registered: Any) -> Caller:
    identity = Identity(IssuerKeys(fetch_json), wall)
    return await identity.caller([issuer.registered(**registered)], [f"Bearer {token}"])


async def refused(issuer: Issuer, token: str, **registered: Any) -> NotSignedIn:
    with pytest.raises(NotSignedIn) as refusal:
        await ask(issuer, token, **registered)
    return refusal.value


def segment(said: Any) -> str:
    raw = said if isinstance(said, bytes) else json.dumps(said).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize("key", ["rsa", "ec", "ed"])
async def test_a_token_of_the_registered_issuer_names_its_person(issuer: Issuer, key: str) -> None:
    issuer.published = [one.as_dict(private=False) for one in (KEYS["rsa"], KEYS["ec"], KEYS["ed"])]
    caller = await ask(issuer, issuer.token("auth0|anna", key=key))
    assert caller == Caller(Person(issuer.url, "auth0|anna"), is_admin=False)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize(("key", "algorithm"), [("rsa", "PS256"), ("ed", "EdDSA")])
async def test_the_other_allowed_signatures_hold_too(issuer: Issuer, key: str, algorithm: str) -> None:
    issuer.published = [KEYS[key].as_dict(private=False)]
    assert (await ask(issuer, issuer.token(key=key, header={"alg": algorithm}))).person.subject == "anna"


async def test_a_token_without_a_key_id_is_tried_with_the_keys_that_fit(issuer: Issuer) -> None:
    issuer.published = [one.as_dict(private=False) for one in (KEYS["ec"], KEYS["next"], KEYS["rsa"])]
    assert (await ask(issuer, issuer.token(header={"kid": None}))).person.subject == "anna"


@pytest.mark.parametrize("kind", ["JWT", "at+jwt", "application/at+JWT"])
async def test_access_and_identity_tokens_hold(issuer: Issuer, kind: str) -> None:
    await ask(issuer, issuer.token(header={"typ": kind}))


@pytest.mark.parametrize(
    ("claims", "registered"),
    [
        ({"roles": ["reader", ADMIN]}, {}),
        ({"roles": f"reader {ADMIN}"}, {}),
        ({"scope": f"openid {ADMIN}"}, {"roles_claim": "scope"}),
        ({"https://film.example/roles": [ADMIN]}, {"roles_claim": "https://film.example/roles"}),
        ({"realm_access": {"roles": [ADMIN]}}, {"roles_claim": "realm_access.roles"}),
    ],
)
async def test_a_role_makes_an_administrator(issuer: Issuer, claims: Any, registered: Any) -> None:
    assert (await ask(issuer, issuer.token(**claims), **registered)).is_admin


@pytest.mark.parametrize(
    ("claims", "registered"),
    [
        ({}, {}),
        ({"roles": []}, {}),
        ({"roles": f"{ADMIN}s"}, {}),
        ({"roles": {ADMIN: True}}, {}),
        ({"roles": [[ADMIN]]}, {}),
        ({"roles": 7}, {}),
        ({"realm_access": ADMIN}, {"roles_claim": "realm_access.roles"}),
        ({"roles": ["", None]}, {"admin_role": ""}),
    ],
)
async def test_anything_else_does_not(issuer: Issuer, claims: Any, registered: Any) -> None:
    assert not (await ask(issuer, issuer.token(**claims), **registered)).is_admin


async def test_the_subject_may_be_another_claim(issuer: Issuer) -> None:
    token = issuer.token(uid="user-7")
    assert (await ask(issuer, token, subject_claim="uid")).person == Person(issuer.url, "user-7")


async def test_no_signature_is_no_token(issuer: Issuer) -> None:
    for algorithm in ("none", "None", "NONE", "nOnE", ""):
        header = segment({"alg": algorithm, "typ": "JWT"})
        for signature in ("", "AA"):
            await refused(issuer, f"{header}.{segment(issuer.claims(roles=[ADMIN]))}.{signature}")


@pytest.mark.parametrize("form", ["pem", "der", "json"])
@pytest.mark.parametrize("algorithm", ["HS256", "RS256"])
async def test_the_public_key_is_no_shared_secret(issuer: Issuer, form: str, algorithm: str) -> None:
    public = KEYS["rsa"].as_dict(private=False)
    secret = json.dumps(public).encode() if form == "json" else KEYS["rsa"].as_bytes(form.upper(), private=False)
    said = f"{segment({'alg': algorithm, 'kid': 'rsa'})}.{segment(issuer.claims(roles=[ADMIN]))}"
    await refused(issuer, f"{said}.{segment(hmac.digest(secret, said.encode(), 'sha256'))}")


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
async def test_a_shared_secret_in_the_key_set_signs_nothing(issuer: Issuer) -> None:
    secret = OctKey.generate_key(256, {"kid": "shared"})
    issuer.published = [secret.as_dict(private=True)]
    token = jwt.encode({"alg": "HS256", "kid": "shared"}, issuer.claims(), secret, algorithms=["HS256"])
    await refused(issuer, token)


async def test_a_key_of_somebody_else_signs_nothing(issuer: Issuer) -> None:
    await refused(issuer, issuer.token(key="foreign"))


async def test_a_key_that_the_token_brings_along_proves_nothing(issuer: Issuer) -> None:
    for header in (
        {"jwk": KEYS["foreign"].as_dict(private=False)},
        {"jku": "http://127.0.0.1:9/jwks.json"},
        {"x5u": "http://127.0.0.1:9/chain"},
    ):
        await refused(issuer, issuer.token(key="foreign", header=header))
    assert issuer.asked.count("jwks") == 3, "only the issuer's own address is asked"


async def test_a_key_signs_only_in_its_own_way(issuer: Issuer) -> None:
    issuer.published = [KEYS["rsa"].as_dict(private=False) | {"alg": "PS256"}]
    await refused(issuer, issuer.token())
    issuer.published = [KEYS["rsa"].as_dict(private=False) | {"use": "enc"}]
    await refused(issuer, issuer.token())


async def test_changed_claims_are_no_claims(issuer: Issuer) -> None:
    header, _, signature = issuer.token().split(".")
    await refused(issuer, f"{header}.{segment(issuer.claims(roles=[ADMIN]))}.{signature}")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"iss": ["x"]},
        {"iss": {"a": 1}},
        {"aud": "avis"},
        {"aud": None},
        {"aud": ["avis", "radio"]},
        {"aud": "film "},
        {"aud": {"film": 1}},
        {"aud": [["film"]]},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": ["anna"]},
        {"sub": "anna\u0000"},
        {"sub": "anna\ud800"},
        {"sub": "a" * 256},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"nbf": "now"},
        {"nbf": []},
    ],
)
async def test_claims_that_do_not_hold(issuer: Issuer, claims: dict[str, Any]) -> None:
    assert (await refused(issuer, issuer.token(**claims))).code == "token_invalid"


async def test_an_issuer_that_differs_by_a_slash_is_another(issuer: Issuer) -> None:
    await refused(issuer, issuer.token(iss=f"{issuer.url}/"))


async def test_one_audience_of_several_is_enough(issuer: Issuer) -> None:
    await ask(issuer, issuer.token(aud=["avis", "film"]))


async def test_time_is_wall_time_with_a_little_leeway(issuer: Issuer) -> None:
    now = int(time.time())
    assert (await refused(issuer, issuer.token(exp=now - 120))).code == "token_expired"
    await refused(issuer, issuer.token(nbf=now + 120))
    await ask(issuer, issuer.token(exp=now - 15))
    await ask(issuer, issuer.token(nbf=now + 15))


@pytest.mark.parametrize("kind", ["logout+jwt", "dpop+jwt", "refresh+jwt", 7])
async def test_a_token_for_another_purpose_does_not_sign_in(issuer: Issuer, kind: Any) -> None:
    _, claims, signature = issuer.token().split(".")
    token = f"{segment({'alg': 'RS256', 'kid': 'rsa', 'typ': kind})}.{claims}.{signature}"
    assert "purpose" in (await refused(issuer, token)).detail


@pytest.mark.parametrize("more", [{"crit": ["b64"], "b64": False}, {"crit": ["exp"]}, {"b64": False}])
async def test_extensions_of_the_format_are_refused(issuer: Issuer, more: dict[str, Any]) -> None:
    _, claims, signature = issuer.token().split(".")
    token = f"{segment({'alg': 'RS256', 'kid': 'rsa'} | more)}.{claims}.{signature}"
    assert "extension" in (await refused(issuer, token)).detail


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c",
        "a.b.c.d.e",
        "æøå.b.c",
        segment(b"[" * 9000) + ".e30.AA",
        segment(b"\xff\xfe") + ".e30.AA",
        segment([]) + ".e30.AA",
        segment({"alg": "RS256"}) + "." + segment([1]) + ".AA",
        segment({"alg": ["RS256"]}) + ".e30.AA",
        segment({"alg": {"RS256": 1}}) + ".e30.AA",
        segment({"alg": "RS256", "kid": 5}) + ".e30.AA",
        "a" * 20_000,
    ],
)
async def test_what_is_no_token_is_refused_without_a_fuss(issuer: Issuer, token: str) -> None:
    await refused(issuer, token)
    assert issuer.asked == []


async def test_a_kid_of_the_wrong_kind_is_refused(issuer: Issuer) -> None:
    _, claims, signature = issuer.token().split(".")
    await refused(issuer, f"{segment({'alg': 'RS256', 'kid': ['rsa']})}.{claims}.{signature}")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([], "token_missing"),
        (["Basic YW5uYTphbm5h"], "token_missing"),
        ([""], "token_missing"),
        (["Bearer"], "token_invalid"),
        (["Bearer a", "Bearer b"], "token_invalid"),
    ],
)
async def test_without_one_bearer_nobody_is_signed_in(issuer: Issuer, headers: list[str], code: str) -> None:
    with pytest.raises(NotSignedIn) as refusal:
        await Identity(IssuerKeys(fetch_json), wall).caller([issuer.registered()], headers)
    assert refusal.value.code == code


async def test_the_scheme_may_be_written_in_any_case(issuer: Issuer) -> None:
    identity = Identity(IssuerKeys(fetch_json), wall)
    assert await identity.caller([issuer.registered()], [f"bearer  {issuer.token()}"])


async def test_a_token_that_was_proven_is_verified_once_and_still_expires(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    signer = module._signer
    monkeypatch.setattr(module, "_signer", lambda token, keys: verified.append(token) or signer(token, keys))
    now = datetime.now(UTC)
    identity, token = Identity(IssuerKeys(fetch_json), lambda: now), issuer.token(roles=[ADMIN])
    for _ in range(3):
        assert (await identity.caller([issuer.registered()], [f"Bearer {token}"])).is_admin
    assert verified == [token]
    # What it says is held against tenant and time each time: another audience, another role, a later day.
    with pytest.raises(NotSignedIn, match="audience"):
        await identity.caller([issuer.registered(audience="avis")], [f"Bearer {token}"])
    assert not (await identity.caller([issuer.registered(admin_role="other")], [f"Bearer {token}"])).is_admin
    with pytest.raises(NotSignedIn, match="issuer"):
        await identity.caller([], [f"Bearer {token}"])
    now += timedelta(seconds=700)
    with pytest.raises(NotSignedIn, match="expired"):
        await identity.caller([issuer.registered()], [f"Bearer {token}"])


async def test_a_proven_token_ends_with_its_key(issuer: Issuer) -> None:
    seconds = 1000.0
    identity, token = Identity(IssuerKeys(fetch_json, lambda: seconds), wall), f"Bearer {issuer.token()}"
    await identity.caller([issuer.registered()], [token])
    issuer.published = [KEYS["next"].as_dict(private=False)]
    await identity.caller([issuer.registered()], [token])
    seconds += SOFT_SECONDS_MAX + 1
    await identity.caller([issuer.registered()], [token])  # has the keys fetched anew, in the background
    await asyncio.gather(*identity._keys._renewals)
    with pytest.raises(NotSignedIn, match="none of the issuer's keys"):
        await identity.caller([issuer.registered()], [token])


async def test_only_so_many_tokens_are_remembered_and_none_that_was_not_proven(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOKENS_COUNT_MAX", 2)
    identity = Identity(IssuerKeys(fetch_json), wall)
    for subject in ("anna", "bo", "cato"):
        await identity.caller([issuer.registered()], [f"Bearer {issuer.token(subject)}"])
    with pytest.raises(NotSignedIn):
        await identity.caller([issuer.registered()], [f"Bearer {issuer.token(key='foreign')}"])
    assert [read.claims["sub"] for read in identity._proven.values()] == ["bo", "cato"]
