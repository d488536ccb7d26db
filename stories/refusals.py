"""Reads out of the provider's source what it refuses with: each code, its status, and its sentence."""

from __future__ import annotations

import ast
import importlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from http import HTTPStatus
from pathlib import Path

from avtale.api.problems import STATUS
from avtale.domain.errors import Refusal

SOURCE = Path(__file__).parents[1] / "provider" / "src" / "avtale"
#: What is told in pages, or in the shapes of an outside system.
ELSEWHERE = ("console/", "demo/", "api/vipps_agreements/")
#: Where a 400 is about a tenants file, and where about a file of a migration or one of its rows.
TENANTS_FILE = (
    *("service/configuring.py", "service/endpoints.py", "service/file_secrets.py", "service/tenants_file.py"),
    *("domain/access.py", "domain/billing.py"),
)
MIGRATION = ("domain/moving.py", "domain/records.py", "service/imports/", "moving_in.py")


class Where(Enum):
    """What a refusal is about."""

    REQUEST = auto()
    TENANTS_FILE = auto()
    MIGRATION = auto()


@dataclass(frozen=True)
class Said:
    """One refusal of the source: `sentence` has an ellipsis for what differs from call to call."""

    code: str
    status: int
    sentence: str


def refusals(where: Where) -> list[Said]:
    """Every code that is refused with there, by status and name; of several sentences the most frequent."""
    found: dict[tuple[int, str], Counter[str]] = {}
    for name, said in _everything():
        if _where(name, said.status) is where:
            found.setdefault((said.status, said.code), Counter())[said.sentence] += bool(said.sentence)
    return [Said(code, status, found[status, code].most_common(1)[0][0]) for status, code in sorted(found)]


@cache
def _everything() -> list[tuple[str, Said]]:
    """All of it, with the path below the source."""
    kinds = _kinds()
    names = [path.relative_to(SOURCE).as_posix() for path in sorted(SOURCE.rglob("*.py"))]
    return [
        (name, said)
        for name in names
        if not name.startswith(ELSEWHERE)
        for said in _said(ast.parse((SOURCE / name).read_text(encoding="utf-8")), kinds)
    ]


def _where(name: str, status: int) -> Where:
    if status == HTTPStatus.BAD_REQUEST and name.startswith(TENANTS_FILE):
        return Where.TENANTS_FILE
    if status == HTTPStatus.BAD_REQUEST and name.startswith(MIGRATION):
        return Where.MIGRATION
    return Where.REQUEST


def _kinds() -> dict[str, type[Refusal]]:
    """Every kind of refusal by its name, its module loaded."""
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "(Refusal)" in text or "(NotFound)" in text or "(Invalid)" in text or "(Conflict)" in text:
            importlib.import_module(".".join(["avtale", *path.relative_to(SOURCE).with_suffix("").parts]))
    waiting, kinds = [Refusal], {}
    while waiting:
        kind = waiting.pop()
        kinds[kind.__name__] = kind
        waiting += kind.__subclasses__()
    return kinds


def _said(tree: ast.AST, kinds: dict[str, type[Refusal]]) -> Iterator[Said]:
    texts = [
        (node.lineno, target.id, _text(node.value))
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        if call.func.id == "Problem":
            match call.args:
                case [
                    ast.Constant(value=int(status)),
                    ast.Constant(value=str(code)),
                    ast.Constant(value=str(text)),
                    *_,
                ]:
                    yield Said(code, status, text)
        if call.func.id not in kinds:
            continue
        kind = kinds[call.func.id]
        status = next(STATUS[one] for one in kind.__mro__ if one in STATUS)
        first = call.args[0] if call.args else None
        sentence = _text(first)
        if isinstance(first, ast.Name):
            before = [(line, text) for line, name, text in texts if name == first.id and line < call.lineno]
            sentence = max(before, default=(0, ""))[1]
        for code in _codes(call, kind):
            yield Said(code, int(status), " ".join(sentence.split()))


def _codes(call: ast.Call, kind: type[Refusal]) -> list[str]:
    given = next((word.value for word in call.keywords if word.arg == "code"), None)
    if given is None:
        return [kind.code]
    if isinstance(given, ast.JoinedStr):
        return []  # one of several that others say in full
    return [one.value for one in ast.walk(given) if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def _text(node: ast.AST | None) -> str:
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=values):
            return "".join(_text(value) or "…" for value in values)
        case _:
            return ""
