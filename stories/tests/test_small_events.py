"""Small stories of other systems that are told: at the end, what they heard is what the books say."""

from __future__ import annotations

from datetime import date
from random import Random

import pytest

from stories.chaos.listener import Listener
from stories.world import World

pytestmark = pytest.mark.story


async def test_a_system_that_was_deaf_for_weeks_hears_everything_in_the_end(world: World) -> None:
    async with Listener(Random(1)) as listener:
        listener.well, world.heard = True, listener.taken
        endpoint = await world.houses.provider.listen(listener.url)
        anna = await world.person("Anna", no_funds=[(date(2027, 2, 28), date(2027, 3, 3))])
        deal = await world.shop.subscribe(anna)
        assert [event["type"] for event in listener.taken] == ["agreement.activated", "charge.paid", "access.extended"]
        listener.deaf = True
        await world.shop.rent(await world.person("Henrik"))
        await world.advance_to("2027-03-10")
        assert len(listener.taken) == 3
        errors = [error["code"] for error in await world.houses.provider.config_errors()]
        assert "event_endpoint_disabled" in errors
        listener.deaf = False
        await world.shop.stop(deal)
        await world.houses.provider.hear_again(endpoint["endpointId"])
        await world.advance_to("2027-04-01")
        mine = [event for event in listener.taken if event["agreementId"] == deal.agreement_id]
        assert [event["agreementSeq"] for event in mine] == list(range(1, len(mine) + 1))
        assert [event["type"] for event in mine[-2:]] == ["access.shortened", "access.ended"]
        assert await world.audit() == []
