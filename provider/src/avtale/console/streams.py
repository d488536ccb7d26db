"""Keeps an open page true: a part of it is drawn again as the rows change, and sent as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import structlog
from starlette.responses import Response, StreamingResponse

from avtale.console.look.page import page_headers
from avtale.domain.errors import Conflict, Refusal
from avtale.storage.database import DatabaseDown

#: How often an open page is looked after, how long one stream lives, and how many there may be at once; wall time.
LOOK_SECONDS = 0.5
STREAM_SECONDS_MAX = 600.0
QUIET_SECONDS_MAX = 15.0
STREAMS_COUNT_MAX = 50

#: Gives the part of the page that changes, and the words of its clock.
Draw = Callable[[], Awaitable[tuple[str, str]]]

log = structlog.get_logger()


class TooManyStreams(Conflict):
    """This process keeps as many pages true as it can."""

    code = "too_many_streams"


class Streams:
    """The streams of one process; all end when `closing` is set."""

    def __init__(self, closing: asyncio.Event) -> None:
        self._closing = closing
        self._open = 0

    def answer(self, draw: Draw, look_seconds: float = LOOK_SECONDS) -> Response:
        """A stream of what `draw` gives, each time that is new. Raises TooManyStreams."""
        if self._open >= STREAMS_COUNT_MAX:
            raise TooManyStreams("too many pages are open at once; close one")
        headers = {**page_headers(), "X-Accel-Buffering": "no"}
        return StreamingResponse(self._events(draw, look_seconds), media_type="text/event-stream", headers=headers)

    async def _events(self, draw: Draw, look_seconds: float) -> AsyncIterator[str]:
        self._open += 1
        try:
            shown = said = ""
            spoke = began = time.monotonic()
            while not self._closing.is_set() and time.monotonic() - began < STREAM_SECONDS_MAX:
                with suppress(DatabaseDown):
                    part, clock = await draw()
                    if clock != said:
                        yield _event("clock", clock)
                    if part != shown:
                        yield _event("part", part)
                    if (part, clock) != (shown, said) or time.monotonic() - spoke > QUIET_SECONDS_MAX:
                        yield ": still here\n\n"
                        spoke = time.monotonic()
                    shown, said = part, clock
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), look_seconds)
        except Refusal as error:
            log.info("stream_ended", reason=error.code)
        finally:
            self._open -= 1


def _event(kind: str, text: str) -> str:
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"event: {kind}\n{lines}\n"
