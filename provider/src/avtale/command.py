"""The `avtale` command: what it needs is loaded first, and then it does what it is told."""

from __future__ import annotations

from avtale.loading import loading


def main() -> None:
    """Run the command line."""
    with loading():
        from avtale.cli import main as run
    run()
