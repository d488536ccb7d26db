"""The page about attacks names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "security.md"


def test_each_guard_has_its_test() -> None:
    rows = [
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ") and "---" not in line
    ]
    rows = [line for line in rows if not line.startswith("| Attack")]
    assert len(rows) > 40
    for row in rows:
        named = re.fullmatch(r"\| .+ \| .+ \| `([\w/]+\.py)::(\w+)` \|", row)
        assert named is not None, row
        path = named[1] if named[1].startswith(("stories", "sandbox")) else f"provider/tests/{named[1]}"
        assert re.search(rf"def {named[2]}\(", (ROOT / path).read_text(encoding="utf-8")), row
