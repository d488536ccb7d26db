"""The barest endpoint on the same PostgreSQL: POST is one insert and its commit, GET is one row by its key.

It knows no signature, no token, no tenant and no schema: what a framework-less program would do at the very least.
"""

from __future__ import annotations

import sys
from typing import Any
from uuid import uuid4

import uvicorn
from psycopg_pool import AsyncConnectionPool

#: As many connections as a process of the provider has.
CONNECTIONS = 10
TABLE = "CREATE TABLE IF NOT EXISTS bare (id uuid PRIMARY KEY, body bytea NOT NULL)"


class Bare:
    """The ASGI application."""

    def __init__(self, database_url: str) -> None:
        self._pool = AsyncConnectionPool(database_url, min_size=CONNECTIONS, max_size=CONNECTIONS, open=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        answer = await (self._insert(body) if scope["method"] == "POST" else self._read(scope["path"]))
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        await self._pool.open(wait=True)
        async with self._pool.connection() as conn:
            await conn.execute(TABLE)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._pool.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _insert(self, body: bytes) -> bytes:
        key = uuid4()
        async with self._pool.connection() as conn:
            await conn.execute("INSERT INTO bare (id, body) VALUES (%s, %s)", (key, body))
        return b'{"id": "%s"}' % str(key).encode()

    async def _read(self, path: str) -> bytes:
        async with self._pool.connection() as conn:
            found = await conn.execute("SELECT body FROM bare WHERE id = %s", (path.rpartition("/")[2] or None,))
            row = await found.fetchone()
        return b"null" if row is None else bytes(row[0])


if __name__ == "__main__":
    uvicorn.run(Bare(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
