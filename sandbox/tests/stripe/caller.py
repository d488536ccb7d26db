"""Calls a sandbox's Stripe in this process, without HTTP: for tests that make thousands of calls."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec

from avtale_sandbox.settings import Settings
from avtale_sandbox.vipps.exchange import Request
from avtale_sandbox.world import World


class Caller:
    """One sandbox, and a client of its Stripe."""

    def __init__(self) -> None:
        self.world = World(Settings(clock_running=False, start_at="2027-01-15T09:00:00Z"))
        self.world.load()
        self.count = 0

    def __call__(self, method: str, path: str, pairs: list[tuple[str, str]]) -> tuple[int, Any]:
        self.count += 1
        encoded = urlencode(pairs, errors="surrogatepass").encode()
        request = Request(
            id=f"call-{self.count}",
            method=method,
            path=path,
            query_string=encoded if method == "GET" else b"",
            headers={b"authorization": b"Bearer sk_test_dev"},
            body=b"" if method == "GET" else encoded,
            base_url="http://127.0.0.1:8400",
        )
        api = self.world.stripe.api
        answer = api.answer(request, api.find(method, path))
        return answer.status, msgspec.json.decode(answer.body)

    def make(self, path: str, **params: str) -> str:
        status, body = self("POST", f"/stripe/v1/{path}", list(params.items()))
        assert status == 200, body
        return str(body["id"])

    def advance(self, seconds: int) -> None:
        """Let time pass, everything that is due happening when it is."""
        clock, agenda = self.world.clock, self.world.agenda
        target = clock.now() + seconds * 1000
        while (at := agenda.next_at()) is not None and at <= target:
            clock.step_to(max(at, clock.now()))
            agenda.fire_due(clock.now())
        clock.step_to(target)

    def everything(self, path: str) -> list[dict[str, Any]]:
        """All objects of a list."""
        found: list[dict[str, Any]] = []
        path, _, query = path.partition("?")
        filters = [(name, value) for name, _, value in (one.partition("=") for one in query.split("&") if one)]
        while True:
            after = [("starting_after", found[-1]["id"])] if found else []
            status, page = self("GET", f"/stripe/v1/{path}", [("limit", "100"), *filters, *after])
            assert status == 200, page
            found += page["data"]
            if not page["has_more"]:
                return found
