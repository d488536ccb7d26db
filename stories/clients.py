"""The two houses from outside: the sandbox's control, and the provider's API in somebody's name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from stories.almanac import iso, parse_instant

Json = dict[str, Any]


class Refused(Exception):
    """An answer that is not 2xx: its status, its body (parsed when it is JSON) and the body's `code`."""

    def __init__(self, method: str, url: str, status: int, body: object) -> None:
        super().__init__(f"{method} {url} was answered {status}: {body}")
        self.status = status
        self.body: Any = body
        self.code = body.get("code") if isinstance(body, dict) else None


class Http:
    """JSON over one connection pool, from one base address, with the same headers each time."""

    def __init__(self, session: aiohttp.ClientSession, base: str, headers: dict[str, str] | None = None) -> None:
        self.session = session
        self.base = base.rstrip("/")
        self.headers = headers or {}

    async def call(
        self, method: str, path: str, body: Json | None = None, headers: dict[str, str] | None = None
    ) -> Any:
        """The parsed answer, or None when it is empty. `Refused` for every status that is not 2xx."""
        url = f"{self.base}{path}"
        async with self.session.request(
            method, url, json=body, headers=self.headers | (headers or {}), allow_redirects=False
        ) as answer:
            text = await answer.text()
            parsed: Any = text or None
            if text and "json" in answer.content_type:
                parsed = await answer.json(content_type=None)
            if not 200 <= answer.status < 300:
                raise Refused(method, url, answer.status, parsed)
            return parsed


class Sandbox:
    """The sandbox's control API (`/_sandbox`): clock, people, their phones, faults and records."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self.base = base
        self._http = Http(session, f"{base}/_sandbox")

    async def clock(self) -> Json:
        return await self._object("GET", "/clock")

    async def now(self) -> datetime:
        return parse_instant((await self.clock())["now"])

    async def set_clock(self, now: datetime) -> None:
        await self._http.call("PUT", "/clock", {"now": iso(now), "running": False})

    async def advance(self, *, to: datetime | None = None, by: str = "", wall_seconds_max: int = 60) -> Json:
        """Turn the clock to an instant or by an ISO 8601 duration; `Refused` (503) if it gets not quiet."""
        goal = {"to": iso(to)} if to else {"by": by}
        return await self._object("POST", "/clock/advance", goal | {"wallSecondsMax": wall_seconds_max})

    async def take_part(self, name: str, url: str, token: str) -> None:
        """Register a participant of the clock."""
        await self._http.call("POST", "/clock/participants", {"name": name, "url": url, "token": token})

    async def leave(self, name: str) -> None:
        """Follow the clock no more."""
        await self._http.call("DELETE", f"/clock/participants/{quote(name)}")

    async def person(self, phone_number: str, **traits: Any) -> Json:
        """Make a person, with the traits of the control API (`name`, `temperament`, `noFunds`)."""
        return await self._object("POST", "/people", {"phoneNumber": phone_number, **traits})

    async def change_person(self, phone_number: str, **traits: Any) -> Json:
        return await self._object("PATCH", f"/people/{phone_number}", traits)

    async def open_phone(self, phone_number: str, confirmation_url: str) -> Json:
        """The person opens a confirmation address on the phone, and does as the temperament says."""
        return await self._object("POST", f"/phone/{phone_number}/open", {"url": confirmation_url})

    async def confirm(self, client_secret: str, card: str | None, authentication: str | None = None) -> Json:
        """What a payer does in a browser with Stripe's scripts: give a card (or have given it), answer the bank if
        it asks."""
        said = {"clientSecret": client_secret, "card": card, "authentication": authentication}
        return await self._object("POST", "/stripe/confirm", {n: v for n, v in said.items() if v is not None})

    async def dispute(self, charge: str) -> str:
        """A payer's bank takes money back; gives the dispute's id."""
        return str((await self._object("POST", "/stripe/disputes", {"charge": charge}))["id"])

    async def fail_refund(self, refund: str) -> None:
        """A payer's bank sends back what was given back."""
        await self._http.call("POST", f"/stripe/refunds/{refund}/fail")

    async def decide(self, dispute: str, outcome: str) -> None:
        """The bank makes up its mind: `won` or `lost`, for the merchant."""
        await self._object("POST", f"/stripe/disputes/{dispute}/decide", {"outcome": outcome})

    async def on_phone(self, phone_number: str, agreement_id: str, act: str) -> Json:
        """The person does `approve`, `reject` or `stop` with an agreement in the app."""
        path = f"/phone/{phone_number}/agreements/{quote(agreement_id)}/{act}"
        return await self._object("POST", path, {})

    async def token(self, subject: str, audience: str, **claims: Any) -> str:
        """An access token of the sandbox's identity issuer."""
        wish = {"subject": subject, "audience": audience, "claims": claims}
        return str((await self._object("POST", "/identity/tokens", wish))["accessToken"])

    async def plant(self, agreements: list[Json], merchant: str | None = None) -> list[str]:
        """Agreements that an earlier system made, however many; gives their ids in the same order."""
        ids: list[str] = []
        named = {"merchantSerialNumber": merchant} if merchant else {}
        for at in range(0, len(agreements), 5000):
            wish = {"agreements": agreements[at : at + 5000]} | named
            ids += (await self._object("POST", "/past-agreements", wish))["agreementIds"]
        return ids

    async def plant_subscriptions(self, subscriptions: list[Json]) -> list[str]:
        """Subscriptions of Stripe's that an earlier system made, however many; gives their ids in the same order."""
        ids: list[str] = []
        for at in range(0, len(subscriptions), 5000):
            wish = {"subscriptions": subscriptions[at : at + 5000]}
            ids += (await self._object("POST", "/stripe/past-subscriptions", wish))["subscriptionIds"]
        return ids

    async def merchant(self, **traits: Any) -> None:
        """One more sales unit."""
        await self._http.call("POST", "/merchants", traits)

    async def fault(self, match: Json, action: Json, times: int = 1) -> str:
        """Write one line of the fault script; gives its id."""
        line = {"match": match, "times": times, "action": action}
        return str((await self._object("POST", "/faults", line))["id"])

    async def faults(self) -> Json:
        """The fault script, with how often each line has matched."""
        return await self._object("GET", "/faults")

    async def phone(self, phone_number: str) -> Json:
        """What is in the person's app."""
        return await self._object("GET", f"/phone/{phone_number}")

    async def forget_fault(self, fault_id: str) -> None:
        await self._http.call("DELETE", f"/faults/{fault_id}")

    async def clear_faults(self) -> None:
        await self._http.call("DELETE", "/faults")

    async def export(self) -> Json:
        return await self._object("GET", "/export")

    async def requests(self, path: str) -> Any:
        return await self._http.call("GET", f"/requests?path={quote(path)}")

    async def deliveries(self) -> Any:
        return await self._http.call("GET", "/webhooks/deliveries")

    async def _object(self, method: str, path: str, body: Json | None = None) -> Json:
        answer = await self._http.call(method, path, body)
        assert isinstance(answer, dict), f"{method} {path} answered no object: {answer!r}"
        return answer


class Stripe:
    """Stripe as the merchant's dashboard uses it: with the account's secret key, and no client of ours."""

    def __init__(self, session: aiohttp.ClientSession, sandbox: str, key: str) -> None:
        self._session = session
        self._base = f"{sandbox}/stripe/v1"
        self._headers = {"Authorization": f"Bearer {key}"}

    async def call(self, method: str, path: str, form: dict[str, str] | None = None) -> Json:
        """The answer's object. `Refused` for every status that is not 2xx."""
        url = f"{self._base}{path}"
        async with self._session.request(method, url, data=form, headers=self._headers) as answer:
            said = await answer.json()
            if not 200 <= answer.status < 300:
                raise Refused(method, url, answer.status, said)
            return dict(said)

    async def price(self, name: str, amount: int, currency: str, interval: str) -> None:
        """Put a subscription on sale under a look-up key."""
        form = {"currency": currency.lower(), "unit_amount": str(amount), "recurring[interval]": interval}
        await self.call("POST", "/prices", form | {"lookup_key": name, "product_data[name]": name})


class Provider:
    """The provider's API in the name of whoever the token is for."""

    def __init__(self, session: aiohttp.ClientSession, base: str, token: str | None = None) -> None:
        self.base = base
        self.token = token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = Http(session, base, headers)

    async def checkout(self, product_id: str, *, key: str | None = None, **more: Any) -> Json:
        wish = {"productId": product_id, "returnUrl": "https://film.example/thanks", **more}
        headers = {"Idempotency-Key": key} if key else {}
        return await self._object("POST", "/api/v1/pay/vipps/checkout", wish, headers)

    async def pay_with_stripe(self, what: str, product_id: str, *, key: str | None = None, **more: Any) -> Json:
        """`checkout` of a subscription, or `tvod` of a product that is bought once."""
        headers = {"Idempotency-Key": key} if key else {}
        return await self._object("POST", f"/api/v1/pay/stripe/{what}", {"productId": product_id, **more}, headers)

    async def change_what_pays(self, payment_method_id: str) -> Json:
        """Pay every subscription at Stripe with this from now on."""
        return await self._object("PUT", "/api/v1/customer", {"defaultPaymentMethodId": payment_method_id})

    async def agreement(self, agreement_id: str) -> Json:
        """The agreement; while it is pending, this asks the gateway."""
        return await self._object("GET", f"/api/v1/pay/vipps/recurring/agreements/{agreement_id}")

    async def purchase(self, purchase_id: str) -> Json:
        """The purchase; while it may still move, this asks the gateway."""
        return await self._object("GET", f"/api/v1/purchases/{purchase_id}")

    async def purchases(self) -> list[Json]:
        return list((await self._object("GET", "/api/v1/purchases"))["purchases"])

    async def agreements(self, *, drafts: bool = True) -> list[Json]:
        query = "?includeDrafts=true" if drafts else ""
        return list((await self._object("GET", f"/api/v1/agreements{query}"))["agreements"])

    async def stop(self, agreement_id: str) -> Json:
        return await self._object("POST", f"/api/v1/agreements/{agreement_id}/stop")

    async def change(self, agreement_id: str, verb: str, **wish: Any) -> Json:
        """`pause`, `resume`, `charge-day`, `plan`, `price` and their like; gives the change."""
        answer = await self._object("POST", f"/api/v1/agreements/{agreement_id}/{verb}", wish)
        return dict(answer["change"])

    async def changes(self, agreement_id: str) -> list[Json]:
        return list((await self._object("GET", f"/api/v1/agreements/{agreement_id}/changes"))["changes"])

    async def say_amount(self, agreement_id: str, amount: int) -> Json:
        """What the next period costs, where the price may vary (admin)."""
        return await self._object("POST", f"/api/v1/agreements/{agreement_id}/amount", {"amount": amount})

    async def withdraw(self, agreement_id: str) -> Json:
        return await self._object("POST", f"/api/v1/agreements/{agreement_id}/withdraw")

    async def price_product(self, product_id: str, amount: int, effective_date: str) -> Json:
        """Change the price of every agreement about a product (admin)."""
        wish = {"amount": amount, "effectiveDate": effective_date}
        return await self._object("POST", f"/api/v1/products/{product_id}/price", wish)

    async def charge_once(self, agreement_id: str, amount: int, description: str) -> Json:
        """Charge something besides the periods (admin)."""
        wish = {"amount": amount, "description": description}
        return await self._object("POST", f"/api/v1/agreements/{agreement_id}/charges", wish)

    async def dunning(self, status: str = "open") -> list[Json]:
        """The agreements in dunning, or those that were (admin)."""
        return list((await self._object("GET", f"/api/v1/dunning?status={status}"))["dunnings"])

    async def refund(self, charge_id: str, amount: int, reason: str) -> Json:
        """Give back `amount` minor units (admin)."""
        wish = {"amount": amount, "reason": reason}
        return await self._object("POST", f"/api/v1/charges/{charge_id}/refunds", wish)

    async def receipts(self) -> list[Json]:
        return list((await self._object("GET", "/api/v1/receipt"))["receipts"])

    async def receipt(self, receipt_id: str) -> Json:
        return await self._object("GET", f"/api/v1/receipt/{receipt_id}")

    async def hand_in(self, path: str, file: Path) -> str:
        """Hand a file of a migration in; gives the import's id."""
        with file.open("rb") as body:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "text/csv"}
            async with self._http.session.post(f"{self.base}{path}", data=body, headers=headers) as answer:
                if answer.status != 200:
                    raise Refused("POST", path, answer.status, await answer.text())
                return str((await answer.json())["importId"])

    async def post(self, path: str, body: Json | None = None) -> Json:
        return await self._object("POST", path, body)

    async def check_entitlements(self, *product_ids: str) -> list[str]:
        """Which of these the person may use at this moment."""
        said = await self._object("POST", "/api/v1/entitlements/check", {"productIds": list(product_ids)})
        return [str(one["productId"]) for one in said["entitlements"]]

    async def get(self, path: str) -> Json:
        return await self._object("GET", path)

    async def lines(self, path: str) -> AsyncIterator[str]:
        """The lines of a file, as they arrive."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self._http.session.get(f"{self.base}{path}", headers=headers) as answer:
            if answer.status != 200:
                raise Refused("GET", path, answer.status, await answer.text())
            async for line in answer.content:
                yield line.decode().rstrip("\r\n")

    async def listen(self, url: str) -> Json:
        """Have events delivered to an address (admin)."""
        return await self._object("POST", "/api/v1/events/endpoints", {"url": url})

    async def hear_again(self, endpoint_id: str) -> Json:
        """Switch an endpoint of events on again (admin)."""
        return await self._object("POST", f"/api/v1/events/endpoints/{endpoint_id}/enable")

    async def config_errors(self) -> list[Json]:
        """What is wrong with the tenant's set-up (admin)."""
        return list((await self._object("GET", "/api/v1/config/errors"))["errors"])

    async def events(self) -> list[Json]:
        """The whole stream of events (admin)."""
        found: list[Json] = []
        cursor = "0"
        while page := await self._object("GET", f"/api/v1/events?limit=1000&after={cursor}"):
            found += page["events"]
            if not page["events"]:
                break
            cursor = page["next"]
        return found

    async def export(self) -> Json:
        """The audit export (admin)."""
        return await self._object("GET", "/api/v1/audit/export")

    async def _object(
        self, method: str, path: str, body: Json | None = None, headers: dict[str, str] | None = None
    ) -> Json:
        answer = await self._http.call(method, path, body, headers)
        assert isinstance(answer, dict), f"{method} {path} answered no object: {answer!r}"
        return answer
