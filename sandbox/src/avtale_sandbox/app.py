"""The front door: one ASGI application for every host that the sandbox plays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cached_property
from typing import Any

from starlette.types import ASGIApp

from .clock import wall_now
from .control.faults import Action
from .control.wire import Problem
from .store import StateNotKept
from .stripe import operations as stripe_paths
from .stripe.api import StripeApi
from .vipps.epayment import landing
from .vipps.exchange import Answer, Request, json_answer
from .vipps.gateway import Gateway
from .vipps.recurring import confirmation
from .world import World, log

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# What HTTP sends without a body.
_BODILESS = (204, 304)
# Where the server puts a connection's transport, for the fault that cuts it.
TRANSPORT = "avtale_sandbox.transport"

_PAYMENT_PAGES = (landing.PATH, landing.QR_PATH)
_PAGES = ("/_sandbox", "/identity", "/phone", confirmation.PATH, *_PAYMENT_PAGES, *stripe_paths.PAGES)


class FrontDoor:
    """Answers every request: the APIs by themselves, pages and the control room through Starlette."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._number = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] != "http":
            return
        elif scope["path"].startswith(_PAGES) and _is_page(scope["path"]):
            await self._page(scope, receive, send)
        else:
            await self._call(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._world.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._world.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    @cached_property
    def _pages(self) -> ASGIApp:
        # Read late: who never opens a page or the control room does not pay for them.
        from .rooms import rooms

        return rooms(self._world)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let Starlette answer, and store what was changed before the answer begins."""
        world, left = self._world, self._world.settings.body_bytes_max

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise Problem(413, "The body is too large")
            return message

        refused = False

        async def stored(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start":
                try:
                    world.settle_all()
                except StateNotKept as problem:
                    refused = True
                    await _send(_not_kept(world.gateway, problem), send)
            if not refused:
                await send(message)

        try:
            world.catch_up()
        except StateNotKept as problem:
            await _send(_not_kept(world.gateway, problem), send)
            return
        await self._pages(scope, counted, stored)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call of one of the APIs, as itself or as a fault would have it."""
        world = self._world
        self._number += 1
        world.conductor.activity += 1
        body = await _body(receive, world.settings.body_bytes_max)
        if body is None:
            return
        headers = scope["headers"]
        by_name = dict(headers)
        request = Request(
            id=world.ids.uuid("request", self._number),
            method=scope["method"],
            path=scope["path"],
            query_string=scope["query_string"],
            headers=by_name,
            body=body[0],
            base_url=_base_url(scope, by_name),
        )
        host: Gateway | StripeApi = (
            world.stripe.api if request.path.startswith(stripe_paths.PREFIX + "/") else world.gateway
        )
        found = host.find(request.method, request.path)
        operation_id = None if found.target is None else found.target.operation.id
        fault = world.faults.for_call(request.method, request.path, operation_id, found.values.get("agreementId"))
        if fault is not None and fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        answer: Answer | None
        if not body[1]:
            answer = host.failure(413, "The body is too large")
        elif fault is not None and fault.kind in ("status", "hang"):
            answer = self._kept(host) or _scripted(fault, host)
        else:
            answer = self._answer(request, found, host)
            if fault is not None and fault.kind != "delay":
                answer = _scripted(fault, host)
        world.record.add(
            wall_now(),
            world.clock.now(),
            request.method,
            request.path,
            request.query_string,
            headers,
            request.body,
            operation_id,
            None if answer is None else answer.status,
            b"" if answer is None else answer.body,
            None if fault is None else fault.kind,
        )
        if answer is not None:
            await _send(answer, send)
        else:
            await _leave_unanswered(scope, receive, cut=fault is not None and fault.kind.endswith("close"))

    def _kept(self, host: Gateway | StripeApi) -> Answer | None:
        """Store what was changed; the answer that says so where that is not possible."""
        try:
            self._world.store.commit()
        except StateNotKept as problem:
            return _not_kept(host, problem)
        return None

    def _answer(self, request: Request, found: Any, host: Gateway | StripeApi) -> Answer:
        """Perform a call and store what it changed; what is due comes before and after it."""
        world = self._world
        try:
            world.catch_up()
            try:
                answer = host.answer(request, found)
            except Exception:
                log.exception("request %s (%s %s) failed", request.id, request.method, request.path)
                answer = host.failure(500, f"Internal error, request {request.id}")
            world.settle_all()
        except StateNotKept as problem:
            return _not_kept(host, problem)
        return answer


def _is_page(path: str) -> bool:
    """Whether the path is one of the pages' own and not merely begins with the same letters."""
    return any(path == page or path.startswith(page + "/") for page in _PAGES)


async def _body(receive: Receive, most: int) -> tuple[bytes, bool] | None:
    """The body and whether it is whole, or None when the client has gone."""
    message = await receive()
    if message["type"] == "http.disconnect":
        return None
    body = message.get("body", b"")
    if not message.get("more_body", False):
        return bytes(body), len(body) <= most
    parts = bytearray(body)
    while message.get("more_body", False):
        if len(parts) > most:
            return b"", False
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts += message.get("body", b"")
    return bytes(parts), len(parts) <= most


def _base_url(scope: Scope, headers: dict[bytes, bytes]) -> str:
    """The host that was asked, as it is to be named in answers."""
    host = headers.get(b"host")
    if host is None:
        server = scope.get("server") or ("127.0.0.1", 80)
        return f"{scope['scheme']}://{server[0]}:{server[1]}"
    return f"{scope['scheme']}://{host.decode('latin-1')}"


def _not_kept(host: Gateway | StripeApi, problem: StateNotKept) -> Answer:
    """What a full disk makes of every answer: the call may have taken effect, and nothing is answered as if it had."""
    return host.failure(503, str(problem), ((b"retry-after", b"1"),))


def _scripted(fault: Action, host: Gateway | StripeApi) -> Answer | None:
    """The answer that a fault puts in place of the true one; None for no answer at all."""
    if fault.status is None:
        return None
    given = {name.lower(): value.encode("latin-1") for name, value in fault.headers.items()}
    content_type = given.pop("content-type", None)
    headers = tuple((name.encode(), value) for name, value in given.items())
    if fault.body is None:
        answer = host.failure(fault.status, "This answer was ordered by a fault script", headers)
    else:
        answer = json_answer(fault.status, fault.body, headers=headers)
    if content_type is not None:
        answer.content_type = content_type
        if isinstance(fault.body, str) and b"json" not in content_type:
            answer.body = fault.body.encode()
    if fault.status in _BODILESS:
        answer.body = b""
    return answer


async def _send(answer: Answer, send: Send) -> None:
    headers = [(b"content-length", b"%d" % len(answer.body)), *answer.headers]
    if answer.body:
        headers.append((b"content-type", answer.content_type))
    if answer.status in _BODILESS:
        del headers[0]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _leave_unanswered(scope: Scope, receive: Receive, cut: bool) -> None:
    """Never answer: cut the connection, or wait until the client gives up."""
    if cut and (transport := scope.get(TRANSPORT)) is not None:
        transport.abort()
    while (await receive())["type"] != "http.disconnect":
        continue
