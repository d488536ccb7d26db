"""The audit finds what is planted, names it, and says nothing of two houses that agree."""

from __future__ import annotations

import ast
import copy
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stories
from stories.audit import audit
from stories.nodes import ExportError
from stories.tests.pair import Life, Pair, Rental, pair

AUDIT_MODULES = (
    "almanac",
    "audit",
    "audit_money",
    "audit_purchases",
    "audit_time",
    "books",
    "exports",
    "exports_rows",
    "exports_stripe",
    "nodes",
)


def clean() -> Pair:
    return pair(
        Life("anna"),
        Life("cecilie", refunds={2: (3000, 900)}),
        Life("david", paid=2, end="stopped"),
        Life("frank", end="rejected"),
        Life("grete", end="expired"),
        Rental("henrik", refunds=(1000, 900)),
        Rental("ida", refunds=(3900,)),
        Rental("jonas", end="cancelled"),
        Rental("kari", end="aborted"),
        Rental("lars", end="expired"),
        Rental("mona", end="refused"),
    )


def last_receipt(made: Pair) -> int:
    return max(int(r["number"]) for r in made.provider["receipts"] if r["series"] == "receipt")


def codes(spoilt: Pair) -> set[str]:
    return {d.code for d in audit(spoilt.sandbox, spoilt.provider)}


def test_two_houses_that_agree_differ_in_nothing() -> None:
    made = clean()
    assert audit(made.sandbox, made.provider) == []


def test_access_of_a_clean_life_is_the_date_on_paper() -> None:
    made = clean()
    # Four months from 31 January end on 31 May, grace of six days after it, summer time.
    assert made.agreement("anna")["accessUntil"] == "2027-06-05T22:00:00Z"
    # Stopped with two months paid: to the end of 30 March, and no grace.
    assert made.agreement("david")["accessUntil"] == "2027-03-30T22:00:00Z"


def spoil_double_charge(made: Pair) -> None:
    twin = copy.deepcopy(made.gateway_charge("anna", 2)) | {"chargeId": "anna-attempt-2b"}
    made.gateway_agreement("anna")["charges"].append(twin)


def spoil_booked_double_charge(made: Pair) -> None:
    # Both sides agree about the money, and it is still taken twice.
    spoil_double_charge(made)
    made.charge("anna", 2)["attempts"].append({"attemptId": "anna-attempt-2b", "status": "captured"})
    made.charge("anna", 2)["captured"] *= 2
    entry, receipt = made.entries("anna", "capture")[1], made.documents("anna", "receipt")[1]
    made.provider["ledger"].append(dict(entry))
    made.provider["receipts"].append(dict(receipt, receiptId="twin", number=last_receipt(made) + 1))


def spoil_lost_refund(made: Pair) -> None:
    made.provider["ledger"].remove(made.entries("cecilie", "refund")[1])
    made.provider["receipts"].remove(made.documents("cecilie", "credit_note")[1])
    made.charge("cecilie", 2)["refunded"] = 3000


def spoil_gap(made: Pair) -> None:
    for receipt in made.provider["receipts"]:
        if receipt["series"] == "receipt" and receipt["number"] > 3:
            receipt["number"] += 1


def spoil_doubled_number(made: Pair) -> None:
    made.documents("anna", "receipt")[1]["number"] = made.documents("anna", "receipt")[0]["number"]


def spoil_access(made: Pair) -> None:
    made.agreement("anna")["accessUntil"] = "2027-06-05T23:00:00Z"


def spoil_reservation_after_stop(made: Pair) -> None:
    made.gateway_charge("david", 2)["status"] = "RESERVED"


def spoil_grace_after_stop(made: Pair) -> None:
    for row in (made.agreement("david"), made.entitlement("david")):
        row["accessUntil"] = "2027-04-05T22:00:00Z"


def spoil_entitlement(made: Pair) -> None:
    made.provider["entitlements"].remove(made.entitlement("david"))


def spoil_someone_elses_entitlement(made: Pair) -> None:
    made.entitlement("david")["subject"] = "subject-anna"


def spoil_foreign_charge(made: Pair) -> None:
    made.gateway_charge("anna", 3)["externalId"] = None


def spoil_foreign_agreement(made: Pair) -> None:
    made.gateway_agreement("anna")["agreementId"] = "agr_nobody"


def spoil_missing_receipt(made: Pair) -> None:
    # The last one of the series, so that no gap betrays it.
    made.provider["receipts"].remove(made.documents("david", "receipt")[-1])


def spoil_doubled_receipt(made: Pair) -> None:
    last = last_receipt(made)
    made.provider["receipts"].append(dict(made.documents("anna", "receipt")[0], number=last + 1))


def spoil_credit_note_of_another(made: Pair) -> None:
    made.documents("cecilie", "credit_note")[0]["corrects"] = made.documents("anna", "receipt")[0]["receiptId"]


def spoil_one_ore(made: Pair) -> None:
    made.gateway_charge("anna", 2)["captured"] -= 1
    made.gateway_charge("anna", 2)["history"][0]["amount"] -= 1


def spoil_one_ore_in_a_receipt(made: Pair) -> None:
    made.documents("anna", "receipt")[0]["amount"] += 1


def spoil_one_ore_in_the_ledger(made: Pair) -> None:
    made.entries("cecilie", "refund")[0]["amount"] += 1


def spoil_currency(made: Pair) -> None:
    made.entries("anna", "capture")[0]["currency"] = "DKK"


def spoil_history(made: Pair) -> None:
    made.gateway_charge("anna", 2)["history"].clear()


def spoil_unknown_order(made: Pair) -> None:
    made.gateway_charge("anna", 2)["chargeId"] = "another-order"


def spoil_misplaced_order(made: Pair) -> None:
    made.charge("anna", 2)["attempts"], made.charge("anna", 3)["attempts"] = (
        made.charge("anna", 3)["attempts"],
        made.charge("anna", 2)["attempts"],
    )


def spoil_too_early(made: Pair) -> None:
    made.gateway_charge("anna", 3)["history"][0]["occurred"] = "2027-03-30T21:59:59Z"


def spoil_after_stop(made: Pair) -> None:
    made.gateway_agreement("david")["stop"] = "2027-02-27T08:00:00Z"


def spoil_clamping(made: Pair) -> None:
    # Counted from the clamped day instead of the anchor.
    made.charge("anna", 2)["periodEnd"] = made.charge("anna", 3)["periodStart"] = "2027-03-28"


def spoil_anchor(made: Pair) -> None:
    made.gateway_agreement("anna")["start"] = "2027-01-29T23:00:00Z"


def spoil_skipped(made: Pair) -> None:
    made.gateway_charge("anna", 2).update(captured=0, status="CANCELLED", history=[])
    made.charge("anna", 2).update(captured=0, status="open")
    made.provider["ledger"].remove(made.entries("anna", "capture")[1])


def spoil_two_charges(made: Pair) -> None:
    twin = dict(made.charge("anna", 2), chargeId="twin", captured=0, attempts=[])
    made.agreement("anna")["charges"].append(twin)


def spoil_status(made: Pair) -> None:
    made.agreement("grete")["status"] = "pending"


def spoil_rejection(made: Pair) -> None:
    made.agreement("frank")["status"] = "stopped"


def spoil_active_twice(made: Pair) -> None:
    twin = dict(made.gateway_agreement("anna"), agreementId="agr_twin", charges=[])
    made.sandbox["agreements"].append(twin)
    made.agreement("anna")["gatewayAgreementIds"].append("agr_twin")


def spoil_price(made: Pair) -> None:
    made.charge("anna", 2)["amount"] = 8900


def spoil_over_refund(made: Pair) -> None:
    made.charge("david", 1)["refunded"] = 9901


def spoil_negative_entry(made: Pair) -> None:
    made.entries("cecilie", "refund")[0]["amount"] *= -1


def spoil_lost_charge(made: Pair) -> None:
    made.entries("anna", "capture")[3]["chargeId"] = "no-such-charge"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (spoil_double_charge, "period_captured_twice"),
        (spoil_double_charge, "captured_differs"),
        (spoil_booked_double_charge, "period_captured_twice"),
        (spoil_lost_refund, "refunded_differs"),
        (spoil_gap, "number_missing"),
        (spoil_doubled_number, "number_doubled"),
        (spoil_access, "access_differs"),
        (spoil_reservation_after_stop, "reservation_left"),
        (spoil_grace_after_stop, "access_differs"),
        (spoil_grace_after_stop, "entitlement_differs"),
        (spoil_entitlement, "entitlement_differs"),
        (spoil_someone_elses_entitlement, "entitlement_misplaced"),
        (spoil_foreign_charge, "charge_matches_nothing"),
        (spoil_foreign_agreement, "agreement_matches_nothing"),
        (spoil_missing_receipt, "receipt_missing"),
        (spoil_doubled_receipt, "receipt_too_many"),
        (spoil_credit_note_of_another, "credit_note_corrects_nothing"),
        (spoil_one_ore, "captured_differs"),
        (spoil_one_ore_in_a_receipt, "receipt_missing"),
        (spoil_one_ore_in_the_ledger, "refunded_differs"),
        (spoil_one_ore_in_the_ledger, "charge_total_differs"),
        (spoil_currency, "captured_differs"),
        (spoil_history, "sandbox_history_differs"),
        (spoil_unknown_order, "attempt_unknown"),
        (spoil_misplaced_order, "attempt_misplaced"),
        (spoil_too_early, "captured_too_early"),
        (spoil_after_stop, "captured_after_stop"),
        (spoil_clamping, "period_misplaced"),
        (spoil_anchor, "anchor_differs"),
        (spoil_skipped, "period_skipped"),
        (spoil_two_charges, "period_has_two_charges"),
        (spoil_status, "status_differs"),
        (spoil_rejection, "status_differs"),
        (spoil_active_twice, "active_twice"),
        (spoil_price, "captured_not_owed"),
        (spoil_over_refund, "refunded_too_much"),
        (spoil_negative_entry, "entry_not_positive"),
        (spoil_lost_charge, "entry_without_charge"),
    ],
)
def test_what_is_planted_is_found(spoil: Callable[[Pair], None], code: str) -> None:
    made = clean()
    spoil(made)
    assert code in codes(made)


def test_a_difference_names_the_agreement_the_period_and_both_figures() -> None:
    made = clean()
    spoil_one_ore(made)
    (found,) = (d for d in audit(made.sandbox, made.provider) if d.code == "captured_differs")
    assert (found.agreement, found.period, found.sandbox, found.provider) == ("anna", 2, 9899, 9900)
    assert json.loads(json.dumps(found.as_json()))["sentence"] == found.sentence
    assert "9899" in found.sentence
    assert "9900" in found.sentence


def test_a_stray_that_was_given_back_is_no_double_charge() -> None:
    made = clean()
    stray = copy.deepcopy(made.gateway_charge("anna", 1)) | {"chargeId": "stray-attempt"}
    made.sandbox["agreements"].append(
        dict(made.gateway_agreement("anna"), agreementId="agr_stray", status="STOPPED", charges=[stray])
    )
    made.agreement("anna")["gatewayAgreementIds"].append("agr_stray")
    stray["refunded"] = 9900
    stray["history"].append(dict(stray["history"][0], event="REFUND"))
    made.agreement("anna")["charges"].append(
        dict(
            made.charge("anna", 1),
            chargeId="stray-charge",
            period=None,
            status="refunded",
            refunded=9900,
            attempts=[{"attemptId": "stray-attempt", "status": "captured"}],
        )
    )
    last = last_receipt(made) + 1
    notes = 1 + len([r for r in made.provider["receipts"] if r["series"] == "credit_note"])
    for kind, series, number, its_id in (
        ("capture", "receipt", last, "stray-receipt"),
        ("refund", "credit_note", notes, "stray-note"),
    ):
        entry = dict(made.entries("anna", "capture")[0], chargeId="stray-charge", period=None, kind=kind)
        made.provider["ledger"].append(entry)
        made.provider["receipts"].append(
            dict(
                made.documents("anna", "receipt")[0],
                chargeId="stray-charge",
                series=series,
                number=number,
                receiptId=its_id,
                corrects="stray-receipt" if kind == "refund" else None,
            )
        )
    assert audit(made.sandbox, made.provider) == []

    stray["refunded"] = 9899
    stray["history"][-1]["amount"] = 9899
    assert {"period_captured_twice", "refunded_differs"} <= codes(made)


def test_a_draft_that_nobody_approved_may_be_unknown_to_the_provider() -> None:
    made = clean()
    made.sandbox["agreements"].append(dict(made.gateway_agreement("grete"), agreementId="agr_lost"))
    assert codes(made) == set()
    made.sandbox["agreements"][-1]["status"] = "ACTIVE"
    assert codes(made) == {"agreement_matches_nothing"}


def test_the_first_order_of_a_draft_is_no_attempt_until_the_draft_is_approved() -> None:
    made = clean()
    order = copy.deepcopy(made.gateway_charge("anna", 1))
    order.update(chargeId="order-of-grete", externalId="grete.1", captured=0, status="CANCELLED", history=[])
    made.gateway_agreement("grete")["charges"].append(order)
    assert codes(made) == set()
    order["captured"] = 9900
    assert "attempt_unknown" in codes(made)


def test_a_failed_renewal_explains_a_period_that_was_not_paid() -> None:
    made = clean()
    spoil_skipped(made)
    made.charge("anna", 2)["status"] = "failed"
    made.provider["receipts"].remove(made.documents("anna", "receipt")[1])
    assert codes(made) == {"number_missing"}  # which the test made itself, by taking the receipt away


def test_a_refund_of_everything_takes_the_access_away_and_of_a_part_does_not() -> None:
    whole = pair(Life("anna", refunds={4: (9900,)}))
    assert codes(whole) == set()
    assert whole.agreement("anna")["accessUntil"] == "2027-05-05T22:00:00Z"
    part = pair(Life("anna", refunds={4: (9899,)}))
    assert codes(part) == set()
    assert part.agreement("anna")["accessUntil"] == "2027-06-05T22:00:00Z"


def test_another_sales_unit_can_be_left_out() -> None:
    made = clean()
    made.sandbox["agreements"].append(
        dict(made.gateway_agreement("anna"), merchantSerialNumber="654321", agreementId="agr_theirs")
    )
    assert audit(made.sandbox, made.provider) != []
    assert audit(made.sandbox, made.provider, merchant="123456") == []


@pytest.mark.parametrize("place", ["captured", "amount"])
def test_a_figure_that_is_no_whole_number_is_refused_with_its_place(place: str) -> None:
    made = clean()
    made.gateway_charge("anna", 1)[place] = 99.0
    with pytest.raises(ExportError, match=rf"sandbox\.agreements\[0\]\.charges\[0\]\.{place}: a whole number"):
        audit(made.sandbox, made.provider)


lives = st.builds(
    Life,
    name=st.just(""),
    began=st.dates(date(2025, 1, 1), date(2027, 4, 1)),
    unit=st.sampled_from(["day", "week", "month", "year"]),
    count=st.integers(1, 3),
    paid=st.just(1),
    price=st.integers(100, 500_000),
    end=st.sampled_from(["active", "stopped", "expired", "rejected"]),
    grace_days=st.integers(0, 15),
)


@st.composite
def worlds(draw: st.DrawFn) -> Pair:
    found: list[Life | Rental] = []
    for number, life in enumerate(draw(st.lists(lives, min_size=1, max_size=4))):
        paid = draw(st.integers(0, 5 if life.unit == "day" else 1))
        refunds = {
            period: tuple(draw(st.lists(st.integers(1, life.price // 3), max_size=3)))
            for period in range(1, paid + 1)
            if draw(st.booleans())
        }
        found.append(
            Life(
                name=f"person-{number}",
                began=life.began,
                unit=life.unit,
                count=life.count,
                paid=paid,
                price=life.price,
                refunds=refunds,
                end=life.end,
                grace_days=life.grace_days,
            )
        )
    for number in range(draw(st.integers(0, 3))):
        price = draw(st.integers(100, 500_000))
        end = draw(st.sampled_from(["paid", "cancelled", "aborted", "expired"]))
        parts = tuple(draw(st.lists(st.integers(1, price // 3), max_size=3))) if end == "paid" else ()
        at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=draw(st.integers(0, 1_000_000)))
        found.append(Rental(f"rental-{number}", at, draw(st.integers(1, 400)), price, parts, end))
    return pair(*found)


@given(worlds())
def test_any_two_houses_that_agree_differ_in_nothing(made: Pair) -> None:
    assert audit(made.sandbox, made.provider) == []


@given(worlds(), st.data())
def test_no_booking_can_change_by_one_ore_unseen(made: Pair, data: st.DataObject) -> None:
    rows = [
        (row, key)
        for row, key in (
            *((c, k) for a in made.sandbox["agreements"] for c in a["charges"] for k in ("captured", "refunded")),
            *((e, "amount") for e in made.provider["ledger"]),
            *((r, "amount") for r in made.provider["receipts"]),
            *((c, k) for a in made.provider["agreements"] for c in a["charges"] for k in ("captured", "refunded")),
            *((p, k) for p in made.sandbox["payments"] for k in ("captured", "refunded", "cancelled")),
            *((c, k) for p in made.provider["purchases"] for c in p["charges"] for k in ("captured", "refunded")),
        )
    ]
    if rows:
        row, key = data.draw(st.sampled_from(rows))
        row[key] += data.draw(st.sampled_from([-1, 1]))
        assert audit(made.sandbox, made.provider) != []


@given(worlds(), st.data())
def test_no_row_of_the_books_can_vanish_unseen(made: Pair, data: st.DataObject) -> None:
    tables = [
        table for table in (made.provider["ledger"], made.provider["entitlements"], made.provider["receipts"]) if table
    ]
    tables += [a["charges"] for a in made.sandbox["agreements"] if a["charges"]]
    tables += [table for table in (made.sandbox["payments"], made.provider["purchases"]) if table]
    if tables:
        table = data.draw(st.sampled_from(tables))
        table.pop(data.draw(st.integers(0, len(table) - 1)))
        assert audit(made.sandbox, made.provider) != []


def test_the_command_prints_what_differs_and_exits_1(tmp_path: Path) -> None:
    made = clean()
    spoil_one_ore(made)
    sandbox, provider = tmp_path / "sandbox.json", tmp_path / "provider.json"
    sandbox.write_text(json.dumps(made.sandbox))
    provider.write_text(json.dumps(made.provider))

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "stories.audit", str(sandbox), str(provider), *more]
        return subprocess.run(command, capture_output=True, text=True, cwd=_root(), check=False)

    found = run()
    assert found.returncode == 1
    assert "captured_differs  anna period 2" in found.stdout
    assert {d["code"] for d in json.loads(run("--json").stdout)} == codes(made)
    sandbox.write_text(json.dumps(clean().sandbox))
    agreed = run()
    assert (agreed.returncode, agreed.stdout) == (0, "The two sides agree.\n")
    sandbox.write_text("{}")
    unreadable = run()
    assert unreadable.returncode == 2
    assert "sandbox: version is missing" in unreadable.stderr


def _root() -> Path:
    assert stories.__file__ is not None
    return Path(stories.__file__).parent.parent


def test_the_audit_imports_the_standard_library_and_its_own_modules_only() -> None:
    for name in AUDIT_MODULES:
        tree = ast.parse((_root() / "stories" / f"{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            assert not (isinstance(node, ast.ImportFrom) and node.level), "imports are absolute here"
            roots = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.module is not None
                roots = [f"{node.module}.{a.name}" for a in node.names] if node.module == "stories" else [node.module]
            for module in roots:
                package, _, rest = module.partition(".")
                if package == "stories":
                    assert rest.split(".")[0] in AUDIT_MODULES, f"{name} imports {module}"
                else:
                    assert package in sys.stdlib_module_names, f"{name} imports {module}"
