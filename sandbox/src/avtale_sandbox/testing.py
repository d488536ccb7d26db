"""A sandbox for other people's tests: `with sandbox() as vipps:`, real HTTP, and what tests command in plain calls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

_START_SECONDS_MAX = 30.0
_CALL_SECONDS_MAX = 120.0


class CommandRefused(Exception):
    """The control room cannot do what was asked; `status` and `body` say why."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body.get('detail', body) if isinstance(body, dict) else body}")
        self.status = status
        self.body = body


@dataclass(frozen=True)
class Credentials:
    """The keys of one sales unit."""

    client_id: str = "dev-client-id"
    client_secret: str = "dev-client-secret"
    subscription_key: str = "dev-subscription-key"
    merchant_serial_number: str = "123456"


class Clock:
    """Business time."""

    def __init__(self, sandbox: VippsSandbox) -> None:
        self._sandbox = sandbox

    @property
    def now(self) -> str:
        """What it shows, such as `2027-01-15T09:00:00Z`."""
        return str(self._sandbox.command("GET", "/clock")["now"])

    def advance(self, by: str = "", *, to: str = "", wall_seconds_max: float = 60.0) -> str:
        """Move `by` a duration (`P1M`, `P3D`, `PT10M`) or `to` an instant, webhooks included; gives the new time."""
        order = {"by": by} if by else {"to": to}
        return str(self._sandbox.command("POST", "/clock/advance", order | {"wallSecondsMax": wall_seconds_max})["now"])


class Phone:
    """One person's telephone."""

    def __init__(self, sandbox: VippsSandbox, number: str) -> None:
        self._sandbox = sandbox
        self.number = number

    def open(self, url: str) -> dict[str, Any]:
        """Open a `vippsConfirmationUrl` or a payment's `redirectUrl`; the person's temperament decides what follows."""
        return dict(self._sandbox.command("POST", f"/phone/{self.number}/open", {"url": url}))

    def approve(self, request: str, max_amount: int | None = None) -> dict[str, Any]:
        """Say yes to a `vippsConfirmationUrl` or a payment's `redirectUrl`, or an agreement id.

        Tells what became of it, and where they are sent.
        """
        return self._decide(request, "approve", {} if max_amount is None else {"maxAmount": max_amount})

    def reject(self, request: str) -> dict[str, Any]:
        """Say no to a `vippsConfirmationUrl` or a payment's `redirectUrl`, or an agreement id."""
        return self._decide(request, "reject", {})

    def stop(self, agreement_id: str) -> dict[str, Any]:
        """Stop an active agreement."""
        return self._do(agreement_id, "stop", {})

    def set_limit(self, agreement_id: str, max_amount: int) -> dict[str, Any]:
        """Change the most (minor units) that may be taken at a time, with VARIABLE pricing."""
        return self._do(agreement_id, "limit", {"maxAmount": max_amount})

    def change(self, **traits: Any) -> dict[str, Any]:
        """Make the person be like this: temperament="approves", noFunds=[...], birthDate=..., shares=False ..."""
        self._sandbox.command("POST", "/people", {"phoneNumber": self.number} | self._known() | traits)
        return self._known()

    def delete_profile(self) -> None:
        """The person leaves: their active agreements are stopped by ADMIN."""
        self._sandbox.command("POST", f"/people/{self.number}/delete-profile")

    @property
    def agreements(self) -> list[dict[str, Any]]:
        """What is in their app, with charges."""
        return list(self._sandbox.command("GET", f"/phone/{self.number}")["agreements"])

    @property
    def payments(self) -> list[dict[str, Any]]:
        """The single payments in their app, oldest first."""
        return list(self._sandbox.command("GET", f"/phone/{self.number}")["payments"])

    def _decide(self, request: str, decision: str, order: dict[str, Any]) -> dict[str, Any]:
        if "token=" not in request:
            return self._do(request, decision, order)
        asked = {"url": request, "decision": decision} | order
        return dict(self._sandbox.command("POST", f"/phone/{self.number}/open", asked))

    def _known(self) -> dict[str, Any]:
        try:
            return dict(self._sandbox.command("GET", f"/people/{self.number}"))
        except CommandRefused as refused:
            if refused.status != 404:
                raise
            return {}

    def _do(self, agreement_id: str, verb: str, order: dict[str, Any]) -> dict[str, Any]:
        path = f"/phone/{self.number}/agreements/{quote(agreement_id)}/{verb}"
        return dict(self._sandbox.command("POST", path, order))


class Webhooks:
    """What merchants are told."""

    def __init__(self, sandbox: VippsSandbox) -> None:
        self._sandbox = sandbox

    def events(self, event: str = "", about: str = "") -> list[dict[str, Any]]:
        """The bodies of all events so far, whether anybody listens or not; of one name, about one id."""
        query = urlencode({"event": event, "about": about})
        return [one["body"] for one in self._sandbox.command("GET", f"/events?{query}")["events"]]

    def deliveries(self, event: str = "", state: str = "") -> list[dict[str, Any]]:
        """What was sent to whom, with each attempt's answer."""
        query = urlencode({"event": event, "state": state})
        return list(self._sandbox.command("GET", f"/webhooks/deliveries?{query}")["deliveries"])

    def replay(self, delivery: dict[str, Any]) -> dict[str, Any]:
        """Send a delivery once more."""
        return dict(self._sandbox.command("POST", f"/webhooks/deliveries/{delivery['id']}/replay"))


class VippsSandbox:
    """A running sandbox, commanded through its control room."""

    def __init__(self, url: str, credentials: Credentials | None = None) -> None:
        """Take the address of any sandbox, also one that runs elsewhere."""
        self.url = url.rstrip("/")
        self.credentials = credentials or Credentials()
        self.clock = Clock(self)
        self.webhooks = Webhooks(self)

    def phone(self, number: str = "4791234567", **traits: Any) -> Phone:
        """Somebody's telephone; with traits, they are made like that first."""
        phone = Phone(self, number)
        if traits:
            phone.change(**traits)
        return phone

    def fail_next(
        self,
        operation_id: str | None = None,
        *,
        kind: str = "status",
        status: int | None = None,
        times: int = 1,
        body: Any = None,
        headers: dict[str, str] | None = None,
        seconds: float = 0.0,
        webhook: str | None = None,
        **match: str,
    ) -> str:
        """Let a fault befall the next calls of an operation, or the next webhooks of an event; gives its id.

        `kind` is one of status, delay, hang, effect-then-hang, effect-then-close, effect-then-status; with
        `webhook` (an event or `*`) one of drop, duplicate, delay, reorder. More to match on: method, path,
        agreementId.
        """
        matched = {"operationId": operation_id, "webhook": webhook, **match}
        action: dict[str, Any] = {"kind": kind, "seconds": seconds, "headers": headers or {}}
        if kind in ("status", "effect-then-status"):
            action["status"] = status or 500
        if body is not None:
            action["body"] = body
        order = {"match": {name: value for name, value in matched.items() if value}, "action": action, "times": times}
        return str(self.command("POST", "/faults", order)["id"])

    def fail_charge(self, charge_id: str, tries: int | None = None, reason: str = "user_action_required") -> None:
        """Let a charge's first tries fail, all of them if no number is given; it may be created later."""
        self.command("POST", "/failures", {"chargeId": charge_id, "tries": tries, "reason": reason})

    def expect(self, **expected: Any) -> None:
        """AssertionError unless it holds: `expect(charge={"id": "feb", "captures": 1, "status": "CHARGED"})`."""
        try:
            self.command("POST", "/expect", {"expect": [{kind: what} for kind, what in expected.items()]})
        except CommandRefused as refused:
            if refused.status != 417:
                raise
            wrong = [one["why"] for one in refused.body["results"] if not one["holds"]]
            raise AssertionError("; ".join(wrong)) from None

    def requests(self, **sought: str) -> list[dict[str, Any]]:
        """The calls so far with their answers: by path, method, operationId, status, agreement, text, since."""
        return list(self.command("GET", f"/requests?{urlencode(sought)}")["requests"])

    def expire_tokens(self) -> None:
        """Make every access token worthless, as an hour would."""
        self.command("POST", "/tokens/expire")

    def snapshot(self, name: str = "") -> str:
        """Keep everything as it is; gives the name to restore it by."""
        return str(self.command("POST", "/snapshots", {"name": name})["name"])

    def restore(self, name: str) -> None:
        """Make everything what it was."""
        self.command("POST", f"/snapshots/{quote(name)}/restore")

    def reset(self) -> None:
        """Forget everything but merchants, participants, snapshots and the time."""
        self.command("POST", "/reset")

    def command(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the control room anything (`/_sandbox/docs` lists it all); raises CommandRefused."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox{path}", data, method=method)
        try:
            with _opener.open(request, timeout=_CALL_SECONDS_MAX) as answer:
                text = answer.read()
        except urllib.error.HTTPError as problem:
            with problem:
                text = problem.read()
            raise CommandRefused(problem.code, _json(text)) from None
        return _json(text)


#: Never through a proxy: the sandbox is near.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextlib.contextmanager
def sandbox(start_at: str = "2027-01-15T09:00:00Z", **settings: Any) -> Iterator[VippsSandbox]:
    """A sandbox of one's own on a free port, in a thread of this process, with a clock that stands still.

    `settings` are those of `avtale_sandbox.settings.Settings`, for instance `clock_running=True` or `port=8400`.
    """
    # Imported late: whoever only imports this module pays nothing.
    from .settings import Settings

    given: dict[str, Any] = {"port": 0, "clock_running": False, "start_at": start_at}
    running = _Running(Settings(**(given | settings)))
    running.start()
    try:
        yield VippsSandbox(running.url)
    finally:
        running.stop()


class _Running(threading.Thread):
    """A sandbox in an event loop of its own."""

    def __init__(self, settings: Any) -> None:
        super().__init__(name="avtale-sandbox", daemon=True)
        self.url = ""
        self._settings = settings
        self._ready = threading.Event()
        self._problem: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None

    def start(self) -> None:
        super().start()
        if not self._ready.wait(_START_SECONDS_MAX):
            raise TimeoutError("the sandbox did not start")
        if self._problem is not None:
            raise self._problem

    def stop(self) -> None:
        """End it, and wait until its port is free."""
        if self._loop is not None and self._over is not None:
            self._loop.call_soon_threadsafe(self._over.set)
        self.join(_START_SECONDS_MAX)

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as problem:
            self._problem = problem
            self._ready.set()

    async def _serve(self) -> None:
        from .server import running

        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with running(self._settings) as (url, _):
            self.url = url
            self._ready.set()
            await self._over.wait()


def _json(text: bytes) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text.decode("utf-8", "replace")
