"""What a demonstration remembers between its starts: ports, keys and its issuer's name; and who has the folder."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from avtale.storage.sealing import new_key

HOST = "127.0.0.1"
#: The ports of a first start, if they are free.
SHOP_PORT, SANDBOX_PORT = 8300, 8400
LOCK_SECONDS_MAX = 20.0
PAUSE_SECONDS = 0.1


class DemoFailed(Exception):
    """The demonstration cannot start or go on; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What is written down; the file is for its owner's eyes only."""

    shop_port: int
    sandbox_port: int
    issuer_base_url: str
    encryption_key: str
    clock_token: str

    @property
    def shop_url(self) -> str:
        """Where the shop and the API answer."""
        return f"http://{HOST}:{self.shop_port}"

    @property
    def sandbox_url(self) -> str:
        """Where the sandbox answers."""
        return f"http://{HOST}:{self.sandbox_port}"


def read_notes(folder: Path, new_ports: bool) -> Notes:
    """The notes of this folder, made at the first start. Raises DemoFailed when a port of theirs is taken."""
    path = folder / "demo.json"
    try:
        notes = Notes(**json.loads(path.read_text("utf-8"))) if path.exists() else None
    except (OSError, ValueError, TypeError) as error:
        raise DemoFailed(f"{path} cannot be read ({error}); without it the data in {folder} is lost") from error
    if notes is None:
        shop, sandbox = _free_port(0 if new_ports else SHOP_PORT), _free_port(0 if new_ports else SANDBOX_PORT)
        # The issuer keeps this name wherever it listens later, so that people stay who they are.
        issuer = f"http://{HOST}:{sandbox}"
        notes = Notes(shop, sandbox, issuer, new_key(), secrets.token_urlsafe(24))
        _write(path, notes)
    elif new_ports:
        notes = replace(notes, shop_port=_free_port(), sandbox_port=_free_port())
        _write(path, notes)
    for port, what in ((notes.shop_port, "the shop"), (notes.sandbox_port, "the sandbox")):
        if not is_free(port):
            raise DemoFailed(
                f"port {port}, on which {what} was before, is taken by another program; end that one, "
                "or move the demonstration with `make demo ARGS=--new-ports` (`avtale demo --new-ports`)"
            )
    return notes


def is_free(port: int) -> bool:
    """Whether somebody can listen on this port now."""
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return True
    return False


def take_folder(folder: Path) -> int:
    """Have the folder for ourselves, until this process and its guardian are gone; gives the lock's descriptor.

    Waits for an earlier demonstration that is just ending. Raises DemoFailed when one is running.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    until = time.monotonic() + LOCK_SECONDS_MAX
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
            if _runs(holder) or time.monotonic() > until:
                os.close(handle)
                raise DemoFailed(
                    f"a demonstration runs from {folder} already (process {holder or 'unknown'}); "
                    "end it, or choose another folder with AVTALE_DATA_DIR"
                ) from None
            time.sleep(PAUSE_SECONDS)
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    return handle


def _runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _free_port(wanted: int = 0) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _write(path: Path, notes: Notes) -> None:
    partial = path.with_suffix(".new")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(notes), file, indent=2)
    partial.replace(path)
