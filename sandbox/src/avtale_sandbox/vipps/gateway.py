"""The front of the Vipps host: finds the operation, checks keys, token, idempotency and body, calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import msgspec

from ..contracts.contract import Contract, Operation
from ..contracts.routes import Found, Routes
from ..merchants import Merchant, Merchants
from .accesstoken import Tokens
from .exchange import Answer, Call, Request
from .idempotency import Idempotency, KeyReused
from .problems import KEY_MISSING, KEY_WRONG, TOKEN_WRONG, TOO_MANY, gateway_answer, turned_away
from .ratelimits import RateLimits
from .refusals import Refused

Handler = Callable[[Call], Answer]


class Face(Protocol):
    """One version of one API: its contract, its handlers by operationId, and how it spells a refusal."""

    contract: Contract

    def handlers(self) -> Mapping[str, Handler]:
        """What does the work of each operation; called with an authenticated, checked call."""

    def refuse(self, request: Request, refused: Refused) -> Answer:
        """Spell a refusal in this API's error shape."""

    def replay(self, call: Call, remembered: str) -> Answer:
        """Write an answer anew that is remembered by an id alone."""


class Route:
    """An operation together with what answers it; `open_to_all` needs no token and no merchant."""

    __slots__ = ("face", "handler", "open_handler", "operation")

    def __init__(
        self,
        operation: Operation,
        face: Face | None,
        handler: Handler | None,
        open_handler: Callable[[Request], Answer] | None = None,
    ) -> None:
        self.operation = operation
        self.face = face
        self.handler = handler
        self.open_handler = open_handler


class MissingHandler(Exception):
    """A contract has an operation that nobody answers."""


class Gateway:
    """Everything of Vipps that is behind one host name."""

    def __init__(
        self,
        merchants: Merchants,
        tokens: Tokens,
        idempotency: Idempotency,
        limits: RateLimits,
        routes: Iterable[Route],
    ) -> None:
        self._merchants = merchants
        self._limits = limits
        self._tokens = tokens
        self._idempotency = idempotency
        self._all = list(routes)
        self._routes = Routes((route.operation, route) for route in self._all)

    @property
    def operations(self) -> list[Operation]:
        """Every operation of every API."""
        return [route.operation for route in self._all]

    def find(self, method: str, path: str) -> Found[Route]:
        """Which operation the request is for."""
        return self._routes.find(method, path)

    def failure(self, status: int, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
        """An error that no operation has made: an ordered one, or a body that is too large."""
        return gateway_answer(status, message, headers)

    def answer(self, request: Request, found: Found[Route]) -> Answer:
        """Answer a request; never raises for anything that a client can send."""
        route = found.target
        if route is None:
            if found.methods:
                return gateway_answer(405, "Method not allowed", ((b"allow", ", ".join(found.methods).encode()),))
            return gateway_answer(404, "Resource not found")
        if route.open_handler is not None:
            return route.open_handler(request)
        if route.face is None or route.handler is None:
            raise MissingHandler(route.operation.id)
        merchant = self._authenticate(request)
        if isinstance(merchant, tuple):
            return turned_away(route.face.contract.gateway_errors, *merchant)
        given = (request.header(name) for name in route.operation.key_headers)
        key = next((value for value in given if value is not None), None)
        call = Call(request, route.operation, found.values, merchant, key or "")
        wait = self._limits.seconds_to_wait(call)
        if wait:
            later = ((b"retry-after", str(wait).encode()),)
            return turned_away(route.face.contract.gateway_errors, 429, TOO_MANY % wait, later)
        wrong = _wrong_headers(request, route.operation)
        if wrong:
            return route.face.refuse(request, Refused("validation-error", "Input validation failed", wrong))
        if not route.operation.needs_idempotency_key and not (route.operation.headers and key):
            return self._perform(call, route.face, route.handler)
        if not route.operation.headers and not Idempotency.allows(key):
            reason = "Invalid value for Idempotency-Key" if key else "Missing header Idempotency-Key"
            return route.face.refuse(request, Refused("idempotency-key-header", reason, [("Idempotency-Key", reason)]))
        return self._once(call, route.face, route.handler)

    def _once(self, call: Call, face: Face, handler: Handler) -> Answer:
        """Perform a call unless its key was used before; then give the answer of that time."""
        msn = call.merchant.merchant_serial_number
        scope = f"{msn}/{call.operation.id}" if call.operation.keys_are_its_own else msn
        fingerprint = Idempotency.fingerprint(call.operation.id, call.values, call.request.body)
        try:
            before = self._idempotency.recall(scope, call.key, fingerprint)
        except KeyReused:
            reason = "The Idempotency-Key was used for another request"
            return face.refuse(call.request, Refused("idempotency-conflict", reason, [("Idempotency-Key", reason)]))
        if before is not None:
            if before.remembered is not None:
                return face.replay(call, before.remembered)
            return Answer(
                before.status,
                (before.body or "").encode(),
                (before.content_type or "application/json").encode(),
            )
        answer = self._perform(call, face, handler)
        # What may be tried again under the same key is not remembered.
        if answer.status < 500 and answer.status not in (423, 429):
            self._idempotency.remember(scope, call.key, fingerprint, answer)
        return answer

    def _perform(self, call: Call, face: Face, handler: Handler) -> Answer:
        try:
            if call.operation.body is not None:
                call.body = _decode(call.request, call.operation)
            return handler(call)
        except Refused as refused:
            return face.refuse(call.request, refused)

    def _authenticate(self, request: Request) -> Merchant | tuple[int, str]:
        """The merchant whose keys and token the request carries, or status and words to turn it away with."""
        subscription_key = request.header(b"ocp-apim-subscription-key")
        if not subscription_key:
            return 401, KEY_MISSING
        if not self._merchants.knows_subscription_key(subscription_key):
            return 401, KEY_WRONG
        authorization = request.header(b"authorization") or ""
        # The real gateway knows "Bearer" in this spelling only.
        if not authorization.startswith("Bearer "):
            return 401, TOKEN_WRONG
        holder = self._merchants.holder(self._tokens.holder_of(authorization[7:].strip()) or "")
        if holder is None:
            return 401, TOKEN_WRONG
        if holder.subscription_key != subscription_key:
            return 401, KEY_WRONG
        merchant = self._merchants.called_for(holder.client_id, request.header(b"merchant-serial-number"))
        return (403, "The Merchant-Serial-Number does not belong to these keys") if merchant is None else merchant


def routes_of(face: Face) -> list[Route]:
    """The routes of all operations of an API; raises MissingHandler."""
    handlers = face.handlers()
    missing = [operation.id for operation in face.contract.operations if operation.id not in handlers]
    if missing:
        raise MissingHandler(f"{face.contract.name}: {', '.join(missing)}")
    return [Route(operation, face, handlers[operation.id]) for operation in face.contract.operations]


def open_routes(contract: Contract, handlers: Mapping[str, Callable[[Request], Answer]]) -> list[Route]:
    """The routes of an API that authenticates its callers itself; raises MissingHandler."""
    missing = [operation.id for operation in contract.operations if operation.id not in handlers]
    if missing:
        raise MissingHandler(f"{contract.name}: {', '.join(missing)}")
    return [Route(operation, None, None, handlers[operation.id]) for operation in contract.operations]


def _wrong_headers(request: Request, operation: Operation) -> list[tuple[str, str]]:
    """What is wrong with the headers that the API itself looks at."""
    problems: list[tuple[str, str]] = []
    for key, name, must, check in operation.headers:
        value = request.header(key)
        if value is not None:
            check(value, name, problems)
        elif must:
            problems.append((name, "is required"))
    return problems


def _decode(request: Request, operation: Operation) -> object:
    """The body as JSON, checked against the contract; raises Refused."""
    if operation.body_may_be_left_out and not request.body:
        return {}
    media_type = (request.header(b"content-type") or "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise Refused("unsupported-media-type", f"Content-Type '{media_type}' is not supported")
    try:
        body = msgspec.json.decode(request.body)
    # Deep nesting ends in a RecursionError, some broken text in a UnicodeDecodeError, which is a ValueError.
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise Refused("invalid-json", "The body is not valid JSON") from None
    problems: list[tuple[str, str]] = []
    if operation.body is not None:
        operation.body(body, "", problems)
    if problems:
        raise Refused("validation-error", "Input validation failed", problems)
    return body
