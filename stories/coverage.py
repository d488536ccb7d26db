"""Writes docs/reference/coverage.md: every operation, event, error and time rule, with the test that shows it."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "coverage.md"
TESTS = ("sandbox/tests", "stories/tests", "provider/tests")
CONTRACTS = ROOT / "sandbox" / "src" / "avtale_sandbox" / "contracts"
VIPPS = ROOT / "sandbox" / "src" / "avtale_sandbox" / "vipps"

#: The time rules of Recurring and what stands around it (T), and of single payments (P), as the sandbox keeps them.
RULES = {
    "T1": "A draft that nobody answers expires after ten minutes, and the merchant is told",
    "T2": "The confirmation address works as long as the draft waits, and not longer",
    "T3": "An access token lives for an hour of wall time",
    "T4": "A charge is due tomorrow at the earliest",
    "T5": "A charge is due two years ahead at the latest",
    "T6": "A charge is PENDING until thirty days before it is due, then DUE",
    "T7": "A charge is tried at its market's hours on the due date and each retry day",
    "T8": "The first try that works ends the trying",
    "T9": "After the last slot of the last day the charge is FAILED, and the merchant is told",
    "T10": "An unscheduled charge is tried once, right after it was made",
    "T11": "A reservation is released when its market's days are over",
    "T12": "What was captured can be refunded for a year",
    "T13": "A person's data can be read for 168 hours after the consent",
    "T14": "A sign-in code works once and for about two minutes; what it gives lives for an hour",
    "T15": "A webhook is waited for ten seconds and sent again as the published schedule says, for seven days",
    "T16": "A webhook address that was silent for two weeks is removed",
    "T17": "Rate limits count the calls of a minute",
    "T18": "An idempotency key is remembered",
    "T19": "A continuation token lives for minutes",
    "T20": "The end of a campaign changes what is shown, and no charge",
    "T21": "The payer's id is there after the approval",
    "T22": "The payer is told of a charge the day before it is due, which merchants do not see",
    "P1": "A payment that nobody answers expires after ten minutes, and the merchant is told",
    "P2": "The link to a payment must be opened within five minutes; a QR image is gone with it",
    "P3": "A long-living payment ends when the merchant says: in more than ten minutes and within sixty days",
    "P4": "A reservation can be captured or cancelled until its market's days are over, and is then released",
    "P5": "What was captured can be refunded for a year after the reservation",
    "P6": "After seven days a capture finds money on the card, or fails",
}
#: What the front of the host answers before an operation is reached.
GATEWAY = {
    "gateway-401-key-missing": "The subscription key is missing",
    "gateway-401-key-wrong": "The subscription key is not one of a sales unit",
    "gateway-401-token": "The access token is missing, wrong or expired",
    "gateway-403-msn": "The serial number does not belong to the keys",
    "gateway-404": "No operation has this path",
    "gateway-405": "The path has no operation with this method",
    "gateway-413": "The body is too large",
    "gateway-429": "There were too many calls",
}
#: Names of tuples of event names, wherever in the sandbox they are assigned.
EVENT_TUPLES = ("AGREEMENT_EVENTS", "CHARGE_EVENTS", "EPAYMENT_EVENTS")


@dataclass(frozen=True, slots=True)
class Test:
    """A test that says what it shows."""

    path: str
    name: str
    shows: tuple[str, ...]


def subjects() -> dict[str, dict[str, str]]:
    """What is to be shown: by heading, the mark of each subject and what it is in words."""
    found: dict[str, dict[str, str]] = {}
    for file in sorted(CONTRACTS.glob("*.json")):
        operations = _operations(json.loads(file.read_bytes()))
        if operations:
            found[f"Operations: {file.stem}"] = operations
    found["Events"] = {f"event:{name}": "" for name in _events()}
    found["Errors"] = {f"error:{name}": words for name, words in (_problems() | GATEWAY).items()}
    found["Time rules"] = {f"rule:{name}": words for name, words in RULES.items()}
    return found


def tests() -> list[Test]:
    """Every test function that is marked."""
    found: list[Test] = []
    for folder in TESTS:
        for file in sorted((ROOT / folder).rglob("test_*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            path = str(file.relative_to(ROOT))
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                    shows = tuple(mark for decorator in node.decorator_list for mark in _marks(decorator))
                    if shows:
                        found.append(Test(path, node.name, shows))
    return found


def page() -> str:
    """The page as it should be."""
    shown: dict[str, list[Test]] = {}
    for test in tests():
        for mark in test.shows:
            shown.setdefault(mark, []).append(test)
    parts = [_HEAD]
    for heading, marks in subjects().items():
        count = sum(mark in shown for mark in marks)
        parts.append(f"\n## {heading}: {count} of {len(marks)}\n\n| What | Shown by |\n|---|---|\n")
        for mark, words in marks.items():
            name = f"`{mark.partition(':')[2]}`" + (f" {words}" if words else "")
            links = [f"[{spoken(test.name)}](../../{test.path})" for test in shown.get(mark, [])]
            parts.append(f"| {name} | {'; '.join(links) or '—'} |\n")
    return "".join(parts)


def unknown() -> list[str]:
    """Marks that name nothing that there is to be shown."""
    known = {mark for marks in subjects().values() for mark in marks}
    return [
        f"{test.path}: {mark}"
        for test in tests()
        for mark in test.shows
        if mark not in known and not mark.startswith("payments:")
    ]


_HEAD = """# What is shown by which test

Written by `make coverage` from the tests' marks and the sandbox's sources; a test fails when it is out of date. A test
says what it shows, and a dash says that no test claims to:

```python
@pytest.mark.shows("operation:CreateChargeV3", "event:recurring.charge-captured.v1", "rule:T8")
async def test_a_charge_is_taken_on_its_due_date(...):
```

Operations come from the files in `contracts/`, events from the sandbox's lists of them, errors from what its code
refuses with. Whoever adds one of these finds its row here after `make coverage`.
"""


def _operations(document: Mapping[str, object]) -> dict[str, str]:
    paths = document.get("paths")
    if not isinstance(paths, dict):
        return {}
    return {
        f"operation:{item['operationId']}": f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method, item in methods.items()
        if isinstance(item, dict) and "operationId" in item
    }


def _events() -> list[str]:
    """The event names in the sandbox's tuples of them; a pattern with one name to fill in is filled in."""
    found: dict[str, None] = {}
    for tree in _sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = [target.id for target in targets if isinstance(target, ast.Name)]
                if node.value is not None and any(name in EVENT_TUPLES for name in names):
                    found |= dict.fromkeys(_strings(node.value))
    return list(found)


def _strings(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Tuple | ast.List):
        for element in value.elts:
            if isinstance(element, ast.Constant) and isinstance(element.value, str):
                yield element.value
    elif isinstance(value, ast.Call) and isinstance(value.args[0], ast.GeneratorExp):
        generator = value.args[0]
        if isinstance(generator.elt, ast.JoinedStr):
            for filling in _strings(generator.generators[0].iter):
                yield "".join(
                    str(part.value) if isinstance(part, ast.Constant) else filling for part in generator.elt.values
                )


def _problems() -> dict[str, str]:
    """The problem ids that the code of Vipps refuses with."""
    found = {"validation-error": "", "not-found": ""}
    for tree in _sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused":
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found[first.value] = ""
    return dict(sorted(found.items()))


def _sources() -> Iterator[ast.Module]:
    for file in sorted(VIPPS.rglob("*.py")):
        yield ast.parse(file.read_text(encoding="utf-8"))


def _marks(decorator: ast.expr) -> Iterator[str]:
    if (
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and decorator.func.attr == "shows"
        and ast.unparse(decorator.func) == "pytest.mark.shows"
    ):
        for argument in decorator.args:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value


def spoken(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


def main() -> None:
    """Write the page; ends with 1 when a test names what is not there."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    if wrong := unknown():
        sys.exit("\n".join(["these marks name nothing:", *wrong]))


if __name__ == "__main__":
    main()
