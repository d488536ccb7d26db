"""The control room's doors: every route below `/_sandbox`, its description, and its pages."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..world import World
from .cast import CastControl
from .dashboard.rooms import dashboard
from .handbook import Handbook
from .keep import KeepControl, Keeper
from .past import PastControl
from .shapes import Health
from .stripe import StripeControl
from .time import TimeControl
from .trouble import TroubleControl
from .watch import WatchControl
from .wire import Door, answer, nothing


class ControlRoom:
    """Everything that is asked about the whole sandbox. A new operation is a `Door` in one of the groups."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self, others: Sequence[BaseRoute] = ()) -> list[BaseRoute]:
        """Every route, to mount at `/_sandbox`, together with the doors that other rooms have there."""
        world, keeper = self._world, Keeper(self._world)
        groups: dict[str, list[BaseRoute]] = {
            "The whole": [
                Door("GET", "/health", self.health, gives=Health),
                *KeepControl(world, keeper).routes(),
            ],
            "Time": TimeControl(world).routes(),
            "People, merchants and telephones": CastControl(world).routes(),
            "What there was before": PastControl(world).routes(),
            "Stripe": StripeControl(world).routes(),
            "What goes wrong": TroubleControl(world).routes(),
            "What happened": WatchControl(world).routes(),
            "Tokens and the identity provider": [
                Door("POST", "/tokens/expire", self.expire_tokens, status=204),
                *others,
            ],
        }
        desk, pages = dashboard(world, keeper)
        return [*(route for group in groups.values() for route in group), *Handbook(groups, desk).routes(), *pages]

    async def health(self, request: Request) -> Response:
        """Whether the sandbox answers."""
        return answer({"status": "ok"})

    async def expire_tokens(self, request: Request) -> Response:
        """Make every access token that was issued so far worthless, as an hour would."""
        self._world.tokens.expire_all()
        return nothing()
