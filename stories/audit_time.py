"""The audit's rules about time: periods the calendar allows, access that is paid for, states that agree."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from stories.almanac import iso, local_day, midnight
from stories.books import Books, Difference
from stories.exports import Agreement, GatewayAgreement

#: The provider's word for an agreement, by the gateway's; a rejection is STOPPED before it ever was ACTIVE.
_STATES = {"PENDING": "pending", "ACTIVE": "active", "EXPIRED": "expired"}
#: States of a charge that say why a period before a paid one was not paid.
_EXPLAINED = frozenset({"failed", "cancelled", "waived", "refunded"})


def anchors_are_activations(books: Books) -> Iterator[Difference]:
    """The anchor is the local date on which the gateway's agreement began; of one that moved in it may be the day on
    which what was paid before ended."""
    for agreement in books.provider.agreements:
        before = agreement.paid_elsewhere
        if before is not None and before.period == 0 and agreement.anchor == before.period_end:
            continue
        days = {local_day(t.start, agreement.zone) for t in books.drawn.get(agreement.agreement_id, []) if t.start}
        if (days and agreement.anchor not in days) or (not days and agreement.anchor):
            yield Difference(
                "anchor_differs",
                agreement.agreement_id,
                None,
                ", ".join(str(day) for day in sorted(days)) or None,
                str(agreement.anchor) if agreement.anchor else None,
                f"The agreement began on {', '.join(map(str, sorted(days))) or 'no day'} at the gateway; the "
                f"provider counts its periods from {agreement.anchor}.",
            )


def phases_follow(books: Books) -> Iterator[Difference]:
    """Periods are first counted from the anchor, and no later phase begins in time that was paid for before it."""
    for agreement in books.provider.agreements:
        paid = _paid_periods(books, agreement)
        for phase in agreement.phases:
            if phase.from_period == 1:
                earliest = agreement.anchor
                wrong = phase.start != earliest
            else:
                before = [books.ends(agreement, p) for p in paid if p < phase.from_period]
                earliest = max((day for day in before if day), default=agreement.anchor)
                wrong = earliest is not None and phase.start < earliest
            if wrong:
                yield Difference(
                    "phase_misplaced",
                    agreement.agreement_id,
                    phase.from_period,
                    str(earliest),
                    str(phase.start),
                    f"Period {phase.from_period} is counted from {phase.start}; what is paid before it lasts to "
                    f"{earliest}.",
                )


def nothing_paid_to_both(books: Books) -> Iterator[Difference]:
    """What an earlier system took was for days before the first period that is charged here."""
    for agreement in books.provider.agreements:
        before = agreement.paid_elsewhere
        if agreement.moved_in_at is None:
            continue
        ends = before.period_end if before is not None else None
        for charge in books.earlier.get(agreement.agreement_id, []):
            if charge.captured > charge.refunded and (ends is None or charge.due >= ends):
                yield Difference(
                    "paid_to_both",
                    agreement.agreement_id,
                    None,
                    str(charge.due),
                    str(ends) if ends else None,
                    f"The earlier system took {charge.captured} for {charge.due}; here it is charged from {ends} on.",
                )


def calendar_allows(books: Books) -> Iterator[Difference]:
    """Nothing is taken for a period before it begins, nor for one that begins after the agreement stopped; what a
    change asked at once, in time that is paid already, is the exception."""
    for agreement in books.provider.agreements:
        for match in books.money_of(agreement):
            if match.period == 0:
                continue
            starts = books.starts(agreement, match.period)
            stopped = match.drawn_on.stop
            first = min(match.gateway.captures, default=books.sandbox.now)
            if starts is None or (starts > local_day(first, agreement.zone) and not match.gateway.ahead):
                yield Difference(
                    "captured_too_early",
                    agreement.agreement_id,
                    match.period,
                    iso(first),
                    str(starts) if starts else None,
                    f"Period {match.period} begins {starts}, and money was taken {iso(first)}.",
                )
            elif stopped is not None and first > stopped and match.kept > 0:
                yield Difference(
                    "captured_after_stop",
                    agreement.agreement_id,
                    match.period,
                    iso(first),
                    iso(stopped),
                    f"The agreement stopped {iso(stopped)}; period {match.period} was taken {iso(first)}.",
                )


def periods_are_the_calendars(books: Books) -> Iterator[Difference]:
    """Each charge's period starts and ends where an independent calendar says, one charge to a period."""
    for agreement in books.provider.agreements:
        seen: set[int] = set()
        for charge in agreement.charges:
            if charge.period is None:
                continue
            if charge.period in seen:
                yield Difference(
                    "period_has_two_charges",
                    agreement.agreement_id,
                    charge.period,
                    None,
                    charge.charge_id,
                    f"Period {charge.period} has more than one charge.",
                )
            seen.add(charge.period)
            starts = books.starts(agreement, charge.period)
            ends = books.ends(agreement, charge.period)
            never_began = starts is None and charge.captured == 0
            found = charge.period_start, charge.period_end
            if charge == agreement.paid_elsewhere:
                found = starts, charge.period_end  # Where it began is the earlier system's affair.
            if found != (starts, ends) and not never_began:
                yield Difference(
                    "period_misplaced",
                    agreement.agreement_id,
                    charge.period,
                    f"{starts} to {ends}",
                    f"{charge.period_start} to {charge.period_end}",
                    f"Period {charge.period} counted from {agreement.anchor} is {starts} to {ends}.",
                )


def nothing_skipped(books: Books) -> Iterator[Difference]:
    """A period before a paid one is paid too, or its charge says why not; what came before it moved in was paid to
    somebody else."""
    for agreement in books.provider.agreements:
        paid = _paid_periods(books, agreement)
        states = {c.period: c.status for c in agreement.charges}
        before = agreement.paid_elsewhere
        first = 1 if before is None or before.period is None else before.period + 1
        for period in range(first, max(paid, default=0)):
            if period not in paid and states.get(period) not in _EXPLAINED:
                yield Difference(
                    "period_skipped",
                    agreement.agreement_id,
                    period,
                    None,
                    states.get(period),
                    f"Period {max(paid)} is paid, but period {period} is not, and nothing says why.",
                )


def access_is_paid_for(books: Books) -> Iterator[Difference]:
    """Access lasts as long as `expected_access` says, in the agreement and in its one entitlement."""
    for agreement in books.provider.agreements:
        expected = expected_access(books, agreement)
        if agreement.access_until != expected:
            yield _access(agreement, "access_differs", expected, agreement.access_until, "The agreement says")
        rights = [e for e in books.provider.entitlements if e.owner_id == agreement.agreement_id]
        ends = [e.access_until for e in rights if e.access_until is not None]
        if ends != ([expected] if expected else []):
            found = ends[0] if len(ends) == 1 else None
            yield _access(agreement, "entitlement_differs", expected, found, "Its entitlements say")
        for right in rights:
            if right.subject != agreement.subject:
                yield Difference(
                    "entitlement_misplaced",
                    agreement.agreement_id,
                    None,
                    None,
                    right.subject,
                    f"The agreement is {agreement.subject}'s, its entitlement is {right.subject}'s.",
                )
    for right in books.provider.entitlements:
        if right.owner_id not in books.agreements and right.owner_id not in books.purchases:
            yield Difference(
                "entitlement_misplaced", right.owner_id, None, None, right.subject, "No such agreement or purchase."
            )


def expected_access(books: Books, agreement: Agreement) -> datetime | None:
    """The instant at which access ends, counted from the gateway's money alone; None if nothing is paid.

    A period is paid when a gateway charge drawn for it was captured and not given back in full (a refund of
    a part takes nothing away), or when it costs nothing. Access ends at local midnight, in the tenant's
    zone, of the day after the last paid period, counted from the anchor (or from where its phase begins) with
    clamping. While the gateway holds the agreement ACTIVE, the export's grace days are added
    to that day before it is turned into an instant; an agreement that ended keeps the paid time and no grace, and so
    does one that is paused, or whose next period begins only later. What was ended at once has ended.
    """
    paid = _paid_periods(books, agreement)
    if not paid or agreement.anchor is None:
        return None
    ends = books.ends(agreement, max(paid))
    if ends is None:
        return None
    if _renews(books, agreement, max(paid), ends):
        ends += timedelta(days=agreement.grace_days)
    paid_for = midnight(ends, agreement.zone)
    return min(paid_for, agreement.access_ends_at or paid_for)


def _renews(books: Books, agreement: Agreement, last_paid: int, ends: date) -> bool:
    """Whether a renewal follows on what is paid; what was cancelled on the way there is none."""
    active = any(t.status == "ACTIVE" for t in books.drawn.get(agreement.agreement_id, []))
    cancelled = {c.period for c in agreement.charges if c.status == "cancelled"}
    following = last_paid + 1
    while following in cancelled and any(p.from_period > following for p in agreement.phases):
        following += 1
    begins = books.starts(agreement, following)
    return active and not agreement.paused and begins is not None and begins <= ends


def states_agree(books: Books) -> Iterator[Difference]:
    """An agreement is in the same state on both sides, and never active twice at the gateway."""
    for agreement in books.provider.agreements:
        drawn = books.drawn.get(agreement.agreement_id, [])
        active = [t for t in drawn if t.status == "ACTIVE"]
        if len(active) > 1:
            yield Difference(
                "active_twice",
                agreement.agreement_id,
                None,
                ", ".join(t.agreement_id for t in active),
                agreement.status,
                f"{len(active)} agreements at the gateway are active for one of the provider's.",
            )
        allowed = {_state(t) for t in drawn}
        for strongest in ("active", "stopped"):  # a draft that came to nothing says nothing about the others
            if strongest in allowed:
                allowed = {strongest}
                break
        if (drawn and agreement.status not in allowed) or (not drawn and agreement.anchor):
            yield Difference(
                "status_differs",
                agreement.agreement_id,
                None,
                ", ".join(t.status for t in drawn) or None,
                agreement.status,
                f"The provider says {agreement.status}; the gateway's means {' or '.join(sorted(allowed))}.",
            )


def _state(theirs: GatewayAgreement) -> str:
    if theirs.status == "STOPPED":
        return "stopped" if theirs.start else "rejected"
    return _STATES.get(theirs.status, theirs.status)


def _paid_periods(books: Books, agreement: Agreement) -> set[int]:
    free = {c.period for c in agreement.charges if c.period is not None and c.amount == 0 and c.status == "waived"}
    return free | {m.period for m in books.money_of(agreement) if m.kept > 0 and m.period > 0}


def _access(agreement: Agreement, code: str, expected: datetime | None, found: datetime | None, who: str) -> Difference:
    sandbox, provider = (iso(t) if t else None for t in (expected, found))
    return Difference(
        code,
        agreement.agreement_id,
        None,
        sandbox,
        provider,
        f"What was paid at the gateway gives access until {sandbox or 'never'}. {who} {provider or 'never'}.",
    )
