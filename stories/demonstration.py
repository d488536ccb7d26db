"""Starts `avtale demo` as a person does, waits until it is ready, and ends it as Ctrl-C or a crash does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from stories.processes import installed

READY_SECONDS_MAX = 150.0
END_SECONDS_MAX = 60.0
PAUSE_SECONDS = 0.05


class DemoEnded(RuntimeError):
    """The demonstration ended before it was ready; the text is what it said."""


@dataclass
class Demonstration:
    """One run of `avtale demo` over a data folder. Use as a context manager; all calls block."""

    data_dir: Path
    new_ports: bool = False
    shop: str = ""
    sandbox: str = ""

    def __enter__(self) -> Self:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._ready_file = self.data_dir / "ready.json"
        self._ready_file.unlink(missing_ok=True)
        self._log = self.data_dir / "demo.log"
        # Tests run at the same time must not all want the ports that a person gets.
        moves = self.new_ports or not (self.data_dir / "demo" / "demo.json").exists()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AVTALE_")}
        with self._log.open("ab") as output:
            self._began = output.tell()
            self.process = subprocess.Popen(
                [*self.command, "--ready-file", str(self._ready_file), *(["--new-ports"] if moves else [])],
                env=inherited | {"AVTALE_DATA_DIR": str(self.data_dir), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait()
        except BaseException:
            self.end(signal.SIGTERM)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(signal.SIGINT)

    @property
    def command(self) -> list[str]:
        """How it is started."""
        return [installed("avtale"), "demo"]

    @property
    def said(self) -> str:
        """What it has printed since this start."""
        return self._log.read_bytes()[self._began :].decode(errors="replace")

    def end(self, signum: signal.Signals) -> int:
        """Send a signal to its whole process group, as a terminal does, and give the exit code."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signum)
        return self.process.wait(END_SECONDS_MAX)

    def _wait(self) -> None:
        until = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < until:
            with suppress(OSError, ValueError):
                ready = json.loads(self._ready_file.read_text("utf-8"))
                self.shop, self.sandbox = ready["shop"], ready["sandbox"]
                return
            if self.process.poll() is not None:
                raise DemoEnded(self.said)
            time.sleep(PAUSE_SECONDS)
        raise DemoEnded(f"not ready within {READY_SECONDS_MAX:g} s:\n{self.said}")
