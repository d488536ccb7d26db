"""How every failure is answered: problem details (RFC 9457) with a stable code, from one table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Scope

from avtale.api.accepting import NotAcceptable
from avtale.api.identity import AdminOnly, NotSignedIn
from avtale.api.keys import IssuerUnavailable
from avtale.domain.errors import (
    Conflict,
    GatewayBusy,
    GatewayRefused,
    GatewayUnknown,
    Invalid,
    NotFound,
    Refusal,
)
from avtale.service.pacing import TooManyCalls
from avtale.storage.clock import ClockLocked
from avtale.storage.database import DatabaseDown
from avtale.storage.sealing import SealBroken

MEDIA_TYPE = "application/problem+json"
#: When to come back after an outage of ours, in seconds.
RETRY_AFTER_SECONDS = 2
FAULTS_COUNT_MAX = 20
#: Below this every path ends with a secret.
SECRET_PATHS = "/api/v1/migrate/"


class BodyTooLarge(Refusal):
    """The body is larger than any request of ours needs to be."""

    code = "body_too_large"


class BodyTooSlow(Refusal):
    """The body did not arrive in time."""

    code = "body_too_slow"


class MediaTypeUnknown(Refusal):
    """The body is not JSON, or does not say that it is."""

    code = "media_type_unsupported"


class Unready(Refusal):
    """This process cannot serve as it stands."""

    code = "not_ready"


#: The one table: what each kind of failure is as an HTTP status. The nearest kind of an exception decides.
STATUS: Mapping[type[Exception], HTTPStatus] = {
    Refusal: HTTPStatus.BAD_REQUEST,
    Invalid: HTTPStatus.BAD_REQUEST,
    NotSignedIn: HTTPStatus.UNAUTHORIZED,
    AdminOnly: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    NotAcceptable: HTTPStatus.NOT_ACCEPTABLE,
    BodyTooSlow: HTTPStatus.REQUEST_TIMEOUT,
    Conflict: HTTPStatus.CONFLICT,
    ClockLocked: HTTPStatus.CONFLICT,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    MediaTypeUnknown: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    TooManyCalls: HTTPStatus.TOO_MANY_REQUESTS,
    GatewayRefused: HTTPStatus.BAD_GATEWAY,
    GatewayBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    IssuerUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    DatabaseDown: HTTPStatus.SERVICE_UNAVAILABLE,
    Unready: HTTPStatus.SERVICE_UNAVAILABLE,
    GatewayUnknown: HTTPStatus.GATEWAY_TIMEOUT,
}

#: The codes of what the router refuses by itself.
_ROUTER_CODES = {404: "route_unknown", 405: "method_not_allowed"}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Problem:
    """One failure, ready to be told; `facts` are further members, such as the id to poll."""

    status: int
    code: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def answer(self, scope: Scope) -> JSONResponse:
        """The response. Its `instance` is the path, without the query."""
        said = {
            **self.facts,
            "type": f"urn:avtale:problem:{self.code}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            "instance": quote(_without_secret(scope["path"]), safe="/:@!$&'()*+,;=~%"),
            "code": self.code,
            "requestId": scope["state"]["request_id"],
        }
        return JSONResponse(said, self.status, dict(self.headers), MEDIA_TYPE)


def problem_of(error: Exception) -> Problem:
    """What an exception means to a caller; one that nobody foresaw says nothing but that it happened."""
    match error:
        case RequestValidationError():
            return _misshapen(error.errors())
        case HTTPException():
            code = _ROUTER_CODES.get(error.status_code, "invalid_request")
            return Problem(error.status_code, code, error.detail, headers=error.headers or {})
        case Refusal():
            facts = {_camel(name): value for name, value in error.facts.items()}
            return Problem(_status(error), error.code, error.detail, _headers(error), facts)
        case DatabaseDown():
            later = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return Problem(_status(error), "database_unavailable", f"{error}; try again", later)
        case SealBroken():
            return Problem(500, "secret_unreadable", "this tenant's secrets cannot be read; tell the operator")
        case _:
            return Problem(500, "internal_error", "something went wrong here; the request id finds it in our log")


def _without_secret(path: str) -> str:
    """The path; the migration's end with a secret, which an answer that is written down somewhere must not have."""
    kept, _, last = path.rstrip("/").rpartition("/")
    return f"{kept}/***" if last and path.startswith(SECRET_PATHS) else path


def add_problems(app: FastAPI) -> None:
    """Have the application answer every foreseen failure as a problem; the envelope answers the others."""
    for kind in (Refusal, DatabaseDown, SealBroken, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> JSONResponse:
    problem = problem_of(error)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request_not_served", code=problem.code, status=problem.status, reason=str(error))
    return problem.answer(request.scope)


def _status(error: Exception) -> int:
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def _headers(error: Refusal) -> dict[str, str]:
    match error:
        case GatewayBusy() | IssuerUnavailable() | TooManyCalls():
            return {"Retry-After": str(max(1, math.ceil(error.retry_after_seconds)))}
        case NotSignedIn(code="token_missing"):
            return {"WWW-Authenticate": 'Bearer realm="avtale"'}
        case NotSignedIn():
            said = error.detail.encode("ascii", "replace").decode().replace("\\", "?").replace('"', "'")
            challenge = f'Bearer realm="avtale", error="invalid_token", error_description="{said}"'
            return {"WWW-Authenticate": challenge}
        case AdminOnly():
            return {"WWW-Authenticate": 'Bearer realm="avtale", error="insufficient_scope"'}
        case _:
            return {}


def _misshapen(faults: Sequence[Any]) -> Problem:
    """Where each fault is and what is wrong, never what was sent: that may be a secret."""
    errors = [
        {"in": str(fault["loc"][0]), "pointer": _pointer(fault), "message": _message(fault)}
        for fault in faults[:FAULTS_COUNT_MAX]
    ]
    first = errors[0]
    detail = f"{first['in']}{' ' + first['pointer'] if first['pointer'] else ''}: {first['message']}"
    return Problem(400, "invalid_request", detail, facts={"errors": errors})


def _pointer(fault: Mapping[str, Any]) -> str:
    """The place in its part of the request, as a JSON pointer (RFC 6901)."""
    steps = [] if fault["type"] == "json_invalid" else fault["loc"][1:]
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def _message(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "json_invalid":
        return f"this is not JSON: {fault['ctx']['error']}"
    return str(fault["msg"]).removeprefix("Value error, ")


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)
