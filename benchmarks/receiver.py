"""A receiver of webhooks that answers at once, and looks at the signatures when all is over."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import socket
import threading
from typing import cast

import uvloop

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Receiver:
    """Listens in a thread of its own on a free port of the loopback interface."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, bytes]] = []
        self._ready = threading.Event()
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.port = 0
        self._thread.start()
        self._ready.wait(10)
        self.url = f"http://127.0.0.1:{self.port}/hook"

    def close(self) -> None:
        """Stop listening."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def well_signed(self, secret: str) -> int:
        """How many of those that came are signed with the secret."""
        host = self.url.split("/")[2]
        good = 0
        for head, body in self.got:
            headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
            named = {name.lower(): value.decode() for name, value in headers.items()}
            digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
            signed = f"POST\n/hook\n{named[b'x-ms-date']};{host};{digest}".encode()
            mark = base64.b64encode(hmac.digest(secret.encode(), signed, "sha256")).decode()
            good += named[b"authorization"].endswith(f"&Signature={mark}")
        return good

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = listening.getsockname()[1]
        server = self._loop.run_until_complete(self._loop.create_server(lambda: _Hook(self.got), sock=listening))
        self._ready.set()
        self._loop.run_forever()
        server.close()


class _Hook(asyncio.Protocol):
    def __init__(self, got: list[tuple[bytes, bytes]]) -> None:
        self._got = got
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            if len(rest) < length:
                return
            self._got.append((head, rest[:length]))
            self._buffer = rest[length:]
            self._transport.write(_ANSWER)
