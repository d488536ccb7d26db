"""Our documents: their links lead somewhere, and what they take from the code is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stories import reference
from stories.refusals import Where, refusals
from stories.tests.paper import ROOT, papers

_FENCES = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)", re.DOTALL)
_ADDRESS = re.compile(r"[a-z][a-z+.-]*:")


def links(text: str) -> list[str]:
    """Where a document's relative links lead, anchors included."""
    return [link for link in _LINK.findall(_FENCES.sub("", text)) if not _ADDRESS.match(link)]


def anchors(text: str) -> set[str]:
    """The anchors that the headings of a document make."""
    headings = re.findall(r"^#+ (.*)$", _FENCES.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(document: Path) -> list[str]:
    """The relative links of a document that lead nowhere."""
    found = []
    for link in links(document.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            found.append(link)
    return found


@pytest.mark.parametrize("document", papers(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    assert broken(document) == []


def test_a_link_that_leads_nowhere_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A heading\n[gone](gone.md) [here](page.md#a-heading) [not here](#nowhere) [far](https://example.test)\n"
        "```\n[in code](gone-too.md)\n```\n",
        encoding="utf-8",
    )
    assert broken(page) == ["gone.md", "#nowhere"]


@pytest.mark.parametrize("page", sorted(reference.REFERENCE.glob("*.md")), ids=lambda path: path.name)
def test_a_reference_says_what_the_code_says(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == reference.made(text), f"{page.name} is out of date: run `make docs`"


def test_every_part_that_can_be_made_is_on_a_page() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in reference.REFERENCE.glob("*.md"))
    assert set(re.findall(r"<!-- made: ([a-z-]+) -->", pages)) == set(reference.PARTS)


def test_refusals_are_found_in_the_source_with_status_and_sentence() -> None:
    found = {(one.status, one.code): one.sentence for one in refusals(Where.REQUEST)}
    assert found[409, "agreement_paused"] == "the agreement is paused: resume it first"
    assert found[404, "charge_not_found"] == "there is no charge …"
    assert found[400, "plan_unsuited"].startswith("another plan has the same currency")
    assert all(found.values())
    assert "price_differs" in {one.code for one in refusals(Where.MIGRATION)}
    assert "host_taken" in {one.code for one in refusals(Where.TENANTS_FILE)}


@pytest.mark.parametrize("part", [reference.provider_settings, reference.sandbox_settings])
def test_every_setting_says_what_it_is(part: object) -> None:
    assert callable(part)
    for row in part().splitlines()[2:]:
        assert len(row.strip("| ").split(" | ")) == 3, row


def test_every_decision_is_listed_once_and_has_its_three_parts() -> None:
    folder = ROOT / "docs" / "decisions"
    records = sorted(path.name for path in folder.glob("0*.md"))
    listed = re.findall(r"\]\((0[^)]+)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert listed == records
    for number, name in enumerate(records, 1):
        text = (folder / name).read_text(encoding="utf-8")
        assert text.startswith(f"# {number}. ")
        assert name.startswith(f"{number:04}-")
        assert [f"**{part}.**" in text for part in ("Context", "Decision", "Consequences")] == [True] * 3, name
