"""What parameters an operation takes, and the checks that turn their text into values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .refusals import invalid, required

# A check takes the given text or nested parameters, and the parameter's name; it raises Refused.
Kind = Callable[[Any, str], Any]
Fields = Mapping[str, Kind]

_INTEGER_MAX = 99_999_999_999
_METADATA_COUNT_MAX = 50


class Params:
    """The parameters of one operation; every operation takes `expand` as well."""

    def __init__(self, _required: Sequence[str] = (), /, **fields: Kind) -> None:
        self.fields: Fields = {"expand": items(text(200)), **fields}
        self.required = _required

    def check(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The values of what was given; raises Refused for what is unknown, missing or wrong."""
        return _checked(self.fields, self.required, given, "")


def _checked(fields: Fields, needed: Sequence[str], given: Mapping[str, Any], path: str) -> dict[str, Any]:
    values = {}
    for name, value in given.items():
        param = f"{path}[{name}]" if path else name
        kind = fields.get(name)
        if kind is None:
            known = ", ".join(sorted(fields))
            message = f"Received unknown parameter: {param}. (The sandbox knows here: {known}.)"
            raise invalid(message, param=param, code="parameter_unknown")
        values[name] = kind(value, param)
    for name in needed:
        if values.get(name) in (None, ""):
            raise required(f"{path}[{name}]" if path else name)
    return values


def text(most: int = 5_000) -> Kind:
    """Text; empty text unsets what may be unset."""

    def check(value: Any, param: str) -> str:
        if not isinstance(value, str):
            raise invalid("Invalid string: nested parameters were given", param=param)
        if len(value) > most:
            raise invalid(f"Invalid string: must be at most {most} characters", param=param)
        return value

    return check


def integer(least: int = -_INTEGER_MAX, most: int = _INTEGER_MAX) -> Kind:
    """A whole number."""

    def check(value: Any, param: str) -> int:
        digits = value[1:] if isinstance(value, str) and value.startswith("-") else value
        if not isinstance(digits, str) or not (digits.isascii() and digits.isdigit()):
            raise invalid(f"Invalid integer: {value}", param=param, code="parameter_invalid_integer")
        number = int(value[:20])
        if number < least:
            wanted = "greater than or equal to"
            message = f"This value must be {wanted} {least}."
            raise invalid(message, param=param, code="parameter_invalid_integer")
        if number > most:
            message = f"This value must be less than or equal to {most}."
            raise invalid(message, param=param, code="parameter_invalid_integer")
        return number

    return check


def boolean(value: Any, param: str) -> bool:
    """`true` or `false`."""
    if value not in ("true", "false"):
        raise invalid(f"Invalid boolean: {value}", param=param)
    return bool(value == "true")


def choice(*allowed: str) -> Kind:
    """One of some words."""

    def check(value: Any, param: str) -> str:
        if value not in allowed:
            words = allowed[0] if len(allowed) == 1 else f"{', '.join(allowed[:-1])}, or {allowed[-1]}"
            raise invalid(f"Invalid {param}: must be one of {words}", param=param)
        return str(value)

    return check


def instant(*words: str) -> Kind:
    """Seconds since 1970, or one of some words such as `now`; empty text unsets."""
    number = integer(0)

    def check(value: Any, param: str) -> Any:
        return value if value in ("", *words) else number(value, param)

    return check


def metadata(value: Any, param: str) -> dict[str, str]:
    """Names and texts of the caller's own; an empty text unsets a name, and `metadata=` all of them."""
    if value == "":
        return {"": ""}
    if not isinstance(value, dict):
        raise invalid("Invalid object", param=param, code="parameter_invalid_string_blank")
    for name, content in value.items():
        if not isinstance(content, str):
            raise invalid("Metadata values must be strings", param=f"{param}[{name}]")
        if len(name) > 40 or len(content) > 500:
            message = "Metadata keys can have up to 40 characters, and values up to 500."
            raise invalid(message, param=f"{param}[{name}]")
    if len(value) > _METADATA_COUNT_MAX:
        raise invalid(f"Metadata can have up to {_METADATA_COUNT_MAX} keys.", param=param)
    return value


def merged(old: Mapping[str, str], given: Mapping[str, str] | None) -> dict[str, str]:
    """Metadata after an update; raises Refused when it becomes too much."""
    if given is None:
        return dict(old)
    if "" in given:
        return {}
    result = {name: content for name, content in {**old, **given}.items() if content}
    if len(result) > _METADATA_COUNT_MAX:
        raise invalid(f"Metadata can have up to {_METADATA_COUNT_MAX} keys.", param="metadata")
    return result


class Shape:
    """Nested parameters; empty text unsets the whole."""

    def __init__(self, needed: Sequence[str], fields: Fields) -> None:
        self.fields = fields
        self._needed = needed

    def __call__(self, value: Any, param: str) -> dict[str, Any]:
        if value == "":
            return {}
        if not isinstance(value, dict):
            raise invalid("Invalid object", param=param)
        return _checked(self.fields, self._needed, value, param)


class Items:
    """A list; its places are numbers in brackets, or empty brackets."""

    def __init__(self, kind: Kind, most: int) -> None:
        self.kind = kind
        self._most = most

    def __call__(self, value: Any, param: str) -> list[Any]:
        if value == "":
            return []
        if not isinstance(value, dict) or not all(place.isascii() and place.isdigit() for place in value):
            raise invalid("Invalid array", param=param)
        if len(value) > self._most:
            raise invalid(f"Arrays can have up to {self._most} elements.", param=param)
        places = sorted(value, key=lambda place: int(place[:9]))
        return [self.kind(value[place], f"{param}[{place}]") for place in places]


def shape(_required: Sequence[str] = (), /, **fields: Kind) -> Shape:
    """Nested parameters."""
    return Shape(_required, fields)


def items(kind: Kind, most: int = 100) -> Items:
    """A list of at most so many."""
    return Items(kind, most)


def either(words: Kind, nested: Kind) -> Kind:
    """A plain value or nested ones."""
    return lambda value, param: (nested if isinstance(value, dict) else words)(value, param)


ADDRESS = shape(city=text(), country=text(), line1=text(), line2=text(), postal_code=text(), state=text())
CURRENCY = text(3)
_RANGE = shape(gt=integer(0), gte=integer(0), lt=integer(0), lte=integer(0))


def listing(_required: Sequence[str] = (), /, **filters: Kind) -> Params:
    """The parameters of a list: a page's size, a place to go on from, and filters."""
    return Params(
        _required,
        limit=integer(1, 100),
        starting_after=text(),
        ending_before=text(),
        created=either(integer(0), _RANGE),
        **filters,
    )
