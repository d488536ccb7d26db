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
from .listening import CannotListen, listener
from .settings import Settings
from .world import World

_SHUTDOWN_SECONDS = 1
# So many new objects, and the collector looks at them: some milliseconds each time.
YOUNG_OBJECTS_MAX = 10_000


class _Protocol(HttpToolsProtocol):
    """HTTP as uvicorn speaks it; the application may cut a connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[TRANSPORT] = self.transport  # type: ignore[literal-required]


class _Server(uvicorn.Server):
    """A server that says when it listens, and takes that back when it ends."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket, ready_path: str | None) -> None:
        super().__init__(config)
        self.listener = listener
        self.url = ""
        self.on_listening: Callable[[str], None] = lambda url: None
        self._ready_path = None if ready_path is None else Path(ready_path)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.started:
            return
        host, port = self.listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{port}"
        # What lives now lives long: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS_MAX, 20, 50)
        if self._ready_path is not None:
            _write_whole(self._ready_path, {"url": self.url, "pid": os.getpid(), "port": port})
        self.on_listening(self.url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, let answers that are under way out, and cut what hangs.

        In place of uvicorn's own, which looks about ten times a second whether it may end.
        """
        if self._ready_path is not None:
            self._ready_path.unlink(missing_ok=True)
        for server in self.servers:
            server.close()
        self.listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_SHUTDOWN_SECONDS)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()
        await self.lifespan.shutdown()


def server_of(settings: Settings) -> tuple[_Server, World]:
    """A server for a sandbox with these settings, its state loaded.

    Raises StateFileError, CannotListen, or ValueError for a start instant that is none.
    """
    world = World(settings)
    world.load()
    try:
        listening = listener(settings.host, settings.port)
    except CannotListen:
        world.store.close()
        raise
    config = uvicorn.Config(
        FrontDoor(world),
        http=_Protocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=75,
    )
    return _Server(config, listening, settings.ready_path), world


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[tuple[str, World]]:
    """A sandbox inside this process and event loop: its address and its world."""
    server, world = server_of(settings)
    with contextlib.ExitStack() as held:
        held.callback(gc.set_threshold, *gc.get_threshold())
        held.callback(gc.unfreeze)
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup([server.listener])
        if not server.started:
            raise RuntimeError("the sandbox did not start")
        ticking = asyncio.ensure_future(server.main_loop())
        try:
            yield server.url, world
        finally:
            ticking.cancel()
            await server.shutdown()


def _write_whole(path: Path, content: dict[str, Any]) -> None:
    """Put a file in its place at once, so that a reader never sees half of it."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name, delete=False) as file:
        json.dump(content, file)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)
