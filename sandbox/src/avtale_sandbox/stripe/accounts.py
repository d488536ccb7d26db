"""Whose keys are whose: Stripe accounts, one of them there from the beginning."""

from __future__ import annotations

from ..store import Store
from .refusals import Refused
from .resources import Account

DEFAULT_ACCOUNT = Account(
    id="acct_sandboxdefault01", secret_key="sk_test_dev", publishable_key="pk_test_dev", name="Film"
)


class Accounts:
    """All accounts, by id and by key."""

    def __init__(self, store: Store) -> None:
        self._table = store.table("stripe_account", Account)
        self._by_key: dict[str, Account] = {}

    def load(self) -> None:
        """Build the look-ups, and make the default account when there is none."""
        if not len(self._table):
            self._table.put(DEFAULT_ACCOUNT.id, DEFAULT_ACCOUNT)
        self._by_key = {
            key: account for account in self._table.values() for key in (account.secret_key, account.publishable_key)
        }

    def all(self) -> list[Account]:
        """Every account, oldest first."""
        return list(self._table.values())

    def at(self, account_id: str) -> Account:
        """The account with this id; it is there for certain."""
        account = self._table.get(account_id)
        if account is None:
            raise LookupError(account_id)
        return account

    def find(self, account_id: str) -> Account | None:
        """The account with this id, or None."""
        return self._table.get(account_id)

    def save(self, account: Account) -> None:
        """Add or change an account; raises ValueError for keys that are another's or are no test keys."""
        if not account.secret_key.startswith(("sk_test_", "rk_test_")) or not account.publishable_key.startswith(
            "pk_test_"
        ):
            raise ValueError("keys must begin with sk_test_ and pk_test_: real keys have no business here")
        if not account.id.startswith("acct_"):
            raise ValueError("an account's id begins with acct_")
        for key in (account.secret_key, account.publishable_key):
            holder = self._by_key.get(key)
            if holder is not None and holder.id != account.id:
                raise ValueError("another account has this key")
        if account.platform is not None and self.find(account.platform) is None:
            raise ValueError("the platform is no account")
        if any(day < 1 for day in account.retry_days) or account.retry_days != sorted(set(account.retry_days)):
            raise ValueError("retryDays must be days from 1, each later than the one before")
        self._table.put(account.id, account)
        self.load()

    def of_key(self, key: str) -> tuple[Account, bool]:
        """The account whose key this is, and whether the key is a publishable one; raises Refused."""
        account = self._by_key.get(key)
        if account is None:
            shown = f"{key[:8]}{'*' * max(len(key) - 12, 3)}{key[-4:] if len(key) > 12 else ''}"
            reason = f"Invalid API Key provided: {shown}"
            if "_live_" in key:
                reason = "This is a sandbox: it takes test keys only, and this is a live one."
            raise Refused(401, "invalid_request_error", reason)
        return account, key == account.publishable_key

    def acting(self, account: Account, named: str | None) -> Account:
        """The account that a `Stripe-Account` header names, if these keys may speak for it; raises Refused."""
        if not named or named == account.id:
            return account
        other = self._table.get(named)
        if other is None or other.platform != account.id:
            raise Refused(
                403,
                "invalid_request_error",
                f"The provided key does not have access to account '{named}' (or that account does not exist).",
                code="account_invalid",
            )
        return other
