"""Writes docs/reference/operations.md: each operation of the provider's contract, with the tests that show it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from stories import coverage

CONTRACT = coverage.ROOT / "docs" / "openapi" / "avtale.openapi.json"
PAGE = coverage.ROOT / "docs" / "reference" / "operations.md"
PREFIX = "payments:"

_HEAD = """# The provider's operations, and the tests that show them

Written by `make coverage` from the published contract and the tests' marks; a test fails when it is out of date, and
when an operation is shown by nothing. A test says what it shows with `@pytest.mark.shows("payments:<operation id>")`.

Besides these, every operation that needs a token is tried by nobody, by a stranger, and with every other tenant's ids
and tokens ([tenants apart](../../provider/tests/api/test_tenants_apart.py)), and all are asked at random, rightly and
wrongly ([conforms](../../provider/tests/api/test_conforms.py)).
"""


def operations() -> dict[str, list[tuple[str, str]]]:
    """By tag: the mark of each operation, and its method and path."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path, methods in json.loads(CONTRACT.read_bytes())["paths"].items():
        for method, said in methods.items():
            found.setdefault(said["tags"][0], []).append((PREFIX + said["operationId"], f"{method.upper()} {path}"))
    return found


def page() -> str:
    """The page as it should be."""
    shown: dict[str, list[str]] = {}
    for test in coverage.tests():
        for mark in test.shows:
            shown.setdefault(mark, []).append(f"[{coverage.spoken(test.name)}](../../{test.path})")
    parts = [_HEAD]
    for tag, marks in operations().items():
        parts.append(f"\n## {tag}\n\n| Operation | Shown by |\n|---|---|\n")
        for mark, words in marks:
            parts.append(f"| `{mark.removeprefix(PREFIX)}` {words} | {'; '.join(shown.get(mark, [])) or '—'} |\n")
    return "".join(parts)


def unshown() -> list[str]:
    """Operations that no test claims to show."""
    shown = {mark for test in coverage.tests() for mark in test.shows}
    return [mark for marks in operations().values() for mark, _ in marks if mark not in shown]


def unknown() -> list[str]:
    """Marks of operations that are not in the contract."""
    known = {mark for marks in operations().values() for mark, _ in marks}
    claimed = {mark for test in coverage.tests() for mark in test.shows if mark.startswith(PREFIX)}
    return sorted(claimed - known)


def main() -> None:
    """Write the page."""
    Path(PAGE).write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE.relative_to(coverage.ROOT)}\n")


if __name__ == "__main__":
    main()
