"""Both houses' books laid side by side: which gateway charge belongs to which agreement and period."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime

from stories.almanac import period_start
from stories.exports import (
    Agreement,
    Charge,
    Entry,
    GatewayAgreement,
    GatewayCharge,
    GatewayPayment,
    Phase,
    ProviderExport,
    Purchase,
    SandboxExport,
)

Figure = int | str | None

#: A charge's externalId names our agreement and the period: `<our agreement id>.<period>`. Period 0 is what was charged
#: besides the periods, any number of times.
_NAMED = re.compile(r"(?P<agreement>.+)\.(?P<period>0|[1-9][0-9]{0,5})\Z")


@dataclass(frozen=True)
class Difference:
    """One thing on which the two houses, or one house and the rules, do not agree.

    `code` is stable; `agreement` is the provider's id of the agreement or purchase where there is one, else the
    gateway's; `sandbox` and
    `provider` are what each side says (minor units, a date, a state), and `sentence` says it for a person.
    """

    code: str
    agreement: str | None
    period: int | None
    sandbox: Figure
    provider: Figure
    sentence: str

    def as_json(self) -> dict[str, Figure]:
        return asdict(self)


@dataclass(frozen=True)
class Match:
    """One gateway charge with its place in the provider's books; `charge` is None if no attempt names it."""

    agreement: Agreement
    period: int
    drawn_on: GatewayAgreement
    gateway: GatewayCharge
    charge: Charge | None

    @property
    def kept(self) -> int:
        """What the merchant still has of it, in minor units."""
        return self.gateway.captured - self.gateway.refunded


@dataclass(frozen=True)
class Books:
    """The two exports, joined; `unmatched` and `unclaimed` are the gateway's, and belong to nothing the provider
    knows. `paid_for` are the payments of each purchase, `earlier` what an agreement's earlier system took before it
    moved in."""

    sandbox: SandboxExport
    provider: ProviderExport
    agreements: dict[str, Agreement]
    drawn: dict[str, list[GatewayAgreement]]
    matches: dict[str, list[Match]]
    unlinked: list[GatewayAgreement]
    unmatched: list[tuple[GatewayAgreement, GatewayCharge]]
    strays: dict[str, int]
    purchases: dict[str, Purchase]
    paid_for: dict[str, list[GatewayPayment]]
    unclaimed: list[GatewayPayment]
    earlier: dict[str, list[GatewayCharge]]

    def by_period(self, agreement: Agreement) -> dict[int, list[Match]]:
        """The matched gateway charges of an agreement, by period, in order."""
        found: dict[int, list[Match]] = defaultdict(list)
        for match in self.matches.get(agreement.agreement_id, []):
            found[match.period].append(match)
        return dict(sorted(found.items()))

    def entry_period(self, entry: Entry) -> int | None:
        """The period of a ledger entry; a stray's is the one that the gateway's charge was drawn for."""
        return entry.period if entry.period is not None else self.strays.get(entry.charge_id)

    def starts(self, agreement: Agreement, period: int) -> date | None:
        """The first day of a period by this audit's own calendar, or None while there is no anchor."""
        return self._counted(agreement, period, 0)

    def ends(self, agreement: Agreement, period: int) -> date | None:
        """The day after a period's last: counted as its start is, whatever the next period is counted from."""
        return self._counted(agreement, period, 1)

    def _counted(self, agreement: Agreement, period: int, further: int) -> date | None:
        if agreement.anchor is None:
            return None
        # A phase for period 1 says what the interval was then; without one it never changed.
        phases = agreement.phases or (Phase(1, agreement.anchor, agreement.unit, agreement.count),)
        phase = max((one for one in phases if one.from_period <= period), key=lambda one: one.from_period)
        return period_start(phase.start, phase.unit, phase.count, period - phase.from_period + 1 + further)

    def money_of(self, agreement: Agreement) -> Iterator[Match]:
        """The gateway charges of an agreement that ever took money."""
        return (m for m in self.matches.get(agreement.agreement_id, []) if m.gateway.captured)


def open_books(sandbox: SandboxExport, provider: ProviderExport, merchant: str | None = None) -> Books:
    """Join the exports. `merchant` (a serial number) leaves out what other sales units of the sandbox did."""
    agreements = {a.agreement_id: a for a in provider.agreements}
    owners = {gateway_id: a for a in provider.agreements for gateway_id in a.gateway_ids}
    attempts = {attempt: c for a in provider.agreements for c in a.charges for attempt in c.attempts}
    drawn: dict[str, list[GatewayAgreement]] = defaultdict(list)
    matches: dict[str, list[Match]] = defaultdict(list)
    unlinked: list[GatewayAgreement] = []
    unmatched: list[tuple[GatewayAgreement, GatewayCharge]] = []
    strays: dict[str, int] = {}
    earlier: dict[str, list[GatewayCharge]] = defaultdict(list)
    for theirs in sandbox.agreements:
        if merchant is not None and theirs.company == "vipps" and theirs.merchant != merchant:
            continue
        if owner := owners.get(theirs.agreement_id):
            drawn[owner.agreement_id].append(theirs)
        else:
            unlinked.append(theirs)
        if owner is not None and owner.moved_in_at is not None:
            before = [c for c in theirs.charges if c.charge_id not in attempts and _is_over(c, owner.moved_in_at)]
            earlier[owner.agreement_id] += before
            theirs = replace(theirs, charges=tuple(c for c in theirs.charges if c not in before))
        if theirs.company == "stripe":
            for place, gateway in enumerate(theirs.charges, 1):
                found = _invoiced(owner, theirs, gateway, attempts.get(gateway.charge_id), place)
                if found is None and (gateway.captured or owner is None):
                    unmatched.append((theirs, gateway))
                elif found is not None:
                    matches[found.agreement.agreement_id].append(found)
                    if found.charge is not None and found.charge.period is None:
                        strays[found.charge.charge_id] = found.period
            continue
        for gateway in theirs.charges:
            named = _NAMED.match(gateway.external_id or "")
            ours = agreements.get(named["agreement"]) if named else None
            if named is None or ours is None:
                unmatched.append((theirs, gateway))
                continue
            charge = attempts.get(gateway.charge_id)
            period = int(named["period"])
            if charge is not None and charge.period is None:
                strays[charge.charge_id] = period
            matches[ours.agreement_id].append(Match(ours, period, theirs, gateway, charge))
    owned = {attempt: (a, c) for a in provider.agreements for c in a.charges for attempt in c.attempts}
    buyers = {attempt: p for p in provider.purchases for c in p.charges for attempt in c.attempts}
    paid_for: dict[str, list[GatewayPayment]] = defaultdict(list)
    unclaimed: list[GatewayPayment] = []
    for payment in sandbox.payments:
        if merchant is not None and payment.company == "vipps" and payment.merchant != merchant:
            continue
        if buyer := buyers.get(payment.reference):
            paid_for[buyer.purchase_id].append(payment)
        elif besides := _besides(owned.get(payment.reference), drawn, payment):
            matches[besides.agreement.agreement_id].append(besides)
            if besides.charge is not None:
                strays[besides.charge.charge_id] = 0
        else:
            unclaimed.append(payment)
    return Books(
        sandbox=sandbox,
        provider=provider,
        agreements=agreements,
        drawn=dict(drawn),
        matches=dict(matches),
        unlinked=unlinked,
        unmatched=unmatched,
        strays=strays,
        purchases={p.purchase_id: p for p in provider.purchases},
        paid_for=dict(paid_for),
        unclaimed=unclaimed,
        earlier=dict(earlier),
    )


def _is_over(charge: GatewayCharge, at: datetime) -> bool:
    """Whether all that became of a charge had become of it at an instant."""
    if charge.captures:
        return max(charge.captures) <= at
    return charge.status in ("FAILED", "CANCELLED", "void", "uncollectible") and charge.due <= at.date()


def _besides(
    owner: tuple[Agreement, Charge] | None, drawn: dict[str, list[GatewayAgreement]], payment: GatewayPayment
) -> Match | None:
    """A payment that stands alone at Stripe, taken besides the periods of an agreement: period 0."""
    if owner is None or owner[1].period is not None or not drawn[owner[0].agreement_id]:
        return None
    agreement, charge = owner
    if charge.period_start is None:
        return None
    taken = GatewayCharge(
        charge_id=payment.reference,
        external_id=None,
        due=charge.period_start,
        amount=charge.amount,
        currency=payment.currency,
        status=payment.state,
        captured=payment.captured,
        refunded=payment.refunded,
        history_captured=payment.history_captured,
        history_refunded=payment.history_refunded,
        captures=payment.captures,
    )
    return Match(agreement, 0, drawn[agreement.agreement_id][0], taken, charge)


def _invoiced(
    owner: Agreement | None, theirs: GatewayAgreement, gateway: GatewayCharge, charge: Charge | None, place: int
) -> Match | None:
    """An invoice is the charge whose order it is; one that was never paid may belong to nothing yet."""
    if owner is None or (charge is None and not gateway.captured):
        return None
    period = charge.period if charge is not None and charge.period is not None else place
    return Match(owner, period, theirs, gateway, charge)
