"""Orders that are created many in one call: put together to be written, and taken apart when it is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from uuid import UUID

from avtale.domain.observations import ManyCreated
from avtale.domain.outcome import Answered, Outcome, Refused, Unknown
from avtale.domain.ports import RecurringGateway
from avtale.domain.wishes import ChargeWish
from avtale.storage.calls import Call, CallKind

Sent = tuple[Call, Outcome[object]]


@dataclass(slots=True)
class Apart:
    """Outcomes of which each is about one order or about no charge: of calls for many, that of each order.

    `alone` are orders of which the answer to all leaves open what became of them: each is to be sent again in a call of
    its own, which the gateway refuses where the order is there already. `unsure` are orders of calls without an answer.
    """

    sent: list[Sent] = field(default_factory=list)
    alone: list[Call] = field(default_factory=list)
    unsure: list[UUID] = field(default_factory=list)


def put_together(gateway: RecurringGateway, wishes: Sequence[tuple[UUID | None, ChargeWish]]) -> list[Call]:
    """Calls that create these orders: those with the same batch follow each other, and are one call of that id."""
    made: list[Call] = []
    for batch_id, some in groupby(wishes, key=itemgetter(0)):
        orders = [wish for _, wish in some]
        if batch_id is None:
            made += [Call(gateway.write_charge(wish), CallKind.CHARGE, wish.order_id) for wish in orders]
        else:
            request = gateway.write_charges(batch_id, orders)
            made.append(Call(request, CallKind.CHARGE_BATCH, batch_id, orders_count=len(orders)))
    return made


def take_apart(gateway: RecurringGateway | None, sent: Sequence[Sent]) -> Apart:
    """What calls for many orders mean for each of them.

    A valid order is accepted. One that is refused in the first answer is refused; after that the order may be there
    already, as any may be whose call was refused as a whole or that the answer does not mention.
    """
    apart = Apart()
    for call, outcome in sent:
        if call.kind is not CallKind.CHARGE_BATCH:
            apart.sent.append((call, outcome))
            continue
        if gateway is None:
            raise RuntimeError("many charges are created at Vipps only")
        orders = {order.id: Call(order, CallKind.CHARGE, order.id) for order in gateway.orders_in(call.request)}
        match outcome:
            case Answered(ManyCreated(accepted, refused)):
                done = accepted & orders.keys()
                no = {} if call.sends > 1 else {order: why for order, why in refused.items() if order in orders}
                apart.sent.append((call, Answered(None)))
                apart.sent += [(orders[order], Answered(str(order))) for order in sorted(done)]
                apart.sent += [(orders[order], why) for order, why in sorted(no.items())]
                apart.alone += [one for order, one in orders.items() if order not in done and order not in no]
            case Refused():
                apart.sent.append((call, outcome))
                apart.alone += orders.values()
            case Unknown():
                apart.sent.append((call, outcome))
                apart.unsure += orders
            case _:
                apart.sent.append((call, outcome))
    return apart
