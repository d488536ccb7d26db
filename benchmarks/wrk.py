"""Sends requests with wrk as fast as a server answers them, and reads how many and how late."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

MARK = "measured "

_SCRIPT = """
local method, paths, body, headers = "{method}", {paths}, {body}, {headers}
local count, thread = 0, 0
local prepared, names = {{}}, {names}
for line in io.lines("{prepared}") do
  local one, fields = {{headers = {{}}}}, {{}}
  for field in (line .. "\t"):gmatch("([^\t]*)\t") do fields[#fields + 1] = field end
  for place, name in ipairs(names) do one.headers[name] = fields[place] end
  for name, value in pairs(headers) do one.headers[name] = value end
  one.body = fields[#names + 1]
  if one.body == "" then one.body = nil end
  prepared[#prepared + 1] = one
end
local threads = 0
function setup(t) t:set("number", threads); threads = threads + 1 end
function request()
  count = count + 1
  if #prepared > 0 then
    local one = prepared[(count - 1) % #prepared + 1]
    return wrk.format(method, paths[count % #paths + 1], one.headers, one.body)
  end
  headers["Idempotency-Key"] = "{run}-" .. number .. "-" .. count
  return wrk.format(method, paths[count % #paths + 1], headers, body)
end
function done(summary, latency, requests)
  io.write(string.format('{mark}{{"requests": %d, "microseconds": %d, "failed": %d, "lost": %d, "p50": %d, "p99": %d, '
    .. '"max": %d}}\\n', summary.requests, summary.duration, summary.errors.status, summary.errors.read
    + summary.errors.write + summary.errors.timeout + summary.errors.connect, latency:percentile(50),
    latency:percentile(99), latency.max))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """One kind of request; every one has an idempotency key of its own.

    With `prepared` each has headers and a body of its own instead, in the order given: the values of the headers that
    `prepared_headers` names, and the body.
    """

    method: str
    paths: tuple[str, ...]
    headers: dict[str, str]
    body: str | None = None
    prepared_headers: tuple[str, ...] = ()
    prepared: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of it; times in milliseconds."""

    count: int
    per_second: float
    p50: float
    p99: float
    slowest: float
    failed: int


def measure(url: str, load: Load, connections: int, seconds: int, run: str) -> Measured:
    """Send for so many seconds; `run` makes the keys differ from those of other runs."""
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as lines:
        lines.writelines("\t".join(one) + "\n" for one in load.prepared)
        lines.flush()
        return _measure(url, load, connections, seconds, run, lines.name)


def _measure(url: str, load: Load, connections: int, seconds: int, run: str, prepared: str) -> Measured:
    script = _SCRIPT.format(
        prepared=prepared,
        names=_lua(list(load.prepared_headers)),
        method=load.method,
        paths=_lua(list(load.paths)),
        body="nil" if load.body is None else _quoted(load.body),
        headers=_table(load.headers),
        run=run,
        mark=MARK,
    )
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = [
            "wrk",
            "-t",
            "1",
            "-c",
            str(connections),
            "-d",
            f"{seconds}s",
            "--timeout",
            "30s",
            "-s",
            str(Path(file.name)),
            url,
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
    line = next((line for line in done.stdout.splitlines() if line.startswith(MARK)), None)
    if line is None:
        raise RuntimeError(f"wrk said: {done.stdout}{done.stderr}")
    return read_result(json.loads(line.removeprefix(MARK)))


def read_result(told: dict[str, int]) -> Measured:
    """What the script told at the end of a run."""
    return Measured(
        count=told["requests"],
        per_second=told["requests"] / (told["microseconds"] / 1e6),
        p50=told["p50"] / 1000,
        p99=told["p99"] / 1000,
        slowest=told["max"] / 1000,
        failed=told["failed"] + told["lost"],
    )


def _quoted(text: str) -> str:
    return json.dumps(text)


def _lua(items: list[str]) -> str:
    return "{" + ", ".join(_quoted(item) for item in items) + "}"


def _table(items: dict[str, str]) -> str:
    return "{" + ", ".join(f"[{_quoted(name)}] = {_quoted(value)}" for name, value in items.items()) + "}"
