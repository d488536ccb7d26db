"""How fast calls may leave for a gateway that counts them: evenly, so that no minute has more than it allows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=1)
#: A call leaves at its instant or so long after it, else not at all; and is counted by the other side so long after
#: that at most.
LATE_MAX = timedelta(seconds=1)
TRAVEL_MAX = timedelta(seconds=3)
#: Instants are given away so far ahead: whoever has some sends at its own pace, and nobody else waits for long.
AHEAD_MAX = timedelta(seconds=5)
#: What was given away lies no further ahead than this and one call, whoever's clock it was: else a clock has jumped
#: back.
JUMP_MIN = timedelta(minutes=1)
#: No gateway asks for more patience than this.
CLOSED_MAX = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pace:
    """A budget of calls a minute. All instants are of wall time."""

    calls_per_minute_max: int

    @property
    def interval(self) -> timedelta:
        """The time from one call to the next. In whatever minute they are counted, a call that came late and those
        that came in time are not more than allowed."""
        return (WINDOW + LATE_MAX + TRAVEL_MAX) / self.calls_per_minute_max

    def free(self, following: datetime, closed_until: datetime | None, now: datetime) -> tuple[datetime, int]:
        """The first instant that nobody has, and how many can be given away now; `following` is after the last one.

        While the gateway asks us to wait (`closed_until`), none is.
        """
        start = max(following, now) if following - now < JUMP_MIN + self.interval else now
        if closed_until is not None and now < closed_until <= now + CLOSED_MAX:
            return max(start, closed_until), 0
        ahead = now + AHEAD_MAX - start
        return start, max(0, math.floor(ahead / self.interval) + 1 if ahead >= timedelta() else 0)
