"""How Stripe says no: a status, a type, and most often a code and the parameter that is to blame."""

from __future__ import annotations

from typing import Any, Literal

ErrorType = Literal["api_error", "card_error", "idempotency_error", "invalid_request_error"]


class Refused(Exception):
    """A refusal in Stripe's words; `more` are further members of the error, such as `payment_intent`."""

    def __init__(
        self,
        status: int,
        type: ErrorType,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        decline_code: str | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.message = message
        self.code = code
        self.param = param
        self.decline_code = decline_code
        self.more = more or {}


def invalid(message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> Refused:
    """The request cannot be carried out as it is."""
    return Refused(status, "invalid_request_error", message, code=code, param=param)


def required(param: str) -> Refused:
    """A parameter is missing."""
    return invalid(f"Missing required param: {param}.", param=param, code="parameter_missing")


def no_such(noun: str, key: str, param: str | None = None) -> Refused:
    """There is no such object, or it is another account's: 404 for the one in the path, 400 for a parameter."""
    status = 404 if param is None else 400
    return invalid(f"No such {noun}: '{key}'", param=param or "id", code="resource_missing", status=status)


def not_played(what: str, param: str | None = None) -> Refused:
    """Stripe could do this, the sandbox cannot; it says so and does nothing."""
    return invalid(f"The sandbox does not play {what}.", param=param)
