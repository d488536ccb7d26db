"""Texts that people read in the Vipps app, made to fit."""

from __future__ import annotations

import unicodedata

#: The older contract allows 45, the newer 100: what fits both is right with either.
CHARGE_DESCRIPTION_LENGTH_MAX = 45

_NAME_LENGTH_MIN = 10
_JOINER = "\u200d"


def length(value: str) -> int:
    """How long Vipps may find a text: in UTF-16 units, never fewer than its characters, however it counts."""
    return len(value.encode("utf-16-le", "surrogatepass")) // 2


def shortened(value: str, length_max: int) -> str:
    """The text, or its beginning and an ellipsis, at most `length_max` long; no letter loses its accents."""
    if length(value) <= length_max:
        return value
    kept = value[:length_max]
    while kept and (length(kept) >= length_max or kept[-1] == _JOINER or _continues(value[len(kept)])):
        kept = kept[:-1]
    return kept.rstrip() + "…"


def _continues(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Me", "Mc", "Cf", "Sk")


def fitted(description: str) -> str:
    """A charge's description, at most 45 long: the name of the product, before the last comma, gives way, and
    the period after it (`2027-01-31 – 2027-02-27`) stays, as long as that leaves room for a name."""
    name, comma, period = description.rpartition(", ")
    room = CHARGE_DESCRIPTION_LENGTH_MAX - length(comma + period)
    if not name or room < _NAME_LENGTH_MIN:
        return shortened(description, CHARGE_DESCRIPTION_LENGTH_MAX)
    return shortened(name, room) + comma + period
