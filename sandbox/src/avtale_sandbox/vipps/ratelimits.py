"""How often an operation may be called in a minute, when the sandbox is told to mind (`--profile strict`)."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from .exchange import Call

WINDOW_SECONDS = 60
_KEPT_COUNT_MAX = 100_000


class RateLimits:
    """Counts the calls of each minute of wall time; how many may come, and what is counted together, a contract says.

    The limits of Recurring are those that Vipps published in December 2023, and for all creations of charges of a
    sales unit together the number that later texts name.
    """

    def __init__(self, enforced: bool, wall: Callable[[], float] = time.time) -> None:
        self._enforced = enforced
        self._wall = wall
        self._counts: dict[tuple[str, ...], int] = {}
        self._minute = 0

    def seconds_to_wait(self, call: Call) -> int:
        """Count a call; gives 0 when it may go on, else after how many seconds to come again."""
        if not self._enforced or not call.operation.limits:
            return 0
        now = self._wall()
        minute = int(now // WINDOW_SECONDS)
        if minute != self._minute or len(self._counts) > _KEPT_COUNT_MAX:
            self._minute = minute
            self._counts.clear()
        refused = False
        for limit in call.operation.limits:
            msn = call.merchant.merchant_serial_number
            key = (limit.shared_as, msn, *(_value(call, part) for part in limit.by))
            count = self._counts.get(key, 0) + 1
            self._counts[key] = count
            refused = refused or count > limit.count
        return max(1, round((minute + 1) * WINDOW_SECONDS - now)) if refused else 0


def _value(call: Call, part: str) -> str:
    """One part of what is counted together: an id in the path, the idempotency key, or a member of the body."""
    if part == "idempotencyKey":
        return call.key
    if not part.startswith("body."):
        return call.values.get(part, "")
    try:
        body = msgspec.json.decode(call.request.body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ""
    return str(body.get(part.removeprefix("body."), "")) if isinstance(body, dict) else ""
