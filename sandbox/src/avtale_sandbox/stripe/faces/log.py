"""Events, webhook endpoints, and the account."""

from __future__ import annotations

from typing import Any

from ..books import Books
from ..calls import Action, Actions, Call
from ..endpoints import Endpoints
from ..events import KEPT_SECONDS
from ..params import Params, boolean, items, listing, metadata, text
from ..refusals import Refused, no_such
from ..resources import Event
from ..wire import customers
from ..wire.events import endpoint
from ..wire.shapes import API_VERSION, listed
from ..wire.speller import Speller

_ENDPOINT: dict[str, Any] = {
    "url": text(),
    "enabled_events": items(text(), 500),
    "description": text(),
    "metadata": metadata,
}


class Log:
    """The operations on what is told, to whom, and by whom."""

    def __init__(self, books: Books, endpoints: Endpoints, speller: Speller) -> None:
        self._books = books
        self._endpoints = endpoints
        self._speller = speller

    def actions(self) -> Actions:
        """By name."""
        create = Params(["url", "enabled_events"], connect=boolean, api_version=_api_version, **_ENDPOINT)
        return {
            "GetEvents": Action(
                listing(type=text(), types=items(text(), 20), delivery_success=boolean), self.list_events
            ),
            "GetEventsId": Action(Params(), self.retrieve_event),
            "PostWebhookEndpoints": Action(create, self.create_endpoint),
            "GetWebhookEndpoints": Action(listing(), self.list_endpoints),
            "GetWebhookEndpointsWebhookEndpoint": Action(Params(), self.retrieve_endpoint),
            "PostWebhookEndpointsWebhookEndpoint": Action(Params(disabled=boolean, **_ENDPOINT), self.update_endpoint),
            "DeleteWebhookEndpointsWebhookEndpoint": Action(Params(), self.delete_endpoint),
            "GetAccount": Action(Params(), self.own_account),
            "GetAccountsAccount": Action(Params(), self.account),
        }

    def list_events(self, call: Call) -> dict[str, Any]:
        """Events of the last thirty days, newest first."""
        params = call.params
        success = params.get("delivery_success")
        wanted = [params["type"]] if params.get("type") else params.get("types")

        def keep(row: Event) -> bool:
            if self._is_over(row):
                return False
            if success is not None and success == bool(row.pending):
                return False
            return wanted is None or any(_matches(row.type, one) for one in wanted)

        rows, more = self._books.events.page(call.account_id, params, keep=keep)
        return self._speller.page("/v1/events", rows, more)

    def retrieve_event(self, call: Call) -> Event:
        """One event of the last thirty days."""
        found = self._books.events.get(call.account_id, call.values["id"])
        if self._is_over(found):
            raise no_such("event", found.id)
        return found

    def _is_over(self, row: Event) -> bool:
        """Whether an event is too old to be told, although nothing has happened since that made room for it."""
        return row.created < self._books.now - KEPT_SECONDS

    def create_endpoint(self, call: Call) -> dict[str, Any]:
        """Make an endpoint; only now its secret is told."""
        return endpoint(self._endpoints.add(call.account_id, self._books.now, call.params), with_secret=True)

    def list_endpoints(self, call: Call) -> dict[str, Any]:
        """Endpoints, newest first."""
        rows, more = self._endpoints.shelf.page(call.account_id, call.params)
        return listed("/v1/webhook_endpoints", [endpoint(row) for row in rows], more)

    def retrieve_endpoint(self, call: Call) -> dict[str, Any]:
        """One endpoint."""
        return endpoint(self._endpoints.shelf.get(call.account_id, call.values["id"]))

    def update_endpoint(self, call: Call) -> dict[str, Any]:
        """Change an endpoint."""
        found = self._endpoints.shelf.get(call.account_id, call.values["id"])
        return endpoint(self._endpoints.change(found, call.params))

    def delete_endpoint(self, call: Call) -> dict[str, Any]:
        """Forget an endpoint."""
        found = self._endpoints.shelf.get(call.account_id, call.values["id"])
        self._endpoints.shelf.delete(found)
        return {"id": found.id, "object": "webhook_endpoint", "deleted": True}

    def own_account(self, call: Call) -> dict[str, Any]:
        """The account whose key was used, or that the header names."""
        return customers.account(call.account)

    def account(self, call: Call) -> dict[str, Any]:
        """The account itself, or one that is connected to it."""
        key = call.values["id"]
        found = self._books.accounts.find(key)
        if found is None or call.account_id not in (found.id, found.platform):
            message = f"The provided key does not have access to account '{key}' (or that account does not exist)."
            raise Refused(403, "invalid_request_error", message, code="account_invalid")
        return customers.account(found)


def _matches(type: str, wanted: str) -> bool:
    """Whether a type is the wanted one, or of its family (`charge.*`)."""
    return type.startswith(wanted[:-1]) if wanted.endswith("*") else type == wanted


def _api_version(value: Any, param: str) -> str:
    """Events are told in the one version that the sandbox speaks."""
    if value != API_VERSION:
        message = f"The sandbox speaks API version {API_VERSION} only."
        raise Refused(400, "invalid_request_error", message, param=param)
    return API_VERSION
