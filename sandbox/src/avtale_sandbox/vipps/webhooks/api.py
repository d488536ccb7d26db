"""The webhooks API: register an address, list the registrations, delete one."""

from __future__ import annotations

from collections.abc import Mapping

from ...contracts.contract import Contract
from ..exchange import PROBLEM_JSON, Answer, Call, Request, json_answer
from ..gateway import Handler
from ..refusals import Refused, not_found
from .registrations import Registrations

_STATUSES = {"not-found": (404, "Not Found"), "unsupported-media-type": (415, "Unsupported Media Type")}


class WebhooksApi:
    """The face of the registrations."""

    def __init__(self, registrations: Registrations) -> None:
        self.contract = Contract("webhooks")
        self._registrations = registrations

    def handlers(self) -> Mapping[str, Handler]:
        """What does the work of each operation."""
        return {
            "RegisterWebhook": self.register,
            "ListWebhooks": self.list_all,
            "DeleteWebhook": self.delete,
        }

    def refuse(self, request: Request, refused: Refused) -> Answer:
        """A problem as the webhooks API writes it."""
        status, title = _STATUSES.get(refused.problem, (400, "Bad Request"))
        many = refused.problem == "validation-error"
        body = {
            "type": f"https://httpstatuses.com/{status}",
            "title": title,
            "status": status,
            "detail": "One or more validation errors occurred." if many else refused.detail,
            "instance": request.path.removeprefix("/webhooks"),
            "traceId": request.id,
            "extraDetails": [{"name": name, "reason": reason} for name, reason in refused.fields],
        }
        return json_answer(status, body, PROBLEM_JSON)

    def replay(self, call: Call, remembered: str) -> Answer:
        """Nothing here takes an idempotency key."""
        raise LookupError(remembered)

    def register(self, call: Call) -> Answer:
        """Register an address; the secret is given here and never again."""
        msn = call.merchant.merchant_serial_number
        added = self._registrations.add(msn, call.body["url"], call.body["events"])
        return json_answer(201, {"id": added.id, "secret": added.secret})

    def list_all(self, call: Call) -> Answer:
        """The merchant's registrations, without their secrets."""
        found = self._registrations.of(call.merchant.merchant_serial_number)
        webhooks = [{"id": one.id, "url": one.url, "events": one.events} for one in found]
        return json_answer(200, {"webhooks": webhooks})

    def delete(self, call: Call) -> Answer:
        """Delete a registration."""
        if not self._registrations.delete(call.merchant.merchant_serial_number, call.values["id"]):
            raise not_found("Webhook")
        return Answer(204)
