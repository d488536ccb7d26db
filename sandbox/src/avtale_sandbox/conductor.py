"""Moves time for everybody, from one due instant to the next, and on only when nobody has more to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from .clock import Agenda, Clock
from .instants import iso, parse_instant
from .settings import Settings
from .store import Store
from .vipps.webhooks.sender import Sender

if TYPE_CHECKING:
    import aiohttp

_FIRED_AT_ONCE_MAX = 100
# Of an instant at which very much is due, nothing more is done while so many webhooks wait: they are kept in memory.
_BACKLOG_MAX = 5_000


class Participant(Struct, frozen=True):
    """A program whose business time follows the sandbox's."""

    name: str
    url: str
    token: str = ""


class Told(Struct, kw_only=True):
    """What a participant answers to a time: whether it has nothing left to do, and when it will."""

    quiet: bool
    next: str | None = None
    busy: list[str] = []


class Moved(Struct, rename="camel", kw_only=True):
    """What a move of the clock came to."""

    now: str
    steps: int
    delivered: int
    wall_seconds: float


class NotQuiet(Exception):
    """The wall-clock limit came before everybody was quiet; `busy` says who was not."""

    def __init__(self, busy: list[str]) -> None:
        super().__init__("; ".join(busy))
        self.busy = busy


class Conductor:
    """Turns the clock. `settle` does and stores what is due now; `activity` counts the calls of clients."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        agenda: Agenda,
        sender: Sender,
        settings: Settings,
        settle: Callable[[int], int],
    ) -> None:
        self._table = store.table("participant", Participant)
        self._clock = clock
        self._agenda = agenda
        self._sender = sender
        self._settings = settings
        self._settle = settle
        self._turn = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None
        self._telling: set[asyncio.Task[None]] = set()
        self.activity = 0

    def participants(self) -> list[Participant]:
        """Everybody who follows, in order of their first registration."""
        return list(self._table.values())

    def register(self, participant: Participant) -> None:
        """Add a participant, or change the one of that name, and tell it the time."""
        self._table.put(participant.name, participant)
        self.tell_all(participant.name)

    def unregister(self, name: str) -> bool:
        """Let a participant go; says whether there was one."""
        return self._table.delete(name)

    def tell_all(self, name: str | None = None) -> None:
        """Tell everybody, or one, the time without waiting; who is not there learns it at the next move."""
        for participant in self.participants():
            if name is None or participant.name == name:
                task = asyncio.get_running_loop().create_task(self._tell_quietly(participant))
                self._telling.add(task)
                task.add_done_callback(self._telling.discard)

    async def advance(self, target: int, wall_seconds_max: float) -> Moved:
        """Move to `target` (milliseconds), through every instant at which somebody has something to do.

        Raises NotQuiet when the wall time is over; the clock stays where it got to.
        """
        began = time.monotonic()
        deadline = began + wall_seconds_max
        async with self._turn:
            delivered_before = self._sender.delivered
            steps = 0
            self._clock.hold()
            try:
                while True:
                    elsewhere = await self._quieten(deadline)
                    now = self._clock.now()
                    if now >= target:
                        break
                    own = self._agenda.next_at()
                    self._clock.step_to(
                        min(
                            [at for at in (own, *elsewhere) if at is not None and now < at < target],
                            default=target,
                        )
                    )
                    steps += 1
            finally:
                self._clock.release()
                self._settle(0)
            return Moved(
                now=iso(now),
                steps=steps,
                delivered=self._sender.delivered - delivered_before,
                wall_seconds=round(time.monotonic() - began, 3),
            )

    async def close(self) -> None:
        """Stop telling."""
        for task in list(self._telling):
            task.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _quieten(self, deadline: float) -> list[int]:
        """Do all there is to do at this instant; gives the participants' next instants."""
        while True:
            await self._own(deadline)
            participants = self.participants()
            if not participants:
                return []
            before = self.activity
            told = await asyncio.gather(*(self._tell(participant, deadline) for participant in participants))
            busy = [
                f"{participant.name}: {', '.join(answer.busy) or 'not quiet'}"
                for participant, answer in zip(participants, told, strict=True)
                if not answer.quiet
            ]
            if time.monotonic() >= deadline:
                if busy or self._has_own_work():
                    raise NotQuiet(busy or ["avtale-sandbox: webhooks or due things are left"])
            elif busy:
                # Who answers at once that it is busy is not asked in a tight circle.
                await asyncio.sleep(0.01)
                continue
            if self._has_own_work():
                continue
            # One may have been given work by another after it answered.
            if len(participants) > 1 and self.activity != before:
                continue
            now = self._clock.now()
            return [at for answer in told if (at := _next_of(answer)) is not None and at > now]

    async def _own(self, deadline: float) -> None:
        """Fire what is due here and deliver what can be delivered now."""
        while True:
            fired = self._settle(_FIRED_AT_ONCE_MAX)
            if fired and self._sender.busy < _BACKLOG_MAX:
                # Between two handfuls, calls of clients are answered.
                await asyncio.sleep(0)
                continue
            left = deadline - time.monotonic()
            try:
                await asyncio.wait_for(self._sender.idle(), timeout=max(left, 0.001))
            except TimeoutError:
                raise NotQuiet([f"avtale-sandbox: webhooks {self._sender.busy}"]) from None
            if fired:
                continue
            if not self._has_own_work():
                return
            if time.monotonic() >= deadline:
                raise NotQuiet(["avtale-sandbox: things are due without end"])

    def _has_own_work(self) -> bool:
        own = self._agenda.next_at()
        return self._sender.busy > 0 or (own is not None and own <= self._clock.now())

    async def _tell(self, participant: Participant, deadline: float) -> Told:
        """Tell a participant the time and hear whether it is quiet; an unreachable one is not."""
        import aiohttp

        left = max(0.05, deadline - time.monotonic())
        wait = min(self._settings.participant_wait_seconds_max, left)
        body = {"now": iso(self._clock.now()), "running": self._clock.running, "waitSecondsMax": wait}
        headers = {"Content-Type": "application/json"}
        if participant.token:
            headers["Authorization"] = f"Bearer {participant.token}"
        timeout = aiohttp.ClientTimeout(total=wait + self._settings.participant_timeout_seconds)
        try:
            async with self._http().post(
                participant.url, data=msgspec.json.encode(body), headers=headers, timeout=timeout
            ) as answer:
                text = await answer.read()
                if answer.status != 200:
                    return Told(quiet=False, busy=[f"answered {answer.status}"])
            told = msgspec.json.decode(text, type=Told)
            at = _next_of(told)
        except (aiohttp.ClientError, OSError, TimeoutError, msgspec.DecodeError, ValueError) as problem:
            return Told(quiet=False, busy=[f"{type(problem).__name__}: {problem}"])
        if told.quiet and at is not None and at <= self._clock.now():
            return Told(quiet=False, busy=[f"quiet, but due at {told.next}, which is not ahead"])
        return told

    async def _tell_quietly(self, participant: Participant) -> None:
        await self._tell(participant, time.monotonic() + self._settings.participant_timeout_seconds)

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        return self._session


def _next_of(told: Told) -> int | None:
    return None if told.next is None else parse_instant(told.next)
