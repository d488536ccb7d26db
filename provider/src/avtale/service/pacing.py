"""Hold callers to a pace: so many calls a minute, whichever process they come to."""

from __future__ import annotations

from datetime import timedelta

from avtale.domain.errors import Refusal
from avtale.service.checkout import Person
from avtale.storage import turns
from avtale.storage.database import Database
from avtale.storage.tenants import Tenant

MINUTE = timedelta(minutes=1)


class TooManyCalls(Refusal):
    """This person has asked too often; `retry_after_seconds` of wall time until the next call is welcome."""

    code = "too_many_requests"

    def __init__(self, detail: str, retry_after_seconds: float) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


async def keep_pace(db: Database, tenant: Tenant, person: Person, calls_per_minute_max: int) -> None:
    """Count a call of a person. Raises TooManyCalls beyond `calls_per_minute_max` at once, or on an average."""
    pace = MINUTE / calls_per_minute_max
    async with db.tenant(tenant.id) as tx:
        welcome = await turns.take_turn(tx, person.issuer, person.subject, pace, MINUTE)
        if welcome is not None:
            raise TooManyCalls(
                f"at most {calls_per_minute_max} calls a minute", max((welcome - tx.wall).total_seconds(), 0.0)
            )
