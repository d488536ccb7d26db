"""Starts what is measured, each in a process of its own: the sandbox, Prism and WireMock."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONTRACT = ROOT / "sandbox" / "src" / "avtale_sandbox" / "contracts" / "recurring-v3.json"
START_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running process; `ready_seconds` is from its start to its first answer, and
    `ready_cpu_seconds` how much of that it had a processor."""

    name: str
    url: str
    pid: int
    ready_seconds: float
    ready_cpu_seconds: float

    def megabytes(self) -> float:
        """The memory that the process and those it started hold (resident set)."""
        return sum(_resident(pid) for pid in _family(self.pid)) / 1024

    def cpu_seconds(self) -> float:
        """The processor time that they have used so far; on a busy machine it says more than the clock does."""
        return cpu_seconds_of(self.pid)


@contextlib.contextmanager
def sandbox(name: str = "avtale-sandbox", state: Path | None = None) -> Iterator[Server]:
    """One sandbox process on a clock that stands still."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("avtale-sandbox")), "serve", "--port", str(port), "--clock", "frozen"]
    command += ["--start-at", "2027-01-15T09:00:00Z", *(() if state is None else ("--state", str(state)))]
    with _running(name, command, f"http://127.0.0.1:{port}", "/_sandbox/health") as server:
        yield server


@contextlib.contextmanager
def prism(folder: Path) -> Iterator[Server]:
    """Prism, which makes every answer up from the contract; `folder` is where npm put it."""
    port = free_port()
    command = [str(folder / "node_modules" / ".bin" / "prism"), "mock", "-v", "silent", "-h", "127.0.0.1"]
    command += ["-p", str(port), str(CONTRACT)]
    with _running("Prism", command, f"http://127.0.0.1:{port}", "/") as server:
        yield server


@contextlib.contextmanager
def wiremock(folder: Path, stubs: list[dict[str, object]]) -> Iterator[Server]:
    """WireMock, which answers what was written down beforehand, always the same."""
    port = free_port()
    with tempfile.TemporaryDirectory() as root:
        mappings = Path(root) / "mappings"
        mappings.mkdir()
        (mappings / "stubs.json").write_text(json.dumps({"mappings": stubs}))
        command = [str(folder / "node_modules" / ".bin" / "wiremock"), "--port", str(port), "--root-dir", root]
        command += ["--no-request-journal", "--disable-banner", "--async-response-enabled", "true"]
        with _running("WireMock", command, f"http://127.0.0.1:{port}", "/__admin/mappings") as server:
            yield server


@contextlib.contextmanager
def bare(database_url: str) -> Iterator[Server]:
    """The barest server on a database of ours."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.provider.bare", database_url, str(port)]
    with _running("bare", command, f"http://127.0.0.1:{port}", "/") as server:
        yield server


@contextlib.contextmanager
def instant_gateway() -> Iterator[Server]:
    """A gateway that answers drafts at once."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.provider.instant", str(port)]
    with _running("instant", command, f"http://127.0.0.1:{port}", "/") as server:
        yield server


def cpu_seconds_of(pid: int) -> float:
    """The processor time that a process and those it started have used so far."""
    return sum(_busy(one) for one in _family(pid))


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def available(folder: Path | None, name: str) -> bool:
    """Whether npm has put the command there."""
    return folder is not None and shutil.which("node") is not None and (folder / "node_modules/.bin" / name).exists()


@contextlib.contextmanager
def _running(name: str, command: list[str], url: str, path: str) -> Iterator[Server]:
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
        try:
            while not _answers(url + path):
                if process.poll() is not None or time.perf_counter() - started > START_SECONDS_MAX:
                    said.seek(0)
                    raise RuntimeError(f"{name} does not start: {said.read().decode(errors='replace')}")
                time.sleep(0.002)
            seconds, busy = time.perf_counter() - started, sum(_busy(pid) for pid in _family(process.pid))
            yield Server(name, url, process.pid, seconds, busy)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 15)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait(10)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).read()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def _busy(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _family(pid: int) -> list[int]:
    found = [pid]
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += _family(int(child))
    return found
