"""The ways to bring a payer to a payment: a page, an app, a code that is scanned."""

from __future__ import annotations

import struct
from typing import Any
from xml.etree import ElementTree

import pytest
import segno

ANNA = "4791234567"


async def test_each_flow_has_its_own_address(till: Any) -> None:
    for flow, more, begins in (
        ("WEB_REDIRECT", {}, f"{till.sandbox.url}/pay?token=eyJ"),
        ("NATIVE_REDIRECT", {}, "vipps://?token=eyJ"),
        ("QR", {"qrFormat": {"format": "TEXT/TARGETURL"}}, f"{till.sandbox.url}/pay?token=eyJ"),
        ("QR", {"qrFormat": {"format": "IMAGE/PNG"}}, f"{till.sandbox.url}/qr-image/v1?token=eyJ"),
        ("QR", {}, f"{till.sandbox.url}/qr-image/v1?token=eyJ"),
    ):
        reference, url = await till.created(userFlow=flow, **more)
        assert url is not None
        assert url.startswith(begins)
        # Whatever it is, a telephone can open it.
        assert (await till.open(url))["state"] == "CREATED"
        assert (await till.decide("approve", reference))["state"] == "AUTHORIZED"


@pytest.mark.parametrize("size", [None, 100, 1024, 2000])
async def test_a_png_holds_the_address_of_the_page(till: Any, size: int | None) -> None:
    _, url = await till.created(userFlow="QR", qrFormat={"format": "IMAGE/PNG", "size": size})
    reply = await till.sandbox.raw("GET", url.removeprefix(till.sandbox.url))
    assert (reply.status, reply.headers["Content-Type"]) == (200, "image/png")
    assert reply.body.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", reply.body[16:24])
    squares = segno.make(page_of(url), error="m", micro=False).symbol_size(border=4)[0]
    assert width == height == max(1, (size or 1024) // squares) * squares


async def test_an_svg_draws_the_code_of_the_page(till: Any) -> None:
    _, url = await till.created(userFlow="QR")
    reply = await till.sandbox.raw("GET", url.removeprefix(till.sandbox.url))
    assert (reply.status, reply.headers["Content-Type"]) == (200, "image/svg+xml")
    drawing = ElementTree.fromstring(reply.body)
    squares = segno.make(page_of(url), error="m", micro=False).symbol_size(border=4)[0]
    assert drawing.attrib["viewBox"] == f"0 0 {squares} {squares}"


@pytest.mark.shows("rule:P2")
async def test_the_image_is_gone_when_nobody_can_pay_any_more(till: Any) -> None:
    paid, url = await till.created(userFlow="QR")
    _, ignored = await till.created(userFlow="QR")
    await till.open(url)
    await till.decide("approve", paid)

    async def status(address: str) -> int:
        return int((await till.sandbox.raw("GET", address.removeprefix(till.sandbox.url))).status)

    assert await status(url) == 404
    assert await status(ignored) == 200
    await till.sandbox.advance_to("2027-01-15T09:05:00Z")
    assert await status(ignored) == 404
    _, page = await till.created()
    assert await status(page.replace("/pay?", "/qr-image/v1?")) == 404
    assert await status("/qr-image/v1?token=x") == 404


def page_of(url: str) -> str:
    """The address that a scanner finds in the image."""
    return url.replace("/qr-image/v1?", "/pay?")
