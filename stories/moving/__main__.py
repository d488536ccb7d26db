"""`make migrate-rehearsal`: a hundred thousand agreements move in, and the next month is charged."""

from __future__ import annotations

import argparse
import asyncio
import sys

from stories.houses import Houses, Size
from stories.moving.rehearsal import BEGIN, Rehearsal
from stories.processes import ProcessFailed


def main() -> int:
    """Run it; 0 when every row and every charge is as it must be, else 1."""
    parser = argparse.ArgumentParser(prog="python -m stories.moving", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000, help="how many rows the file has (default 100 000)")
    parser.add_argument("--workers", type=int, default=2, help="how many provider workers run (default 2)")
    parser.add_argument("--no-billing", action="store_true", help="end when everything is applied")
    options = parser.parse_args()
    try:
        return asyncio.run(_rehearse(options.rows, Size(workers=options.workers), not options.no_billing))
    except ProcessFailed as error:
        print(f"{error}\n{error.tail}", file=sys.stderr)
        return 1


async def _rehearse(rows: int, size: Size, bill: bool) -> int:
    async with Houses(start_at=BEGIN, size=size) as houses:
        measured = await Rehearsal(houses, rows, lambda line: print(line, flush=True)).run(bill=bill)
    print("\n".join(measured.lines()))
    return 1 if measured.differences else 0


sys.exit(main())
