"""Who may enter, and how anything that goes wrong is told: never a 500 for what a caller can send."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from avtale.api import doors, envelope
from avtale.api.tenancy import BELIEVED_SECONDS_MAX, Tenancy, TenantUnknown, host_name
from avtale.storage import tenants
from avtale.storage.database import Database
from avtale.storage.embedded import EmbeddedPostgres
from avtale.storage.home import Home
from avtale.storage.readiness import NotReady, check_ready

from .conftest import World, serving

CHECKOUT = "/api/v1/pay/vipps/checkout"
WISH = {"productId": "film-month", "returnUrl": "https://film.example/back"}
SIGNED_IN = [
    ("POST", CHECKOUT),
    ("GET", "/api/v1/pay/vipps/recurring/agreements/{id}"),
    ("GET", "/api/v1/agreements"),
    ("POST", "/api/v1/agreements/{id}/stop"),
    ("GET", "/api/v1/receipt"),
    ("GET", "/api/v1/receipt/{id}"),
    ("POST", "/api/v1/charges/{id}/refunds"),
    ("GET", "/api/v1/audit/export"),
]


async def test_nobody_enters_anywhere(world: World) -> None:
    for method, template in SIGNED_IN:
        path = template.format(id=uuid4())
        for slash in ("", "/"):
            # What the body says plays no part: nobody's body is read.
            answer = await world.call(method, path + slash, data=b"{" if method == "POST" else None)
            assert (answer.status, answer.code) == (401, "token_missing"), path
            assert answer.headers["WWW-Authenticate"] == 'Bearer realm="avtale"'
            for token, code in (
                ("nonsense", "token_invalid"),
                (world.anna(aud="avis"), "token_invalid"),
                (world.anna(iss="https://id.example"), "token_invalid"),
                (world.anna(exp=1), "token_expired"),
                (world.issuer.token(key="foreign"), "token_invalid"),
            ):
                answer = await world.call(method, path + slash, token=token)
                assert (answer.status, answer.code) == (401, code), path
                assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
            answer = await world.call(method, path + slash, token=world.anna(), host="radio.localhost")
            assert (answer.status, answer.code) == (404, "tenant_unknown"), path


async def test_a_rotated_key_opens_the_doors_again(world: World) -> None:
    assert (await world.call("GET", "/api/v1/agreements", token=world.anna())).status == 200
    world.issuer.published = []
    assert (await world.call("GET", "/api/v1/agreements", token=world.anna())).status == 200, "keys are cached"
    assert (await world.call("GET", "/api/v1/agreements", token=world.issuer.token(key="next"))).status == 401


async def test_an_issuer_that_is_down_is_said_to_be(world: World) -> None:
    world.issuer.status = 503
    answer = await world.call("GET", "/api/v1/agreements", token=world.anna())
    assert (answer.status, answer.code) == (503, "issuer_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("film.example", "film.example"),
        ("FILM.example:8300", "film.example"),
        ("film.example.", "film.example"),
        ("film.example.:80", "film.example"),
        ("film.example:", "film.example"),
        ("127.0.0.1:8300", "127.0.0.1"),
        ("[::1]:8300", "::1"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("my_host", "my_host"),
        (None, None),
        ("", None),
        (":80", None),
        ("a b", None),
        ("film.example/x", None),
        ("user@film.example", None),
        ("film.example:port", None),
        ("[film]", None),
        ("::1", None),
        ("x" * 300, None),
        ("film\x00.example", None),
        ("ﬁlm.example", None),
    ],
)
def test_a_host_header_names_a_host(header: str | None, name: str | None) -> None:
    assert host_name(header) == name


async def test_a_changed_tenant_is_seen_within_seconds(world: World) -> None:
    now = 1000.0
    tenancy = Tenancy(world.db, lambda: now)
    assert (await tenancy.at_host("127.0.0.1:1")).tenant == world.film
    async with world.db.routing() as tx:
        await tenants.save_hosts(tx, world.film.id, ["film.localhost"])
    assert (await tenancy.at_host("127.0.0.1:1")).tenant == world.film
    assert (await tenancy.at_host("film.localhost")).tenant == world.film
    now += BELIEVED_SECONDS_MAX
    with pytest.raises(TenantUnknown):
        await tenancy.at_host("127.0.0.1:1")


async def test_what_is_not_there_is_told_like_everything_else(world: World) -> None:
    for method, path, status, code in (
        ("GET", "/", 404, "route_unknown"),
        ("GET", "/api/v1", 404, "route_unknown"),
        ("GET", "/api/v1/agreements//", 404, "route_unknown"),
        ("GET", "//api/v1/agreements", 404, "route_unknown"),
        ("GET", "/docs/nothing", 404, "route_unknown"),
        ("GET", "/api/v1/agreements/%ff%fe\u2028", 404, "route_unknown"),
        ("DELETE", "/api/v1/agreements", 405, "method_not_allowed"),
        ("GET", CHECKOUT, 405, "method_not_allowed"),
        ("PUT", f"{CHECKOUT}/", 405, "method_not_allowed"),
        ("OPTIONS", CHECKOUT, 405, "method_not_allowed"),
    ):
        answer = await world.call(method, path)
        assert (answer.status, answer.code) == (status, code), path
        if status == 405:
            assert answer.headers["Allow"] == ("GET" if path == "/api/v1/agreements" else "POST")
    for path, allowed in (
        ("/api/v1/customer", "GET, POST, PUT"),
        ("/v1/customer/payment/vipps/agreement", "GET, PATCH, POST"),
    ):
        async with world.http.delete(world.url + path) as wrong:
            assert (wrong.status, wrong.headers["Allow"]) == (405, allowed)


async def test_no_form_of_a_path_is_redirected(world: World) -> None:
    for path in ("/api/v1/agreements", "/api/v1/receipt", "/admin/health/live", "/admin/health/ready"):
        for slash in ("", "/"):
            assert (await world.call("GET", path + slash, token=world.anna())).status == 200


async def test_a_request_has_an_id(world: World) -> None:
    for given, kept in (
        ("shop-17.a_B", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("a b", False),
        ("a\tb", False),
        ("å", False),
        ("", False),
    ):
        for path in ("/api/v1/nowhere", "/admin/health/live"):
            answer = await world.call("GET", path, headers={"X-Request-Id": given})
            assert (answer.headers["X-Request-Id"] == given) is kept
            assert answer.headers["X-Request-Id"]
            assert answer.headers["Cache-Control"] == "no-store"


BODIES: list[tuple[bytes, str, int]] = [
    (b"", "application/json", 400),
    (b"{", "application/json", 400),
    (b"nonsense", "application/json", 400),
    (b"\xff\xfe\x00", "application/json", 400),
    (b'{"productId": "\xff"}', "application/json", 400),
    (b'{"productId": "\\ud800", "returnUrl": "https://a.example"}', "application/json", 400),
    (b'{"productId": "a\\u0000", "returnUrl": "https://a.example"}', "application/json", 400),
    (b"[" * 200_000, "application/json", 400),
    (b'{"a":' * 100_000, "application/json", 400),
    (b"[" * 5000 + b"]" * 5000, "application/json", 400),
    (b"9" * 50_000, "application/json", 400),
    (b"[]", "application/json", 400),
    (b"null", "application/json", 400),
    (b"NaN", "application/json", 400),
    (b'"text"', "application/json; charset=utf-8", 400),
    (json.dumps(WISH).encode("utf-16"), "application/json; charset=utf-16", 200),
    (json.dumps(WISH).encode(), "application/merge-patch+json", 200),
    (json.dumps(WISH).encode(), "Application/JSON; charset=UTF-8", 200),
    (json.dumps(WISH).encode(), "text/plain", 415),
    (json.dumps(WISH).encode(), "text/json", 415),
    (json.dumps(WISH).encode(), "application/x-www-form-urlencoded", 415),
    (json.dumps(WISH).encode(), "multipart/form-data; boundary=x", 415),
    (json.dumps(WISH).encode(), "", 415),
    (b"\xef\xbb\xbf" + json.dumps(WISH).encode(), "application/json", 200),
    (b" " * (1024 * 1024 + 1), "application/json", 413),
]


async def test_a_body_that_nobody_can_use_is_refused_and_any_json_taken(world: World) -> None:
    codes = {400: "invalid_request", 413: "body_too_large", 415: "media_type_unsupported"}
    for number, (body, kind, status) in enumerate(BODIES):
        headers = {"Content-Type": kind}
        answer = await world.call("POST", CHECKOUT, token=world.anna(), data=body, headers=headers)
        assert answer.status == status, (number, answer.body)
        assert status == 200 or answer.code == codes[status], number


async def test_a_body_without_a_length_is_limited_too(world: World) -> None:
    async def endless() -> Any:
        for _ in range(40):
            yield b" " * 65_536

    answer = await world.call(
        "POST", CHECKOUT, token=world.anna(), data=endless(), headers={"Content-Type": "application/json"}
    )
    assert (answer.status, answer.code) == (413, "body_too_large")


async def test_a_body_that_does_not_come_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "BODY_SECONDS_MAX", 0.05)
    host, port = world.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST {CHECKOUT} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {world.anna()}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    writer.write(head.encode())
    assert b" 408 " in await reader.readline()
    writer.close()


async def test_a_caller_that_goes_away_troubles_nobody(world: World) -> None:
    host, port = world.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST {CHECKOUT} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {world.anna()}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    writer.write(head.encode())
    writer.transport.abort()
    assert (await world.call("GET", "/admin/health/live")).status == 200


async def test_what_is_wrong_with_a_body_is_said_where(world: World) -> None:
    secret = "hemmelig-4711"
    wish = {"productId": 7, "returnUrl": secret, "phoneNumber": secret, "isApp": "yes", "a/b~c": secret}
    answer = await world.call("POST", CHECKOUT, token=world.anna(), json=wish)
    assert answer.code == "invalid_request"
    faults = {fault["pointer"]: fault for fault in answer.json["errors"]}
    assert set(faults) == {"/productId", "/returnUrl", "/phoneNumber", "/isApp", "/a~1b~0c"}
    assert {fault["in"] for fault in faults.values()} == {"body"}
    assert "absolute" in faults["/returnUrl"]["message"]
    assert secret not in answer.body.decode()


@pytest.mark.shows("payments:listAdminHealthLive", "payments:listAdminHealthReady")
async def test_health_needs_neither_tenant_nor_token(world: World) -> None:
    for name in ("live", "ready"):
        answer = await world.call("GET", f"/admin/health/{name}", host="anything.example")
        assert answer.json == {"status": name, "version": "1.2.3"}


def lock_out(postgres: EmbeddedPostgres, database: str, allowed: bool) -> None:
    """Close or open a database; closing also ends every connection to it."""
    with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{database}" WITH ALLOW_CONNECTIONS {str(allowed).lower()}')
        if not allowed:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])


@pytest.mark.shows("payments:listAdminHealthReady")
async def test_a_stopped_database_is_said_to_be(world: World, postgres: EmbeddedPostgres, home: Home) -> None:
    agreement = await world.draft()
    database = home.url.rpartition("/")[2]
    requests: list[tuple[str, str, Any]] = [
        ("POST", CHECKOUT, WISH),
        ("GET", "/api/v1/agreements", None),
        ("GET", f"/api/v1/pay/vipps/recurring/agreements/{agreement['agreementId']}", None),
        ("POST", f"/api/v1/agreements/{agreement['agreementId']}/stop", None),
        ("GET", "/api/v1/receipt", None),
        ("GET", "/api/v1/audit/export", None),
        ("POST", "/api/v1/webhook/vipps/nordlys/film", {}),
        ("GET", "/admin/health/ready", None),
    ]
    lock_out(postgres, database, allowed=False)
    try:
        for method, path, body in requests * 2:
            answer = await world.call(method, path, token=world.admin(), json=body)
            assert (answer.status, answer.code) == (503, "database_unavailable"), path
            assert answer.headers["Retry-After"] == "2"
        assert (await world.call("GET", "/admin/health/live")).status == 200
    finally:
        lock_out(postgres, database, allowed=True)
    assert (await world.call("GET", "/api/v1/agreements", token=world.anna())).status == 200
    assert (await world.call("GET", "/admin/health/ready")).status == 200


async def test_a_pool_without_a_free_connection_is_a_database_that_is_not_there(world: World, home: Home) -> None:
    narrow = Database(home.url, pool_size=1, connect_seconds_max=1)
    try:
        async with serving(replace(world.house, db=narrow)) as url, narrow.routing():
            world.url = url
            answer = await world.call("GET", "/admin/health/ready")
            assert (answer.status, answer.code) == (503, "database_unavailable")
    finally:
        await narrow.close()


@pytest.mark.shows("payments:listAdminHealthReady")
async def test_a_database_of_the_owner_is_none_to_serve_from(world: World, home: Home) -> None:
    owner = Database(home.owner_url)
    try:
        async with serving(replace(world.house, db=owner)) as url:
            world.url = url
            answer = await world.call("GET", "/admin/health/ready")
            assert (answer.status, answer.code) == (503, "not_ready")
    finally:
        await owner.close()


async def test_more_requests_at_once_than_a_process_takes_are_sent_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(envelope, "REQUESTS_AT_ONCE_MAX", 0)
    answer = await world.call("POST", CHECKOUT, token=world.anna(), json=WISH)
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "too_busy", "2")
    assert (await world.call("GET", "/admin/health/live")).status == 200
    monkeypatch.setattr(envelope, "REQUESTS_AT_ONCE_MAX", 1)
    for _ in range(2):
        assert (await world.call("GET", "/api/v1/agreements", token=world.anna())).status == 200


@pytest.mark.shows("payments:listAdminHealthReady")
async def test_a_release_that_migrates_takes_nothing_from_the_processes_before_it(world: World, home: Home) -> None:
    with psycopg.connect(home.owner_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert (await world.call("GET", "/admin/health/ready")).status == 200
    with pytest.raises(NotReady, match="9999"):
        await check_ready(world.house.db)
    with psycopg.connect(home.owner_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    assert (await world.call("GET", "/admin/health/ready")).code == "not_ready"


async def test_what_nobody_foresaw_is_told_without_its_secrets(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        """A database whose every use fails with a secret on its lips."""

        def __getattr__(self, name: str) -> Any:
            raise ZeroDivisionError("the password is hemmelig")

    sent = {"X-Request-Id": "find-me"}
    async with (
        serving(replace(world.house, db=Broken())) as url,  # type: ignore[arg-type]
        world.http.get(f"{url}/admin/health/ready", headers=sent) as answer,
    ):
        said = await answer.json(content_type="application/problem+json")
        assert answer.status == 500
        assert answer.headers["X-Request-Id"] == said["requestId"] == "find-me"
        assert said["code"] == "internal_error"
        assert "hemmelig" not in str(said)
    told = capsys.readouterr()
    assert (told.out + told.err).count("request_failed") == 1
    assert "find-me" in told.out + told.err
