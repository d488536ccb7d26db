"""The audit of what was told: every booking has its event, the stream has no gaps, and a listener took it in order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from stories.books import Difference
from stories.clients import Json

_KINDS = {"charge.paid": "capture", "charge.refunded": "refund", "charge.refund_failed": "return"}


def audit_events(stream: Sequence[Json], taken: Sequence[Json] | None, provider: Json, now: str) -> list[Difference]:
    """What is wrong with a tenant's stream beside its books, and with what a listener took (None: there was none).

    `now` is the instant of the books, in UTC: access that was over by then is not looked at.
    """
    found = [*_stream(stream), *_books(stream, provider), *_access(stream, provider, now)]
    return found if taken is None else [*found, *_listener(stream, taken)]


def _owner(event: Json) -> str:
    return str(event["agreementId"] or event["purchaseId"])


def _stream(stream: Sequence[Json]) -> Iterable[Difference]:
    cursors = [int(event["cursor"]) for event in stream]
    if cursors != list(range(1, len(cursors) + 1)):
        yield Difference("event_cursors", None, None, None, None, "the stream's cursors have gaps or are in disorder")
    for owner, seqs in _by_owner(stream).items():
        if seqs != list(range(1, len(seqs) + 1)):
            yield Difference("event_order", owner, None, None, str(seqs), "its events are in disorder in the stream")


def _books(stream: Sequence[Json], provider: Json) -> Iterable[Difference]:
    told: dict[tuple[str, str], list[int]] = defaultdict(list)
    booked: dict[tuple[str, str], list[int]] = defaultdict(list)
    for event in stream:
        if event["type"] in _KINDS:
            told[event["data"]["chargeId"], _KINDS[event["type"]]].append(event["data"]["amount"])
    for entry in provider["ledger"]:
        booked[entry["chargeId"], entry["kind"]].append(entry["amount"])
    for key in sorted(told.keys() | booked.keys()):
        if sorted(told[key]) != sorted(booked[key]):
            sentence = f"charge {key[0]}: {key[1]}s of {booked[key]} are booked, and {told[key]} told"
            yield Difference("event_money", None, None, str(booked[key]), str(told[key]), sentence)


def _access(stream: Sequence[Json], provider: Json, now: str) -> Iterable[Difference]:
    """The last word about access that somebody has is what the books say."""
    last: dict[str, str] = {}
    for event in stream:
        if event["type"].startswith("access."):
            last[_owner(event)] = event["data"]["accessUntil"]
    for row in provider["entitlements"]:
        owner = str(row["agreementId"] or row["purchaseId"])
        if row["accessUntil"] > now and last.get(owner) != row["accessUntil"]:
            sentence = "access ends otherwise than was told"
            yield Difference("event_access", owner, None, row["accessUntil"], last.get(owner), sentence)


def _listener(stream: Sequence[Json], taken: Sequence[Json]) -> Iterable[Difference]:
    first: dict[str, Json] = {}
    for event in taken:
        first.setdefault(event["id"], event)
    if missing := {event["id"] for event in stream} - first.keys():
        yield Difference("event_lost", None, None, None, None, f"{len(missing)} events were never delivered")
    for owner, seqs in _by_owner(first.values()).items():
        if seqs != sorted(seqs):
            yield Difference("event_delivered", owner, None, None, str(seqs), "its events were delivered in disorder")
    said = {event["id"]: event for event in stream}
    for event in first.values():
        if said.get(event["id"]) != event:
            sentence = f"event {event['id']} was delivered otherwise than the stream has it"
            yield Difference("event_differs", _owner(event), None, None, None, sentence)


def _by_owner(events: Iterable[Json]) -> dict[str, list[int]]:
    seqs: dict[str, list[int]] = defaultdict(list)
    for event in events:
        seqs[_owner(event)].append(event["agreementSeq"])
    return seqs
