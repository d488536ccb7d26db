"""The commands in our documents do what is printed beside them: they are run as they stand."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from stories.processes import Processes, ProcessFailed
from stories.tests.paper import DOCS, ROOT, blocks, is_printed, last_value, says, section

pytestmark = [
    pytest.mark.story,
    pytest.mark.skipif(not shutil.which("curl") or not shutil.which("bash"), reason="no curl or no bash here"),
]

#: What stays in a terminal of its own, and what it prints when it is there.
SERVERS = {
    "avtale-sandbox serve": "listens on",
    "avtale serve": "answers at",
    "avtale work": "avtale works",
    "avtale db embedded": "PostgreSQL runs",
}
READY_SECONDS_MAX = 60.0
BLOCK_SECONDS_MAX = 60.0
PAUSE_SECONDS = 0.02


class Terminal:
    """One shell in which blocks are run one after the other, as a reader does, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._shell = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=dict(_environment(folder)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._shell:  # closes the pipes
            os.killpg(self._shell.pid, signal.SIGKILL)

    async def run(self, script: str) -> str:
        """Run one block and give what it printed. AssertionError unless each command in it succeeds."""
        return await asyncio.wait_for(asyncio.to_thread(self._run, script), BLOCK_SECONDS_MAX)

    def _run(self, script: str) -> str:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"set -euo pipefail\n{script}\nprintf '\\n\\036\\n'\n")
        self._shell.stdin.flush()
        said: list[str] = []
        for line in self._shell.stdout:
            if line == "\036\n":
                return "".join(said)
            said.append(line)
        raise AssertionError(f"a command failed in\n{script}\nwhich printed\n{''.join(said)}")


def _environment(folder: Path) -> Mapping[str, str]:
    """Our interpreter and the system's tools, and nothing that the person who runs this has set."""
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _follow(text: str) -> None:
    """Do what a document says, on free ports, and compare what it prints."""
    ports = {port: str(_free_port()) for port in ("8300", "8400")}

    def here(printed: str) -> str:
        printed = printed.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
        return re.sub("8300|8400", lambda found: ports[found[0]], printed)

    async with Processes() as processes:
        (processes.folder / "docs" / "how-to").mkdir(parents=True)
        (processes.folder / "stories").symlink_to(ROOT / "stories")
        tenants = (DOCS / "how-to" / "tenants.toml").read_text(encoding="utf-8")
        (processes.folder / "docs" / "how-to" / "tenants.toml").write_text(here(tenants), encoding="utf-8")
        with Terminal(processes.folder) as terminal:
            output = ""
            for block in blocks(text):
                what = here(block.text)
                if block.file is not None:
                    (processes.folder / block.file).write_text(what, encoding="utf-8")
                elif block.language == "sh" and (kind := _server(what)):
                    await _serve(processes, kind, what)
                elif block.language == "sh":
                    output = await terminal.run(what)
                elif block.language == "json":
                    assert is_printed(json.loads(what), last_value(output)), f"line {block.line}: {output}"
                elif block.language == "text":
                    assert says(what, output), f"line {block.line}: {output}"


def _server(what: str) -> str | None:
    return next((kind for kind in SERVERS if kind in what), None)


async def _serve(processes: Processes, kind: str, what: str) -> None:
    """Start what stays, and wait until it says that it is there. ProcessFailed when it does not."""
    name = kind.replace(" ", "-")
    processes.start(name, "bash", "-c", f"set -eu\n{what}", wave=3 if "db" in kind else 1)
    for _ in range(int(READY_SECONDS_MAX / PAUSE_SECONDS)):
        if SERVERS[kind] in processes.tail(name):
            return
        if not processes[name].running:
            break
        await asyncio.sleep(PAUSE_SECONDS)
    raise ProcessFailed(name, "did not start", processes.tail(name))


def _with(program: str, name: str) -> object:
    return pytest.param(name, marks=pytest.mark.skipif(not shutil.which(program), reason=f"there is no {program} here"))


@pytest.mark.parametrize(
    "name",
    [
        "sandbox",
        "provider",
        "migrate",
        "test-with-pytest",
        "test-with-curl",
        _with("node", "test-with-node"),
        _with("php", "test-with-php"),
    ],
)
async def test_the_commands_of_a_how_to_do_what_it_says(name: str) -> None:
    await _follow((DOCS / "how-to" / f"{name}.md").read_text(encoding="utf-8"))


async def test_the_commands_of_the_readme_do_what_it_says() -> None:
    await _follow(section((ROOT / "README.md").read_text(encoding="utf-8"), "The sandbox with any Vipps client"))
