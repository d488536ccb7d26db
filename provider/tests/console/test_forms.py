"""Forms come from our own pages only, and what leads elsewhere is not followed."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from avtale.console.forms import NotOurForm, read_form
from avtale.console.signin import own_path
from avtale.domain.errors import Invalid


def post(body: bytes, **headers: str) -> Request:
    given = {"host": "127.0.0.1:8300", "content-type": "application/x-www-form-urlencoded"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(scope, receive)


async def test_a_form_of_ours_is_read() -> None:
    assert await read_form(post(b"by=day&back=", sec_fetch_site="same-origin")) == {"by": "day", "back": ""}
    assert await read_form(post(b"by=day", origin="http://127.0.0.1:8300")) == {"by": "day"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "cross-site", "origin": "http://127.0.0.1:8300"},
        {"origin": "http://127.0.0.1:8400"},
        {"origin": "null"},
        {"origin": "http://[broken"},
    ],
)
async def test_a_form_that_another_site_sent_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(NotOurForm):
        await read_form(post(b"by=day", **headers))


@pytest.mark.parametrize("body", [b"a=1&a=2", b"a=%ff", b"a=%00", b"a=" + b"x" * 20_000, b"&".join([b"a=1"] * 50)])
async def test_a_form_that_no_page_of_ours_has_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        await read_form(post(body, sec_fetch_site="same-origin"))
    assert refused.value.code == "form_unreadable"


async def test_json_is_no_form() -> None:
    with pytest.raises(Invalid):
        await read_form(post(b"{}", sec_fetch_site="same-origin", content_type="application/json"))


@pytest.mark.parametrize("path", ["/shop/", "/shop/products/all-films", "/operator/charges/1", "/shop/thanks?a=b"])
def test_people_return_to_where_they_were(path: str) -> None:
    assert own_path(path) == path


@pytest.mark.parametrize(
    "path",
    [None, "", "/", "https://evil.test/shop/", "//evil.test/shop/", "/shop/..//evil.test", "/shop/\\evil.test",
     "/shop/\r\nSet-Cookie: a=b", "/api/v1/receipt", "/shop/ü", "/shop/" + "x" * 600],
)  # fmt: skip
def test_nobody_is_led_elsewhere(path: str | None) -> None:
    assert own_path(path) == "/shop/"
