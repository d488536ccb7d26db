"""The whole story of eleven people, as `make story` runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stories.tests.paper import ROOT, blocks, section

pytestmark = pytest.mark.story

#: On an idle machine it takes about a minute.
SECONDS_MAX = 240


@pytest.mark.timeout(SECONDS_MAX + 10)
def test_eleven_people_three_months(tmp_path: Path) -> None:
    out = tmp_path / "story.json"
    told = subprocess.run(
        [sys.executable, "-m", "stories", "--out", str(out)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "The two-sided audit agrees to the øre." in told.stdout
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["audit"] == "ok"
    ends = {p["name"]: (p["agreement"] or p["purchase"])["states"][-1]["status"] for p in report["people"]}
    assert ends == {
        "Anna": "active",
        "Bjørn": "active",
        "Cecilie": "active",
        "David": "stopped",
        "Eva": "stopped",
        "Frank": "rejected",
        "Grete": "expired",
        "Henrik": "paid",
        "Ida": "active",
        "Jon": "active",
        "Kari": "active",
    }
    assert report["totals"]["captured"] == 9900 * (4 + 4 + 4 + 2 + 2 + 4 + 4 + 4) + 3900
    assert report["totals"]["refunded"] == 3000 + 3900 + 9900
    (henrik,) = (p for p in report["people"] if p["name"] == "Henrik")
    assert [(r["kind"], r["amount"]) for r in henrik["receipts"]] == [("receipt", 3900), ("credit_note", 3900)]
    assert henrik["access"]["until"] is None
    excerpts = blocks(section((ROOT / "README.md").read_text(encoding="utf-8"), "What the story shows"))
    lines = {line.rstrip() for line in told.stdout.splitlines()}
    assert [line for excerpt in excerpts for line in excerpt.text.splitlines() if line not in lines] == [], (
        "the README shows another story"
    )
