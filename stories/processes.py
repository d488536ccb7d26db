"""Real processes by name: start, wait until ready, kill, start again; and nothing is left at the end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stories import guardian

READY_SECONDS_MAX = 60.0
RUN_SECONDS_MAX = 60.0
PAUSE_SECONDS = 0.02


class ProcessFailed(RuntimeError):
    """A process ended, or was not ready in time; `name` names it and `tail` is the end of its log."""

    def __init__(self, name: str, what: str, tail: str) -> None:
        super().__init__(f"{name} {what}")
        self.name = name
        self.tail = tail


@dataclass
class Process:
    """One process with what it takes to start it again exactly as it was."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    wave: int
    log: Path
    ready_file: Path | None
    handle: subprocess.Popen[bytes]

    @property
    def running(self) -> bool:
        return self.handle.poll() is None


def installed(program: str) -> str:
    """The path of a program that is installed beside this interpreter."""
    return str(Path(sys.executable).with_name(program))


class Processes:
    """The processes of one run, each in a process group of its own, with a folder for data and logs.

    Use as an async context manager, from the main thread. A guardian process ends everything and removes the
    folder when the run ends, also when this process is killed.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="avtale-"))
        self._all: dict[str, Process] = {}
        self._guardian = subprocess.Popen(
            [sys.executable, "-I", guardian.__file__],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        self._entrust({"folder": str(self.folder)})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End every process and remove the folder. Safe to call twice."""
        assert self._guardian.stdin is not None
        self._guardian.stdin.close()
        for process in self._all.values():
            process.handle.wait()
        self._guardian.wait()

    def start(
        self,
        name: str,
        *command: str,
        environment: Mapping[str, str] | None = None,
        ready_file: bool = False,
        wave: int = 1,
    ) -> Process:
        """Start a process; `ready_file` adds `--ready-file` to the command. Lower waves end first."""
        if (known := self._all.get(name)) is not None and known.running:
            raise ValueError(f"{name} is running already")
        path = self.folder / f"{name}.ready" if ready_file else None
        extra = ("--ready-file", str(path)) if path else ()
        return self._start(name, (*command, *extra), environment or {}, wave, path)

    def restart(self, name: str, *more: str) -> Process:
        """Start an ended process with its old command, and `more` at the end of it."""
        old = self[name]
        if old.running:
            raise ValueError(f"{name} is still running")
        return self._start(name, (*old.command, *more), old.environment, old.wave, old.ready_file)

    def kill(self, name: str) -> None:
        """Kill a process and its group as `kill -9` does, and wait until it is gone."""
        process = self[name]
        with suppress(ProcessLookupError):
            os.killpg(process.handle.pid, signal.SIGKILL)
        process.handle.wait()

    def stop(self, name: str) -> int:
        """Ask a process to end, wait until it has, and give its exit code."""
        process = self[name]
        with suppress(ProcessLookupError):
            os.killpg(process.handle.pid, signal.SIGTERM)
        return process.handle.wait()

    async def ready(self, name: str, seconds_max: float = READY_SECONDS_MAX) -> dict[str, Any]:
        """What a process wrote in its ready file, once it has. `ProcessFailed` when it ends or is late."""
        process = self[name]
        assert process.ready_file is not None
        for _ in range(int(seconds_max / PAUSE_SECONDS)):
            with suppress(FileNotFoundError, json.JSONDecodeError):
                found = json.loads(process.ready_file.read_text())
                if isinstance(found, dict):
                    return found
            if not process.running:
                raise self._failed(name, f"ended with {process.handle.returncode} before it was ready")
            await asyncio.sleep(PAUSE_SECONDS)
        raise self._failed(name, f"was not ready after {seconds_max:g} seconds")

    async def run(self, name: str, *command: str, environment: Mapping[str, str] | None = None) -> str:
        """Run a command to its end and give what it printed. `ProcessFailed` unless it exits 0 in time."""
        process = self.start(name, *command, environment=environment)
        for _ in range(int(RUN_SECONDS_MAX / PAUSE_SECONDS)):
            if not process.running:
                break
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            self.kill(name)
            raise self._failed(name, f"did not end within {RUN_SECONDS_MAX:g} seconds")
        if process.handle.returncode != 0:
            raise self._failed(name, f"ended with {process.handle.returncode}")
        return process.log.read_text(errors="replace")

    def tail(self, name: str, lines: int = 20) -> str:
        """The last lines that a process wrote."""
        with suppress(OSError):
            return "\n".join(self[name].log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    def names(self) -> list[str]:
        """Every process that was started, in that order."""
        return list(self._all)

    def __getitem__(self, name: str) -> Process:
        return self._all[name]

    def _start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], wave: int, ready: Path | None
    ) -> Process:
        if ready is not None:
            ready.unlink(missing_ok=True)
        log = self.folder / f"{name}.log"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("AVTALE_")}
        with log.open("ab") as output:
            handle = subprocess.Popen(
                command,
                env=inherited | {"PYTHONUNBUFFERED": "1"} | dict(environment),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._entrust({"group": handle.pid, "wave": wave})
        self._all[name] = Process(name, command, environment, wave, log, ready, handle)
        return self._all[name]

    def _entrust(self, order: dict[str, object]) -> None:
        assert self._guardian.stdin is not None
        self._guardian.stdin.write(json.dumps(order) + "\n")
        self._guardian.stdin.flush()

    def _failed(self, name: str, what: str) -> ProcessFailed:
        return ProcessFailed(name, what, self.tail(name))
