"""A business moves in: the sandbox holds the other side, and nobody is charged twice or falls out."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from avtale.domain.errors import Conflict
from avtale.domain.imports import ImportKind, ImportStatus, RowState
from avtale.domain.moving import KNOWN, NEEDED, NEEDED_V2
from avtale.service.checkout import Person
from avtale.service.imports.receiving import Order, receive
from avtale.service.imports.reporting import Report, report, result_file, rows
from avtale.service.imports.running import KINDS, apply_import, undo_import, work_imports
from avtale.service.reading import list_agreements
from avtale.service.stopping import stop_agreement
from avtale.storage import imports

from .conftest import START, Shop
from .stripe_shop import open_stripe

ISSUER = "https://id.example"
HEADER = "row_id;user_id;provider_agreement_id;price_minor;currency;period_start;period_end"


async def plant(shop: Shop, *past: dict[str, Any]) -> list[str]:
    """Agreements that the old system had at Vipps, charged on 1 January."""
    usual = {"amount": 9900, "start": "2026-06-01", "charged": ["2027-01-01"]}
    orders = [usual | {"phoneNumber": f"4790{n:06}"} | one for n, one in enumerate(past)]
    return list((await shop.control("POST", "/past-agreements", {"agreements": orders}))["agreementIds"])


def line(number: int | str, agreement_id: str, user: str | None = None, price: int = 9900) -> str:
    return f"{number};{user or f'user-{number}'};{agreement_id};{price};NOK;2027-01-01;2027-02-01"


async def hand_in(
    shop: Shop, lines: list[str], *, dry_run: bool = False, header: str = HEADER, v2: bool = False
) -> UUID:
    """Hand a file in, in pieces; v2 has its own columns."""
    data = "\r\n".join([header, *lines, ""]).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(data), 1000):
            yield data[at : at + 1000]

    order = Order(ImportKind.AGREEMENTS, NEEDED_V2 if v2 else NEEDED, KNOWN, dry_run, None if v2 else "film-month")
    return await receive(shop.db, shop.tenant, KINDS[order.kind], order, "op", pieces())


async def seen(shop: Shop, import_id: UUID) -> Report:
    return await report(shop.db, shop.tenant, import_id)


def counts(told: Report) -> dict[str, int]:
    return {state.value: count for state, count in told.counts.items() if count}


def codes(told: Report) -> dict[str, int]:
    return {one.code or "": one.count for one in told.reasons}


async def test_agreements_move_in_and_the_next_month_is_charged_once(shop: Shop) -> None:
    ids = await plant(shop, *[{}] * 3)
    done = await hand_in(shop, [line(n, one) for n, one in enumerate(ids)], dry_run=True)
    await shop.work()
    told = await seen(shop, done)
    assert (told.this.status, counts(told)) == (ImportStatus.CHECKED, {"ready": 3})
    assert (await shop.books())["agreements"] == []

    await apply_import(shop.db, shop.tenant, done)
    await shop.work()
    told = await seen(shop, done)
    assert (told.this.status, counts(told)) == (ImportStatus.APPLIED, {"applied": 3})
    assert told.sums == {("NOK", RowState.APPLIED): 3 * 9900}
    (view,) = await list_agreements(shop.db, shop.tenant, Person(ISSUER, "user-0"))
    assert view.next_period_start == "2027-02-01"
    assert view.access_until == datetime(2027, 2, 6, 23, tzinfo=UTC)

    again = await hand_in(shop, [line(n, one) for n, one in enumerate(ids)])
    await shop.work()
    assert counts(await seen(shop, again)) == {"already": 3}

    await shop.advance_to(START + timedelta(days=60))
    taken = Counter((charge["due"][:10], charge["status"]) for one in await shop.theirs() for charge in one["charges"])
    assert taken == {(due, "CHARGED"): 3 for due in ("2027-01-01", "2027-02-01", "2027-03-01")}
    books = await shop.books()
    assert sorted(entry["period"] for entry in books["ledger"]) == [9] * 3 + [10] * 3
    with pytest.raises(Conflict):
        await apply_import(shop.db, shop.tenant, await hand_in(shop, []))


async def test_every_row_that_vipps_does_not_bear_out_is_refused_with_its_reason(shop: Shop) -> None:
    held = await shop.subscribe(Person(ISSUER, "holder"))
    await shop.control("POST", "/merchants", OTHER)
    (foreign,) = (
        await shop.control(
            "POST",
            "/past-agreements",
            {
                "merchantSerialNumber": "654321",
                "agreements": [{"phoneNumber": "4790000099", "amount": 9900, "start": "2026-06-01"}],
            },
        )
    )["agreementIds"]
    good, stopped, dear, varies, waits, first, second, theirs, cheap = await plant(
        shop,
        {},
        {"status": "STOPPED"},
        {"amount": 12900},
        {"pricing": "VARIABLE"},
        {"waiting": ["2027-02-01"]},
        {},
        {},
        {},
        {"campaign": {"price": 4900, "end": "2027-03-01"}},
    )
    done = await hand_in(
        shop,
        [
            line(1, good),
            line(2, stopped),
            line(3, dear),
            line(4, varies),
            line(5, waits),
            line(6, first, "twin"),
            line(7, second, "twin"),
            line(8, theirs, "holder"),
            line(9, "agr_missing"),
            line(10, foreign),
            line(11, "agr_twice"),
            line(12, "agr_twice"),
            line(1, "agr_other"),
            "13;u;agr_x;99,00;NOK;2027-01-01;2027-02-01",
            "too;short",
            line(16, cheap),
        ],
    )
    await shop.work()
    told = await seen(shop, done)
    assert counts(told) == {"applied": 1, "rejected": 15}
    assert sum(counts(told).values()) == told.this.row_count == 16
    assert codes(told) == {
        "agreement_not_found": 2,
        "agreement_twice": 2,
        "two_agreements": 2,
        "not_active": 1,
        "price_differs": 1,
        "price_varies": 1,
        "campaign_runs": 1,
        "charged_meanwhile": 1,
        "agreement_active": 1,
        "row_id_twice": 1,
        "price_invalid": 1,
        "columns_differ": 1,
    }
    listed = {row.line: row for row in await rows(shop.db, shop.tenant, done, 0, 100, ())}
    assert f"{second} on line 8" in (listed[7].reason or "")
    assert f"{first} on line 7" in (listed[8].reason or "")
    assert str(held) in (listed[9].reason or "")
    assert theirs in (listed[9].reason or "")
    assert listed[14].reason == "this row_id stands on line 2"
    result = "".join([part async for part in result_file(shop.db, shop.tenant, done)]).splitlines()
    assert len(result) == 17
    assert result[1].startswith("2,1,applied,")


OTHER = {
    "clientId": "other",
    "clientSecret": "other",
    "subscriptionKey": "other",
    "merchantSerialNumber": "654321",
    "name": "Another shop",
}


async def test_a_worker_that_dies_leaves_the_rest_to_the_next(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = await plant(shop, *[{}] * 40)
    monkeypatch.setattr("avtale.service.imports.agreements.BATCH_COUNT_MAX", 10)
    monkeypatch.setattr("avtale.service.imports.running.APPLY_COUNT", 10)
    done = await hand_in(shop, [line(n, one) for n, one in enumerate(ids)])
    for state in (RowState.READY, RowState.APPLIED):
        while not (await seen(shop, done)).count(state):
            await work_imports(shop.db, shop.gateways, shop.tenant)
        # Cut off in the middle of a batch, as a kill does: what was committed stays, and the lease runs out.
        async with shop.db.tenant(shop.tenant.id) as tx:
            assert await imports.claim_work(tx, 0.3) is not None
        assert not await work_imports(shop.db, shop.gateways, shop.tenant)
    await shop.work()
    told = await seen(shop, done)
    assert counts(told) == {"applied": 40}
    assert len((await shop.books())["agreements"]) == 40


async def test_what_was_not_charged_or_touched_yet_can_be_taken_back(shop: Shop) -> None:
    ids = await plant(shop, *[{}] * 3)
    done = await hand_in(shop, [line(n, one) for n, one in enumerate(ids)])
    await shop.work()
    (view,) = await list_agreements(shop.db, shop.tenant, Person(ISSUER, "user-1"))
    await stop_agreement(shop.db, shop.gateways, shop.tenant, None, view.agreement.id)
    await undo_import(shop.db, shop.tenant, done)
    await shop.work()
    told = await seen(shop, done)
    assert (counts(told), codes(told)) == ({"undone": 2, "kept": 1}, {"in_use": 1})
    assert [one["status"] for one in (await shop.books())["agreements"]] == ["stopped"]

    await apply_import(shop.db, shop.tenant, done)
    await shop.work()
    assert counts(await seen(shop, done)) == {"applied": 2, "kept": 1}


async def test_a_gateway_that_is_silent_holds_a_file_up_and_loses_nothing(shop: Shop) -> None:
    ids = await plant(shop, {}, {})
    fault = {"match": {"operationId": "FetchAgreementV3"}, "times": 2, "action": {"kind": "status", "status": 503}}
    await shop.control("POST", "/faults", fault)
    done = await hand_in(shop, [line(n, one) for n, one in enumerate(ids)])
    await work_imports(shop.db, shop.gateways, shop.tenant)
    told = await seen(shop, done)
    assert (counts(told), told.this.problem) == ({"read": 2}, "the payment company does not answer")
    async with shop.db.tenant(shop.tenant.id) as tx:
        await imports.move(tx, done, ImportStatus.CHECKING)
    await shop.work()
    assert counts(await seen(shop, done)) == {"applied": 2}


async def test_a_file_of_version_2_names_product_and_provider_by_row(shop: Shop) -> None:
    (mine,) = await plant(shop, {})
    header = f"{HEADER};provider;product_payment_id"
    done = await hand_in(
        shop,
        [
            f"{line(1, mine)};vipps;film-month",
            f"{line(2, 'sub_1')};stripe;film-month",
            f"{line(3, 'agr_1')};vipps;film-rent",
        ],
        header=header,
        v2=True,
    )
    await shop.work()
    told = await seen(shop, done)
    assert counts(told) == {"applied": 1, "rejected": 2}
    assert codes(told) == {"provider_unavailable": 1, "product_unknown": 1}


async def test_subscriptions_of_stripe_move_in_and_only_new_invoices_are_booked(shop: Shop) -> None:
    stripe = await open_stripe(shop)
    price = (await stripe.api("GET", "/prices?lookup_keys[]=film-month"))["data"][0]["id"]

    async def subscription(**more: str) -> str:
        customer = (await stripe.api("POST", "/customers", {"email": "a@film.example"}))["id"]
        card = (await stripe.api("POST", "/payment_methods/pm_card_visa/attach", {"customer": customer}))["id"]
        asked = {"customer": customer, "items[0][price]": price, "default_payment_method": card}
        return str((await stripe.api("POST", "/subscriptions", asked | more))["id"])

    right, early, ending = await subscription(), await subscription(), await subscription(cancel_at_period_end="true")
    header = f"{HEADER};provider;product_payment_id"
    lines = [f"{n};user-{n};{one};9900;NOK;2027-01-15;2027-02-15" for n, one in enumerate([right, early, ending])]
    lines[1] = lines[1].replace("2027-02-15", "2027-02-14")
    lines.append("3;user-3;sub_gone;9900;NOK;2027-01-15;2027-02-15")
    done = await hand_in(shop, [f"{one};stripe;film-month" for one in lines], header=header, v2=True)
    await shop.work()
    told = await seen(shop, done)
    assert counts(told) == {"applied": 1, "rejected": 3}
    assert codes(told) == {"period_differs": 1, "not_active": 1, "agreement_not_found": 1}

    await shop.advance_to(START + timedelta(days=40))
    (view,) = await list_agreements(shop.db, shop.tenant, Person(ISSUER, "user-0"))
    assert [(c.period_start.isoformat(), c.status.value, c.totals.captured) for c in view.charges] == [
        ("2027-01-15", "waived", 0),
        ("2027-02-15", "paid", 9900),
    ]
    assert [entry["amount"] for entry in (await shop.books())["ledger"]] == [9900]
    invoices = (await stripe.api("GET", f"/invoices?subscription={right}"))["data"]
    assert [one["amount_paid"] for one in invoices] == [9900, 9900]
