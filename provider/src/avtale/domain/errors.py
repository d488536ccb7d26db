"""What can be wrong with a wish: one exception per kind, each with a stable code that callers may rely on."""

from __future__ import annotations


class Refusal(Exception):
    """A wish that cannot be met; `code` is stable, `detail` is for people and says what to do next."""

    code = "refused"

    def __init__(self, detail: str, *, code: str | None = None, **facts: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts
        if code is not None:
            self.code = code


class NotFound(Refusal):
    """The thing is not there, or not this caller's: both look the same."""

    code = "not_found"


class Invalid(Refusal):
    """The request has the right shape but says something that cannot be."""

    code = "invalid_request"


class Conflict(Refusal):
    """The thing is in a state that does not allow the step."""

    code = "conflict"


class IllegalStep(Conflict):
    """A (state, verb) pair that the state table refuses."""

    code = "illegal_step"


class GatewayRefused(Refusal):
    """The payment company answered with a definite no."""

    code = "gateway_refused"


class GatewayUnknown(Refusal):
    """The payment company did not answer, or not clearly: what happened is not known yet."""

    code = "gateway_unknown"


class GatewayBusy(Refusal):
    """The payment company asks us to come back later."""

    code = "gateway_busy"

    def __init__(self, detail: str, retry_after_seconds: float) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds
