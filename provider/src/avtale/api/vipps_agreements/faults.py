"""How failures are told here: `exceptionType` and `errorMessage`, and tokens' faults as OAuth has them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response

from avtale.api.problems import Problem, problem_of
from avtale.api.vipps_agreements.speaking import answer

#: What a caller can do wrong is 400 here, but for these.
_OWN_STATUS = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.TOO_MANY_REQUESTS})

log = structlog.get_logger()


def tell(request: Request, error: Exception) -> Response:
    """The answer that an exception means."""
    problem = problem_of(error)
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request_failed", exc_info=error, method=request.method, route="customer_api")
    elif problem.status > HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request_not_served", code=problem.code, status=problem.status, reason=str(error))
    if problem.status == HTTPStatus.UNAUTHORIZED:
        return answer(request, _oauth(problem), problem.status, problem.headers)
    known = problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR or problem.status in _OWN_STATUS
    status = problem.status if known else HTTPStatus.BAD_REQUEST
    name = "".join(part.capitalize() for part in problem.code.split("_"))
    said = {"exceptionType": f"{name}Exception", "errorMessage": problem.detail}
    return answer(request, said, status, problem.headers)


def _oauth(problem: Problem) -> dict[str, Any]:
    """The members of RFC 6749 and 6750. A request without a token has made no mistake that has a code."""
    error = "unauthorized" if problem.code == "token_missing" else "invalid_token"
    return {"error": error, "error_description": problem.detail}
