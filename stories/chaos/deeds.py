"""People doing what their lives say, as clients who do not give up when a server dies or does not know."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import TypeVar

import aiohttp

from stories.chaos.lives import Act, Life
from stories.clients import Json, Provider, Refused
from stories.houses import AUDIENCE, Houses

T = TypeVar("T")

#: How often a client tries, and how long it waits in between; a killed server is back long before that.
TRIES_COUNT_MAX = 40
PAUSE_SECONDS = 0.25
#: How long somebody looks at a dashboard that does not answer.
DASHBOARD_SECONDS_MAX = 10.0
#: How many people do something at a time, and how long before it holds a new price is told.
HANDS_COUNT_MAX = 24
PRICE_AHEAD = timedelta(days=45)
#: The metadata of a subscription by which its agreement is known.
REFERENCE = "avtale_reference"
_TRY_AGAIN = frozenset({500, 502, 503, 504})


class Deeds:
    """The hands of everybody; each person speaks to the provider with a token of their own."""

    def __init__(self, houses: Houses, dice: Random) -> None:
        self._houses = houses
        self._dice = dice
        self._tokens: dict[int, str] = {}
        self._agreements: dict[int, str] = {}
        self._rented: Counter[int] = Counter()
        self._hands = asyncio.Semaphore(HANDS_COUNT_MAX)

    async def introduce(self, life: Life) -> None:
        """Make the person and the person's token."""
        async with self._hands:
            await self._introduce(life)

    async def _introduce(self, life: Life) -> None:
        spans = [{"from": a.isoformat(), "until": b.isoformat()} for a, b in life.no_funds]
        await self._houses.sandbox.person(
            life.phone_number, name=f"Person {life.number}", temperament=life.temperament, noFunds=spans
        )
        self._tokens[life.number] = await self._houses.sandbox.token(f"phone|{life.phone_number}", AUDIENCE)

    async def do(self, life: Life, act: Act) -> None:
        """Do one act; what is not possible any more (a draft that expired, say) is left."""
        async with self._hands:
            with suppress(Refused):
                await self._do(life, act)

    async def _do(self, life: Life, act: Act) -> None:
        match act:
            case Act.JOIN:
                await self._join(life)
            case Act.APPROVE_ALL:
                await self._on_phone(life, "PENDING", "approve")
            case Act.STOP_ON_PHONE:
                await self._on_phone(life, "ACTIVE", "stop")
            case Act.STOP_IN_SHOP:
                await self._stop_in_shop(life)
            case Act.REFUND:
                await self._refund(life)
            case Act.RENT:
                await self._rent(life)
            case Act.REFUND_RENTAL:
                await self._refund_rental(life)
            case Act.PAUSE | Act.RESUME | Act.CHARGE_DAY | Act.PLAN | Act.PRICE | Act.CHARGE_ONCE | Act.WITHDRAW:
                await self._turn(life, act)

    async def _turn(self, life: Life, act: Act) -> None:
        """What changes a subscription in its middle; where that is not possible it is refused, and left."""
        if (agreement_id := self._agreements.get(life.number)) is None:
            return
        offer, mine, admin = self._houses.offer, self._tokens[life.number], self._houses.provider.token or ""
        day, amount = self._dice.randrange(1, 29), self._dice.randrange(100, offer.price + 1)
        match act:
            case Act.CHARGE_DAY:
                await self._as(mine, lambda p: p.change(agreement_id, "charge-day", day=day))
            case Act.PLAN:
                await self._as(mine, lambda p: p.change(agreement_id, "plan", productId=offer.bigger_id))
            case Act.PRICE:
                day_of_price = (await self._houses.sandbox.now() + PRICE_AHEAD).date().isoformat()
                wish = {"amount": offer.price + amount, "effectiveDate": day_of_price}
                await self._as(admin, lambda p: p.change(agreement_id, "price", **wish))
            case Act.CHARGE_ONCE:
                await self._as(admin, lambda p: p.charge_once(agreement_id, amount, "A film on paper"), tries=1)
            case Act.WITHDRAW:
                await self._as(mine, lambda p: p.withdraw(agreement_id))
            case _:
                verb = "pause" if act is Act.PAUSE else "resume"
                await self._as(mine, lambda p: p.change(agreement_id, verb))

    async def _join(self, life: Life) -> None:
        key = f"join-{life.number}"
        if life.card is not None:
            wish = {"product_id": self._houses.offer.product_id, "key": key}
            started = await self._by_card(life, life.card, "checkout", wish)
            if started is not None:
                self._agreements[life.number] = str(started["agreementId"])
            return

        async def checkout(provider: Provider) -> Json:
            return await provider.checkout(self._houses.offer.product_id, key=key, phoneNumber=life.phone_number)

        started = await self._as(self._tokens[life.number], checkout)
        if started is not None:
            self._agreements[life.number] = str(started["agreementId"])
            await self._houses.sandbox.open_phone(life.phone_number, str(started["confirmationUrl"]))

    async def _rent(self, life: Life) -> None:
        key = f"rent-{life.number}-{self._rented[life.number]}"
        self._rented[life.number] += 1
        if life.card is not None:
            await self._by_card(life, life.card, "tvod", {"product_id": self._houses.offer.rental_id, "key": key})
            return

        async def checkout(provider: Provider) -> Json:
            return await provider.checkout(self._houses.offer.rental_id, key=key, phoneNumber=life.phone_number)

        started = await self._as(self._tokens[life.number], checkout)
        if started is not None:
            await self._houses.sandbox.open_phone(life.phone_number, str(started["confirmationUrl"]))

    async def _refund_rental(self, life: Life) -> None:
        mine = await self._as(self._tokens[life.number], lambda provider: provider.purchases())
        charges = [p["charge"] for p in mine or [] if p["charge"]["status"] in ("paid", "partially_refunded")]
        if charges:
            left = charges[0]["captured"] - charges[0]["refunded"]
            amount = self._dice.choice((left, self._dice.randrange(1, left + 1)))
            charge_id = str(charges[0]["chargeId"])
            await self._as(self._houses.provider.token or "", lambda p: p.refund(charge_id, amount, "Chaos"), tries=1)

    async def _by_card(self, life: Life, card: str, what: str, wish: dict[str, str]) -> Json | None:
        """A checkout at Stripe, confirmed in the payer's browser; the bank is told yes if it asks."""
        started = await self._as(self._tokens[life.number], lambda provider: provider.pay_with_stripe(what, **wish))
        if started is not None and life.temperament != "waits":
            answer = "approve" if life.temperament == "approves" else "fail"
            await self._houses.sandbox.confirm(str(started["clientSecret"]), card, answer)
        return started

    async def _in_dashboard(self, life: Life) -> None:
        """The merchant looks a subscription up in Stripe's own dashboard, and cancels it there."""
        agreement_id, after = self._agreements.get(life.number), ""
        while agreement_id is not None:
            page = await self._houses.stripe.call("GET", f"/subscriptions?status=active&limit=100{after}")
            for one in page["data"]:
                if one["metadata"].get(REFERENCE) == agreement_id:
                    await self._cancel(str(one["id"]))
                    return
            if not page["has_more"]:
                return
            after = f"&starting_after={page['data'][-1]['id']}"

    async def _cancel(self, subscription: str) -> None:
        """Until it is done: the faults that are scripted for the provider's calls meet this one too."""
        for _ in range(TRIES_COUNT_MAX):
            with suppress(aiohttp.ClientError, TimeoutError):
                try:
                    async with asyncio.timeout(DASHBOARD_SECONDS_MAX):
                        await self._houses.stripe.call("DELETE", f"/subscriptions/{subscription}")
                    return
                except Refused as refused:
                    if refused.status not in _TRY_AGAIN and refused.status != 429:
                        return  # it took effect without an answer
            await asyncio.sleep(PAUSE_SECONDS)

    async def _on_phone(self, life: Life, status: str, act: str) -> None:
        if life.card is not None:
            if act == "stop":
                await self._in_dashboard(life)
            return
        app = await self._houses.sandbox.phone(life.phone_number)
        for agreement in app["agreements"]:
            if agreement["status"] == status:
                await self._houses.sandbox.on_phone(life.phone_number, agreement["agreementId"], act)

    async def _stop_in_shop(self, life: Life) -> None:
        if (agreement_id := self._agreements.get(life.number)) is not None:
            await self._as(self._tokens[life.number], lambda provider: provider.stop(agreement_id))

    async def _refund(self, life: Life) -> None:
        agreement_id = self._agreements.get(life.number)
        if agreement_id is None:
            return
        agreement = await self._as(self._tokens[life.number], lambda p: p.agreement(agreement_id))
        paid = [c for c in (agreement or {}).get("charges", []) if c["status"] == "paid"]
        if paid:
            amount = self._dice.randrange(100, self._houses.offer.price + 1)
            charge_id = str(self._dice.choice(paid)["chargeId"])
            await self._as(self._houses.provider.token or "", lambda p: p.refund(charge_id, amount, "Chaos"), tries=1)

    async def _as(self, token: str, call: Callable[[Provider], Awaitable[T]], tries: int = TRIES_COUNT_MAX) -> T | None:
        """One call in somebody's name, at any API process, until it is answered; None for a definite no."""
        for _ in range(tries):
            base = self._dice.choice(self._houses.bases)
            try:
                return await call(Provider(self._houses.session, base, token))
            except Refused as refused:
                if refused.status not in _TRY_AGAIN:
                    return None
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(PAUSE_SECONDS)
        return None
