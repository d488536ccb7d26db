"""The one way in which the model says no; each face spells it in its own version's error shape."""

from __future__ import annotations

from collections.abc import Sequence


class Refused(Exception):
    """The step is not allowed, and nothing was changed.

    `problem` is one of the problem ids that Vipps Recurring publishes, such as `charge-amount-too-high`, or one
    of the error codes of Vipps ePayment, such as `6090`;
    `fields` are pairs of what is wrong and why.
    """

    def __init__(self, problem: str, detail: str, fields: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(f"{problem}: {detail} {list(fields) or ''}".rstrip())
        self.problem = problem
        self.detail = detail
        self.fields = list(fields)


def invalid(name: str, reason: str) -> Refused:
    """One field has a value that cannot be."""
    return Refused("validation-error", "Input validation failed", [(name, reason)])


def not_found(what: str) -> Refused:
    """No such thing, or it belongs to somebody else."""
    return Refused("not-found", f"{what} not found.")
