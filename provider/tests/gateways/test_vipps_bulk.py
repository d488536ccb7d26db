"""Many charges in one call of Vipps: the bytes of each are those of a call of its own, and each answer is its own."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID

import pytest

from avtale.domain.observations import ManyCreated
from avtale.domain.outcome import Answered, Refused, Throttled, Unknown
from avtale.gateways.vipps import translate, translate_bulk
from avtale.service.batching import put_together, take_apart
from avtale.storage.calls import Call, CallKind

BATCH, ONE, TWO, THREE = (UUID(int=number) for number in range(4))


@pytest.fixture
def wishes(charge_wish):
    return [
        replace(charge_wish, order_id=order, gateway_agreement_id=f"agr_{order.int}") for order in (ONE, TWO, THREE)
    ]


@pytest.fixture
def batch(vipps, wishes):
    [call] = put_together(vipps, [(BATCH, wish) for wish in wishes])
    return call


def test_each_order_says_what_it_would_say_alone(wishes):
    request = translate_bulk.write_charges(BATCH, wishes)
    assert (request.id, request.method, request.path) == (BATCH, "POST", "/recurring/v3/agreements/charges")
    items = json.loads(request.body)
    assert [item["agreementId"] for item in items] == ["agr_1", "agr_2", "agr_3"]
    assert all("type" not in item for item in items)
    assert translate_bulk.orders_in(request) == [translate.write_charge(wish) for wish in wishes]


@pytest.mark.parametrize("count", [0, 2001])
def test_a_call_has_one_to_two_thousand_orders(charge_wish, count):
    with pytest.raises(ValueError, match="1 to 2000 charges"):
        translate_bulk.write_charges(BATCH, [charge_wish] * count)


def test_orders_without_a_batch_are_calls_of_their_own(vipps, wishes):
    calls = put_together(vipps, [(BATCH, wishes[0]), (BATCH, wishes[1]), (None, wishes[2])])
    assert [(call.kind, call.subject_id, call.orders_count) for call in calls] == [
        (CallKind.CHARGE_BATCH, BATCH, 2),
        (CallKind.CHARGE, THREE, 1),
    ]


async def test_the_answer_says_what_became_of_each(vipps, scripted, batch):
    invalid = [{"chargeBatchItemDto": {"orderId": str(TWO)}, "errors": ["amount: is too high", "due: is gone"]}]
    scripted.answers(202, {"validCharges": [str(ONE)], "invalidCharges": invalid})
    told = await vipps.create_charges(batch.request)
    refused = Refused(400, "invalid-charge", "amount: is too high; due: is gone")
    assert told == Answered(ManyCreated(frozenset({ONE}), {TWO: refused}))
    [call] = scripted.received
    assert (call.headers["idempotency-key"], call.body) == (str(BATCH), batch.request.body)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (202, {"validCharges": "all", "invalidCharges": []}, Unknown),
        (202, {"validCharges": [], "invalidCharges": None}, Unknown),
        (202, b"", Unknown),
        (200, {"validCharges": [], "invalidCharges": []}, Unknown),
        (409, {"type": "https://vipps.example/x#conflict", "detail": "busy"}, Unknown),
        (409, {"type": "https://vipps.example/x#idempotency-conflict", "detail": "used"}, Refused),
        (400, b"", Refused),
        (429, b"", Throttled),
        (500, b"", Unknown),
    ],
)
async def test_an_answer_to_all_is_one_for_all(vipps, scripted, batch, status, body, expected):
    scripted.answers(status, body)
    assert isinstance(await vipps.create_charges(batch.request), expected)


@pytest.mark.parametrize("item", [None, 7, {}, {"chargeBatchItemDto": None}, {"chargeBatchItemDto": {"orderId": 1}}])
def test_an_item_that_names_no_order_says_nothing(item):
    said = {"validCharges": [str(ONE), 5, "other"], "invalidCharges": [item]}
    assert translate_bulk.read_many(json.dumps(said).encode()) == ManyCreated(frozenset({ONE}), {})


def test_what_is_valid_and_not_is_neither():
    twice = {"chargeBatchItemDto": {"orderId": str(ONE)}, "errors": ["orderId: is used twice"]}
    said = {"validCharges": [str(ONE)], "invalidCharges": [twice]}
    assert translate_bulk.read_many(json.dumps(said).encode()) == ManyCreated(frozenset(), {})


def test_what_the_answer_leaves_open_is_sent_alone(vipps, batch):
    no = Refused(400, "invalid-charge", "why")
    apart = take_apart(vipps, [(batch, Answered(ManyCreated(frozenset({ONE}), {TWO: no})))])
    assert [(call.subject_id, outcome) for call, outcome in apart.sent] == [
        (BATCH, Answered(None)),
        (ONE, Answered(str(ONE))),
        (TWO, no),
    ]
    assert [(call.kind, call.request.id) for call in apart.alone] == [(CallKind.CHARGE, THREE)]


def test_a_refusal_that_is_not_the_first_answer_proves_nothing(vipps, batch):
    again = replace(batch, sends=2)
    no = Refused(400, "invalid-charge", "why")
    of_one = take_apart(vipps, [(again, Answered(ManyCreated(frozenset({ONE}), {TWO: no})))])
    assert {call.subject_id for call in of_one.alone} == {TWO, THREE}
    assert all(call.sends == 1 for call in of_one.alone), "whoever takes one up looks for it before it believes a no"
    of_all = take_apart(vipps, [(again, no)])
    assert [call.subject_id for call in of_all.alone] == [ONE, TWO, THREE]
    assert of_all.sent == [(again, no)]


def test_without_an_answer_all_stay_together(vipps, batch):
    other = Call(vipps.write_stop(UUID(int=9), "agr_1"), CallKind.STOP, UUID(int=9))
    apart = take_apart(vipps, [(batch, Unknown("cut")), (other, Throttled(5)), (batch, Throttled(5))])
    assert apart.unsure == [ONE, TWO, THREE]
    assert not apart.alone
    assert apart.sent == [(batch, Unknown("cut")), (other, Throttled(5)), (batch, Throttled(5))]
