"""The dashboard's forms belong to its own pages: another site cannot send them, and nonsense changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

ANNA = "4791234567"
FORMS = [
    "/clock/move",
    "/clock/run",
    "/clock/reset",
    "/clock/snapshots",
    "/clock/snapshots/restore",
    "/clock/snapshots/forget",
    "/people",
    f"/people/{ANNA}",
    f"/people/{ANNA}/leave",
    "/faults",
    "/faults/forget",
    "/faults/random",
    "/charges/failures",
    "/charges/failures/forget",
    "/webhooks/replay",
    "/agreements/agr_1/approve",
]


async def send(sandbox: Any, path: str, form: str, **headers: str) -> Any:
    more = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    async with sandbox.http.post(
        f"{sandbox.url}/_sandbox/ui{path}", data=form, headers=more, allow_redirects=False
    ) as answer:
        return answer.status, answer.headers.get("Location", ""), await answer.text()


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
async def test_a_form_of_another_site_is_refused(sandbox: Any, path: str, headers: dict[str, str]) -> None:
    before = [(await sandbox.control("GET", one)).body for one in ("/people", "/faults", "/clock", "/snapshots")]
    status, _, text = await send(sandbox, path, "by=P1D&name=x&running=yes&dice=on", **headers)
    assert status == 403
    assert "not sent from here" in text
    after = [(await sandbox.control("GET", one)).body for one in ("/people", "/faults", "/clock", "/snapshots")]
    assert after == before


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/clock/move", "by=soon", 400),
        ("/clock/move", "", 400),
        ("/clock/move", "day=2027-02-30", 400),
        ("/clock/move", "day=1999-01-01", 409),
        ("/clock/snapshots", "name=a/b", 400),
        ("/clock/snapshots/restore", "name=none", 404),
        ("/clock/snapshots/forget", "name=none", 404),
        ("/people", "number=12", 400),
        ("/people", f"number={ANNA}", 400),
        ("/people", "number=4790000002&temperament=angry", 400),
        ("/people/4790000009", "temperament=asks", 400),
        (f"/people/{ANNA}", "birth_date=once", 400),
        (f"/people/{ANNA}", "limit=much", 400),
        (f"/people/{ANNA}", "limit=1.234", 400),
        ("/faults", "kind=explode", 400),
        ("/faults", "kind=hang&times=many", 400),
        ("/faults", "kind=drop", 400),
        ("/faults/random", "call-hang=200", 400),
        ("/faults/random", "call-hang=nan", 400),
        ("/faults/random", "call-hang=x", 400),
        ("/charges/failures", "charge_id=a&reason=none", 400),
        ("/charges/failures", "reason=technical_error", 400),
        ("/charges/failures", "charge_id=a&tries=-1&reason=technical_error", 400),
        ("/webhooks/replay", "number=77", 400),
        ("/webhooks/replay", "number=%C2%B2", 400),
        ("/agreements/agr_1/approve", f"person={ANNA}", 409),
        ("/agreements/agr_1/eat", "", 409),
        ("/faults", "a=1&" * 300, 400),
    ],
)
async def test_nonsense_is_said_to_be_so(sandbox: Any, path: str, form: str, status: int) -> None:
    answered, _, text = await send(sandbox, path, form, Origin=sandbox.url)
    assert answered == status, text
    assert 'role="alert"' in text


@pytest.mark.parametrize(
    ("back", "leads"),
    [
        ("/_sandbox/ui/charges?status=DUE&done=x", "/_sandbox/ui/charges?status=DUE&done="),
        ("https://evil.example/", "/_sandbox/ui/clock?"),
        ("/_sandbox//evil.example", "/_sandbox/ui/clock?"),
        ("/_sandbox/\\evil.example", "/_sandbox/ui/clock?"),
        ("//evil.example", "/_sandbox/ui/clock?"),
        ("/elsewhere", "/_sandbox/ui/clock?"),
    ],
)
async def test_a_form_leads_back_to_our_own_pages_only(sandbox: Any, back: str, leads: str) -> None:
    from urllib.parse import urlencode

    form = urlencode({"by": "P1D", "back": back})
    status, location, _ = await send(sandbox, "/clock/move", form, Origin=sandbox.url)
    assert status == 303
    assert location.startswith(leads)


@pytest.mark.parametrize(
    "path",
    [
        "/agreements/agr_nothing",
        "/record/99999",
        "/nothing",
        "/agreements?page=0",
        "/agreements?page=x",
        "/agreements?page=99999999999999999999",
        "/charges?status=%FF&text=%FF",
        "/webhooks?delivery=x",
        "/webhooks?delivery=%C2%B2",
        "/record?status=%00&text=%3Cscript%3E",
        "/record/events?text=%22%3E%3Cscript%3E",
    ],
)
async def test_strange_addresses_are_answered(sandbox: Any, path: str) -> None:
    reply = await sandbox.raw("GET", f"/_sandbox/ui{path}")
    assert reply.status in (200, 404)
    assert b"<script>" not in reply.body


async def test_pages_let_nothing_inline_run_and_nobody_frame_them(sandbox: Any) -> None:
    for path in ("/_sandbox/", "/_sandbox/docs", "/_sandbox/ui/faults"):
        reply = await sandbox.raw("GET", path)
        policy = reply.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert reply.headers["Cache-Control"] == "no-store"


async def test_what_merchants_write_is_escaped(sandbox: Any) -> None:
    agreement_id = await sandbox.agree(productName="<b>&'\"", externalId="<i>")
    await sandbox.person("4790000003", name="<script>alert(1)</script>")
    for path in ("/ui/agreements", f"/ui/agreements/{agreement_id}", "/ui/people", "/", "/ui/record", "/ui/record/2"):
        page = (await sandbox.raw("GET", f"/_sandbox{path}")).body.decode()
        assert "<b>" not in page
        assert "<script>" not in page
        assert "<i>" not in page
