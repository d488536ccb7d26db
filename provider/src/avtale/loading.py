"""Loads modules without looking for garbage among them: there is none, and the looking takes a quarter of a start."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """For as long as modules are loaded and an application is made of them; what is there then is never looked at."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
