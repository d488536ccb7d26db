"""Who takes part: merchants, people, and what people do with their telephones."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..instants import iso
from ..merchants import Merchant, Partner, Taken
from ..people import Person
from ..vipps.recurring import confirmation
from ..vipps.recurring.resources import Agreement, Charge
from ..vipps.refusals import Refused
from ..world import World
from .paying import PaymentControl
from .shapes import AgreementInApp, App, Decision, MerchantList, Opened, PartnerList, PersonList
from .wire import Door, Problem, answer, nothing, read


class OpenOrder(Struct, rename="camel", forbid_unknown_fields=True):
    """The address that the merchant gave the payer; a decision goes before the person's temperament."""

    url: str
    decision: Literal["approve", "reject", "wait"] | None = None
    max_amount: int | None = None


class LimitOrder(Struct, rename="camel", forbid_unknown_fields=True):
    """The payer's own limit, in minor units; for VARIABLE pricing."""

    max_amount: int | None = None


class CastControl:
    """The handlers below `/_sandbox/merchants`, `/_sandbox/people` and `/_sandbox/phone`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._paying = PaymentControl(world)

    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        on = "/phone/{number}/agreements/{agreement_id}"
        nobody = {404: "Nobody has this phone number"}
        undecided = {404: "There is no such agreement", 409: "It does not wait any more"}
        return [
            Door("GET", "/merchants", self.merchants, gives=MerchantList),
            Door(
                "POST",
                "/merchants",
                self.save_merchant,
                body=Merchant,
                gives=Merchant,
                status=201,
                also={200: "Changed", 409: "Another merchant has this client id"},
            ),
            Door("GET", "/partners", self.partners, gives=PartnerList),
            Door(
                "POST",
                "/partners",
                self.save_partner,
                body=Partner,
                gives=Partner,
                status=201,
                also={200: "Changed", 409: "A merchant has this client id"},
            ),
            Door("GET", "/people", self.people, gives=PersonList),
            Door("POST", "/people", self.save_person, body=Person, gives=Person, status=201, also={200: "Replaced"}),
            Door("GET", "/people/{number}", self.person, gives=Person, also=nobody),
            Door("PATCH", "/people/{number}", self.change_person, body=dict[str, Any], gives=Person, also=nobody),
            Door("DELETE", "/people/{number}", self.forget_person, status=204, also=nobody),
            Door("POST", "/people/{number}/delete-profile", self.delete_profile, status=204, also=nobody),
            Door("GET", "/phone/{number}", self.phone, gives=App),
            Door("POST", "/phone/{number}/open", self.open, body=OpenOrder, gives=Opened, also=undecided),
            Door("POST", f"{on}/approve", self.approve, body=LimitOrder, gives=Decision, also=undecided),
            Door("POST", f"{on}/reject", self.reject, gives=Decision, also=undecided),
            Door("POST", f"{on}/stop", self.stop, gives=Decision, also={404: "It is not theirs", 409: "Not active"}),
            Door("POST", f"{on}/limit", self.limit, body=LimitOrder, gives=AgreementInApp, also={404: "Not theirs"}),
            *self._paying.routes(),
        ]

    async def merchants(self, request: Request) -> Response:
        """Every merchant, keys included: this is a sandbox, and whoever asks set them."""
        return answer({"merchants": self._world.merchants.all()})

    async def save_merchant(self, request: Request) -> Response:
        """Add a merchant, or change the one with this serial number."""
        merchant = await read(request, Merchant)
        is_new = self._world.merchants.of_msn(merchant.merchant_serial_number) is None
        try:
            self._world.merchants.save(merchant)
        except ValueError as problem:
            raise Problem(409 if isinstance(problem, Taken) else 400, str(problem)) from None
        return answer(merchant, 201 if is_new else 200)

    async def partners(self, request: Request) -> Response:
        """Every partner, keys included."""
        return answer({"partners": self._world.merchants.partners()})

    async def save_partner(self, request: Request) -> Response:
        """Add somebody who calls for several sales units with one set of keys, or change who has the client id."""
        partner = await read(request, Partner)
        is_new = self._world.merchants.holder(partner.client_id) is None
        try:
            self._world.merchants.save_partner(partner)
        except ValueError as problem:
            raise Problem(409 if isinstance(problem, Taken) else 400, str(problem)) from None
        return answer(partner, 201 if is_new else 200)

    async def people(self, request: Request) -> Response:
        """Everybody."""
        return answer({"people": self._world.people.all()})

    async def save_person(self, request: Request) -> Response:
        """Add a person, or replace the one with this number."""
        person = await read(request, Person)
        is_new = self._world.people.get(person.phone_number) is None
        return answer(self._save(person), 201 if is_new else 200)

    async def person(self, request: Request) -> Response:
        """One person."""
        return answer(self._person(request))

    async def change_person(self, request: Request) -> Response:
        """Change what is given, and leave the rest of a person."""
        change = await read(request, dict[str, Any])
        person = msgspec.to_builtins(self._person(request))
        if change.get("phoneNumber", person["phoneNumber"]) != person["phoneNumber"]:
            raise Problem(400, "A phone number cannot be changed")
        unknown = change.keys() - person.keys()
        if unknown:
            raise Problem(400, f"A person has no {', '.join(sorted(unknown))}")
        try:
            return answer(self._save(msgspec.convert(person | change, Person)))
        except msgspec.ValidationError as problem:
            raise Problem(400, str(problem)) from None

    async def forget_person(self, request: Request) -> Response:
        """Forget a person; their agreements stay active, and charges find nobody to pay (until July 2026)."""
        if not self._world.people.delete(request.path_params["number"]):
            raise Problem(404, "Nobody has this phone number")
        return nothing()

    async def delete_profile(self, request: Request) -> Response:
        """A person deletes their profile: their agreements are stopped by ADMIN, and then they are gone."""
        person = self._person(request)
        self._world.recurring.stop_by_leaving(person.phone_number)
        self._world.people.delete(person.phone_number)
        return nothing()

    async def phone(self, request: Request) -> Response:
        """What is in a person's app."""
        number = request.path_params["number"]
        found = self._world.recurring.agreements_of(number)
        agreements = [
            _agreement(one) | {"charges": [_charge(charge) for charge in self._world.recurring.charges_of(one.id)]}
            for one in found
        ]
        payments = self._paying.shapes_of(number)
        return answer({"phoneNumber": number, "agreements": agreements, "payments": payments})

    async def open(self, request: Request) -> Response:
        """Open a payment request on the telephone; its owner's temperament decides what follows."""
        order = await read(request, OpenOrder)
        number, recurring = request.path_params["number"], self._world.recurring
        paid = await self._paying.open(order.url, number, order.decision)
        if paid is not None:
            return paid
        try:
            agreement = recurring.resolve_confirmation(confirmation.token_of(order.url))
            if agreement.status == "PENDING":
                recurring.open(agreement.id, number)
        except confirmation.NotAConfirmation as problem:
            raise Problem(400, str(problem)) from None
        except Refused as refused:
            raise _problem(refused) from None
        if agreement.status != "PENDING":
            raise Problem(409, f"The agreement does not wait any more; it is {agreement.status}")
        temperament = self._world.people.meet(number).temperament
        decision = order.decision or {"approves": "approve", "rejects": "reject"}.get(temperament)
        if decision == "approve":
            return self._approved(agreement.id, number, order.max_amount)
        if decision == "reject":
            return self._rejected(agreement.id, number)
        return answer(_decision(agreement, "waits" if decision == "wait" else temperament))

    async def approve(self, request: Request) -> Response:
        """The person says yes; `{"maxAmount"}` is their own limit, with VARIABLE pricing."""
        order = await read(request, LimitOrder)
        return self._approved(request.path_params["agreement_id"], request.path_params["number"], order.max_amount)

    async def reject(self, request: Request) -> Response:
        """The person says no."""
        return self._rejected(request.path_params["agreement_id"], request.path_params["number"])

    async def stop(self, request: Request) -> Response:
        """The person stops an agreement of theirs."""
        agreement = self._theirs(request)
        try:
            return answer(_decision(self._world.recurring.stop_by_user(agreement.id), "stopped"))
        except Refused as refused:
            raise _problem(refused) from None

    async def limit(self, request: Request) -> Response:
        """The person changes their limit."""
        order = await read(request, LimitOrder)
        agreement = self._theirs(request)
        try:
            return answer(_agreement(self._world.recurring.set_max_amount(agreement.id, order.max_amount or 0)))
        except Refused as refused:
            raise _problem(refused) from None

    def _approved(self, agreement_id: str, number: str, max_amount: int | None) -> Response:
        try:
            agreement = self._world.recurring.approve(agreement_id, number, max_amount)
        except Refused as refused:
            raise _problem(refused) from None
        return answer(_decision(agreement, _DECIDED.get(agreement.status, "failed")))

    def _rejected(self, agreement_id: str, number: str) -> Response:
        try:
            return answer(_decision(self._world.recurring.reject(agreement_id, number), "rejected"))
        except Refused as refused:
            raise _problem(refused) from None

    def _theirs(self, request: Request) -> Agreement:
        number = request.path_params["number"]
        for agreement in self._world.recurring.agreements_of(number):
            if agreement.id == request.path_params["agreement_id"]:
                return agreement
        raise Problem(404, "This person has no such agreement")

    def _person(self, request: Request) -> Person:
        person = self._world.people.get(request.path_params["number"])
        if person is None:
            raise Problem(404, "Nobody has this phone number")
        return person

    def _save(self, person: Person) -> Person:
        try:
            self._world.people.save(person)
        except ValueError as problem:
            raise Problem(400, str(problem)) from None
        return person


def _problem(refused: Refused) -> Problem:
    statuses = {"not-found": 404, "illegal-agreement-update": 409}
    fields = [{"name": name, "reason": reason} for name, reason in refused.fields]
    return Problem(statuses.get(refused.problem, 400), refused.detail, fields=fields)


# What has become of an agreement that its person said yes to; while it still waits, the payment failed.
_DECIDED = {"ACTIVE": "approved", "STOPPED": "rejected", "EXPIRED": "expired"}


def _decision(agreement: Agreement, decision: str) -> dict[str, Any]:
    decided = decision in ("approved", "rejected")
    return {
        "agreementId": agreement.id,
        "decision": decision,
        "status": agreement.status,
        "redirectUrl": agreement.redirect_url if decided else None,
    }


def _agreement(agreement: Agreement) -> dict[str, Any]:
    return {
        "agreementId": agreement.id,
        "merchantSerialNumber": agreement.msn,
        "productName": agreement.product_name,
        "status": agreement.status,
        "pricing": agreement.pricing,
        "amount": agreement.amount,
        "maxAmount": agreement.max_amount,
        "currency": agreement.currency,
        "created": iso(agreement.created),
    }


def _charge(charge: Charge) -> dict[str, Any]:
    return {
        "chargeId": charge.id,
        "amount": charge.amount,
        "currency": charge.currency,
        "due": charge.due,
        "status": charge.status,
        "description": charge.description,
    }
