"""Secrets at rest: sealed with the first of the configured keys, opened with any of them."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class SealBroken(Exception):
    """A stored secret cannot be opened with the keys that are configured."""


class Sealer:
    """Seals and opens secrets. Keys are url-safe base64 of 32 bytes, the newest first (see `avtale doctor`)."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("no encryption key: set AVTALE_ENCRYPTION_KEY (`avtale doctor` makes one)")
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._newest = Fernet(keys[0])

    def seal(self, secret: str) -> bytes:
        """The sealed form, different at each call."""
        return self._fernet.encrypt(secret.encode())

    def is_newest(self, sealed: bytes) -> bool:
        """Whether the newest key opens it."""
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            return False
        return True

    def open(self, sealed: bytes) -> str:
        """The secret. Raises SealBroken when no configured key opens it."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as error:
            raise SealBroken("a stored secret does not open with AVTALE_ENCRYPTION_KEY") from error


def new_key() -> str:
    """A new random key."""
    return Fernet.generate_key().decode()
