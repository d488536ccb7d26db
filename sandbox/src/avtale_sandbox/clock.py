"""Business time: a clock that runs or stands still until it is moved, and what is due when."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable

from msgspec import Struct

from .instants import SECOND
from .store import Store


class ClockState(Struct):
    """A running clock shows wall time plus `value`; a frozen one shows `value`. Milliseconds."""

    running: bool
    value: int


def wall_now() -> int:
    """Milliseconds since 1970 by the computer's clock."""
    return time.time_ns() // 1_000_000


class Clock:
    """The sandbox's business time; it never goes back while anything is stored."""

    def __init__(self, store: Store) -> None:
        self._table = store.table("clock", ClockState)
        self._state = ClockState(running=True, value=0)
        self._held_at: int | None = None
        self._shown = 0

    def load(self, running: bool, start_at: int | None) -> None:
        """Go on as stored, or begin as told: at an instant, or at the computer's time."""
        stored = self._table.get("clock")
        if stored is None:
            self.set(wall_now() // SECOND * SECOND if start_at is None else start_at, running)
        else:
            self._state = stored

    @property
    def running(self) -> bool:
        """Whether time passes by itself."""
        return self._state.running

    @property
    def held(self) -> bool:
        """Whether a running clock is being moved just now, and stands still meanwhile."""
        return self._held_at is not None

    def now(self) -> int:
        """The instant, in milliseconds since 1970. When the computer's clock is set back, this one goes on."""
        if self._held_at is not None:
            return self._held_at
        if not self._state.running:
            return self._state.value
        now = self._state.value + wall_now()
        if now < self._shown:
            self._state = ClockState(running=True, value=self._state.value + self._shown - now)
            return self._shown
        self._shown = now
        return now

    def set(self, now: int, running: bool) -> None:
        """Show this instant from now on, running or not."""
        self._held_at = None
        self._shown = now
        self._state = ClockState(running=running, value=now - wall_now() if running else now)
        self._table.put("clock", self._state)

    def run(self, running: bool) -> None:
        """Let time pass by itself from here on, or not; a clock that is being moved goes on being moved."""
        held_at = self._held_at
        self.set(self.now(), running)
        self._held_at = held_at

    def hold(self) -> None:
        """Stand still while being moved."""
        self._held_at = self.now()

    def step_to(self, instant: int) -> None:
        """Move a clock that stands still forward."""
        if self._held_at is not None:
            self._held_at = instant
        # A crash in the middle of a move must find the time it got to.
        self._state = ClockState(self._state.running, instant - wall_now() if self._state.running else instant)
        self._table.put("clock", self._state)

    def release(self) -> None:
        """Go on by itself, if it ran before it was held, from where it was moved to."""
        if self._held_at is not None:
            self.set(self._held_at, self._state.running)


class _Kind(Struct, frozen=True):
    rank: int
    due_at: Callable[[str], int | None]
    fire: Callable[[str], None]


class _Entry(Struct, frozen=True, order=True, gc=False):
    """That something is due; of plain values alone, so that the collector of garbage need not look at it."""

    at: int
    rank: int
    number: int
    kind: str
    key: str


class Agenda:
    """What is due when. The row is the schedule: an entry counts only while its row says the same instant.

    Things due at one instant come in the order of their kind's rank, then of their number.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}
        self._heap: list[_Entry] = []
        self.on_earlier: Callable[[], None] = lambda: None

    def declare(self, kind: str, rank: int, due_at: Callable[[str], int | None], fire: Callable[[str], None]) -> None:
        """Say how to ask a row of this kind when it is due, and what to do then."""
        self._kinds[kind] = _Kind(rank, due_at, fire)

    def add(self, at: int, kind: str, number: int, key: str) -> None:
        """Note that the row of this kind under this key is due at the instant."""
        entry = _Entry(at, self._kinds[kind].rank, number, kind, key)
        heapq.heappush(self._heap, entry)
        if self._heap[0] is entry:
            self.on_earlier()

    def next_at(self) -> int | None:
        """The earliest instant at which something is due, or None."""
        heap = self._heap
        while heap:
            first = heap[0]
            if self._kinds[first.kind].due_at(first.key) == first.at:
                return first.at
            heapq.heappop(heap)
        return None

    def fire_due(self, now: int, count_max: int | None = None) -> int:
        """Do what is due up to `now`, at most `count_max` things; gives how many were done."""
        fired = 0
        while (at := self.next_at()) is not None and at <= now and (count_max is None or fired < count_max):
            entry = heapq.heappop(self._heap)
            self._kinds[entry.kind].fire(entry.key)
            fired += 1
        return fired

    def clear(self) -> None:
        """Forget everything."""
        self._heap.clear()
