"""A call that has reached its operation, and what an operation is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from ..vipps.exchange import Request
from .params import Params
from .resources import Account, Row

# What answers: an object, or a spelled one.
Handler = Callable[["Call"], "Row | dict[str, Any]"]


class Call(Struct, kw_only=True):
    """Authenticated and checked; a publishable key is what a browser calls with."""

    request: Request
    account: Account
    values: dict[str, str]
    params: dict[str, Any]
    is_publishable: bool = False

    @property
    def account_id(self) -> str:
        """Whose objects the call is about."""
        return self.account.id


class Action(Struct, frozen=True):
    """An operation: what it takes and what it does; a browser may call it where `in_browser`."""

    params: Params
    handler: Handler
    in_browser: bool = False


Actions = Mapping[str, Action]
