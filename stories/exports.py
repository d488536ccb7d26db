"""The two exports that the audit compares, read strictly from JSON into plain rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stories.almanac import parse_instant


class ExportError(ValueError):
    """An export that cannot be audited: the message names the place and what stands there."""


@dataclass(frozen=True)
class Node:
    """One JSON value together with where it stands, so that every complaint can name the place."""

    value: object
    path: str

    def field(self, key: str) -> Node:
        if not isinstance(self.value, dict):
            raise ExportError(f"{self.path}: an object was expected, not {self.value!r}")
        if key not in self.value:
            raise ExportError(f"{self.path}: {key} is missing")
        return Node(self.value[key], f"{self.path}.{key}")

    def has(self, key: str) -> bool:
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def items(self, key: str) -> Iterator[Node]:
        node = self.field(key)
        if not isinstance(node.value, list):
            raise ExportError(f"{node.path}: a list was expected, not {node.value!r}")
        return (Node(item, f"{node.path}[{place}]") for place, item in enumerate(node.value))

    def text(self, key: str) -> str:
        node = self.field(key)
        if not isinstance(node.value, str):
            raise ExportError(f"{node.path}: text was expected, not {node.value!r}")
        return node.value

    def whole(self, key: str) -> int:
        """A whole number; amounts are minor units and are never written with a point."""
        node = self.field(key)
        if not isinstance(node.value, int) or isinstance(node.value, bool):
            raise ExportError(f"{node.path}: a whole number was expected, not {node.value!r}")
        return node.value

    def day(self, key: str) -> date:
        """A local date; the date part when a gateway renders it as a date-time."""
        try:
            return date.fromisoformat(self.text(key)[:10])
        except ValueError:
            raise ExportError(f"{self.path}.{key}: a date was expected, not {self.text(key)!r}") from None

    def zone(self, key: str) -> ZoneInfo:
        try:
            return ZoneInfo(self.text(key))
        except (ZoneInfoNotFoundError, ValueError):
            found = self.text(key)
            raise ExportError(f"{self.path}.{key}: a time zone was expected, not {found!r}") from None

    def instant(self, key: str) -> datetime:
        try:
            return parse_instant(self.text(key))
        except ValueError:
            raise ExportError(f"{self.path}.{key}: a date-time was expected, not {self.text(key)!r}") from None


@dataclass(frozen=True)
class GatewayCharge:
    """One charge as the gateway keeps it; sums in minor units, `captures` the instants of its captures."""

    charge_id: str
    external_id: str | None
    due: date
    amount: int
    currency: str
    status: str
    captured: int
    refunded: int
    history_captured: int
    history_refunded: int
    captures: tuple[datetime, ...]


@dataclass(frozen=True)
class GatewayAgreement:
    """One agreement as the gateway keeps it, with its charges."""

    merchant: str
    agreement_id: str
    external_id: str | None
    status: str
    start: datetime | None
    stop: datetime | None
    charges: tuple[GatewayCharge, ...]


@dataclass(frozen=True)
class Charge:
    """What the provider says is owed for one period; `period` is None for money that a lost draft took."""

    charge_id: str
    period: int | None
    period_start: date | None
    period_end: date | None
    amount: int
    currency: str
    status: str
    captured: int
    refunded: int
    attempts: frozenset[str]


@dataclass(frozen=True)
class Agreement:
    """The provider's agreement, with what it needs to count periods and access."""

    agreement_id: str
    gateway_ids: frozenset[str]
    subject: str
    status: str
    anchor: date | None
    unit: str
    count: int
    zone: ZoneInfo
    grace_days: int
    access_until: datetime | None
    charges: tuple[Charge, ...]


@dataclass(frozen=True)
class Entry:
    """One ledger entry: money that moved, in minor units, always positive."""

    agreement_id: str
    charge_id: str
    period: int | None
    kind: str
    amount: int
    currency: str


@dataclass(frozen=True)
class Receipt:
    """One numbered document; a credit note `corrects` a receipt, by its id."""

    receipt_id: str
    series: str
    seller: str
    number: int
    agreement_id: str
    charge_id: str
    amount: int
    currency: str
    corrects: str | None


@dataclass(frozen=True)
class Entitlement:
    """Who may use what until when, for one agreement."""

    agreement_id: str
    subject: str
    access_until: datetime | None


@dataclass(frozen=True)
class SandboxExport:
    """All that the sandbox says."""

    now: datetime
    agreements: tuple[GatewayAgreement, ...]


@dataclass(frozen=True)
class ProviderExport:
    """All that the provider says of one tenant."""

    agreements: tuple[Agreement, ...]
    ledger: tuple[Entry, ...]
    receipts: tuple[Receipt, ...]
    entitlements: tuple[Entitlement, ...]


def read_sandbox(raw: object) -> SandboxExport:
    """The sandbox's export, version 1. `ExportError` when it is anything else."""
    root = _root(raw, "sandbox", 1)
    return SandboxExport(root.instant("now"), tuple(_gateway_agreement(n) for n in root.items("agreements")))


def read_provider(raw: object) -> ProviderExport:
    """The provider's export, version 2. `ExportError` when it is anything else."""
    root = _root(raw, "provider", 2)
    return ProviderExport(
        agreements=tuple(_agreement(n) for n in root.items("agreements")),
        ledger=tuple(_entry(n) for n in root.items("ledger")),
        receipts=tuple(_receipt(n) for n in root.items("receipts")),
        entitlements=tuple(
            Entitlement(n.text("agreementId"), n.text("subject"), _maybe_instant(n, "accessUntil"))
            for n in root.items("entitlements")
        ),
    )


def _root(raw: object, house: str, known: int) -> Node:
    root = Node(raw, house)
    if (version := root.whole("version")) != known:
        raise ExportError(f"{house}.version: this audit reads version {known}, not {version}")
    return root


def _maybe_text(node: Node, key: str) -> str | None:
    return node.text(key) if node.has(key) else None


def _maybe_day(node: Node, key: str) -> date | None:
    return node.day(key) if node.has(key) else None


def _maybe_instant(node: Node, key: str) -> datetime | None:
    return node.instant(key) if node.has(key) else None


def _gateway_agreement(node: Node) -> GatewayAgreement:
    return GatewayAgreement(
        merchant=node.text("merchantSerialNumber"),
        agreement_id=node.text("agreementId"),
        external_id=_maybe_text(node, "externalId"),
        status=node.text("status"),
        start=_maybe_instant(node, "start"),
        stop=_maybe_instant(node, "stop"),
        charges=tuple(_gateway_charge(n) for n in node.items("charges")),
    )


def _gateway_charge(node: Node) -> GatewayCharge:
    moved = [n for n in node.items("history") if n.field("success").value is True]
    captures = [n for n in moved if n.text("event") == "CAPTURE"]
    refunds = [n for n in moved if n.text("event") == "REFUND"]
    return GatewayCharge(
        charge_id=node.text("chargeId"),
        external_id=_maybe_text(node, "externalId"),
        due=node.day("due"),
        amount=node.whole("amount"),
        currency=node.text("currency"),
        status=node.text("status"),
        captured=node.whole("captured"),
        refunded=node.whole("refunded"),
        history_captured=sum(n.whole("amount") for n in captures),
        history_refunded=sum(n.whole("amount") for n in refunds),
        captures=tuple(n.instant("occurred") for n in captures),
    )


def _agreement(node: Node) -> Agreement:
    interval = node.field("interval")
    return Agreement(
        agreement_id=node.text("agreementId"),
        gateway_ids=frozenset(str(n.value) for n in node.items("gatewayAgreementIds")),
        subject=node.text("subject"),
        status=node.text("status"),
        anchor=_maybe_day(node, "anchorDate"),
        unit=interval.text("unit"),
        count=interval.whole("count"),
        zone=node.zone("zone"),
        grace_days=node.whole("graceDays"),
        access_until=_maybe_instant(node, "accessUntil"),
        charges=tuple(_charge(n) for n in node.items("charges")),
    )


def _charge(node: Node) -> Charge:
    return Charge(
        charge_id=node.text("chargeId"),
        period=node.whole("period") if node.has("period") else None,
        period_start=_maybe_day(node, "periodStart"),
        period_end=_maybe_day(node, "periodEnd"),
        amount=node.whole("amount"),
        currency=node.text("currency"),
        status=node.text("status"),
        captured=node.whole("captured"),
        refunded=node.whole("refunded"),
        attempts=frozenset(n.text("attemptId") for n in node.items("attempts")),
    )


def _entry(node: Node) -> Entry:
    kind = node.text("kind")
    if kind not in ("capture", "refund"):
        raise ExportError(f"{node.path}.kind: capture or refund was expected, not {kind!r}")
    return Entry(
        agreement_id=node.text("agreementId"),
        charge_id=node.text("chargeId"),
        period=node.whole("period") if node.has("period") else None,
        kind=kind,
        amount=node.whole("amount"),
        currency=node.text("currency"),
    )


def _receipt(node: Node) -> Receipt:
    series = node.text("series")
    if series not in ("receipt", "credit_note"):
        raise ExportError(f"{node.path}.series: receipt or credit_note was expected, not {series!r}")
    return Receipt(
        receipt_id=node.text("receiptId"),
        series=series,
        seller=node.text("seller"),
        number=node.whole("number"),
        agreement_id=node.text("agreementId"),
        charge_id=node.text("chargeId"),
        amount=node.whole("amount"),
        currency=node.text("currency"),
        corrects=_maybe_text(node, "corrects"),
    )
