"""The two-sided audit: do the sandbox and the provider tell the same story, to the øre and to the day?

It reads the two raw exports and nothing else, and shares no code with either house, so that neither can
agree with its own mistake.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from stories import audit_money, audit_purchases, audit_time
from stories.books import Books, Difference, open_books
from stories.exports import read_provider, read_sandbox
from stories.nodes import ExportError

Rule = Callable[[Books], Iterator[Difference]]

#: Every rule, in the order in which its differences are reported.
RULES: tuple[Rule, ...] = (
    audit_money.sandbox_adds_up,
    audit_money.nothing_left_reserved,
    audit_money.nothing_foreign,
    audit_money.sums_agree,
    audit_money.no_period_twice,
    audit_money.ledger_is_charges,
    audit_money.one_document_each,
    audit_money.credit_notes_correct,
    audit_money.numbers_run_on,
    audit_time.anchors_are_activations,
    audit_time.periods_are_the_calendars,
    audit_time.phases_follow,
    audit_time.calendar_allows,
    audit_time.nothing_skipped,
    audit_time.nothing_paid_to_both,
    audit_time.access_is_paid_for,
    audit_time.states_agree,
    audit_purchases.payments_are_known,
    audit_purchases.payments_add_up,
    audit_purchases.paid_once_and_whole,
    audit_purchases.purchase_states_agree,
    audit_purchases.purchase_access_is_paid_for,
    audit_purchases.nobody_pays_twice_for_the_same,
)


def audit(sandbox: object, provider: object, *, merchant: str | None = None) -> list[Difference]:
    """Everything on which the exports differ; empty when they agree.

    `sandbox` and `provider` are the parsed bodies of `/_sandbox/export` and `/api/v1/audit/export`, taken
    while both are quiet. `merchant` is the serial number of the tenant's sales unit, when the sandbox has
    several. Raises `ExportError` when an export has a wrong shape.
    """
    books = open_books(read_sandbox(sandbox), read_provider(provider), merchant)
    return [difference for rule in RULES for difference in rule(books)]


def main(arguments: list[str] | None = None) -> int:
    """Compare two export files; 0 when they agree, 1 when they differ, 2 when they cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m stories.audit", description=__doc__.splitlines()[0])
    parser.add_argument("sandbox", type=Path, help="the body of GET /_sandbox/export")
    parser.add_argument("provider", type=Path, help="the body of GET /api/v1/audit/export")
    parser.add_argument("--merchant", help="only the sales unit with this serial number")
    parser.add_argument("--json", action="store_true", help="print the differences as JSON")
    options = parser.parse_args(arguments)
    try:
        differences = audit(
            json.loads(options.sandbox.read_text(encoding="utf-8")),
            json.loads(options.provider.read_text(encoding="utf-8")),
            merchant=options.merchant,
        )
    except (OSError, ValueError) as error:
        kind = "is not an export" if isinstance(error, ExportError) else "cannot be read"
        print(f"An input {kind}: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps([d.as_json() for d in differences], ensure_ascii=False, indent=2))
    elif not differences:
        print("The two sides agree.")
    else:
        for d in differences:
            place = " ".join(str(part) for part in (d.agreement, d.period and f"period {d.period}") if part)
            print(f"{d.code}  {place}\n    sandbox {d.sandbox!r}  provider {d.provider!r}\n    {d.sentence}")
        print(f"{len(differences)} difference(s).")
    return 1 if differences else 0


if __name__ == "__main__":
    raise SystemExit(main())
