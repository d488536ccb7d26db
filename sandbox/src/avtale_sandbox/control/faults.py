"""What shall go wrong: scripts in order, each for the next calls or events that match, and dice from a seed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from ..ids import Ids
from ..store import Store
from ..vipps.webhooks.deliveries import Disturbance

CallKind = Literal["status", "delay", "hang", "effect-then-hang", "effect-then-close", "effect-then-status"]
EventKind = Literal["drop", "duplicate", "delay", "reorder"]
_CALL_KINDS = frozenset(CallKind.__args__)  # type: ignore[attr-defined]
_EVENT_KINDS = frozenset(EventKind.__args__)  # type: ignore[attr-defined]
# What may stand in an answer: the last of one, and headers that can be sent and are not the server's own.
_STATUSES = range(200, 600)
_HEADER_NAME = re.compile(r"(?!(content-length|transfer-encoding)\Z)[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z", re.IGNORECASE)
_HEADER_VALUE = re.compile(r"[\t -~\xa0-\xff]*\Z")


class Match(Struct, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """Which calls or events a fault befalls; what is not given matches everything.

    `path` is a template such as `/recurring/v3/agreements/{agreementId}`, or a regular expression for the
    whole path. With `webhook` (an event name or `*`) the fault befalls events and not calls.
    """

    method: str | None = None
    path: str | None = None
    operation_id: str | None = None
    agreement_id: str | None = None
    webhook: str | None = None


class Action(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What happens; `seconds` is wall time for calls and business time for events."""

    kind: str
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = {}
    seconds: float = 0.0
    copies: int = 2


class Fault(Struct, kw_only=True, omit_defaults=True):
    """One script, and how often it has matched so far."""

    id: str
    match: Match
    action: Action
    times: int = 1
    matched: int = 0


class Dice(Struct, kw_only=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True):
    """Random faults for soak tests: how likely each kind is for a call and for an event, drawn from a seed.

    The same seed gives the same throws in the same order. `status` is for the kinds that need one, `seconds`
    for the delays; `match` says which calls are thrown for at all. `thrown` and `befallen` count.
    """

    seed: str = "1"
    calls: dict[str, float] = {}
    webhooks: dict[str, float] = {}
    match: Match = field(default_factory=Match)
    status: int = 503
    seconds: float = 0.1
    thrown: dict[str, int] = {}
    befallen: dict[str, int] = {}

    def check(self) -> None:
        """Raises ValueError unless the kinds exist and the rates of each sort add up to 1 at most."""
        for sort, rates, kinds in (("calls", self.calls, _CALL_KINDS), ("webhooks", self.webhooks, _EVENT_KINDS)):
            if unknown := sorted(rates.keys() - kinds):
                raise ValueError(f"{sort} may hold {', '.join(sorted(kinds))}, and not {', '.join(unknown)}")
            if any(not 0 <= rate <= 1 for rate in rates.values()) or sum(rates.values()) > 1 + 1e-9:
                raise ValueError(f"the rates of {sort} lie between 0 and 1, and so does their sum")
        if self.status not in _STATUSES or self.seconds < 0:
            raise ValueError("status must be an HTTP status from 200 on, and seconds must not be negative")
        if self.match.webhook is not None:
            raise ValueError("match is for calls; say the rates of events in webhooks")
        _pattern(self.match.path)

    def throw(self, sort: str, rates: Mapping[str, float]) -> Action | None:
        """Throw once, and count it."""
        number = self.thrown.get(sort, 0) + 1
        self.thrown[sort] = number
        octets = hashlib.blake2b(f"{self.seed}:{sort}:{number}".encode(), digest_size=8).digest()
        left = int.from_bytes(octets, "big") / 2**64
        for kind, rate in sorted(rates.items()):
            if left < rate:
                self.befallen[kind] = self.befallen.get(kind, 0) + 1
                status = self.status if kind in ("status", "effect-then-status") else None
                return Action(kind=kind, status=status, seconds=self.seconds)
            left -= rate
        return None


class Faults:
    """All scripts, the first that matches and is not used up being the one that counts; then the dice."""

    def __init__(self, store: Store, ids: Ids) -> None:
        self._table = store.table("fault", Fault)
        self._dice_table = store.table("dice", Dice)
        self._ids = ids
        self._live: list[tuple[Fault, re.Pattern[str] | None]] = []
        self.dice: Dice | None = None
        self._dice_for: re.Pattern[str] | None = None

    def load(self) -> None:
        """Read the scripts anew."""
        for fault in self._table.values():
            self._ids.reached_by(fault.id, "fault")
        self._live = [
            (fault, _pattern(fault.match.path)) for fault in self._table.values() if fault.matched < fault.times
        ]
        self.dice = self._dice_table.get("dice")
        self._dice_for = None if self.dice is None else _pattern(self.dice.match.path)

    def roll(self, dice: Dice | None) -> None:
        """Throw these dice from now on, from the beginning, or none; raises ValueError for ones that cannot be."""
        if dice is None:
            self._dice_table.delete("dice")
        else:
            dice.check()
            dice.thrown, dice.befallen = {}, {}
            self._dice_table.put("dice", dice)
        self.load()

    def all(self) -> list[Fault]:
        """Every script, used up or not, in order."""
        return list(self._table.values())

    def add(self, fault: Fault) -> Fault:
        """Add a script, or replace the one with its id; raises ValueError for one that means nothing."""
        _check(fault)
        if not fault.id:
            fault.id = f"fault-{self._ids.next_number()}"
        self._table.put(fault.id, fault)
        self.load()
        return fault

    def delete(self, fault_id: str | None) -> bool:
        """Forget one script, or all; says whether there was any."""
        ids = [fault.id for fault in self.all()] if fault_id is None else [fault_id]
        found = [self._table.delete(one) for one in ids]
        self.load()
        return any(found)

    def for_call(self, method: str, path: str, operation_id: str | None, agreement_id: str | None) -> Action | None:
        """What is to go wrong with this call, if anything; counts as a match."""
        for fault, pattern in self._live:
            if _matches(fault.match, pattern, method, path, operation_id, agreement_id):
                self._use(fault)
                return fault.action
        dice = self.dice
        if (
            dice is None
            or not dice.calls
            or not _matches(dice.match, self._dice_for, method, path, operation_id, agreement_id)
        ):
            return None
        return self._throw(dice, "calls", dice.calls)

    def disturb(self, event: str) -> Disturbance | None:
        """What is to befall this event, if anything; counts as a match."""
        for fault, _ in self._live:
            if fault.match.webhook in ("*", event):
                self._use(fault)
                return _disturbance(fault.action)
        if self.dice is None or not self.dice.webhooks:
            return None
        action = self._throw(self.dice, "webhooks", self.dice.webhooks)
        return None if action is None else _disturbance(action)

    def _throw(self, dice: Dice, sort: str, rates: Mapping[str, float]) -> Action | None:
        action = dice.throw(sort, rates)
        self._dice_table.put("dice", dice)
        return action

    def _use(self, fault: Fault) -> None:
        fault.matched += 1
        self._table.put(fault.id, fault)
        if fault.matched >= fault.times:
            self._live = [(one, pattern) for one, pattern in self._live if one is not fault]


def _matches(
    match: Match,
    pattern: re.Pattern[str] | None,
    method: str,
    path: str,
    operation_id: str | None,
    agreement_id: str | None,
) -> bool:
    return (
        match.webhook is None
        and (match.method is None or match.method.upper() == method)
        and (pattern is None or pattern.fullmatch(path) is not None)
        and (match.operation_id is None or match.operation_id == operation_id)
        and (match.agreement_id is None or match.agreement_id == agreement_id)
    )


def _disturbance(action: Action) -> Disturbance:
    made = {"kind": action.kind, "copies": action.copies, "seconds": action.seconds}
    return msgspec.convert(made, Disturbance)


def _check(fault: Fault) -> None:
    action, of_events = fault.action, fault.match.webhook is not None
    kinds = _EVENT_KINDS if of_events else _CALL_KINDS
    if action.kind not in kinds:
        raise ValueError(f"action.kind must be one of {', '.join(sorted(kinds))}")
    if fault.times < 1:
        raise ValueError("times must be at least 1")
    if action.seconds < 0 or not 1 <= action.copies <= 100:
        raise ValueError("seconds must not be negative, and copies lie between 1 and 100")
    if action.kind in ("status", "effect-then-status") and action.status not in _STATUSES:
        raise ValueError("action.status must be an HTTP status from 200 on")
    for name, value in action.headers.items():
        if not (_HEADER_NAME.match(name) and _HEADER_VALUE.match(value)):
            raise ValueError(f"action.headers cannot have {name!r}, or not with this value")
    _pattern(fault.match.path)


def _pattern(path: str | None) -> re.Pattern[str] | None:
    if path is None:
        return None
    if "{" in path and not re.search(r"\{\d", path):
        parts = re.split(r"\{[^}]*\}", path)
        return re.compile("[^/]+".join(re.escape(part) for part in parts))
    try:
        return re.compile(path)
    except re.error as problem:
        raise ValueError(f"match.path is neither a template nor a regular expression: {problem}") from None
