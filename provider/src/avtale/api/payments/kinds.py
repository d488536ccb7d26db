"""What all shapes are made of: their base, and the kinds of values in them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from avtale.domain import money
from avtale.domain.periods import Unit

#: Vipps takes 1024 characters (Recurring v3, merchantRedirectUrl), of which our reference needs 49.
RETURN_URL_LENGTH_MAX = 975
#: More than any charge, and within what every JSON reader counts exactly.
AMOUNT_MAX = 2**31 - 1

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+")
_NOT_FOR_APPS = frozenset({"javascript", "data", "vbscript", "file", "blob", "about", "ftp", "ws", "wss"})


def iso(instant: datetime) -> str:
    """An instant as ISO 8601 in UTC, with Z."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _return_url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise ValueError("must be an absolute address (https://… or an app's own scheme), percent-encoded")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("must be an absolute address") from error
    scheme = parts.scheme.lower()
    if scheme in _NOT_FOR_APPS:
        raise ValueError(f"cannot be a {scheme} address")
    if scheme in ("http", "https") and (not host or "@" in parts.netloc):
        raise ValueError("must name a host, and no user")
    return text


def _flag(said: object) -> object:
    """A switch in a query: there without a value it is on, as `true` and `1` are."""
    if isinstance(said, str):
        return {"": True, "true": True, "1": True, "false": False, "0": False}.get(said.lower(), said)
    return said


def visible(text: str) -> str:
    """A text that stands on one line and says something. Raises ValueError."""
    if not text.isprintable() or not text.strip():
        raise ValueError("must be a text on one line, not blank")
    return text


Flag = Annotated[bool, BeforeValidator(_flag)]
Instant = Annotated[
    datetime, PlainSerializer(iso, return_type=str), WithJsonSchema({"type": "string", "format": "date-time"})
]
MinorUnits = Annotated[int, Field(description="minor units (øre, cent)")]
ReturnUrl = Annotated[
    str,
    Field(min_length=1, max_length=RETURN_URL_LENGTH_MAX, examples=["https://film.example/thanks"]),
    AfterValidator(_return_url),
]
ProductId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$", examples=["film-month"])]
Day = Annotated[date, Strict(False)]
Subject = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(visible)]
VoucherCode = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{3,40}$",
        description="the code of one of the product's vouchers; it is used while the agreement is, or may still be",
        examples=["SPRING"],
    ),
]
OneLine = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(visible)]


class Shape(BaseModel):
    """The base of all shapes: camelCase outside, exact types, and no members that nobody knows."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


def shown(**example: str | int | list[str]) -> ConfigDict:
    """The settings of a shape that the contract shows with an example, which a test sends."""
    sent: dict[str, Any] = dict(example)
    return ConfigDict(json_schema_extra={"examples": [sent]})


class Money(Shape):
    """A sum in minor units of one currency (ISO 4217)."""

    amount: MinorUnits
    currency: str = Field(examples=["NOK"])

    @staticmethod
    def of(sum_: money.Money) -> Money:
        return Money(amount=sum_.amount, currency=sum_.currency)


class Interval(Shape):
    """How long a period lasts."""

    unit: Unit
    count: int
