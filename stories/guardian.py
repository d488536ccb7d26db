"""Outlives whoever started it, to end the processes and remove the folders that were left in its care.

Run as a script, it reads JSON lines: `{"group": 123, "wave": 1}` takes a process group into care,
`{"folder": "..."}` a folder. The end of the input is the signal, so that even a killed starter gives it:
groups end wave by wave (first asked, then killed), then PostgreSQL servers in the folders, then the folders.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

ASKED_SECONDS_MAX = 8.0
KILLED_SECONDS_MAX = 4.0
PAUSE_SECONDS = 0.02
LINUX = Path("/proc/self/stat").exists()


def alive(pid: int, *, group: bool) -> bool:
    """Whether a process, or any of a process group, runs; one that only waits to be reaped does not."""
    if LINUX:
        return any(pid == (its_group if group else its_pid) for its_pid, its_group in _running())
    try:
        os.killpg(pid, 0) if group else os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _running() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, _, its_group, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            if state != "Z":
                yield int(folder.name), int(its_group)


def end(groups: Sequence[int]) -> None:
    """Ask the groups to end; kill those that do not within `ASKED_SECONDS_MAX`."""
    for signum, seconds_max in ((signal.SIGTERM, ASKED_SECONDS_MAX), (signal.SIGKILL, KILLED_SECONDS_MAX)):
        left = [group for group in groups if alive(group, group=True)]
        for group in left:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signum)
        _wait(lambda: not any(alive(group, group=True) for group in groups), seconds_max)


def end_databases(folder: Path) -> None:
    """End PostgreSQL servers with data in a folder: they leave the group of what started them."""
    for pid_file in folder.rglob("postmaster.pid"):
        with suppress(OSError, ValueError, IndexError):
            pid = int(pid_file.read_text().splitlines()[0])
            if _is_about(pid, pid_file.parent):
                _end_database(pid)


def _end_database(pid: int) -> None:
    os.kill(pid, signal.SIGQUIT)
    if not _wait(lambda: not alive(pid, group=False), KILLED_SECONDS_MAX):
        os.kill(pid, signal.SIGKILL)


def _is_about(pid: int, folder: Path) -> bool:
    """Whether a process names a folder in its command line: a number alone may be another's by now."""
    try:
        return str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return not LINUX


def _wait(done: Callable[[], bool], seconds_max: float) -> bool:
    until = time.monotonic() + seconds_max
    while not (ended := done()) and time.monotonic() < until:
        time.sleep(PAUSE_SECONDS)
    return ended


def main() -> None:
    """Take things into care until the input ends, then end and remove them."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    waves: defaultdict[int, list[int]] = defaultdict(list)
    folders: list[Path] = []
    for line in sys.stdin:
        order = json.loads(line)
        if "group" in order:
            waves[order["wave"]].append(order["group"])
        else:
            folders.append(Path(order["folder"]))
    for _, groups in sorted(waves.items()):
        end(groups)
    for folder in folders:
        end_databases(folder)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
