"""The words in which stories are told: people, their phones, a shop, deals, and a clock that is turned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from stories.almanac import iso, midnight
from stories.audit import audit
from stories.audit_events import audit_events
from stories.books import Difference
from stories.clients import Json, Provider, Sandbox
from stories.houses import AUDIENCE, Houses

ZONE = ZoneInfo("Europe/Oslo")


def instant(text: str) -> datetime:
    """A moment of a story: `2027-03-06` is when that local day begins, `2027-03-06T09:30` local time."""
    moment = datetime.fromisoformat(text)
    return midnight(moment.date(), ZONE) if len(text) == 10 else moment.replace(tzinfo=moment.tzinfo or ZONE)


@dataclass(frozen=True)
class Person:
    """Somebody with a phone and an account; `provider` speaks to the provider in this person's name."""

    name: str
    phone_number: str
    subject: str
    provider: Provider


@dataclass(frozen=True)
class Line:
    """One charge of a deal as both houses see it: when it is due, how it stands, how often it was tried."""

    due: str
    status: str
    tries: int
    captured: int
    refunded: int = 0


@dataclass
class Deal:
    """One agreement of a person with the shop."""

    world: World
    person: Person
    agreement_id: str
    confirmation_url: str

    async def now(self) -> Json:
        """The agreement as its owner reads it."""
        return await self.person.provider.agreement(self.agreement_id)

    async def status(self) -> str:
        return str((await self.now())["status"])

    async def change(self, verb: str, **wish: Any) -> Json:
        """The owner changes the agreement: `pause`, `resume`, `charge-day`, `plan`; comes back when all is quiet."""
        change = await self.person.provider.change(self.agreement_id, verb, **wish)
        await self.world.settle()
        return change

    async def open_phone(self) -> Json:
        """The person opens the confirmation address; what happens is the temperament's choice."""
        return await self.world.sandbox.open_phone(self.person.phone_number, self.confirmation_url)

    async def stop_on_phone(self) -> None:
        """The person stops the agreement in the app."""
        (ours,) = (a for a in await self.at_gateway() if a["status"] == "ACTIVE")
        await self.world.sandbox.on_phone(self.person.phone_number, ours["agreementId"], "stop")
        await self.world.settle()

    async def at_gateway(self) -> list[Json]:
        """All agreements that the gateway drew up for this deal, drafts that came to nothing too."""
        sandbox, provider = await self.world.exports()
        (ours,) = (a for a in provider["agreements"] if a["agreementId"] == self.agreement_id)
        return [a for a in sandbox["agreements"] if a["agreementId"] in ours["gatewayAgreementIds"]]

    async def charges(self) -> list[Line]:
        """The deal's charges in order of their periods."""
        sandbox, provider = await self.world.exports()
        (ours,) = (a for a in provider["agreements"] if a["agreementId"] == self.agreement_id)
        tries: dict[str, int] = {}
        for theirs in sandbox["agreements"]:
            for charge in theirs["charges"]:
                tries[charge["chargeId"]] = len(charge["tries"])
        return [
            Line(
                due=charge["dueDate"],
                status=charge["status"],
                tries=sum(tries.get(a["attemptId"], 0) for a in charge["attempts"]),
                captured=charge["captured"],
                refunded=charge["refunded"],
            )
            for charge in sorted(ours["charges"], key=lambda c: c["period"] or 0)
        ]


@dataclass
class Subscription:
    """One agreement of a person that Stripe bills, and its payer's browser."""

    world: World
    person: Person
    agreement_id: str
    client_secret: str

    async def now(self) -> Json:
        """The agreement as its owner reads it."""
        (mine,) = (a for a in await self.person.provider.agreements() if a["agreementId"] == self.agreement_id)
        return mine

    async def change(self, verb: str, **wish: Any) -> Json:
        """The owner changes the agreement: `pause`, `resume`, `plan`; comes back when all is quiet."""
        change = await self.person.provider.change(self.agreement_id, verb, **wish)
        await self.world.settle()
        return change

    async def charges(self) -> list[tuple[str, int, str]]:
        """The charges as their owner reads them: the first day, minor units, how each stands."""
        return [(c["periodStart"], c["amount"]["amount"], c["status"]) for c in (await self.now())["charges"]]

    async def give_card(self, card: str) -> str:
        """The payer gives a test card; says what became of the payment (`requires_action`: the bank asks)."""
        return await self._confirm(card, None)

    async def answer_bank(self, answer: str) -> str:
        """The payer says `approve` or `fail` to the bank."""
        return await self._confirm(None, answer)

    async def _confirm(self, card: str | None, answer: str | None) -> str:
        said = await self.world.sandbox.confirm(self.client_secret, card, answer)
        await self.world.settle()
        return str(said["status"])

    async def change_card(self, card: str) -> None:
        """The payer keeps another test card, and pays with it from now on."""
        customer = (await self.at_gateway())["customer"]
        path = f"/payment_methods/pm_card_{card}/attach"
        kept = await self.world.houses.stripe.call("POST", path, {"customer": customer})
        await self.person.provider.change_what_pays(kept["id"])
        await self.world.settle()

    async def dispute(self, period: int) -> str:
        """The payer's bank takes a period's money back for now; gives the dispute's id."""
        payment = (await self.at_gateway())["invoices"][period - 1]["payment"]
        dispute = await self.world.sandbox.dispute(payment["captures"][0]["charge"])
        await self.world.settle()
        return dispute

    async def at_gateway(self) -> Json:
        """The subscription that the agreement is."""
        sandbox, provider = await self.world.exports()
        (ours,) = (a for a in provider["agreements"] if a["agreementId"] == self.agreement_id)
        ids = ours["gatewayAgreementIds"]
        (theirs,) = (s for s in sandbox["stripe"]["subscriptions"] if s["subscription"] in ids)
        return dict(theirs)


@dataclass
class Rental:
    """One purchase of a person: a film for some days."""

    world: World
    person: Person
    purchase_id: str
    confirmation_url: str

    async def now(self) -> Json:
        """The purchase as its owner reads it, which asks the gateway while it may still move."""
        return await self.person.provider.purchase(self.purchase_id)

    async def status(self) -> str:
        return str((await self.now())["status"])

    async def open_phone(self) -> Json:
        """The person opens the payment's address; what happens is the temperament's choice."""
        return await self.world.sandbox.open_phone(self.person.phone_number, self.confirmation_url)

    async def give_back(self, amount: int, reason: str = "a film that would not play") -> Json:
        """The merchant gives back so many minor units."""
        charge = (await self.now())["charge"]
        return await self.world.houses.provider.refund(charge["chargeId"], amount, reason)

    async def at_gateway(self) -> Json:
        """The payment as the gateway has it."""
        sandbox, provider = await self.world.exports()
        (ours,) = (p for p in provider["purchases"] if p["purchaseId"] == self.purchase_id)
        (attempt,) = ours["charges"][0]["attempts"]
        (theirs,) = (p for p in sandbox["payments"] if p["reference"] == attempt["attemptId"])
        return dict(theirs)


@dataclass
class Shop:
    """The tenant's shop: people come and subscribe to its films, or rent one."""

    world: World

    async def checkout(self, person: Person, *, key: str | None = None, product: str = "", **wish: Any) -> Deal:
        """A draft for the person to approve; `wish` says more of the checkout, such as its `campaign`."""
        product = product or self.world.houses.offer.product_id
        answer = await person.provider.checkout(product, key=key, phoneNumber=person.phone_number, **wish)
        return Deal(self.world, person, answer["agreementId"], answer["confirmationUrl"])

    async def subscribe(self, person: Person, **wish: Any) -> Deal:
        """Checkout, and the person opens the phone; comes back when both houses are quiet."""
        deal = await self.checkout(person, **wish)
        await deal.open_phone()
        await self.world.settle()
        return deal

    async def checkout_with_stripe(self, person: Person, **wish: Any) -> Subscription:
        """A subscription at Stripe for the person to pay."""
        wish = {"email": f"{person.name.lower()}@film.example"} | wish
        answer = await person.provider.pay_with_stripe("checkout", self.world.houses.offer.product_id, **wish)
        return Subscription(self.world, person, answer["agreementId"], answer["clientSecret"])

    async def subscribe_with_stripe(self, person: Person, card: str = "visa", **wish: Any) -> Subscription:
        """Checkout at Stripe with a test card, and a yes to the bank if it asks; comes back when all is quiet."""
        deal = await self.checkout_with_stripe(person, **wish)
        if await deal.give_card(card) == "requires_action":
            await deal.answer_bank("approve")
        return deal

    async def offer(self, person: Person, *, key: str | None = None) -> Rental:
        """A payment for one film, for the person to approve."""
        product = self.world.houses.offer.rental_id
        answer = await person.provider.checkout(product, key=key, phoneNumber=person.phone_number)
        return Rental(self.world, person, answer["purchaseId"], answer["confirmationUrl"])

    async def rent(self, person: Person) -> Rental:
        """Checkout of one film, and the person opens the phone; comes back when both houses are quiet."""
        rental = await self.offer(person)
        await rental.open_phone()
        await self.world.settle()
        return rental

    async def stop(self, deal: Deal) -> None:
        """The merchant stops somebody's agreement."""
        await self.world.houses.provider.stop(deal.agreement_id)
        await self.world.settle()


@dataclass
class World:
    """Both houses, and the people of a story."""

    houses: Houses
    people: list[Person] = field(default_factory=list)
    heard: list[Json] | None = None  # what a listener was told, where a story has one

    @property
    def sandbox(self) -> Sandbox:
        return self.houses.sandbox

    @property
    def shop(self) -> Shop:
        return Shop(self)

    async def person(
        self,
        name: str,
        temperament: str = "approves",
        no_funds: Sequence[tuple[date | datetime, date | datetime]] = (),
    ) -> Person:
        """Somebody new, without funds in each span of `no_funds` (from, included; until, excluded)."""
        number = f"47900{len(self.people) + 1:05d}"
        traits: dict[str, Any] = {"name": name, "temperament": temperament}
        if no_funds:
            traits["noFunds"] = [{"from": _written(f), "until": _written(u)} for f, u in no_funds]
        await self.sandbox.person(number, **traits)
        subject = f"phone|{number}"
        token = await self.sandbox.token(subject, AUDIENCE)
        person = Person(name, number, subject, self.houses.provider_as(token))
        self.people.append(person)
        return person

    async def now(self) -> datetime:
        return await self.sandbox.now()

    async def advance_to(self, moment: str | datetime) -> Json:
        """Turn the clock; see `instant` for how a moment is written."""
        to = instant(moment) if isinstance(moment, str) else moment
        return await self.sandbox.advance(to=to)

    async def settle(self) -> None:
        """Let both houses do what is due at this very moment."""
        await self.advance_to(await self.now())

    async def exports(self) -> tuple[Json, Json]:
        """The sandbox's export and the provider's."""
        return await self.sandbox.export(), await self.houses.provider.export()

    async def audit(self) -> list[Difference]:
        """What both houses' books, and the stream of events, do not agree on."""
        sandbox, provider = await self.exports()
        stream = await self.houses.provider.events()
        return [
            *audit(sandbox, provider, merchant=self.houses.offer.merchant_serial_number),
            *audit_events(stream, self.heard, provider, sandbox["now"]),
        ]


def _written(moment: date | datetime) -> str:
    return iso(moment) if isinstance(moment, datetime) else moment.isoformat()
