"""Processes start, are killed, start again, and leave nothing, even when the runner is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stories.guardian import alive
from stories.processes import Processes, ProcessFailed

#: Writes its process id where it is told to, as a server does when it listens, and stays.
SERVER = """
import json, os, signal, sys
path = sys.argv[sys.argv.index("--ready-file") + 1]
print("listening", flush=True)
open(path + "~", "w").write(json.dumps({"pid": os.getpid(), "more": sys.argv[1:-2]}))
os.replace(path + "~", path)
signal.pause()
"""
#: The same with a child in its group that outlives it.
PARENT = "import subprocess; subprocess.Popen(['sleep', '60'])\n" + SERVER


async def test_a_process_is_ready_killed_and_started_again_with_its_log_kept() -> None:
    async with Processes() as processes:
        folder = processes.folder
        processes.start("server", sys.executable, "-c", SERVER, ready_file=True)
        first = (await processes.ready("server"))["pid"]
        assert alive(first, group=True)
        processes.kill("server")
        assert not alive(first, group=True)
        processes.restart("server")
        second = (await processes.ready("server"))["pid"]
        assert second != first
        assert processes.tail("server") == "listening\nlistening"
    assert not alive(second, group=True)
    assert not folder.exists()


async def test_a_process_that_ends_early_is_told_with_the_end_of_its_log() -> None:
    async with Processes() as processes:
        processes.start("server", sys.executable, "-c", "raise SystemExit('no such port')", ready_file=True)
        with pytest.raises(ProcessFailed, match="server ended with 1 before it was ready") as failed:
            await processes.ready("server")
        assert failed.value.tail == "no such port"
        with pytest.raises(ProcessFailed, match="migrate ended with 3"):
            await processes.run("migrate", sys.executable, "-c", "raise SystemExit(3)")


async def test_settings_of_the_person_who_runs_it_do_not_leak_into_a_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AVTALE_DATABASE_URL", "postgresql://precious")
    async with Processes() as processes:
        program = "import os; print(sorted(k for k in os.environ if k.startswith('AVTALE_')))"
        printed = await processes.run("show", sys.executable, "-c", program, environment={"AVTALE_CLOCK": "virtual"})
    assert printed == "['AVTALE_CLOCK']\n"


#: SIGINT is ignored by whatever a shell has put into the background; a runner in a terminal hears it.
RUNNER = """
import asyncio, json, signal, sys
from stories.processes import Processes

signal.signal(signal.SIGINT, signal.default_int_handler)

async def main():
    processes = Processes()
    for name, program in zip("ab", sys.argv[1:]):
        processes.start(name, sys.executable, "-c", program, ready_file=True)
    pids = [(await processes.ready(name))["pid"] for name in "ab"]
    print(json.dumps({"pids": pids, "folder": str(processes.folder)}), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_runner_that_is_killed_leaves_nothing_behind(signum: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUNNER, SERVER, PARENT],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
    ) as runner:
        assert runner.stdout is not None
        made = json.loads(runner.stdout.readline())
        assert all(alive(pid, group=True) for pid in made["pids"])
        os.kill(runner.pid, signum)
        try:
            runner.wait(timeout=60)
        finally:
            runner.kill()
        # The guardian holds the runner's output until it is done.
        assert runner.stdout.read() == b""
    assert not any(alive(pid, group=True) for pid in made["pids"])
    assert not Path(made["folder"]).exists()
