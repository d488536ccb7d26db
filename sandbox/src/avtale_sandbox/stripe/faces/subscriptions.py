"""Subscriptions."""

from __future__ import annotations

from typing import Any

from ..billing import DAY, Billing
from ..books import Books
from ..calls import Action, Actions, Call
from ..drafting import added_days, added_line
from ..events import Events
from ..lifecycle import ENDED, Lifecycle
from ..methods import Methods
from ..params import Params, boolean, choice, integer, items, listing, merged, shape, text
from ..payments import Payments
from ..refusals import Refused, invalid, not_played, required
from ..resources import Item, Line, PaymentMethod, Price, Subscription
from ..wire.speller import Speller
from .catalogue import Catalogue
from .terms import ADDED, BOTH, CANCELLATION, CHANGED_ITEM, ITEM, PAUSE, STATUSES


class Subscriptions:
    """The operations on subscriptions."""

    def __init__(
        self,
        books: Books,
        events: Events,
        methods: Methods,
        payments: Payments,
        billing: Billing,
        lifecycle: Lifecycle,
        catalogue: Catalogue,
        speller: Speller,
    ) -> None:
        self._books = books
        self._events = events
        self._methods = methods
        self._payments = payments
        self._billing = billing
        self._lifecycle = lifecycle
        self._catalogue = catalogue
        self._speller = speller

    def actions(self) -> Actions:
        """By name."""
        create = Params(
            ["customer", "items"],
            customer=text(),
            currency=text(3),
            items=items(ITEM, 20),
            trial_period_days=integer(1, 730),
            trial_from_plan=boolean,
            billing_mode=shape(type=choice("classic", "flexible")),
            **BOTH,
        )
        return {
            "PostSubscriptions": Action(create, self.create),
            "GetSubscriptions": Action(
                listing(customer=text(), price=text(), status=STATUSES, collection_method=text()), self.list_all
            ),
            "GetSubscriptionsSubscriptionExposedId": Action(Params(), self.retrieve),
            "PostSubscriptionsSubscriptionExposedId": Action(
                Params(
                    items=items(CHANGED_ITEM, 20),
                    add_invoice_items=items(ADDED, 20),
                    cancellation_details=CANCELLATION,
                    pause_collection=PAUSE,
                    **BOTH,
                ),
                self.update,
            ),
            "DeleteSubscriptionsSubscriptionExposedId": Action(
                Params(invoice_now=boolean, prorate=boolean, cancellation_details=CANCELLATION), self.cancel
            ),
        }

    def create(self, call: Call) -> Subscription:
        """Begin a subscription; with `error_if_incomplete` nothing is made unless the money comes."""
        params, account, now = call.params, call.account_id, self._books.now
        if params.get("collection_method") == "send_invoice":
            raise not_played("invoices that are sent", "collection_method")
        behavior = params.get("payment_behavior", "allow_incomplete")
        if behavior == "pending_if_incomplete":
            raise invalid("`pending_if_incomplete` is only for updates.", param="payment_behavior")
        customer = self._books.customers.get(account, params["customer"], "customer")
        chosen = [self._item(account, one, f"items[{place}]") for place, one in enumerate(params["items"])]
        prices = [self._books.prices.at(one.price) for one in chosen]
        self._check_prices(prices, params.get("currency"))
        trial_end = self._trial_end(params, prices)
        key, number = self._books.new_id("sub")
        subscription = Subscription(
            id=key,
            number=number,
            account=account,
            created=now,
            customer=customer.id,
            currency=prices[0].currency,
            items=chosen,
            status="incomplete",
            anchor=trial_end or now,
            period_start=now,
            period_end=trial_end or now,
            trial_start=now if trial_end else None,
            trial_end=trial_end,
        )
        if trial_end is None:
            subscription.period_end = self._lifecycle.period_after(subscription, now)
        self._change(subscription, params)
        method = self._billing.method_of(subscription)
        tries_now = behavior != "default_incomplete"
        due = 0 if trial_end else self._lifecycle.amount_of(subscription)
        if tries_now and due:
            self._check_method(method, behavior, customer.id)
        if customer.currency is None:
            customer.currency = subscription.currency
            self._books.customers.put(customer)
        return self._lifecycle.begin(subscription, method, try_now=tries_now)

    def list_all(self, call: Call) -> dict[str, Any]:
        """Subscriptions, newest first; those that have ended only when they are asked for."""
        params = call.params
        customer, price, status = params.get("customer"), params.get("price"), params.get("status")

        def keep(row: Subscription) -> bool:
            if price and all(one.price != price for one in row.items):
                return False
            if status in (None, "all"):
                return status == "all" or row.status != "canceled"
            return row.status in ENDED if status == "ended" else row.status == status

        facet = ("customer", customer) if customer else ("", None)
        rows, more = self._books.subscriptions.page(call.account_id, params, facet, keep)
        return self._speller.page("/v1/subscriptions", rows, more)

    def retrieve(self, call: Call) -> Subscription:
        """One subscription."""
        return self._books.subscriptions.get(call.account_id, call.values["id"])

    def update(self, call: Call) -> Subscription:
        """Change a subscription."""
        subscription, params = self.retrieve(call), call.params
        if subscription.status in ENDED and set(params) - {"metadata", "cancellation_details", "expand"}:
            message = "A canceled subscription can only update its cancellation_details and metadata."
            raise invalid(message)
        before = self._events.spell(subscription)
        interval = self._interval(subscription)
        if "items" in params:
            self._change_items(subscription, params)
        trial_end = self._later_trial(subscription, params)
        added = self._added(subscription, params, trial_end)
        if "pause_collection" in params:
            self._change_pause(subscription, params["pause_collection"])
        self._change(subscription, params)
        if subscription.status in ENDED:
            self._books.subscriptions.put(subscription)
            return subscription
        if trial_end is not None:
            return self._lifecycle.begin_trial(subscription, trial_end, before, added)
        if self._interval(subscription) != interval and subscription.status in ("active", "past_due"):
            return self._lifecycle.begin_anew(subscription, before)
        return self._lifecycle.save(subscription, before)

    def cancel(self, call: Call) -> Subscription:
        """End a subscription now."""
        subscription = self._books.subscriptions.get(call.account_id, call.values["id"])
        if subscription.status in ENDED:
            message = f"No such subscription: '{subscription.id}'"
            raise invalid(message, param="id", code="resource_missing", status=404)
        if call.params.get("invoice_now") or call.params.get("prorate"):
            raise not_played("a last invoice at cancellation", "invoice_now")
        self._note_cancellation(subscription, call.params.get("cancellation_details") or {})
        return self._lifecycle.end(subscription, "cancellation_requested")

    def _item(self, account: str, given: dict[str, Any], param: str) -> Item:
        return Item(
            id=self._books.part_id("si"),
            created=self._books.now,
            price=self._price(account, given, param).id,
            quantity=given.get("quantity", 1),
            metadata=merged({}, given.get("metadata")),
        )

    def _price(self, account: str, given: dict[str, Any], param: str) -> Price:
        if given.get("price"):
            return self._books.prices.get(account, given["price"], f"{param}[price]")
        if given.get("price_data"):
            data = given["price_data"]
            product = self._books.products.get(account, data["product"], f"{param}[price_data][product]")
            return self._catalogue.new_price(account, product, data)
        raise required(f"{param}[price]")

    def _check_prices(self, prices: list[Price], currency: str | None) -> None:
        if not prices:
            raise required("items")
        for place, price in enumerate(prices):
            param = f"items[{place}][price]"
            if price.interval is None:
                message = "The price specified is set to `type=one_time` but this field only accepts recurring prices."
                raise invalid(message, param=param)
            if not price.active:
                raise invalid("The price specified is inactive. This field only accepts active prices.", param=param)
            if currency is not None and price.currency != currency.lower():
                raise invalid(f"The price is in {price.currency}, not in {currency}.", param="currency")
            if (price.interval, price.interval_count) != (prices[0].interval, prices[0].interval_count):
                raise not_played("several intervals in one subscription", param)
            if price.currency != prices[0].currency:
                raise invalid("All prices on a subscription must have the same currency.", param=param)

    def _interval(self, subscription: Subscription) -> tuple[str | None, int]:
        price = self._books.prices.at(subscription.items[0].price)
        return price.interval, price.interval_count

    def _later_trial(self, subscription: Subscription, params: dict[str, Any]) -> int | None:
        """Until when nothing is charged of a subscription that has begun: its periods are counted from there."""
        given = params.get("trial_end")
        if given in (None, "") or (given == "now" and subscription.status != "trialing"):
            return None
        if given == "now":
            raise not_played("trials that are cut short", "trial_end")
        if subscription.status not in ("active", "past_due", "trialing"):
            raise not_played(f"trials of subscriptions that are {subscription.status}", "trial_end")
        if params.get("proration_behavior") != "none":
            raise not_played("prorations: pass proration_behavior=none", "proration_behavior")
        return self._trial_end({"trial_end": given}, [])

    def _added(self, subscription: Subscription, params: dict[str, Any], trial_end: int | None) -> list[Line]:
        """What the invoice of a change asks besides; with `error_if_incomplete` nothing changes unless it is paid."""
        if not params.get("add_invoice_items"):
            return []
        if trial_end is None:
            raise not_played("invoice items that wait for the next invoice", "add_invoice_items")
        lines = []
        for place, given in enumerate(params["add_invoice_items"]):
            param = f"add_invoice_items[{place}]"
            price = self._price(subscription.account, given, param)
            if price.interval is not None:
                message = "The price specified is set to `type=recurring` but this field only accepts one-time prices."
                raise invalid(message, param=f"{param}[price]")
            days = added_days(given.get("period"), (self._books.now, trial_end), param)
            lines.append(added_line(self._books, price, given, days))
        if params.get("payment_behavior") == "error_if_incomplete" and sum(line.amount for line in lines):
            method = self._billing.method_of(subscription)
            self._check_method(method, "error_if_incomplete", subscription.customer, owner_is_there=False)
        return lines

    def _change_pause(self, subscription: Subscription, given: dict[str, Any]) -> None:
        resumes_at = given.get("resumes_at") or None
        if resumes_at is not None and resumes_at <= self._books.now:
            raise invalid("`pause_collection[resumes_at]` must be in the future.", param="pause_collection[resumes_at]")
        subscription.pause_behavior, subscription.pause_resumes_at = given.get("behavior"), resumes_at

    def _trial_end(self, params: dict[str, Any], prices: list[Price]) -> int | None:
        now, given = self._books.now, params.get("trial_end")
        if given is not None and "trial_period_days" in params:
            raise invalid("You may only specify one of: trial_end, trial_period_days.", param="trial_period_days")
        if isinstance(given, int):
            if given <= now:
                message = "Invalid timestamp: must be an integer Unix timestamp in the future."
                raise invalid(message, param="trial_end")
            return given
        days = params.get("trial_period_days")
        if days is None and params.get("trial_from_plan"):
            days = prices[0].trial_period_days
        return None if days is None or given == "now" else now + days * DAY

    def _check_method(
        self, method: PaymentMethod | None, behavior: str, customer: str, *, owner_is_there: bool = True
    ) -> None:
        """Whether a subscription that wants its money at once can begin; raises Refused."""
        if method is None:
            message = (
                "This customer has no attached payment source or default payment method. Please consider adding a "
                "default payment method."
            )
            raise invalid(message, code="resource_missing")
        if behavior == "error_if_incomplete":
            found = self._payments.foretell(customer, method, owner_is_there=owner_is_there)
            if found.needs_action:
                message = "Payment for this subscription requires additional user action before it can be completed."
                raise Refused(402, "card_error", message, code="subscription_payment_intent_requires_action")
            if found.code:
                raise Refused(402, "card_error", found.message, code=found.code, decline_code=found.decline_code)

    def _change_items(self, subscription: Subscription, params: dict[str, Any]) -> None:
        """Another price or quantity from the next period on: the sandbox does not play prorations."""
        if params.get("proration_behavior") != "none":
            raise not_played("prorations: pass proration_behavior=none", "proration_behavior")
        for place, given in enumerate(params["items"]):
            param = f"items[{place}]"
            if not given.get("id"):
                subscription.items.append(self._item(subscription.account, given, param))
                continue
            found = next((one for one in subscription.items if one.id == given["id"]), None)
            if found is None:
                raise invalid(
                    f"No such subscription_item: '{given['id']}'", param=f"{param}[id]", code="resource_missing"
                )
            if given.get("deleted"):
                subscription.items.remove(found)
                continue
            if given.get("price") or given.get("price_data"):
                found.price = self._price(subscription.account, given, param).id
            found.quantity = given.get("quantity", found.quantity)
            found.metadata = merged(found.metadata, given.get("metadata"))
        prices = [self._books.prices.at(one.price) for one in subscription.items]
        self._check_prices(prices, subscription.currency)

    def _change(self, subscription: Subscription, params: dict[str, Any]) -> None:
        if params.get("collection_method") == "send_invoice":
            raise not_played("invoices that are sent", "collection_method")
        if "default_payment_method" in params:
            name = params["default_payment_method"]
            subscription.default_payment_method = None
            if name:
                method = self._methods.of_customer(
                    subscription.account, name, subscription.customer, "default_payment_method"
                )
                subscription.default_payment_method = method.id
        if "description" in params:
            subscription.description = params["description"] or None
        settings = params.get("payment_settings") or {}
        subscription.save_default = settings.get("save_default_payment_method", subscription.save_default)
        if "payment_method_types" in settings:
            subscription.payment_method_types = settings["payment_method_types"] or None
        ending = (params.get("trial_settings") or {}).get("end_behavior") or {}
        subscription.missing_payment_method = ending.get("missing_payment_method", subscription.missing_payment_method)
        subscription.metadata = merged(subscription.metadata, params.get("metadata"))
        self._change_end(subscription, params)
        self._note_cancellation(subscription, params.get("cancellation_details") or {})

    def _change_end(self, subscription: Subscription, params: dict[str, Any]) -> None:
        at = params.get("cancel_at")
        if at and params.get("cancel_at_period_end"):
            raise invalid("You may only specify one of: cancel_at, cancel_at_period_end.", param="cancel_at")
        if "cancel_at_period_end" in params:
            subscription.cancel_at_period_end = params["cancel_at_period_end"]
            subscription.cancel_at = None
        if at in ("min_period_end", "max_period_end"):
            subscription.cancel_at, subscription.cancel_at_period_end = subscription.period_end, False
        elif at is not None:
            if at != "" and at <= self._books.now:
                raise invalid("`cancel_at` must be in the future.", param="cancel_at")
            subscription.cancel_at, subscription.cancel_at_period_end = (at or None), False
        ends = subscription.cancel_at_period_end or subscription.cancel_at is not None
        if ends and subscription.canceled_at is None:
            subscription.canceled_at, subscription.cancel_reason = self._books.now, "cancellation_requested"
        elif not ends and subscription.status not in ENDED:
            subscription.canceled_at, subscription.cancel_reason = None, None

    def _note_cancellation(self, subscription: Subscription, details: dict[str, Any]) -> None:
        if "comment" in details:
            subscription.cancel_comment = details["comment"] or None
        if "feedback" in details:
            subscription.cancel_feedback = details["feedback"] or None
