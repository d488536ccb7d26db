"""Keys of issuers: cached, renewed, rotated, and safe when the issuer is down."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from avtale.api.keys import (
    HARD_SECONDS_MAX,
    REFETCH_SECONDS_MIN,
    RETRY_SECONDS_MIN,
    SOFT_SECONDS_MAX,
    IssuerKeys,
    IssuerUnavailable,
)

from .conftest import KEYS, Issuer, fetch_json


class Stopwatch:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def keys(watch: Stopwatch) -> IssuerKeys:
    return IssuerKeys(fetch_json, watch)


def ids(found: Sequence[Any]) -> list[str]:
    return [key.kid for key in found]


async def test_keys_are_fetched_once(keys: IssuerKeys, issuer: Issuer) -> None:
    for _ in range(3):
        assert ids(await keys.candidates(issuer.registered(), "rsa")) == ["rsa"]
    assert issuer.asked == ["discovery", "jwks"]


async def test_many_at_once_ask_the_issuer_once(keys: IssuerKeys, issuer: Issuer) -> None:
    found = await asyncio.gather(*(keys.candidates(issuer.registered(), "rsa") for _ in range(20)))
    assert all(ids(one) == ["rsa"] for one in found)
    assert issuer.asked == ["discovery", "jwks"]


async def test_a_registered_address_spares_the_discovery(keys: IssuerKeys, issuer: Issuer) -> None:
    await keys.candidates(issuer.registered(jwks_url=f"{issuer.url}/jwks.json"), "rsa")
    assert issuer.asked == ["jwks"]


async def test_a_rotated_key_is_found_within_seconds(keys: IssuerKeys, issuer: Issuer, watch: Stopwatch) -> None:
    await keys.candidates(issuer.registered(), "rsa")
    issuer.published = [KEYS["next"].as_dict(private=False)]
    assert await keys.candidates(issuer.registered(), "next") == [], "the issuer was asked a moment ago"
    watch.now += REFETCH_SECONDS_MIN
    assert ids(await keys.candidates(issuer.registered(), "next")) == ["next"]
    assert await keys.candidates(issuer.registered(), "rsa") == [], "a withdrawn key is forgotten"


async def test_made_up_key_ids_do_not_pester_the_issuer(keys: IssuerKeys, issuer: Issuer, watch: Stopwatch) -> None:
    await keys.candidates(issuer.registered(), "rsa")
    for number in range(50):
        watch.now += REFETCH_SECONDS_MIN / 25
        assert await keys.candidates(issuer.registered(), f"made-up-{number}") == []
    assert issuer.asked.count("jwks") == 3


async def test_old_keys_are_renewed_behind_the_scenes(keys: IssuerKeys, issuer: Issuer, watch: Stopwatch) -> None:
    await keys.candidates(issuer.registered(), "rsa")
    issuer.published = [KEYS["next"].as_dict(private=False)]
    watch.now += SOFT_SECONDS_MAX + 1
    assert ids(await keys.candidates(issuer.registered(), "rsa")) == ["rsa"], "nobody waits for the renewal"
    assert ids(await keys.candidates(issuer.registered(), "next")) == ["next"]
    assert issuer.asked.count("jwks") == 2


async def test_cached_keys_hold_while_the_issuer_is_down(keys: IssuerKeys, issuer: Issuer, watch: Stopwatch) -> None:
    await keys.candidates(issuer.registered(), "rsa")
    issuer.status = 503
    for _ in range(10):
        watch.now += HARD_SECONDS_MAX / 11
        assert ids(await keys.candidates(issuer.registered(), "rsa")) == ["rsa"]
    watch.now += HARD_SECONDS_MAX / 10
    with pytest.raises(IssuerUnavailable):
        await keys.candidates(issuer.registered(), "rsa")
    issuer.status = 200
    watch.now += REFETCH_SECONDS_MIN
    assert ids(await keys.candidates(issuer.registered(), "rsa")) == ["rsa"]


async def test_an_unknown_key_cannot_be_refused_while_the_issuer_is_down(
    keys: IssuerKeys, issuer: Issuer, watch: Stopwatch
) -> None:
    await keys.candidates(issuer.registered(), "rsa")
    issuer.status = 500
    watch.now += REFETCH_SECONDS_MIN
    with pytest.raises(IssuerUnavailable):
        await keys.candidates(issuer.registered(), "next")
    assert ids(await keys.candidates(issuer.registered(), "rsa")) == ["rsa"]


async def test_without_any_keys_the_issuer_is_unavailable_and_asked_again_soon(
    keys: IssuerKeys, issuer: Issuer, watch: Stopwatch
) -> None:
    issuer.status = 503
    for _ in range(5):
        with pytest.raises(IssuerUnavailable):
            await keys.candidates(issuer.registered(), "rsa")
    assert issuer.asked == ["discovery"]
    issuer.status = 200
    watch.now += RETRY_SECONDS_MIN
    assert ids(await keys.candidates(issuer.registered(), "rsa")) == ["rsa"]


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b"{}", b'{"issuer": 7}', b"\xff\xff", b"[" * 100_000])
async def test_an_issuer_that_talks_nonsense_is_unavailable(keys: IssuerKeys, issuer: Issuer, raw: bytes) -> None:
    issuer.raw = raw
    with pytest.raises(IssuerUnavailable):
        await keys.candidates(issuer.registered(), "rsa")
    with pytest.raises(IssuerUnavailable):
        await keys.candidates(issuer.registered(jwks_url=f"{issuer.url}/jwks.json"), "rsa")


async def test_a_discovery_document_in_another_name_is_not_believed(keys: IssuerKeys, issuer: Issuer) -> None:
    issuer.named = "https://evil.example"
    with pytest.raises(IssuerUnavailable):
        await keys.candidates(issuer.registered(), "rsa")
    assert issuer.asked == ["discovery"]


async def test_a_refused_connection_is_an_issuer_that_is_down(keys: IssuerKeys, issuer: Issuer) -> None:
    with pytest.raises(IssuerUnavailable):
        await keys.candidates(issuer.registered(issuer="http://127.0.0.1:9"), "rsa")


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
async def test_what_is_no_key_for_us_is_passed_over(keys: IssuerKeys, issuer: Issuer) -> None:
    small = RSAKey.generate_key(1024, {"kid": "small"}).as_dict(private=False)
    issuer.published = [
        7,
        None,
        {},
        {"kty": "RSA", "kid": "rsa"},
        {"kty": "RSA", "n": "AQ", "e": "!!", "kid": "rsa"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "rsa"},
        {"kty": "nonsense", "kid": "rsa"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "rsa"},
        small,
        KEYS["rsa"].as_dict(private=False),
    ]
    assert ids(await keys.candidates(issuer.registered(), "rsa")) == ["rsa"]
    assert await keys.candidates(issuer.registered(), "small") == []
