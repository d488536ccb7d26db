"""What a caller would rather have: the media type and the language, by `Accept` and `Accept-Language` (RFC 9110)."""

from __future__ import annotations

from collections.abc import Sequence

from avtale.domain.errors import Refusal

_RANGES_COUNT_MAX = 32


class NotAcceptable(Refusal):
    """Nothing that we have is acceptable to the caller."""

    code = "not_acceptable"


def media_type(accept: str | None, offered: Sequence[str]) -> str:
    """The offered type that is liked best, the first of those that are liked the same. Raises NotAcceptable."""
    ranges = _weighed(accept or "*/*") or [("*/*", 1.0)]
    best = max(offered, key=lambda kind: _liking(kind, ranges))
    if _liking(best, ranges) <= 0:
        raise NotAcceptable(f"this is to be had as {', '.join(offered)}")
    return best


def language(accept: str | None) -> str:
    """`nb` for whoever would rather read Norwegian, else `en`."""
    for tag, _ in sorted(_weighed(accept or ""), key=lambda one: -one[1]):
        primary = tag.partition("-")[0]
        if primary in ("nb", "no", "nn"):
            return "nb"
        if primary == "en":
            return "en"
    return "en"


def _liking(kind: str, ranges: Sequence[tuple[str, float]]) -> float:
    """The weight of the most specific range that a type is in."""
    for pattern in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        found = [weight for name, weight in ranges if name == pattern]
        if found:
            return max(found)
    return 0.0


def _weighed(header: str) -> list[tuple[str, float]]:
    found = []
    for part in header.split(",")[:_RANGES_COUNT_MAX]:
        name, *parameters = [piece.strip().lower() for piece in part.split(";")]
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        if name:
            found.append((name, weight if 0 <= weight <= 1 else 0.0))
    return found
