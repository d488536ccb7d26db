"""Sends what is ready, many at once but each lane in order, and waits for the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from ...clock import Clock, wall_now
from ...settings import Settings
from ...store import StateNotKept
from .deliveries import Attempt, Deliveries, Delivery, Receivers
from .signing import signed_headers, target_of

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

# (secret, where to, body) to the headers that prove who sends
Sign = Callable[[str, "URL", bytes], dict[str, str]]


class Sender:
    """The outgoing side of webhooks; `settle` is called after each answer, to do and store what follows."""

    def __init__(
        self,
        deliveries: Deliveries,
        registrations: Receivers,
        clock: Clock,
        settings: Settings,
        settle: Callable[[], None],
    ) -> None:
        self._posts: list[tuple[Deliveries, Receivers, Sign]] = []
        self.also(deliveries, registrations, signed_headers)
        self._clock = clock
        self._settle = settle
        self._timeout_seconds = settings.webhook_timeout_seconds
        self._limit = settings.webhook_concurrency_max
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self.delivered = 0

    def also(self, deliveries: Deliveries, receivers: Receivers, sign: Sign) -> None:
        """Send these too, with signatures of their own kind."""
        self._posts.append((deliveries, receivers, sign))

    def pump(self) -> None:
        """Begin to send what is ready, as far as there is room."""
        for deliveries, receivers, sign in self._posts:
            while len(self._tasks) < self._limit and (delivery := deliveries.take()) is not None:
                self._idle.clear()
                task = asyncio.get_running_loop().create_task(self._send(delivery, deliveries, receivers, sign))
                self._tasks.add(task)
                task.add_done_callback(self._ended)

    async def idle(self) -> None:
        """Wait until nothing is ready or under way; what waits for a retry does not count."""
        await self._idle.wait()

    @property
    def busy(self) -> int:
        """How many are under way or ready."""
        return len(self._tasks) + self._ready

    @property
    def _ready(self) -> int:
        return sum(len(deliveries.ready) for deliveries, _, _ in self._posts)

    async def close(self) -> None:
        """Give up what is under way; it is sent again by whoever goes on with the stored state."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # What cannot be stored now is stored before anything else is answered.
            with suppress(StateNotKept):
                self._settle()
            self.pump()
            if (error := task.exception()) is not None:
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "sending a webhook failed", "exception": error, "task": task}
                )
        if not self._tasks and not self._ready:
            self._idle.set()

    async def _send(self, delivery: Delivery, deliveries: Deliveries, receivers: Receivers, sign: Sign) -> None:
        import aiohttp

        registration = receivers.get(delivery.registration_id)
        secret = "" if registration is None else registration.secret
        body = delivery.body.encode()
        target = target_of(delivery.url)
        status, error = None, None
        beginning = deliveries.beginnings
        try:
            try:
                status = await self._post(target, sign(secret, target, body), body)
            except aiohttp.ServerDisconnectedError:
                # The receiver closed a kept connection just as it was used again: that is no answer of its.
                status = await self._post(target, sign(secret, target, body), body)
        except TimeoutError:
            error = f"no answer within {self._timeout_seconds:g} seconds"
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            error = f"{type(problem).__name__}: {problem}"
        if status is not None and 200 <= status < 300:
            self.delivered += 1
        if deliveries.beginnings == beginning:
            deliveries.done(delivery, Attempt(self._clock.now(), wall_now(), status, error))

    async def _post(self, target: URL, headers: dict[str, str], body: bytes) -> int:
        async with self._http().post(target, data=body, headers=headers, allow_redirects=False) as answer:
            return answer.status

    def _http(self) -> aiohttp.ClientSession:
        """The one client, made when there is something to send: that takes longer than the rest of the start."""
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=4),
                timeout=aiohttp.ClientTimeout(total=self._timeout_seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "avtale-sandbox"},
            )
        return self._session
