"""Where the objects of one kind stand: found by id, listed newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from ..ids import Ids
from ..store import Store
from .refusals import invalid, no_such
from .resources import Row

R = TypeVar("R", bound=Row)
# What a row can be looked up by: pairs such as ("customer", "cus_1").
Facets = Callable[[Any], Iterable[tuple[str, str | None]]]

_LIMIT_DEFAULT = 10


def _nothing(row: Any) -> Iterable[tuple[str, str | None]]:
    return ()


class Shelf(Generic[R]):
    """All rows of one kind, of all accounts; what is given out is a copy."""

    def __init__(self, store: Store, ids: Ids, noun: str, row: type[R], facets: Facets = _nothing) -> None:
        self._table = store.table(f"stripe_{noun.replace(' ', '_')}", row)
        self._ids = ids
        self._noun = noun
        self._facets = facets
        # By account and facet, in order of creation; a row that has lost a facet is passed over when read.
        self._by: dict[tuple[str, str, str | None], dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._table)

    def load(self) -> None:
        """Build the look-ups from the store."""
        self._by.clear()
        for row in sorted(self._table.values(), key=lambda row: row.number):
            self._ids.reached(row.number)
            self._note(row)

    def find(self, key: str) -> R | None:
        """A copy of the row, whoever it belongs to, or None."""
        return self._table.get(key)

    def at(self, key: str) -> R:
        """A copy of a row that is there for certain."""
        row = self._table.get(key)
        if row is None:
            raise LookupError(key)
        return row

    def get(self, account: str, key: str, param: str | None = None) -> R:
        """A copy of an account's row; raises Refused, as is told of `param` or of the id in the path."""
        row = self._table.get(key)
        if row is None or row.account != account:
            raise no_such(self._noun, key, param)
        return row

    def put(self, row: R) -> None:
        """Store a new or changed row."""
        self._table.put(row.id, row)
        self._note(row)

    def delete(self, row: R) -> None:
        """Forget a row."""
        self._table.delete(row.id)
        for keys in self._keys(row):
            self._by[keys].pop(row.id, None)

    def all(self) -> Iterator[R]:
        """Every row, of all accounts."""
        return self._table.values()

    def newest(self) -> Iterator[R]:
        """Every row, of all accounts, newest first."""
        return self._table.newest()

    def oldest(self, account: str) -> R | None:
        """An account's oldest row."""
        for key in self._by.get((account, "", None), ()):
            return self._table.get(key)
        return None

    def of(self, account: str, name: str = "", value: str | None = None) -> list[R]:
        """An account's rows with a facet, oldest first; all of them without one."""
        rows = (self._table.get(key) for key in list(self._by.get((account, name, value), ())))
        return [row for row in rows if row is not None and self._has(row, name, value)]

    def page(
        self,
        account: str,
        params: dict[str, Any],
        facet: tuple[str, str | None] = ("", None),
        keep: Callable[[R], bool] = lambda row: True,
    ) -> tuple[list[R], bool]:
        """The rows that were asked for, newest first, and whether there are more in that direction."""
        keys = list(self._by.get((account, *facet), ()))
        limit = params.get("limit", _LIMIT_DEFAULT)
        after, before = params.get("starting_after"), params.get("ending_before")
        if after and before:
            raise invalid("You can only use one of starting_after and ending_before.", param="ending_before")
        if after:
            self.get(account, after, "starting_after")
            keys = keys[: keys.index(after)] if after in keys else []
        elif before:
            self.get(account, before, "ending_before")
            keys = keys[keys.index(before) + 1 :] if before in keys else []
        within = _within(params.get("created"))
        found: list[R] = []
        for key in keys if before else reversed(keys):
            row = self._table.get(key)
            if row is not None and self._has(row, *facet) and within(row.created) and keep(row):
                if len(found) == limit:
                    return (found[::-1] if before else found), True
                found.append(row)
        return (found[::-1] if before else found), False

    def _has(self, row: R, name: str, value: str | None) -> bool:
        return not name or (name, value) in tuple(self._facets(row))

    def _keys(self, row: R) -> list[tuple[str, str, str | None]]:
        named = [(row.account, name, value) for name, value in self._facets(row) if value is not None]
        return [(row.account, "", None), *named]

    def _note(self, row: R) -> None:
        for keys in self._keys(row):
            self._by.setdefault(keys, {})[row.id] = None


def _within(created: int | dict[str, int] | None) -> Callable[[int], bool]:
    """Whether an instant lies where a `created` filter says."""
    if created is None:
        return lambda at: True
    if isinstance(created, int):
        return lambda at: at == created
    tests: dict[str, Callable[[int, int], bool]] = {
        "gt": lambda at, edge: at > edge,
        "gte": lambda at, edge: at >= edge,
        "lt": lambda at, edge: at < edge,
        "lte": lambda at, edge: at <= edge,
    }
    return lambda at: all(tests[name](at, edge) for name, edge in created.items())
