"""What is to be told to whom, in which order and when: the queue behind the sending."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from ...clock import Agenda
from ...ids import Ids
from ...instants import DAY, HOUR, MINUTE, SECOND
from ...settings import Settings
from ...store import Store

State = Literal["waiting", "delivered", "dropped"]
# Vipps Webhooks, retries: business time.
GIVE_UP_AFTER = 7 * DAY
# How long a delivery that is to be overtaken waits for another one.
HELD_AT_MOST = 10 * MINUTE


def retry_delay(attempts: int) -> int:
    """How long to wait after this many attempts have failed, in milliseconds (Vipps Webhooks, retries)."""
    if attempts <= 4:
        return 2 * SECOND
    if attempts <= 6:
        return (60 if attempts == 5 else 120) * SECOND
    return HOUR if attempts < 29 else DAY


class Rhythm(Struct, frozen=True):
    """When an unanswered delivery is sent again (milliseconds by the number of attempts), and how long at most.

    A delivery that `steps_aside` lets the ones behind it in its lane go first while it waits.
    """

    retry_delay: Callable[[int], int]
    give_up_after: int
    patience: str
    steps_aside: bool = False


VIPPS = Rhythm(retry_delay, GIVE_UP_AFTER, "seven days")


class Receiver(Protocol):
    """Somebody who is told."""

    @property
    def url(self) -> str: ...

    @property
    def secret(self) -> str: ...


class Receivers(Protocol):
    """Everybody who is told."""

    def get(self, registration_id: str, /) -> Receiver | None:
        """The receiver with this id, if it is still there."""

    def wanting(self, msn: str, event: str, /) -> Sequence[str]:
        """The ids of those who want to be told of an event of this merchant."""

    def answered(self, registration_id: str, well: bool, at: int, /) -> None:
        """Take note of an answer, or of none."""


class Attempt(Struct, array_like=True):
    """One sending: business and wall time, the status if there was an answer, else what went wrong."""

    at: int
    wall: int
    status: int | None
    error: str | None = None


class Delivery(Struct, kw_only=True, omit_defaults=True):
    """One event for one registration; deliveries of one lane go out one after the other."""

    number: int
    registration_id: str
    msn: str
    url: str
    event: str
    lane: str
    body: str
    created: int
    state: State = "waiting"
    why: str | None = None
    next_at: int | None = None
    reference: str | None = None
    attempts: list[Attempt] = []
    replay_of: int | None = None


# What a fault makes of a delivery: see control.faults.
class Disturbance(Struct, frozen=True):
    """Something that befalls an event on its way: lost, doubled, late, or overtaken by the next."""

    kind: Literal["drop", "duplicate", "delay", "reorder"]
    copies: int = 2
    seconds: float = 0


class Deliveries:
    """All deliveries; `ready` are those whose time has come and that nothing of their lane precedes."""

    def __init__(
        self,
        store: Store,
        ids: Ids,
        agenda: Agenda,
        registrations: Receivers,
        settings: Settings,
        kind: str = "delivery",
        rhythm: Rhythm = VIPPS,
    ) -> None:
        self._table = store.table(kind, Delivery)
        self._kind = kind
        self._rhythm = rhythm
        self._ids = ids
        self._agenda = agenda
        self._registrations = registrations
        self._kept_max = settings.deliveries_kept_max
        self._lanes: dict[tuple[str, str], deque[int]] = {}
        self._held: dict[str, int] = {}
        self._done: deque[int] = deque()
        self._in_flight: set[int] = set()
        self.ready: deque[int] = deque()
        # Numbers begin again with a reset: what was sent before it is not what has its number afterwards.
        self.beginnings = 0
        self.on_delivered: Callable[[Delivery], None] = lambda delivery: None
        agenda.declare(kind, 3, self._due_at, self._make_ready)

    def __len__(self) -> int:
        return len(self._table)

    def load(self) -> None:
        """Build lanes and agenda from the store; what was in flight is sent again."""
        self.clear()
        for delivery in sorted(self._table.values(), key=lambda delivery: delivery.number):
            self._ids.reached(delivery.number)
            if delivery.state == "waiting":
                self._enqueue(delivery)
            else:
                self._done.append(delivery.number)

    def clear(self) -> None:
        """Forget the queues, and what is under way; rows are the store's."""
        self.beginnings += 1
        self._lanes.clear()
        self._held.clear()
        self._done.clear()
        self._in_flight.clear()
        self.ready.clear()

    def publish(
        self,
        msn: str,
        event: str,
        lane: str,
        at: int,
        body: bytes,
        disturb: Disturbance | None,
        reference: str | None = None,
    ) -> None:
        """Queue an event for everyone who wants to be told of it; `reference` is its id, if it has one."""
        for registration_id in list(self._registrations.wanting(msn, event)):
            registration = self._registrations.get(registration_id)
            if registration is None:
                continue
            copies = disturb.copies if disturb is not None and disturb.kind == "duplicate" else 1
            overtaken = self._held.pop(registration_id, None)
            for _ in range(copies):
                number = self._ids.next_number()
                delivery = Delivery(
                    number=number,
                    registration_id=registration_id,
                    msn=msn,
                    url=registration.url,
                    event=event,
                    lane=lane,
                    body=body.decode(),
                    created=at,
                    next_at=at,
                    reference=reference,
                )
                self._disturb(delivery, disturb)
                if delivery.state == "waiting":
                    self._enqueue(delivery)
            if overtaken is not None:
                self._let_go(overtaken, lane, at)

    def replay(self, number: int, at: int) -> Delivery | None:
        """Send an event once more to where it went, behind nothing and whatever became of it; None if unknown.

        Raises LookupError when the registration is gone, and with it the secret to sign with.
        """
        old = self._table.get(str(number))
        if old is None:
            return None
        registration = self._registrations.get(old.registration_id)
        if registration is None:
            raise LookupError("the registration is gone")
        again = self._ids.next_number()
        delivery = Delivery(
            number=again,
            registration_id=old.registration_id,
            msn=old.msn,
            url=registration.url,
            event=old.event,
            lane=f"{old.lane}~{again}",
            body=old.body,
            created=at,
            next_at=at,
            reference=old.reference,
            replay_of=number,
        )
        self._table.put(str(again), delivery)
        self._enqueue(delivery)
        return delivery

    def get(self, number: int) -> Delivery | None:
        """A copy of one that is kept, or None."""
        return self._table.get(str(number))

    def newest(self) -> Iterator[Delivery]:
        """Every delivery that is kept, newest first."""
        return self._table.newest()

    def all(self) -> list[Delivery]:
        """Every delivery that is kept, oldest first."""
        return list(self._table.values())

    def take(self) -> Delivery | None:
        """The next one to send; it is in flight until `done` is called."""
        while self.ready:
            delivery = self._table.get(str(self.ready.popleft()))
            if delivery is not None and delivery.state == "waiting":
                if self._registrations.get(delivery.registration_id) is None:
                    self._finish(delivery, "dropped", "the registration is gone")
                    continue
                return delivery
        return None

    def done(self, delivery: Delivery, attempt: Attempt) -> None:
        """Note how a sending went: delivered, to be sent again, or given up."""
        if delivery.number not in self._in_flight:
            # Everything was reset while it was under way.
            return
        delivery.attempts.append(attempt)
        well = attempt.status is not None and 200 <= attempt.status < 300
        self._registrations.answered(delivery.registration_id, well, attempt.at)
        if well:
            self._finish(delivery, "delivered")
            self.on_delivered(delivery)
            return
        rhythm = self._rhythm
        delivery.next_at = attempt.at + rhythm.retry_delay(len(delivery.attempts))
        if delivery.next_at > delivery.created + rhythm.give_up_after:
            self._finish(delivery, "dropped", f"not answered for {rhythm.patience}")
            return
        self._in_flight.discard(delivery.number)
        if rhythm.steps_aside and len(delivery.attempts) == 1:
            self._leave_lane(delivery)
            delivery.lane += f"~{delivery.number}"
            self._lanes[delivery.registration_id, delivery.lane] = deque([delivery.number])
        self._table.put(str(delivery.number), delivery)
        self._plan(delivery)

    def _disturb(self, delivery: Delivery, disturb: Disturbance | None) -> None:
        """Let a fault have its way, and store the delivery."""
        if disturb is not None and disturb.kind == "drop":
            delivery.state, delivery.why, delivery.next_at = "dropped", "fault", None
            self._keep(delivery.number)
        elif disturb is not None and disturb.kind == "delay":
            # What comes late is overtaken by what comes after it: it leaves its lane.
            delivery.lane += f"~{delivery.number}"
            delivery.next_at = delivery.created + round(disturb.seconds * SECOND)
        elif disturb is not None and disturb.kind == "reorder":
            delivery.lane += f"~{delivery.number}"
            delivery.next_at = delivery.created + HELD_AT_MOST
            self._held[delivery.registration_id] = delivery.number
        self._table.put(str(delivery.number), delivery)

    def _let_go(self, number: int, lane: str, at: int) -> None:
        """Send a held delivery right behind the one that has just overtaken it."""
        delivery = self._table.get(str(number))
        if delivery is None or delivery.state != "waiting" or number in self._in_flight:
            return
        self._lanes.pop((delivery.registration_id, delivery.lane), None)
        delivery.lane, delivery.next_at = lane, at
        self._table.put(str(number), delivery)
        self._enqueue(delivery)

    def _enqueue(self, delivery: Delivery) -> None:
        lane = self._lanes.setdefault((delivery.registration_id, delivery.lane), deque())
        lane.append(delivery.number)
        if len(lane) == 1:
            self._plan(delivery)

    def _plan(self, delivery: Delivery) -> None:
        if delivery.next_at is not None:
            self._agenda.add(delivery.next_at, self._kind, delivery.number, str(delivery.number))

    def _due_at(self, key: str) -> int | None:
        if int(key) in self._in_flight:
            return None
        delivery = self._table.get(key)
        return None if delivery is None or delivery.state != "waiting" else delivery.next_at

    def _make_ready(self, key: str) -> None:
        self._in_flight.add(int(key))
        self.ready.append(int(key))

    def _finish(self, delivery: Delivery, state: State, why: str | None = None) -> None:
        delivery.state, delivery.why, delivery.next_at = state, why, None
        self._in_flight.discard(delivery.number)
        self._table.put(str(delivery.number), delivery)
        self._keep(delivery.number)
        self._leave_lane(delivery)

    def _leave_lane(self, delivery: Delivery) -> None:
        """Let the next of the lane go."""
        lane = self._lanes.get((delivery.registration_id, delivery.lane))
        if lane is None:
            return
        lane.popleft()
        if not lane:
            del self._lanes[delivery.registration_id, delivery.lane]
            return
        following = self._table.get(str(lane[0]))
        if following is not None:
            self._plan(following)

    def _keep(self, number: int) -> None:
        """Keep what is done for those who ask, but not for ever."""
        self._done.append(number)
        while len(self._done) > self._kept_max:
            self._table.delete(str(self._done.popleft()))
