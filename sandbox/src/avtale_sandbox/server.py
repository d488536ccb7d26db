"""Serves a sandbox over HTTP, in a process of its own or inside another one."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .app import TRANSPORT, FrontDoor
from .settings import Settings
from .world import World

_SHUTDOWN_SECONDS = 1
_YOUNG_OBJECTS_MAX = 20_000


class _Protocol(HttpToolsProtocol):
    """HTTP as uvicorn speaks it; the application may cut a connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[TRANSPORT] = self.transport  # type: ignore[literal-required]


class _Server(uvicorn.Server):
    """A server that says when it listens, and takes that back when it ends."""

    def __init__(self, config: uvicorn.Config, ready_path: str | None) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self.url = ""
        self.on_listening: Callable[[str], None] = lambda url: None
        self._ready_path = None if ready_path is None else Path(ready_path)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.started:
            return
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{port}"
        # What lives now lives long: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG_OBJECTS_MAX, 20, 50)
        if self._ready_path is not None:
            _write_whole(self._ready_path, {"url": self.url, "pid": os.getpid(), "port": port})
        self.listening.set()
        self.on_listening(self.url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._ready_path is not None:
            self._ready_path.unlink(missing_ok=True)
        await super().shutdown(sockets)


def server_of(settings: Settings) -> tuple[_Server, World]:
    """A server for a sandbox with these settings, its state loaded; raises StateFileError or ValueError."""
    world = World(settings)
    world.load()
    config = uvicorn.Config(
        FrontDoor(world),
        host=settings.host,
        port=settings.port,
        http=_Protocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        timeout_keep_alive=75,
        backlog=2048,
    )
    return _Server(config, settings.ready_path), world


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[tuple[str, World]]:
    """A sandbox inside this process and event loop: its address and its world."""
    server, world = server_of(settings)
    with contextlib.ExitStack() as held:
        held.callback(gc.set_threshold, *gc.get_threshold())
        held.callback(gc.unfreeze)
        task = asyncio.ensure_future(server._serve())
        waiting = asyncio.ensure_future(server.listening.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            raise RuntimeError("the sandbox did not start") from task.exception()
        try:
            yield server.url, world
        finally:
            server.should_exit = True
            await task


def _write_whole(path: Path, content: dict[str, Any]) -> None:
    """Put a file in its place at once, so that a reader never sees half of it."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name, delete=False) as file:
        json.dump(content, file)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)
