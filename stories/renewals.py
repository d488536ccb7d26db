"""The story of eleven people: who takes part, what each does, and how it must end for each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from stories.almanac import iso
from stories.chronicle import Chronicle, Event, Mark, money
from stories.report import agreement_report, purchase_report, story_report
from stories.world import Deal, Rental, Subscription, World, instant

Json = dict[str, Any]
Tell = Callable[[Sequence[Event]], None]

#: A last day of January: its monthly periods begin on the last days of shorter months, and on the 31st again.
START = datetime(2027, 1, 31, 9, tzinfo=UTC)
ONCE = (True,)


@dataclass(frozen=True)
class Expected:
    """How it must end: the state, what each period or purchase kept, its tries, its papers, the access."""

    status: str
    kept: tuple[int, ...] = ()
    tries: tuple[tuple[bool, ...], ...] = ()
    receipts: int = 0
    credit_notes: int = 0
    access: str | None = None

    def unmet(self, told: Json) -> list[str]:
        """What of this is otherwise in a person's part of the report."""
        paid = [c for c in told["charges"] if c["captured"]]
        kinds = [r["kind"] for r in told["receipts"]]
        access = iso(instant(self.access)) if self.access else None
        pairs = (
            ("state", self.status, (told["agreement"] or told["purchase"])["states"][-1]["status"]),
            ("money kept", self.kept, tuple(c["captured"] - c["refunded"] for c in paid)),
            ("tries", self.tries, tuple(tuple(t["ok"] for t in c["tries"]) for c in paid)),
            ("receipts", self.receipts, kinds.count("receipt")),
            ("credit notes", self.credit_notes, kinds.count("credit_note")),
            ("access until", access, told["access"]["until"]),
        )
        return [f"{what} {wished}, but it is {found}" for what, wished, found in pairs if wished != found]


@dataclass(frozen=True)
class Role:
    """One of the eleven: a name, what the person is there to show, a temperament, and the end to be met.

    With a `card` they pay with Stripe, and not with Vipps.
    """

    name: str
    story: str
    expected: Expected
    temperament: str = "approves"
    no_funds: tuple[tuple[date | datetime, date | datetime], ...] = ()
    rents: bool = False
    card: str = ""


FOUR = (9900,) * 4
WITHOUT_MONEY = (date(2027, 2, 28), datetime(2027, 3, 1, 12, tzinfo=UTC))
ROLES = (
    Role("Anna", "pays every month", Expected("active", FOUR, (ONCE,) * 4, 4, 0, "2027-06-06")),
    Role(
        "Bjørn",
        "has no money when the first renewal is due, and a day later he has",
        Expected("active", FOUR, (ONCE, (False, False, False, True), ONCE, ONCE), 4, 0, "2027-06-06"),
        no_funds=(WITHOUT_MONEY,),
    ),
    Role(
        "Cecilie",
        "gets a part of one month back",
        Expected("active", (9900, 6900, 9900, 9900), (ONCE,) * 4, 4, 1, "2027-06-06"),
    ),
    Role(
        "David",
        "stops on his phone, two days before the next charge",
        Expected("stopped", (9900,) * 2, (ONCE,) * 2, 2, 0, "2027-03-31"),
    ),
    Role(
        "Eva",
        "is stopped by the merchant",
        Expected("stopped", (9900,) * 2, (ONCE,) * 2, 2, 0, "2027-03-31"),
    ),
    Role("Frank", "rejects on his phone", Expected("rejected"), temperament="rejects"),
    Role("Grete", "never answers her phone", Expected("expired"), temperament="waits"),
    Role(
        "Henrik",
        "rents a film, and gets all of his money back",
        Expected("paid", (0,), ((),), 1, 1),
        rents=True,
    ),
    Role(
        "Ida",
        "has a card that is declined at the first renewal, and gives another",
        Expected("active", FOUR, (ONCE, (False, False, False, True), ONCE, ONCE), 4, 0, "2027-06-06"),
        card="sandboxFailsOnRenewal",
    ),
    Role(
        "Jon",
        "must say yes at his bank before his first payment",
        Expected("active", FOUR, (ONCE,) * 4, 4, 0, "2027-06-06"),
        card="threeDSecure2Required",
    ),
    Role(
        "Kari",
        "disputes a payment, and her bank takes it back",
        Expected("active", (9900, 0, 9900, 9900), (ONCE,) * 4, 4, 1, "2027-06-06"),
        card="visa",
    ),
)
SUBSCRIBERS = tuple(role for role in ROLES if not role.rents and not role.card)
CARD_HOLDERS = tuple(role for role in ROLES if role.card)
REFUND = 3000


@dataclass
class Renewals:
    """The story while it is told: `tell` gets the events of each chapter, in order."""

    world: World
    tell: Tell

    def __post_init__(self) -> None:
        self._chronicle = Chronicle()
        self._deals: dict[str, Deal] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._rentals: dict[str, Rental] = {}

    async def run(self) -> Json:
        """Three months of business; gives the report, with the audit's differences and every unmet end."""
        for chapter in (
            self._checkouts,
            self._checkouts_with_stripe,
            self._first_renewal,
            self._another_card,
            self._refund,
            self._rental,
            self._stops,
            self._dispute,
            self._two_more,
        ):
            await self._chapter(chapter)
        sandbox, provider = await self.world.exports()
        people = []
        for role in ROLES:
            told = {"name": role.name, "story": role.story, **self._told(role, sandbox, provider)}
            people.append(told | {"unmet": role.expected.unmet(told)})
        return story_report(
            people,
            await self.world.audit(),
            began=START,
            ended=await self.world.now(),
            currency=self.world.houses.offer.currency,
        )

    def _told(self, role: Role, sandbox: Json, provider: Json) -> Json:
        """What became of somebody's agreement or purchase."""
        if role.rents:
            rental = self._rentals[role.name]
            states = self._chronicle.states[rental.purchase_id]
            report = purchase_report(provider, rental.purchase_id, states)
            return {"phoneNumber": rental.person.phone_number, **report}
        deal = (self._subscriptions if role.card else self._deals)[role.name]
        states = self._chronicle.states[deal.agreement_id]
        report = agreement_report(sandbox, provider, deal.agreement_id, states)
        return {"phoneNumber": deal.person.phone_number, **report}

    async def _chapter(self, chapter: Callable[[], Awaitable[None]]) -> None:
        await chapter()
        self.tell(self._chronicle.news(*await self.world.exports()))

    async def _act(self, name: str, text: str) -> None:
        self.tell([Event(await self.world.now(), Mark.ACT, name, text)])

    async def _checkouts(self) -> None:
        offer = self.world.houses.offer
        price = money(offer.price, offer.currency)
        for role in SUBSCRIBERS:
            person = await self.world.person(role.name, role.temperament, role.no_funds)
            deal = self._deals[role.name] = await self.world.shop.checkout(person)
            self._chronicle.names[deal.agreement_id] = role.name
        now = await self.world.now()
        self.tell([Event(now, Mark.ACT, r.name, f"checkout: {offer.name}, {price}") for r in SUBSCRIBERS])
        for deal in self._deals.values():
            await deal.open_phone()
        await self.world.settle()
        self.tell(self._chronicle.news(*await self.world.exports()))
        await self.world.advance_to("2027-01-31T10:15")

    async def _checkouts_with_stripe(self) -> None:
        offer = self.world.houses.offer
        price = money(offer.price, offer.currency)
        asked = []
        for role in CARD_HOLDERS:
            deal = await self.world.shop.checkout_with_stripe(await self.world.person(role.name))
            self._subscriptions[role.name] = deal
            self._chronicle.names[deal.agreement_id] = role.name
            if await deal.give_card(role.card) == "requires_action":
                asked.append(role.name)
        now = await self.world.now()
        text = f"card given to Stripe: {offer.name}, {price}"
        self.tell([Event(now, Mark.ACT, role.name, text) for role in CARD_HOLDERS])
        self.tell(self._chronicle.news(*await self.world.exports()))
        for name in asked:
            await self._act(name, "is asked by the bank (3-D Secure), and says yes")
            await self._subscriptions[name].answer_bank("approve")

    async def _first_renewal(self) -> None:
        await self.world.advance_to("2027-03-03T12:00")

    async def _another_card(self) -> None:
        await self._act("Ida", "gives Stripe another card")
        await self._subscriptions["Ida"].change_card("mastercard")
        await self.world.advance_to("2027-03-05T12:00")

    async def _refund(self) -> None:
        cecilie = self._deals["Cecilie"]
        charge = next(c for c in (await cecilie.now())["charges"] if c["period"] == 2)
        await self._act("the merchant", f"gives Cecilie {money(REFUND, charge['amount']['currency'])} back")
        await self.world.houses.provider.refund(charge["chargeId"], REFUND, "a film that would not play")
        await self.world.settle()

    async def _rental(self) -> None:
        await self.world.advance_to("2027-03-12T19:30")
        offer = self.world.houses.offer
        (role,) = (role for role in ROLES if role.rents)
        person = await self.world.person(role.name, role.temperament)
        rental = self._rentals[role.name] = await self.world.shop.offer(person)
        self._chronicle.names[rental.purchase_id] = role.name
        price = money(offer.rental_price, offer.currency)
        await self._act(role.name, f"checkout: {offer.rental_name}, {price}")
        await rental.open_phone()
        await self.world.settle()
        self.tell(self._chronicle.news(*await self.world.exports()))
        await self.world.advance_to("2027-03-13T11:00")
        self.tell(self._chronicle.news(*await self.world.exports()))
        await self._act("the merchant", f"gives {role.name} {price} back")
        await rental.give_back(offer.rental_price)
        await self.world.settle()

    async def _stops(self) -> None:
        await self.world.advance_to("2027-03-15T10:00")
        self.tell(self._chronicle.news(*await self.world.exports()))
        await self._act("the merchant", "stops Eva's agreement")
        await self.world.shop.stop(self._deals["Eva"])
        await self.world.settle()
        self.tell(self._chronicle.news(*await self.world.exports()))
        await self.world.advance_to("2027-03-29T19:00")
        self.tell(self._chronicle.news(*await self.world.exports()))
        await self._act("David", "stops his agreement on the phone")
        await self._deals["David"].stop_on_phone()

    async def _dispute(self) -> None:
        await self.world.advance_to("2027-04-05T10:00")
        self.tell(self._chronicle.news(*await self.world.exports()))
        await self._act("Kari", "tells her bank that she never paid for March")
        dispute = await self._subscriptions["Kari"].dispute(2)
        self.tell(self._chronicle.news(*await self.world.exports()))
        await self.world.advance_to("2027-04-19T10:00")
        await self.world.sandbox.decide(dispute, "lost")
        await self.world.settle()

    async def _two_more(self) -> None:
        await self.world.advance_to("2027-05-03T12:00")
