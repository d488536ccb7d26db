"""The claims of a token: subscriptions before what was bought once, and a word when there is more than fits."""

from __future__ import annotations

from datetime import timedelta

from avtale.service.entitling import claim_of

from .conftest import START, Shop


async def test_a_token_that_cannot_hold_everything_says_so(shop: Shop) -> None:
    await shop.rent()
    await shop.subscribe()
    whole = await claim_of(shop.db, shop.tenant, shop.anna, 2)
    assert (whole.product_ids, whole.has_more) == (("film-month", "film-rent"), False)
    assert whole.holds_until == START + timedelta(days=2)
    short = await claim_of(shop.db, shop.tenant, shop.anna, 1)
    assert (short.product_ids, short.has_more) == (("film-month",), True)
