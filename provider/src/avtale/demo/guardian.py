"""Outlives whoever started it, to end the demonstration's processes: also when that one was killed.

Run as a script with the database's folder, it reads JSON lines: `{"group": 123, "wave": 1}` takes a process group
into care. The end of the input is the signal: groups end wave by wave, first asked, then killed, and then the
database, unless somebody else has it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from avtale.storage.embedded import EmbeddedPostgres
from avtale.storage.embedded_programs import EmbeddedPostgresError

ASKED_SECONDS_MAX = 8.0
KILLED_SECONDS_MAX = 4.0
PAUSE_SECONDS = 0.02


def alive(group: int) -> bool:
    """Whether any process of a group runs; one that only waits to be reaped does not."""
    if Path("/proc/self/stat").exists():
        return any(group == found for found in _running_groups())
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _running_groups() -> set[int]:
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            state, _, group, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            if state != "Z":
                found.add(int(group))
    return found


def end(groups: Sequence[int]) -> None:
    """Ask the groups to end; kill those that do not within `ASKED_SECONDS_MAX`."""
    for signum, seconds_max in ((signal.SIGTERM, ASKED_SECONDS_MAX), (signal.SIGKILL, KILLED_SECONDS_MAX)):
        for group in filter(alive, groups):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signum)
        _wait(lambda: not any(map(alive, groups)), seconds_max)


def _wait(done: Callable[[], bool], seconds_max: float) -> None:
    until = time.monotonic() + seconds_max
    while not done() and time.monotonic() < until:
        time.sleep(PAUSE_SECONDS)


def main() -> None:
    """Take groups into care until the input ends, then end them and the database."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    waves: defaultdict[int, list[int]] = defaultdict(list)
    for line in sys.stdin:
        order = json.loads(line)
        waves[order["wave"]].append(order["group"])
    for _, groups in sorted(waves.items()):
        end(groups)
    server = EmbeddedPostgres(Path(sys.argv[1]))
    with suppress(EmbeddedPostgresError):
        if server.alive():
            server.start()
            server.stop()


if __name__ == "__main__":
    main()
