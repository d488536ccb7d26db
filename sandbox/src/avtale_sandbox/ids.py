"""Gives ids that look random and are reproducible: each is drawn from a seed and a running number."""

from __future__ import annotations

import hashlib
import hmac

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class Ids:
    """A source of ids; the same seed and the same calls give the same ids, on any machine."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.number = 0

    def next_number(self) -> int:
        """The next running number, from 1; what is stored carries it, and is put in order by it."""
        self.number += 1
        return self.number

    def reached(self, number: int) -> None:
        """Go on after a number that a stored thing already has."""
        self.number = max(self.number, number)

    def reached_by(self, key: str, name: str) -> None:
        """Go on after a stored thing that is named by a running number, such as `fault-7`, if this is one."""
        kind, _, digits = key.rpartition("-")
        if kind == name and digits.isascii() and digits.isdigit() and len(digits) < 16:
            self.reached(int(digits))

    def letters(self, purpose: str, number: int, length: int) -> str:
        """`length` letters and digits for the thing with this running number."""
        value = int.from_bytes(self.octets(purpose, number, 32), "big")
        text = []
        for _ in range(length):
            value, index = divmod(value, len(_ALPHABET))
            text.append(_ALPHABET[index])
        return "".join(text)

    def digits(self, purpose: str, number: int, length: int) -> str:
        """`length` digits, the first of them not zero."""
        value = int.from_bytes(self.octets(purpose, number, 16), "big")
        return str(10 ** (length - 1) + value % (9 * 10 ** (length - 1)))

    def uuid(self, purpose: str, number: int) -> str:
        """A UUID of version 4 in lower case."""
        raw = bytearray(self.octets(purpose, number, 16))
        raw[6] = raw[6] & 0x0F | 0x40
        raw[8] = raw[8] & 0x3F | 0x80
        text = raw.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def octets(self, purpose: str, number: int, length: int) -> bytes:
        """Up to 64 octets that nobody can guess without the seed."""
        text = f"{purpose}:{number}".encode()
        return hashlib.blake2b(text, digest_size=length, key=self.seed.encode()[:64]).digest()

    def sign(self, purpose: str, text: bytes) -> bytes:
        """HMAC-SHA256 with a key that only this source has."""
        return hmac.digest(self.octets(purpose, 0, 32), text, "sha256")
