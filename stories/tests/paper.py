"""Reads our documents: their fenced blocks and tables, and whether an answer is the one that is printed in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^```(\w*)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
#: Stands for anything in an answer that is printed.
ANYTHING = "…"


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, the line at which it stands, and the file that it is to be written to."""

    language: str
    text: str
    line: int
    file: str | None = None


def papers() -> list[Path]:
    """Every document of ours."""
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


def section(text: str, heading: str) -> str:
    """The part of a document under a heading, up to the next heading. AssertionError when there is none."""
    headings = list(_HEADING.finditer(text))
    for here, following in zip(headings, [*headings[1:], None], strict=True):
        if here[1] == heading:
            return text[here.end() : following.start() if following else None]
    raise AssertionError(f"there is no heading {heading!r}")


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a document, in order."""
    return [
        Block(found[1], found[3], text.count("\n", 0, found.start()) + 1, found[2]) for found in _FENCE.finditer(text)
    ]


def tables(text: str) -> Iterator[list[list[str]]]:
    """The tables of a document: rows of cells without code marks, the head first."""
    for lines in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        rows = [_cells(line) for line in lines.strip().split("\n")]
        yield [rows[0], *rows[2:]]


def _cells(line: str) -> list[str]:
    return [cell.replace("`", "").strip() for cell in line.strip("|").split("|")]


def is_printed(printed: Any, answer: Any) -> bool:
    """Whether an answer is what a document prints: members that are not printed do not matter, `…` is anything."""
    if printed == ANYTHING:
        return True
    if isinstance(printed, Mapping):
        return isinstance(answer, Mapping) and all(
            name in answer and is_printed(value, answer[name]) for name, value in printed.items()
        )
    if isinstance(printed, list):
        return (
            isinstance(answer, list)
            and len(answer) == len(printed)
            and all(is_printed(*pair) for pair in zip(printed, answer, strict=True))
        )
    if isinstance(printed, str):
        return isinstance(answer, str) and says(printed, answer)
    return type(printed) is type(answer) and bool(printed == answer)


def says(printed: str, answer: str) -> bool:
    """Whether a text is the printed one, however its lines are broken."""
    printed, answer = (" ".join(text.split()) for text in (printed, answer))
    return re.fullmatch(".*".join(re.escape(part) for part in printed.split(ANYTHING)), answer) is not None


def last_value(output: str) -> Any:
    """The last of the JSON values that were printed one after the other. ValueError if there is none."""
    decoder, at, value = json.JSONDecoder(), 0, None
    output = output.strip()
    if not output:
        raise ValueError("nothing was printed")
    while at < len(output):
        value, at = decoder.raw_decode(output, at)
        at += len(output[at:]) - len(output[at:].lstrip())
    return value
