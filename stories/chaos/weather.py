"""What the gateway and its webhooks do wrong, drawn from the seed and scripted through the sandbox's control API."""

from __future__ import annotations

from random import Random

from stories.clients import Json, Sandbox

_CALLS = (
    "CreateChargeV3",
    "CreateChargeAsyncV3",
    "CancelChargeV3",
    "ListChargesV3",
    "DraftAgreementV3",
    "FetchAgreementV3",
    "FetchChargeV3",
    "RefundChargeV3",
    "UpdateAgreementPatchV3",
    "createPayment",
    "getPayment",
    "capturePayment",
    "cancelPayment",
    "refundPayment",
    "PostCustomers",
    "GetPrices",
    "PostSubscriptions",
    "PostSubscriptionsSubscriptionExposedId",
    "GetSubscriptionsSubscriptionExposedId",
    "DeleteSubscriptionsSubscriptionExposedId",
    "GetInvoices",
    "GetInvoicesInvoice",
    "PostPaymentIntents",
    "GetPaymentIntentsIntent",
    "PostRefunds",
    "GetEvents",
)
_CALL_FAULTS: tuple[Json, ...] = (
    {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503},
    {"kind": "hang"},
    {"kind": "delay", "seconds": 0.3},
    {"kind": "effect-then-hang"},
    {"kind": "effect-then-hang"},
    {"kind": "effect-then-close"},
    {"kind": "effect-then-status", "status": 500},
)
_EVENT_FAULTS = ("drop", "duplicate", "reorder", "delay")
DAY_SECONDS = 86_400


class Weather:
    """The faults of a few days at a time; `befallen` counts what they have befallen so far."""

    def __init__(self, sandbox: Sandbox, dice: Random, operations_count_max: int) -> None:
        self._sandbox = sandbox
        self._dice = dice
        self._operations_count_max = operations_count_max
        self._scripts: list[str] = []
        self.befallen = 0

    async def change(self) -> None:
        """Script other faults in place of the last ones.

        At most one script for each operation, for two calls: each try waits longer, and all is to get through soon.
        """
        await self.clear()
        for operation in self._dice.sample(_CALLS, self._dice.randrange(1, self._operations_count_max + 1)):
            await self._script({"operationId": operation}, self._dice.choice(_CALL_FAULTS), 2)
        for kind in self._dice.sample(_EVENT_FAULTS, self._dice.randrange(0, 3)):
            action: Json = {"kind": kind}
            if kind == "delay":
                action["seconds"] = self._dice.randrange(1, 5) * DAY_SECONDS
            await self._script({"webhook": "*"}, action, 5)

    async def clear(self) -> None:
        """Forget the scripts, and count what they have done."""
        matched = {fault["id"]: int(fault["matched"]) for fault in (await self._sandbox.faults())["faults"]}
        for script in self._scripts:
            self.befallen += matched[script]
            await self._sandbox.forget_fault(script)
        self._scripts = []

    async def _script(self, match: Json, action: Json, times_max: int) -> None:
        self._scripts.append(await self._sandbox.fault(match, action, self._dice.randrange(1, times_max + 1)))
