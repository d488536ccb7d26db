"""The front of Stripe's host: finds the operation, checks key, account, idempotency and parameters, calls it."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from ..clock import wall_now
from ..contracts.contract import Operation
from ..contracts.routes import Found, Routes
from ..instants import DAY
from ..store import Store
from ..vipps.exchange import Answer, Request
from ..vipps.idempotency import Idempotency
from .books import Asking, Books
from .calls import Action, Actions, Call
from .forms import parse
from .operations import OPERATIONS, PREFIX
from .params import Params
from .refusals import Refused, invalid
from .resources import Account, Row
from .wire.shapes import API_VERSION
from .wire.speller import Speller

log = logging.getLogger("avtale_sandbox")
_encode = msgspec.json.Encoder().encode

KEY_LENGTH_MAX = 255
# Stripe forgets keys after a day at the earliest; of real time, as everything about calls.
KEPT = DAY


class Remembered(Struct, array_like=True):
    """A call's fingerprint, and what it was answered, when, and under which request id."""

    fingerprint: str
    status: int
    body: str
    wall: int
    request: str


class Route(Struct, frozen=True):
    """An operation together with what answers it."""

    operation: Operation
    action: Action


class MissingAction(Exception):
    """An operation is listed that nobody answers, or answered that is not listed."""


class StripeApi:
    """Everything behind `api.stripe.com`."""

    def __init__(self, store: Store, books: Books, speller: Speller, faces: Iterable[Actions]) -> None:
        self._books = books
        self._speller = speller
        self._remembered = store.table("stripe_idempotency", Remembered)
        actions = {name: action for face in faces for name, action in face.items()}
        names = {operation.id for operation in OPERATIONS}
        if names != set(actions):
            raise MissingAction(", ".join(sorted(names ^ set(actions))))
        self._actions = actions
        self._routes = Routes((operation, Route(operation, actions[operation.id])) for operation in OPERATIONS)

    def params_of(self, name: str) -> Params:
        """What an operation takes."""
        return self._actions[name].params

    def find(self, method: str, path: str) -> Found[Route]:
        """Which operation the request is for."""
        return self._routes.find(method, path)

    def answer(self, request: Request, found: Found[Route]) -> Answer:
        """Answer a request; never raises for anything that a client can send."""
        request_id = "req_" + request.id.replace("-", "")[:14]
        key = request.header(b"idempotency-key") if request.method == "POST" else None
        self._books.base_url = request.base_url
        try:
            acting, is_publishable = self._authenticate(request)
            if found.target is None:
                shown = f"({request.method}: {request.path.removeprefix(PREFIX)})"
                raise invalid(f"Unrecognized request URL {shown}. The sandbox may not play it.", status=404)
            if is_publishable and not found.target.action.in_browser:
                message = "This API call cannot be made with a publishable API key. Please use a secret API key."
                raise Refused(403, "invalid_request_error", message, code="secret_key_required")
            if key is not None and not 0 < len(key) <= KEY_LENGTH_MAX:
                raise invalid(f"Idempotency keys are 1 to {KEY_LENGTH_MAX} characters long.")
            given = _parameters(request)
            if key is not None:
                before = self._recall(acting, key, found, given)
                if before is not None:
                    headers = (*self._headers(request_id, key, acting), (b"idempotent-replayed", b"true"))
                    return Answer(before.status, before.body.encode(), headers=(*headers, _original(before.request)))
            params = found.target.action.params.check(given)
            self._speller.check_paths(params.get("expand", ()))
            call = Call(
                request=request,
                account=acting,
                values=found.values,
                params=params,
                is_publishable=is_publishable,
            )
        except Refused as refused:
            return self._refuse(refused, request_id, key, None)
        answer = self._perform(call, found.target, request_id, key)
        if key is not None:
            row = Remembered(
                self._fingerprint(found, given), answer.status, answer.body.decode(), wall_now(), request_id
            )
            self._remembered.put(f"{acting.id}/{key}", row)
        return answer

    def failure(self, status: int, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
        """An error that no operation has made: an ordered one, or a body that is too large."""
        refused = Refused(status, "api_error" if status >= 500 else "invalid_request_error", message)
        if status == 429:
            refused.code = "rate_limit"
        answer = self._refuse(refused, "req_sandbox", None, None)
        return Answer(status, answer.body, headers=(*answer.headers, *headers))

    def forget_keys(self) -> None:
        """Forget all idempotency keys, as a day of real time would."""
        for key in list(self._remembered.encoded):
            self._remembered.delete(key)

    def _perform(self, call: Call, route: Route, request_id: str, key: str | None) -> Answer:
        self._books.asking = Asking(request_id, key)
        try:
            result = route.action.handler(call)
            spelled = self._speller.spell(result) if isinstance(result, Row) else result
            self._speller.expand(spelled, call.params.get("expand", ()))
            return Answer(200, _encode(spelled), headers=self._headers(request_id, key, call.account))
        except Refused as refused:
            return self._refuse(refused, request_id, key, call.account)
        except Exception:
            log.exception("request %s (%s %s) failed", request_id, call.request.method, call.request.path)
            failed = Refused(500, "api_error", f"Internal error, request {request_id}")
            return self._refuse(failed, request_id, key, call.account)
        finally:
            self._books.asking = Asking()

    def _authenticate(self, request: Request) -> tuple[Account, bool]:
        """Whose objects the request is about, and whether a browser's key speaks for them; raises Refused."""
        scheme, _, value = (request.header(b"authorization") or "").partition(" ")
        if scheme.lower() == "basic":
            try:
                value = base64.b64decode(value, validate=True).decode("latin-1").partition(":")[0]
            except binascii.Error:
                value = ""
        if scheme.lower() not in ("basic", "bearer") or not value.strip():
            message = (
                "You did not provide an API key. You need to provide your API key in the Authorization header, "
                "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
            )
            raise Refused(401, "invalid_request_error", message)
        account, is_publishable = self._books.accounts.of_key(value.strip())
        return self._books.accounts.acting(account, request.header(b"stripe-account")), is_publishable

    def _recall(self, account: Account, key: str, found: Found[Route], given: dict[str, Any]) -> Remembered | None:
        before = self._remembered.get(f"{account.id}/{key}")
        if before is None or before.wall < wall_now() - KEPT:
            return None
        if before.fingerprint != self._fingerprint(found, given):
            message = (
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request."
            )
            raise Refused(400, "idempotency_error", message)
        return before

    @staticmethod
    def _fingerprint(found: Found[Route], given: dict[str, Any]) -> str:
        name = "" if found.target is None else found.target.operation.id
        return Idempotency.fingerprint(name, found.values, msgspec.json.encode(given, order="deterministic"))

    def _headers(self, request_id: str, key: str | None, account: Account | None) -> tuple[tuple[bytes, bytes], ...]:
        headers = [(b"request-id", request_id.encode()), (b"stripe-version", API_VERSION.encode())]
        if key is not None:
            headers.append((b"idempotency-key", key.encode("latin-1", "replace")))
        if account is not None and account.platform is not None:
            headers.append((b"stripe-account", account.id.encode()))
        return tuple(headers)

    def _refuse(self, refused: Refused, request_id: str, key: str | None, account: Account | None) -> Answer:
        error: dict[str, Any] = {"type": refused.type, "message": refused.message}
        if refused.code is not None:
            error["code"] = refused.code
            error["doc_url"] = f"https://docs.stripe.com/error-codes/{refused.code.replace('_', '-')}"
        if refused.decline_code is not None:
            error["decline_code"] = refused.decline_code
        if refused.param is not None:
            error["param"] = refused.param
        error |= refused.more
        error["request_log_url"] = f"{self._books.base_url}/_sandbox/requests?path=/stripe"
        return Answer(refused.status, _encode({"error": error}), headers=self._headers(request_id, key, account))


def _original(request_id: str) -> tuple[bytes, bytes]:
    return b"original-request", request_id.encode()


def _parameters(request: Request) -> dict[str, Any]:
    """Parameters of the query, and of the form; raises Refused."""
    given = parse(request.query_string)
    if request.body:
        kind = (request.header(b"content-type") or "").partition(";")[0].strip().lower()
        if kind not in ("application/x-www-form-urlencoded", ""):
            message = (
                f"Invalid request (check that your POST content type is application/x-www-form-urlencoded): {kind}"
            )
            raise invalid(message)
        given |= parse(request.body)
    return given
