"""Products and prices."""

from __future__ import annotations

from typing import Any

from ..books import Books
from ..calls import Action, Actions, Call
from ..events import Events
from ..params import CURRENCY, Params, boolean, choice, integer, items, listing, merged, metadata, shape, text
from ..refusals import invalid, required
from ..resources import Price, Product
from ..wire.speller import Speller

CURRENCIES = frozenset({"nok", "dkk", "sek", "eur", "usd", "gbp", "isk", "chf", "pln"})
INTERVAL: dict[str, Any] = {
    "interval": choice("day", "week", "month", "year"),
    "interval_count": integer(1, 1095),
}
_RECURRING = shape(["interval"], trial_period_days=integer(1, 730), usage_type=choice("licensed"), **INTERVAL)
_PRODUCT: dict[str, Any] = {
    "active": boolean,
    "name": text(),
    "description": text(40_000),
    "images": items(text(), 8),
    "metadata": metadata,
    "statement_descriptor": text(22),
    "unit_label": text(12),
    "tax_code": text(),
    "url": text(),
}
_PRICE: dict[str, Any] = {
    "active": boolean,
    "nickname": text(),
    "lookup_key": text(200),
    "transfer_lookup_key": boolean,
    "metadata": metadata,
    "tax_behavior": choice("exclusive", "inclusive", "unspecified"),
}
# What a price is made of, also where it is made in passing, as `price_data`.
NEW_PRICE: dict[str, Any] = {
    "currency": CURRENCY,
    "unit_amount": integer(0, 99_999_999),
    "recurring": shape(["interval"], **INTERVAL),
    "tax_behavior": _PRICE["tax_behavior"],
}


class Catalogue:
    """The operations on products and prices."""

    def __init__(self, books: Books, events: Events, speller: Speller) -> None:
        self._books = books
        self._events = events
        self._speller = speller

    def actions(self) -> Actions:
        """By name."""
        default = shape(["currency"], metadata=metadata, **NEW_PRICE)
        product = shape(["name"], id=text(), name=text(), active=boolean, metadata=metadata, unit_label=text(12))
        return {
            "PostProducts": Action(
                Params(["name"], id=text(), default_price_data=default, **_PRODUCT), self.create_product
            ),
            "GetProducts": Action(listing(active=boolean, ids=items(text())), self.list_products),
            "GetProductsId": Action(Params(), self.retrieve_product),
            "PostProductsId": Action(Params(default_price=text(), **_PRODUCT), self.update_product),
            "PostPrices": Action(
                Params(
                    ["currency"], product=text(), product_data=product, **NEW_PRICE | _PRICE | {"recurring": _RECURRING}
                ),
                self.create_price,
            ),
            "GetPrices": Action(
                listing(
                    active=boolean,
                    currency=CURRENCY,
                    lookup_keys=items(text(), 10),
                    product=text(),
                    type=choice("one_time", "recurring"),
                ),
                self.list_prices,
            ),
            "GetPricesPrice": Action(Params(), self.retrieve_price),
            "PostPricesPrice": Action(Params(**_PRICE), self.update_price),
        }

    def create_product(self, call: Call) -> Product:
        """Make a product, with a default price if one is described."""
        product = self._new_product(call.account_id, call.params)
        default = call.params.get("default_price_data")
        price = self.new_price(call.account_id, product, default) if default else None
        product.default_price = None if price is None else price.id
        self._books.products.put(product)
        self._events.tell("product.created", product)
        if price is not None:
            self._events.tell("price.created", price)
        return product

    def list_products(self, call: Call) -> dict[str, Any]:
        """Products, newest first."""
        active, ids = call.params.get("active"), call.params.get("ids")
        rows, more = self._books.products.page(
            call.account_id,
            call.params,
            keep=lambda row: (active is None or row.active == active) and (ids is None or row.id in ids),
        )
        return self._speller.page("/v1/products", rows, more)

    def retrieve_product(self, call: Call) -> Product:
        """One product."""
        return self._books.products.get(call.account_id, call.values["id"])

    def update_product(self, call: Call) -> Product:
        """Change a product."""
        product = self._books.products.get(call.account_id, call.values["id"])
        before, params = self._events.spell(product), call.params
        if "default_price" in params:
            name = params["default_price"]
            product.default_price = self._price(call.account_id, name, "default_price").id if name else None
        self._change_product(product, params)
        product.updated = self._books.now
        self._books.products.put(product)
        self._events.changed("product.updated", product, before)
        return product

    def create_price(self, call: Call) -> Price:
        """Make a price, for a product that exists or that is described."""
        params = call.params
        if params.get("product"):
            product = self._books.products.get(call.account_id, params["product"], "product")
        elif params.get("product_data"):
            product = self._new_product(call.account_id, params["product_data"])
            self._books.products.put(product)
            self._events.tell("product.created", product)
        else:
            raise required("product")
        price = self.new_price(call.account_id, product, params)
        self._change_price(price, params)
        self._books.prices.put(price)
        self._events.tell("price.created", price)
        return price

    def list_prices(self, call: Call) -> dict[str, Any]:
        """Prices, newest first."""
        params, product = call.params, call.params.get("product")

        def keep(row: Price) -> bool:
            kind = "one_time" if row.interval is None else "recurring"
            return (
                params.get("active", row.active) == row.active
                and params.get("currency", row.currency) == row.currency
                and params.get("type", kind) == kind
                and ("lookup_keys" not in params or row.lookup_key in params["lookup_keys"])
            )

        facet = ("product", product) if product else ("", None)
        rows, more = self._books.prices.page(call.account_id, params, facet, keep)
        return self._speller.page("/v1/prices", rows, more)

    def retrieve_price(self, call: Call) -> Price:
        """One price."""
        return self._books.prices.get(call.account_id, call.values["id"])

    def update_price(self, call: Call) -> Price:
        """Change what is not the price itself."""
        price = self._books.prices.get(call.account_id, call.values["id"])
        before = self._events.spell(price)
        self._change_price(price, call.params)
        self._books.prices.put(price)
        self._events.changed("price.updated", price, before)
        return price

    def new_price(self, account: str, product: Product, params: dict[str, Any]) -> Price:
        """Store a price for a product, untold; raises Refused."""
        currency = params["currency"].lower()
        if currency not in CURRENCIES:
            known = ", ".join(sorted(CURRENCIES))
            raise invalid(f"Invalid currency: {currency}. The sandbox knows {known}.", param="currency")
        if "unit_amount" not in params:
            raise required("unit_amount")
        recurring = params.get("recurring") or {}
        key, number = self._books.new_id("price")
        price = Price(
            id=key,
            number=number,
            account=account,
            created=self._books.now,
            product=product.id,
            currency=currency,
            unit_amount=params["unit_amount"],
            interval=recurring.get("interval"),
            interval_count=recurring.get("interval_count", 1),
            trial_period_days=recurring.get("trial_period_days"),
            tax_behavior=params.get("tax_behavior", "unspecified"),
        )
        self._books.prices.put(price)
        return price

    def _new_product(self, account: str, params: dict[str, Any]) -> Product:
        key, number = self._books.new_id("prod")
        if params.get("id"):
            key = params["id"]
            if self._books.products.find(key) is not None:
                raise invalid(f"Product already exists: {key}", param="id", code="resource_already_exists")
        now = self._books.now
        product = Product(id=key, number=number, account=account, created=now, updated=now, name=params["name"])
        self._change_product(product, params)
        return product

    def _change_product(self, product: Product, params: dict[str, Any]) -> None:
        product.active = params.get("active", product.active)
        product.name = params.get("name") or product.name
        product.images = params.get("images", product.images)
        for name in ("description", "statement_descriptor", "unit_label", "tax_code", "url"):
            if name in params:
                setattr(product, name, params[name] or None)
        product.metadata = merged(product.metadata, params.get("metadata"))

    def _change_price(self, price: Price, params: dict[str, Any]) -> None:
        wanted = params.get("lookup_key")
        if wanted:
            for other in self._books.prices.of(price.account):
                if other.id != price.id and other.lookup_key == wanted:
                    if not params.get("transfer_lookup_key"):
                        message = f"A price (`{other.id}`) already uses that lookup key."
                        raise invalid(message, param="lookup_key", code="resource_already_exists")
                    other.lookup_key = None
                    self._books.prices.put(other)
        price.active = params.get("active", price.active)
        price.tax_behavior = params.get("tax_behavior", price.tax_behavior)
        for name in ("nickname", "lookup_key"):
            if name in params:
                setattr(price, name, params[name] or None)
        price.metadata = merged(price.metadata, params.get("metadata"))

    def _price(self, account: str, name: str, param: str) -> Price:
        return self._books.prices.get(account, name, param)
