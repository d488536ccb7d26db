"""The demonstration's processes: started, waited for, started again when they die, and all ended together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avtale.demo.guardian import end
from avtale.demo.notes import DemoFailed

READY_SECONDS_MAX = 120.0
PAUSE_SECONDS = 0.05
#: A process that dies this often within a minute is not started again.
DEATHS_A_MINUTE_MAX = 5
LOG_LINES_SHOWN = 15

_BORN_FILE = "processes.json"


@dataclass
class Process:
    """One process with what it takes to start it again exactly as it was. Lower waves end first."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    wave: int
    log: Path
    ready_file: Path | None
    handle: subprocess.Popen[bytes]
    deaths: deque[float] = field(default_factory=deque)


class Processes:
    """The processes of one demonstration, each in a group of its own, in the care of a guardian."""

    def __init__(self, folder: Path, lock: int, stop: threading.Event) -> None:
        self._folder = folder
        self._stop = stop
        self._lock = lock
        self._all: dict[str, Process] = {}
        self._guardian = self._new_guardian()

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, wave: int, announces: bool
    ) -> None:
        """Start a process; one that `announces` gets a `--ready-file`. Its output goes to a log in the folder."""
        logs = self._folder / "logs"
        logs.mkdir(mode=0o700, exist_ok=True)
        ready_file = self._folder / f"{name}.ready" if announces else None
        extra = ("--ready-file", str(ready_file)) if ready_file else ()
        self._start(name, (*command, *extra), environment, wave, logs / f"{name}.log", ready_file, deque())

    def ready(self, name: str) -> dict[str, Any]:
        """What a process announced, once it has; nothing when we are told to stop meanwhile.

        Raises DemoFailed when it ends first or is late.
        """
        process = self._all[name]
        until = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < until:
            if self._stop.is_set():
                return {}
            with suppress(OSError, ValueError):
                found = json.loads(process.ready_file.read_text("utf-8")) if process.ready_file else {}
                if isinstance(found, dict):
                    return found
            if process.handle.poll() is not None:
                raise DemoFailed(f"the {name} ended before it was ready:\n{self._tail(process)}")
            time.sleep(PAUSE_SECONDS)
        raise DemoFailed(f"the {name} was not ready within {READY_SECONDS_MAX:g} s:\n{self._tail(process)}")

    def revive(self) -> list[str]:
        """Start those again that have died; gives a sentence for each. Raises DemoFailed when it does not help."""
        said = []
        for process in list(self._all.values()):
            code = process.handle.poll()
            if code is None:
                continue
            how = f"was killed (signal {-code})" if code < 0 else f"ended ({code})"
            now = time.monotonic()
            process.deaths.append(now)
            while process.deaths[0] < now - 60:
                process.deaths.popleft()
            if len(process.deaths) > DEATHS_A_MINUTE_MAX:
                raise DemoFailed(f"the {process.name} {how} again and again:\n{self._tail(process)}")
            said.append(f"the {process.name} {how}; it is started again")
            self._start(
                process.name,
                process.command,
                process.environment,
                process.wave,
                process.log,
                process.ready_file,
                process.deaths,
            )
        if self._guardian.poll() is not None:
            self._guardian = self._new_guardian()
            for process in self._all.values():
                self._entrust(process)
        return said

    def end(self) -> None:
        """End everything, wave by wave, and come back when nothing runs."""
        if self._guardian.poll() is not None:
            self._guardian = self._new_guardian()
            for process in self._all.values():
                self._entrust(process)
        if self._guardian.stdin is not None:
            self._guardian.stdin.close()
        for process in self._all.values():
            process.handle.wait()
        self._guardian.wait()

    def _new_guardian(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-I", "-m", "avtale.demo.guardian", str(self._folder / "postgres")],
            stdin=subprocess.PIPE,
            start_new_session=True,
            # The folder is taken until the last of us is gone.
            pass_fds=[self._lock],
            text=True,
        )

    def _start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        wave: int,
        log: Path,
        ready_file: Path | None,
        deaths: deque[float],
    ) -> None:
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AVTALE_")}
        with log.open("ab") as output:
            os.chmod(log, 0o600)
            handle = subprocess.Popen(
                command,
                env=inherited | {"PYTHONUNBUFFERED": "1"} | dict(environment),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = Process(name, command, environment, wave, log, ready_file, handle, deaths)
        self._all[name] = process
        self._entrust(process)
        born = {str(one.handle.pid): birth(one.handle.pid) for one in self._all.values()}
        (self._folder / _BORN_FILE).write_text(json.dumps(born), encoding="utf-8")

    def _entrust(self, process: Process) -> None:
        if self._guardian.stdin is None:
            raise RuntimeError("a guardian has an input")
        with suppress(BrokenPipeError):  # one that was killed is replaced by `revive`
            self._guardian.stdin.write(json.dumps({"group": process.handle.pid, "wave": process.wave}) + "\n")
            self._guardian.stdin.flush()

    def _tail(self, process: Process) -> str:
        with suppress(OSError):
            return "\n".join(process.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])
        return "(it wrote no log)"


def end_leftovers(folder: Path) -> None:
    """End what is left of an earlier run whose owner and guardian were both killed; call it with the lock held."""
    with suppress(OSError, ValueError):
        born = json.loads((folder / _BORN_FILE).read_text("utf-8"))
        # A process id alone may be anybody's by now; with its time of birth it is the one that we started.
        end([int(pid) for pid, at in born.items() if at is not None and birth(int(pid)) == at])
    (folder / _BORN_FILE).unlink(missing_ok=True)


def birth(pid: int) -> str | None:
    """When a process was started, in the kernel's own count; None where that cannot be told."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def installed(program: str) -> str:
    """The path of a program that is installed beside this interpreter. Raises DemoFailed when it is not."""
    path = Path(sys.executable).with_name(program)
    if not path.exists():
        raise DemoFailed(f"{program} is not installed beside {sys.executable}: the demonstration needs both packages")
    return str(path)
