"""Takes an address to listen on, or says why it cannot be had."""

from __future__ import annotations

import os
import socket

_BACKLOG = 2048


class CannotListen(Exception):
    """The address cannot be listened on; the text says why."""


def listener(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is any free one. Raises CannotListen."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as problem:
        raise CannotListen(f"cannot listen on {host}:{port}: {problem}") from problem
    # The protocol is named, or asyncio would leave small answers to wait for the client's acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as problem:
        listening.close()
        raise CannotListen(f"cannot listen on {host}:{port}: {problem}") from problem
    return listening
