"""Which answers of Vipps are a definite no, which ask us to wait, and which leave us not knowing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from avtale.domain.outcome import Refused, Throttled, Unknown
from avtale.gateways.outbound import Answer
from avtale.gateways.vipps.reading import json_of, printable

RETRY_AFTER_SECONDS_DEFAULT = 5.0
RETRY_AFTER_SECONDS_MAX = 3600.0
CODE_CHARACTERS_MAX = 100
DETAIL_CHARACTERS_MAX = 500

#: A 4xx that does not say that nothing happened: something in between gave up waiting.
_UNCLEAR = frozenset({HTTPStatus.REQUEST_TIMEOUT})

#: The codes of refusals that bring none. Not Python's own phrases, which change with its versions.
_STATUS_CODES = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    409: "conflict",
    415: "unsupported-media-type",
    422: "unprocessable",
}

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
#: A problem's own id is made of words; `…/rfc7231#section-6.5.1` and `…/404` are addresses of something else.
_PROBLEM_ID = re.compile(r"[a-z]+(-[a-z]+)*")


def judge(answer: Answer, wall: datetime) -> Answer | Refused | Throttled | Unknown:
    """A 2xx as it is; else what its status means: a 4xx is a definite no, 429 a wait, the rest unknown."""
    status = answer.status
    if 200 <= status < 300:
        return answer
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(retry_after_seconds(answer.headers.get("retry-after"), wall))
    if 400 <= status < 500 and status not in _UNCLEAR:
        return refusal(status, answer.body)
    return Unknown(f"Vipps answered {status}")


def retry_after_seconds(value: str | None, wall: datetime) -> float:
    """Seconds to wait by a `Retry-After` (a number or an HTTP date); 5 without one that we can read."""
    if value is None:
        return RETRY_AFTER_SECONDS_DEFAULT
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:10]), RETRY_AFTER_SECONDS_MAX)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return RETRY_AFTER_SECONDS_DEFAULT
    seconds = (until.replace(tzinfo=until.tzinfo or UTC) - wall).total_seconds()
    return min(max(seconds, 0.0), RETRY_AFTER_SECONDS_MAX)


def refusal(status: int, body: bytes, *, code: str | None = None) -> Refused:
    """A 4xx in our words. Known shapes: problem object, v2 array, two of the API gateway's, OAuth, no body.

    The code, unless it is given, is the problem's id (`charge-due-too-soon`), the v2 or OAuth code, or the
    status's (`not-found`).
    """
    try:
        said = json_of(body) if body else None
    except ValueError:
        said = None
    said_code, detail = _read(said)
    return Refused(
        status=status,
        code=code or said_code or _STATUS_CODES.get(status, f"http-{status}"),
        detail=printable(detail, DETAIL_CHARACTERS_MAX) or f"Vipps answered {status} without a reason",
    )


def _read(said: Any) -> tuple[str | None, str]:
    if isinstance(said, list):
        rows = [row for row in said if isinstance(row, dict)]
        codes = [code for row in rows if (code := _code(row.get("code")))]
        return (codes[0] if codes else None), "; ".join(filter(None, map(_field_and_message, rows)))
    if not isinstance(said, dict):
        return None, ""
    if "responseInfo" in said or "result" in said:
        result = said.get("result")
        return None, _text(result.get("message")) if isinstance(result, dict) else ""
    if "error" in said:
        reason = said.get("error_description") or said.get("error_debug") or said.get("error")
        return _code(said["error"]), _text(reason)
    if "type" in said or "title" in said or "detail" in said:
        parts = [_text(said.get("detail") or said.get("title")), *_extra(said.get("extraDetails"))]
        return _error_code(said.get("extraDetails")) or _problem_id(said.get("type")), "; ".join(filter(None, parts))
    return None, _text(said.get("message"))


def _problem_id(kind: object) -> str | None:
    """`…/recurring-api-problems#charge-due-too-soon` and `…/recurring/charge-due-too-soon` name the same."""
    if not isinstance(kind, str) or kind == "about:blank":
        return None
    name = kind.rsplit("#", 1)[1] if "#" in kind else kind.rstrip("/").rsplit("/", 1)[-1]
    return _code(name) if _PROBLEM_ID.fullmatch(name) else None


def _error_code(details: object) -> str | None:
    """ePayment puts its four digits into `extraDetails`; its `type` says no more than the status."""
    for item in details if isinstance(details, list) else []:
        if isinstance(item, dict) and item.get("name") == "ErrorCode":
            return _code(item.get("reason"))
    return None


def _extra(details: object) -> Iterator[str]:
    """`extraDetails` has been an array of {field, text}, of {name, reason}, and a plain object."""
    if isinstance(details, dict):
        details = [details]
    for item in details if isinstance(details, list) else []:
        if isinstance(item, dict):
            values = [_text(item.get(name)) for name in ("name", "field", "reason", "text")]
            known = ": ".join(filter(None, values))
            yield known or "; ".join(f"{_text(name)}: {_text(value)}" for name, value in item.items())
        else:
            yield _text(item)


def _field_and_message(row: Mapping[str, Any]) -> str:
    return ": ".join(filter(None, (_text(row.get("field")), _text(row.get("message")))))


def _code(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > CODE_CHARACTERS_MAX or not _ID.fullmatch(value):
        return None
    return value


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
