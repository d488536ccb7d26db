"""Where the telephones are: the address that merchants send payers to, and the apps below `/phone`."""

from __future__ import annotations

from collections.abc import Callable

from starlette.routing import BaseRoute, Route

from ..vipps.recurring import confirmation
from .apps import Apps
from .consent import Consent
from .look.handlers import settled
from .look.page import static_files
from .telephones import Telephones

PATH = "/phone"


def confirmation_routes(telephones: Telephones, settle: Callable[[], object]) -> list[BaseRoute]:
    """Give the routes to put at the root of the port: the page behind `vippsConfirmationUrl`.

    `settle` stores what a request changed, and tells merchants of it, before it is answered.
    """
    consent = Consent(telephones, PATH)
    return [
        Route(confirmation.PATH, consent.show, methods=["GET"]),
        Route(confirmation.PATH, settled(consent.decide, settle), methods=["POST"]),
    ]


def routes(telephones: Telephones, settle: Callable[[], object]) -> list[BaseRoute]:
    """Give the routes to mount at `/phone`; `settle` as above."""
    apps = Apps(telephones, PATH)
    agreement = "/{number}/agreements/{agreement_id}"
    return [
        Route("/", apps.people, methods=["GET"]),
        Route("/", settled(apps.add, settle), methods=["POST"]),
        Route("/open", apps.open, methods=["GET"]),
        static_files(),
        Route("/{number}", apps.app, methods=["GET"]),
        Route("/{number}/money", settled(apps.money, settle), methods=["POST"]),
        Route(f"{agreement}/stop", settled(apps.stop, settle), methods=["POST"]),
        Route(f"{agreement}/limit", settled(apps.limit, settle), methods=["POST"]),
    ]
