"""Where the telephones are: the address that merchants send payers to, and the apps below `/phone`."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from ..pages.page import static_files
from ..vipps.epayment import landing
from ..vipps.recurring import confirmation
from .apps import Apps
from .bills import Bills
from .consent import Consent
from .paying import Paying
from .telephones import Telephones

PATH = "/phone"


def confirmation_routes(telephones: Telephones) -> list[BaseRoute]:
    """Give the routes to put at the root of the port: the page behind `vippsConfirmationUrl`.

    Whoever mounts them commits the store before an answer leaves.
    """
    consent = Consent(telephones, PATH)
    return [
        Route(confirmation.PATH, consent.show, methods=["GET"]),
        Route(confirmation.PATH, consent.decide, methods=["POST"]),
    ]


def payment_routes(telephones: Telephones, bills: Bills) -> list[BaseRoute]:
    """Give the routes to put at the root of the port: the page behind `redirectUrl`, and the QR image."""
    paying = Paying(telephones, bills, PATH)
    return [
        Route(landing.PATH, paying.show, methods=["GET"]),
        Route(landing.PATH, paying.decide, methods=["POST"]),
        Route(landing.QR_PATH, paying.image, methods=["GET"]),
    ]


def routes(telephones: Telephones, bills: Bills) -> list[BaseRoute]:
    """Give the routes to mount at `/phone`; whoever mounts them commits likewise."""
    apps = Apps(telephones, bills, PATH)
    agreement = "/{number}/agreements/{agreement_id}"
    return [
        Route("/", apps.people, methods=["GET"]),
        Route("/", apps.add, methods=["POST"]),
        Route("/open", apps.open, methods=["GET"]),
        static_files(),
        Route("/{number}", apps.app, methods=["GET"]),
        Route("/{number}/money", apps.money, methods=["POST"]),
        Route(f"{agreement}/stop", apps.stop, methods=["POST"]),
        Route(f"{agreement}/limit", apps.limit, methods=["POST"]),
    ]
