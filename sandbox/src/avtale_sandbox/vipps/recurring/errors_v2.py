"""The errors of version 2 of Recurring: an array of field, message and code, and few codes that are published."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..exchange import Answer, Request, json_answer
from ..refusals import Refused

_JSON = b"application/json;charset=UTF-8"

# Where no status was ever published, the one that version 3 has; an unknown id is a 400 (seen at the real host).
_STATUSES = {
    "unsupported-media-type": 415,
    "idempotency-conflict": 409,
    "conflict": 409,
    "unsupported-feature": 403,
}
# The model names fields as version 3 does.
_FIELDS = {
    "pricing.amount": "price",
    "pricing.currency": "currency",
    "pricing.suggestedMaxAmount": "variableAmount.suggestedMaxAmount",
    "phoneNumber": "customerPhoneNumber",
    "campaign.price": "campaign.campaignPrice",
    "maxAmount": "variableAmount.maxAmount",
}
_UNKNOWN_ID = {"Agreement not found.": "agreementId", "Charge not found.": "chargeId"}
# A code is the field in small letters and the validator's name; the one for addresses was seen at the real host.
_VALIDATORS = (
    ("must not be null", "notnull"),
    ("must be a valid URL", "apacheurlvalidation"),
    ("must be greater", "min"),
    ("must be less", "max"),
    ("length must", "size"),
    ("must match", "pattern"),
    ("must be one of", "pattern"),
)


def answer(request: Request, refused: Refused) -> Answer:
    """Spell a refusal."""
    errors = [
        {"field": field, "message": message, "code": code, "contextId": request.id}
        for field, message, code in _errors(refused)
    ]
    return json_answer(_STATUSES.get(refused.problem, 400), errors, _JSON)


def _errors(refused: Refused) -> Iterator[tuple[str | None, str, str]]:
    problem = refused.problem
    if problem == "not-found":
        field = _UNKNOWN_ID.get(refused.detail, "id")
        yield field, f"Missing message for error: invalid.{field}", f"invalid.{field}"
    elif problem == "illegal-agreement-update":
        yield "status", "Missing message for error: status.notActive", "status.notActive"
    elif problem == "charge-creation-failed" and refused.fields:
        yield "agreement.status", refused.detail, "recurring.core.charges.create.invalid_agreement"
    elif problem == "idempotency-conflict":
        yield None, refused.detail, "idempotentkey.hash.mismatch"
    elif problem == "validation-error":
        for name, reason in refused.fields:
            field = _FIELDS.get(name, name)
            yield field, reason, f"{field.lower()}.{_validator(reason)}"
    else:
        details: list[tuple[Any, str]] = refused.fields or [(None, "")]
        for name, reason in details:
            field = _FIELDS.get(name, name)
            yield field, f"{refused.detail}: {field} {reason}" if field else refused.detail, problem.replace("-", ".")


def _validator(reason: str) -> str:
    return next((name for beginning, name in _VALIDATORS if reason.startswith(beginning)), "invalid")
