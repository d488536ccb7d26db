"""Serve HTTP on a socket that is bound first, and say in a file where, once requests are answered."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn


class Announced(uvicorn.Server):
    """A server that writes its ready file when it listens, and removes it when it ends.

    `on_closing` is called before open answers are waited for, so that streams can end.
    """

    def __init__(
        self, config: uvicorn.Config, ready_file: Path | None, url: str, on_closing: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._on_closing = on_closing
        self._ready_file = ready_file
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._ready_file is not None and self.started:
            write_ready_file(self._ready_file, {"url": self._url})

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._ready_file is not None:
            self._ready_file.unlink(missing_ok=True)
        self._on_closing()
        await super().shutdown(sockets)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 is any free one. Raises OSError when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    return bound


def write_ready_file(path: Path, said: dict[str, Any]) -> None:
    """Write what others need to reach us, and our pid, all at once."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({**said, "pid": os.getpid()}, file)
    partial.replace(path)
