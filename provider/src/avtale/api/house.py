"""What the HTTP faces are given: the house that they are the doors of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from avtale.domain.ports import Gateways
from avtale.entrance.callers import CallOut
from avtale.storage.database import Database
from avtale.storage.sealing import Sealer


class FetchJson(Protocol):
    """GET a JSON object. Raises OSError without an answer of 200, ValueError for an answer that is no object."""

    async def __call__(self, url: str, /) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class SignInPlan:
    """How browsers sign in: as which public client, and where the identity provider describes itself, if elsewhere."""

    call_out: CallOut
    client_id: str
    discovery_url: str | None = None


@dataclass(frozen=True, slots=True)
class House:
    """Everything that answering a request may need; joined by the composition root.

    `wall` is the system's time: what tokens and signatures are dated with. Business time comes from the database.
    Without `sign_in` nobody signs in with a browser. `return_wait_seconds_max` is how long somebody who comes back
    from Vipps waits for the truth.
    """

    db: Database
    gateways: Gateways
    sealer: Sealer
    fetch_json: FetchJson
    virtual_clock: bool
    clock_token: str | None
    wall: Callable[[], datetime]
    version: str
    sign_in: SignInPlan | None = None
    customer_calls_per_minute_max: int = 60
    return_wait_seconds_max: float = 4.0
