"""The audit's rules about money: sums on both sides, ledger, receipts, credit notes and their numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

from stories.books import Books, Difference, Match
from stories.exports import Charge, Entry, Receipt

#: Which series of documents belongs to which kind of ledger entry.
SERIES = {"capture": "receipt", "refund": "credit_note", "return": "receipt"}
#: What Vipps says of a charge of which something is reserved and not taken.
RESERVED = frozenset({"RESERVED", "PARTIALLY_CAPTURED"})
PAST = {"capture": "captured", "refund": "refunded"}


def sums_agree(books: Books) -> Iterator[Difference]:
    """Captured and refunded, per agreement and period or per purchase, are the same on both sides."""
    sandbox: Counter[tuple[str, int | None, str, str]] = Counter()
    provider: Counter[tuple[str, int | None, str, str]] = Counter()
    for agreement_id, matches in books.matches.items():
        for match in matches:
            currency = match.gateway.currency
            sandbox[agreement_id, match.period, currency, "capture"] += match.gateway.captured
            sandbox[agreement_id, match.period, currency, "refund"] += match.gateway.refunded
    for purchase_id, payments in books.paid_for.items():
        for payment in payments:
            sandbox[purchase_id, None, payment.currency, "capture"] += payment.captured
            sandbox[purchase_id, None, payment.currency, "refund"] += payment.refunded
    for entry in books.provider.ledger:
        kind, amount = _signed(entry)
        provider[entry.owner_id, books.entry_period(entry), entry.currency, kind] += amount
    for key in sorted(sandbox.keys() | provider.keys(), key=str):
        agreement_id, period, currency, kind = key
        if sandbox[key] != provider[key]:
            yield Difference(
                f"{PAST[kind]}_differs",
                agreement_id,
                period,
                sandbox[key],
                provider[key],
                f"The gateway {PAST[kind]} {sandbox[key]} {currency} (minor units) for {_what(period)}, the "
                f"ledger says {provider[key]}.",
            )


def _signed(entry: Entry) -> tuple[str, int]:
    """A refund that came back takes a refund away."""
    return ("refund", -entry.amount) if entry.kind == "return" else (entry.kind, entry.amount)


def _what(period: int | None) -> str:
    return "the purchase" if period is None else f"period {period}"


def nothing_left_reserved(books: Books) -> Iterator[Difference]:
    """Whoever has left has no money set aside: a charge of an agreement that ended is not waiting to be captured."""
    for agreement in books.provider.agreements:
        for match in books.matches.get(agreement.agreement_id, []):
            if match.drawn_on.stop is not None and match.gateway.status in RESERVED:
                yield Difference(
                    "reservation_left",
                    agreement.agreement_id,
                    match.period,
                    match.gateway.status,
                    agreement.status,
                    f"The agreement ended {match.drawn_on.stop}; {match.gateway.amount} of it is still reserved.",
                )


def nothing_foreign(books: Books) -> Iterator[Difference]:
    """Every gateway charge belongs to an agreement and an attempt that the provider knows."""
    for theirs, gateway in books.unmatched:
        yield Difference(
            "charge_matches_nothing",
            theirs.agreement_id,
            None,
            gateway.captured,
            None,
            f"The gateway holds charge {gateway.charge_id} (externalId {gateway.external_id!r}, "
            f"{gateway.status}), which belongs to no agreement of the provider.",
        )
    for theirs in books.unlinked:
        if theirs.status == "ACTIVE" or any(c.captured for c in theirs.charges):
            yield Difference(
                "agreement_matches_nothing",
                theirs.agreement_id,
                None,
                theirs.status,
                None,
                f"The gateway's agreement {theirs.agreement_id} is {theirs.status}, and the provider does not know it.",
            )
    for matches in books.matches.values():
        for match in matches:
            ours = match.agreement.agreement_id
            # A draft's first order becomes an attempt when the draft is approved.
            if match.charge is None and (match.gateway.captured or match.drawn_on.start):
                yield Difference(
                    "attempt_unknown",
                    ours,
                    match.period,
                    match.gateway.charge_id,
                    None,
                    f"Order {match.gateway.charge_id} at the gateway is no attempt in the provider's books.",
                )
            elif match.charge is not None and not _in_place(match, match.charge):
                yield Difference(
                    "attempt_misplaced",
                    ours,
                    match.period,
                    f"{ours}.{match.period}",
                    f"charge {match.charge.charge_id}, period {match.charge.period}",
                    f"Order {match.gateway.charge_id} was drawn for period {match.period}, but the provider "
                    "books it elsewhere.",
                )


def _in_place(match: Match, charge: Charge) -> bool:
    return charge in match.agreement.charges and charge.period in (None, match.period)


def sandbox_adds_up(books: Books) -> Iterator[Difference]:
    """The sandbox's totals are the sums of its own history: otherwise it is no witness."""
    for agreement_id, matches in books.matches.items():
        for match in matches:
            gateway = match.gateway
            for what, total, history in (
                ("captured", gateway.captured, gateway.history_captured),
                ("refunded", gateway.refunded, gateway.history_refunded),
            ):
                if total != history:
                    yield Difference(
                        "sandbox_history_differs",
                        agreement_id,
                        match.period,
                        total,
                        None,
                        f"The sandbox says {total} {what} on {gateway.charge_id}, but its history adds up "
                        f"to {history}.",
                    )


def ledger_is_charges(books: Books) -> Iterator[Difference]:
    """Each charge's captured and refunded are the sums of its ledger entries, which all have a charge."""
    sums: Counter[tuple[str, str]] = Counter()
    for entry in books.provider.ledger:
        kind, amount = _signed(entry)
        sums[entry.charge_id, kind] += amount
        if entry.amount <= 0:
            yield Difference(
                "entry_not_positive",
                entry.owner_id,
                entry.period,
                None,
                entry.amount,
                f"A ledger entry of charge {entry.charge_id} is {entry.amount}; entries are always positive.",
            )
    charges = {c.charge_id: (a.agreement_id, c) for a in books.provider.agreements for c in a.charges}
    charges |= {c.charge_id: (p.purchase_id, c) for p in books.provider.purchases for c in p.charges}
    for charge_id, (owner_id, charge) in charges.items():
        for kind, total in (("capture", charge.captured), ("refund", charge.refunded)):
            if sums[charge_id, kind] != total:
                yield Difference(
                    "charge_total_differs",
                    owner_id,
                    charge.period,
                    None,
                    total,
                    f"Charge {charge_id} says {total} {PAST[kind]}, its ledger entries add up to "
                    f"{sums[charge_id, kind]}.",
                )
        if charge.refunded > charge.captured:
            yield Difference(
                "refunded_too_much",
                owner_id,
                charge.period,
                charge.captured,
                charge.refunded,
                f"Charge {charge_id} gave back {charge.refunded} of {charge.captured} captured.",
            )
    for entry in books.provider.ledger:
        known = charges.get(entry.charge_id)
        if known is None or known[0] != entry.owner_id:
            yield Difference(
                "entry_without_charge",
                entry.owner_id,
                entry.period,
                None,
                entry.amount,
                f"The ledger books {entry.amount} on {entry.charge_id}, which is no charge of its owner.",
            )


def one_document_each(books: Books) -> Iterator[Difference]:
    """Every capture, and every refund that came back, has exactly one receipt, and every refund exactly one credit
    note, of the same sum."""
    booked: dict[tuple[str, str], Counter[tuple[int, str]]] = defaultdict(Counter)
    written: dict[tuple[str, str], Counter[tuple[int, str]]] = defaultdict(Counter)
    places: dict[str, tuple[str, int | None]] = {}
    for entry in books.provider.ledger:
        booked[entry.charge_id, SERIES[entry.kind]][entry.amount, entry.currency] += 1
        places[entry.charge_id] = (entry.owner_id, books.entry_period(entry))
    for receipt in books.provider.receipts:
        written[receipt.charge_id, receipt.series][receipt.amount, receipt.currency] += 1
        places.setdefault(receipt.charge_id, (receipt.owner_id, None))
    for key in sorted(booked.keys() | written.keys()):
        charge_id, series = key
        owner_id, period = places[charge_id]
        name = series.replace("_", " ")
        for (amount, currency), count in sorted((booked[key] - written[key]).items()):
            yield Difference(
                f"{series}_missing",
                owner_id,
                period,
                None,
                amount,
                f"{count} booking(s) of {amount} {currency} on charge {charge_id} have no {name}.",
            )
        for (amount, currency), count in sorted((written[key] - booked[key]).items()):
            yield Difference(
                f"{series}_too_many",
                owner_id,
                period,
                None,
                amount,
                f"{count} {name}(s) of {amount} {currency} on charge {charge_id} have no booking.",
            )


def credit_notes_correct(books: Books) -> Iterator[Difference]:
    """A credit note names a receipt of its own charge, and all notes on a receipt stay within its sum."""
    receipts = {r.receipt_id: r for r in books.provider.receipts if r.series == "receipt"}
    credited: Counter[str] = Counter()
    for note in books.provider.receipts:
        if note.series != "credit_note":
            continue
        corrected = note.corrects or ""
        receipt = receipts.get(corrected)
        credited[corrected] += note.amount
        if receipt is None or receipt.charge_id != note.charge_id or credited[corrected] > receipt.amount:
            yield Difference(
                "credit_note_corrects_nothing",
                note.owner_id,
                None,
                None,
                note.number,
                f"Credit note {note.number} says that it corrects receipt {note.corrects}, which is "
                + ("not there." if receipt is None else "another charge's, or smaller than what was given back."),
            )


def numbers_run_on(books: Books) -> Iterator[Difference]:
    """The numbers of a series (seller, kind) have no gap and no double; a series may begin anywhere."""
    series: dict[tuple[str, str], list[Receipt]] = defaultdict(list)
    for receipt in books.provider.receipts:
        series[receipt.seller, receipt.series].append(receipt)
    for (seller, kind), documents in sorted(series.items()):
        numbers = Counter(r.number for r in documents)
        name = kind.replace("_", " ")
        for number, count in sorted(numbers.items()):
            if count > 1:
                yield Difference(
                    "number_doubled",
                    None,
                    None,
                    None,
                    number,
                    f"{count} documents of {seller} are {name} {number}.",
                )
        for first, last in _gaps(numbers):
            missing = str(first) if first == last else f"{first} to {last}"
            yield Difference(
                "number_missing",
                None,
                None,
                None,
                first,
                f"{seller} has no {name} {missing}, but later ones.",
            )


def _gaps(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    ordered = sorted(numbers)
    for before, after in pairwise(ordered):
        if after - before > 1:
            yield before + 1, after - 1


def _once_each(agreement_id: str, matches: list[Match]) -> Iterator[Difference]:
    """What was charged besides the periods is one order for one charge, and no more than it costs."""
    charges = Counter(m.charge.charge_id for m in matches if m.charge is not None and m.kept > 0)
    for match in matches:
        if match.charge is None or match.kept == 0:
            continue
        if charges[match.charge.charge_id] > 1 or match.gateway.captured != match.charge.amount:
            yield Difference(
                "captured_not_owed",
                agreement_id,
                0,
                match.gateway.captured,
                match.charge.amount,
                f"Charge {match.charge.charge_id} costs {match.charge.amount}, and was taken "
                f"{charges[match.charge.charge_id]} times.",
            )


def no_period_twice(books: Books) -> Iterator[Difference]:
    """Of the gateway charges of one period at most one keeps money, and not more than the period costs."""
    for agreement in books.provider.agreements:
        owed: dict[int | None, Charge] = {c.period: c for c in agreement.charges}
        for period, matches in books.by_period(agreement).items():
            if period == 0:
                yield from _once_each(agreement.agreement_id, matches)
                continue
            keeping = [m for m in matches if m.kept > 0]
            price = owed[period].amount if period in owed else None
            if len(keeping) > 1:
                yield Difference(
                    "period_captured_twice",
                    agreement.agreement_id,
                    period,
                    sum(m.kept for m in keeping),
                    price,
                    f"Period {period} was taken {len(keeping)} times: "
                    + ", ".join(f"{m.gateway.charge_id} ({m.kept})" for m in keeping)
                    + ".",
                )
            elif keeping and keeping[0].gateway.captured != price:
                yield Difference(
                    "captured_not_owed",
                    agreement.agreement_id,
                    period,
                    keeping[0].gateway.captured,
                    price,
                    f"Period {period} costs {price}, and {keeping[0].gateway.captured} was captured.",
                )
