"""The command: help that teaches, mistakes that are told."""

from __future__ import annotations

import re
import socket

import pytest
from typer.testing import CliRunner

from avtale_sandbox.cli import app

RUNNER = CliRunner()


def test_the_help_says_how_to_begin() -> None:
    shown = RUNNER.invoke(app, ["serve", "--help"], terminal_width=120)
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown.output)
    assert shown.exit_code == 0
    for word in ("dev-client-id", "dev-client-secret", "dev-subscription-key", "123456", "4791234567", "--state"):
        assert word in text


@pytest.mark.parametrize(
    "arguments",
    [["--clock", "backwards"], ["--port", "70000"], ["--start-at", "tomorrow", "--port", "0"]],
)
def test_mistakes_end_with_a_sentence(arguments: list[str]) -> None:
    shown = RUNNER.invoke(app, ["serve", *arguments])
    assert shown.exit_code == 2
    assert "Traceback" not in shown.output


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        shown = RUNNER.invoke(app, ["serve", "--port", str(port)])
    assert shown.exit_code == 2
    assert f"127.0.0.1:{port}" in shown.output
