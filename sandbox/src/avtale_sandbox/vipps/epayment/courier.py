"""Delivery of what is paid with Express: to where, how, and what the shop says when it is asked."""

from __future__ import annotations

from typing import Any

import msgspec

from ...contracts.contract import Contract
from ...contracts.schema import Problems, compile_schema
from ...people import Address, Person
from .resources import Payment
from .rules import check_groups
from .shapes import address_shape

_ANSWER_BYTES_MAX = 262_144


class NoDelivery(Exception):
    """It cannot be sent there; the text says why, for the payer."""


def address_of(person: Person, countries: list[str]) -> Address:
    """Where somebody wants it sent; raises NoDelivery."""
    address = person.address
    if address is None or not (address.street_address and address.postal_code and address.country):
        raise NoDelivery("There is no address to send it to")
    if address.country not in countries:
        raise NoDelivery(f"It cannot be sent to {address.country}")
    return address


def options_of(payment: Payment) -> list[dict[str, Any]] | None:
    """All ways of delivery, the default one first; None when the shop has not said yet."""
    groups = payment.groups if payment.groups is not None else (payment.ask.shipping or {}).get("fixedOptions")
    if groups is None:
        return None
    ranked = [
        (not group.get("isDefault"), not one.get("isDefault"), one) for group in groups for one in group["options"]
    ]
    return [one for _, _, one in sorted(ranked, key=lambda entry: entry[:2])]


def details(address: Address, option: dict[str, Any]) -> dict[str, Any]:
    """What the merchant is told about the delivery."""
    return {
        "address": address_shape(address),
        "shippingCost": option["amount"]["value"],
        "shippingOptionId": option["id"],
        "shippingOptionName": option["name"],
    }


class Courier:
    """Asks a shop for its ways of delivery, where it gave an address to be asked at."""

    def __init__(self, timeout_seconds: float) -> None:
        contract = Contract("epayment")
        group = {"$ref": "#/components/schemas/ShippingGroup"}
        answer = {"type": "object", "required": ["groups"], "properties": {"groups": {"type": "array", "items": group}}}
        self._check = compile_schema(answer, contract.resolve)
        self._timeout_seconds = timeout_seconds

    async def ask(self, payment: Payment, address: Address) -> list[dict[str, Any]]:
        """The shop's groups of options for an address; raises NoDelivery.

        The members of the question are spelled as they were seen on the wire, which is not as they are
        published (Vipps ePayment, dynamic options).
        """
        import aiohttp  # late: a third of the time that a sandbox would need to start

        dynamic = (payment.ask.shipping or {})["dynamicOptions"]
        token = dynamic.get("callbackAuthorizationToken")
        question = {"reference": payment.reference, **address_shape(address)}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._timeout_seconds)) as http,
                http.post(
                    dynamic["callbackUrl"],
                    data=msgspec.json.encode(question),
                    headers={"Content-Type": "application/json", **({"Authorization": token} if token else {})},
                    allow_redirects=False,
                ) as reply,
            ):
                if reply.status != 200:
                    raise NoDelivery(f"The shop cannot send it there (it answered {reply.status})")
                text = bytearray()
                async for part in reply.content.iter_any():
                    text += part
                    if len(text) > _ANSWER_BYTES_MAX:
                        raise NoDelivery(f"The shop's answer is longer than {_ANSWER_BYTES_MAX} octets")
                body = msgspec.json.decode(text)
        except (aiohttp.ClientError, TimeoutError, ValueError, RecursionError):
            raise NoDelivery("The shop did not say how it can be sent") from None
        problems: Problems = []
        self._check(body, "", problems)
        if problems:
            raise NoDelivery(f"The shop's answer is wrong: {problems[0][0]} {problems[0][1]}")
        check_groups(body["groups"], payment.currency, lambda reason: NoDelivery(f"The shop's answer {reason}"))
        groups: list[dict[str, Any]] = body["groups"]
        return groups
