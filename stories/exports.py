"""The two exports that the audit compares, read strictly from JSON into plain rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from stories.exports_rows import GatewayAgreement as GatewayAgreement
from stories.exports_rows import GatewayCharge as GatewayCharge
from stories.exports_rows import GatewayPayment as GatewayPayment
from stories.exports_stripe import read_intents, read_subscriptions
from stories.nodes import ExportError, Node


@dataclass(frozen=True)
class Charge:
    """What the provider says is owed for one period or purchase, and what the gateway calls its orders (`attempts`);
    `period` is None for a purchase, and for money that a lost draft took."""

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
class Phase:
    """From a period on, periods are counted from a day; `unit` and `count` are how long each lasts."""

    from_period: int
    start: date
    unit: str
    count: int


@dataclass(frozen=True)
class Agreement:
    """The provider's agreement, with what it needs to count periods and access.

    Without `phases` every period is counted from the anchor. `moved_in_at` is when one came from an earlier system.
    """

    agreement_id: str
    gateway_ids: frozenset[str]
    subject: str
    status: str
    anchor: date | None
    unit: str
    count: int
    phases: tuple[Phase, ...]
    zone: ZoneInfo
    grace_days: int
    paused: bool
    access_ends_at: datetime | None
    access_until: datetime | None
    charges: tuple[Charge, ...]
    moved_in_at: datetime | None = None

    @property
    def paid_elsewhere(self) -> Charge | None:
        """Of one that moved in: the last period that was paid to the earlier system, and is free here."""
        if self.moved_in_at is None:
            return None
        free = [c for c in self.charges if c.status == "waived" and c.amount == 0 and c.period is not None]
        return min(free, key=lambda charge: charge.period or 0, default=None)


@dataclass(frozen=True)
class Purchase:
    """The provider's purchase, with what it needs to count its access."""

    purchase_id: str
    subject: str
    product_id: str
    status: str
    zone: ZoneInfo
    access_days: int
    granted_at: datetime | None
    access_until: datetime | None
    charges: tuple[Charge, ...]


@dataclass(frozen=True)
class Entry:
    """One ledger entry: money that moved, in minor units, always positive; it is an agreement's or a purchase's."""

    owner_id: str
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
    owner_id: str
    charge_id: str
    amount: int
    currency: str
    corrects: str | None


@dataclass(frozen=True)
class Entitlement:
    """Who may use what until when, for one agreement or purchase."""

    owner_id: str
    subject: str
    access_until: datetime | None


@dataclass(frozen=True)
class SandboxExport:
    """All that the sandbox says."""

    now: datetime
    agreements: tuple[GatewayAgreement, ...]
    payments: tuple[GatewayPayment, ...]


@dataclass(frozen=True)
class ProviderExport:
    """All that the provider says of one tenant."""

    agreements: tuple[Agreement, ...]
    purchases: tuple[Purchase, ...]
    ledger: tuple[Entry, ...]
    receipts: tuple[Receipt, ...]
    entitlements: tuple[Entitlement, ...]


def read_sandbox(raw: object) -> SandboxExport:
    """The sandbox's export, version 1. `ExportError` when it is anything else."""
    root = _root(raw, "sandbox", 1)
    return SandboxExport(
        now=root.instant("now"),
        agreements=(*(_gateway_agreement(n) for n in root.items("agreements")), *read_subscriptions(root)),
        payments=(*(_gateway_payment(n) for n in root.items("payments")), *read_intents(root)),
    )


def read_provider(raw: object) -> ProviderExport:
    """The provider's export, version 2. `ExportError` when it is anything else."""
    root = _root(raw, "provider", 2)
    return ProviderExport(
        agreements=tuple(_agreement(n) for n in root.items("agreements")),
        purchases=tuple(_purchase(n) for n in root.items("purchases")),
        ledger=tuple(_entry(n) for n in root.items("ledger")),
        receipts=tuple(_receipt(n) for n in root.items("receipts")),
        entitlements=tuple(
            Entitlement(_owner(n), n.text("subject"), n.maybe_instant("accessUntil"))
            for n in root.items("entitlements")
        ),
    )


def _root(raw: object, house: str, known: int) -> Node:
    root = Node(raw, house)
    if (version := root.whole("version")) != known:
        raise ExportError(f"{house}.version: this audit reads version {known}, not {version}")
    return root


def _gateway_agreement(node: Node) -> GatewayAgreement:
    return GatewayAgreement(
        merchant=node.text("merchantSerialNumber"),
        agreement_id=node.text("agreementId"),
        external_id=node.maybe_text("externalId"),
        status=node.text("status"),
        start=node.maybe_instant("start"),
        stop=node.maybe_instant("stop"),
        charges=tuple(_gateway_charge(n) for n in node.items("charges")),
    )


def _gateway_payment(node: Node) -> GatewayPayment:
    moved = [n for n in node.items("history") if n.field("success").value is True]
    captures = [n for n in moved if n.text("event") == "CAPTURED"]
    return GatewayPayment(
        merchant=node.text("merchantSerialNumber"),
        reference=node.text("reference"),
        state=node.text("state"),
        currency=node.text("currency"),
        authorized=node.whole("authorized"),
        cancelled=node.whole("cancelled"),
        captured=node.whole("captured"),
        refunded=node.whole("refunded"),
        history_cancelled=sum(n.whole("amount") for n in moved if n.text("event") in ("CANCELLED", "TERMINATED")),
        history_captured=sum(n.whole("amount") for n in captures),
        history_refunded=sum(n.whole("amount") for n in moved if n.text("event") == "REFUNDED"),
        authorizations=tuple(n.instant("occurred") for n in moved if n.text("event") == "AUTHORIZED"),
        captures=tuple(n.instant("occurred") for n in captures),
    )


def _gateway_charge(node: Node) -> GatewayCharge:
    moved = [n for n in node.items("history") if n.field("success").value is True]
    captures = [n for n in moved if n.text("event") == "CAPTURE"]
    refunds = [n for n in moved if n.text("event") == "REFUND"]
    return GatewayCharge(
        charge_id=node.text("chargeId"),
        external_id=node.maybe_text("externalId"),
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
        anchor=node.maybe_day("anchorDate"),
        unit=interval.text("unit"),
        count=interval.whole("count"),
        phases=tuple(_phase(n) for n in node.items("phases")),
        zone=node.zone("zone"),
        grace_days=node.whole("graceDays"),
        paused=node.field("paused").value is True,
        access_ends_at=node.maybe_instant("accessEndsAt"),
        access_until=node.maybe_instant("accessUntil"),
        charges=tuple(_charge(n) for n in node.items("charges")),
        moved_in_at=node.maybe_instant("movedInAt") if node.has("movedInAt") else None,
    )


def _phase(node: Node) -> Phase:
    return Phase(node.whole("fromPeriod"), node.day("start"), node.text("unit"), node.whole("count"))


def _purchase(node: Node) -> Purchase:
    return Purchase(
        purchase_id=node.text("purchaseId"),
        subject=node.text("subject"),
        product_id=node.text("productId"),
        status=node.text("status"),
        zone=node.zone("zone"),
        access_days=node.whole("accessDays"),
        granted_at=node.maybe_instant("grantedAt"),
        access_until=node.maybe_instant("accessUntil"),
        charges=tuple(_charge(n) for n in node.items("charges")),
    )


def _charge(node: Node) -> Charge:
    return Charge(
        charge_id=node.text("chargeId"),
        period=node.whole("period") if node.has("period") else None,
        period_start=node.maybe_day("periodStart"),
        period_end=node.maybe_day("periodEnd"),
        amount=node.whole("amount"),
        currency=node.text("currency"),
        status=node.text("status"),
        captured=node.whole("captured"),
        refunded=node.whole("refunded"),
        attempts=frozenset(n.text("orderId" if n.has("orderId") else "attemptId") for n in node.items("attempts")),
    )


def _owner(node: Node) -> str:
    """The agreement or the purchase of a row: exactly one of them."""
    if node.has("agreementId") == node.has("purchaseId"):
        raise ExportError(f"{node.path}: either an agreementId or a purchaseId was expected")
    return node.text("agreementId") if node.has("agreementId") else node.text("purchaseId")


def _entry(node: Node) -> Entry:
    kind = node.text("kind")
    if kind not in ("capture", "refund", "return"):
        raise ExportError(f"{node.path}.kind: capture, refund or return was expected, not {kind!r}")
    return Entry(
        owner_id=_owner(node),
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
        owner_id=_owner(node),
        charge_id=node.text("chargeId"),
        amount=node.whole("amount"),
        currency=node.text("currency"),
        corrects=node.maybe_text("corrects"),
    )
