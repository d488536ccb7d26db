"""What can be said about a tenant's set-up: one thing that is wrong, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Whether something does not work, or works less well than it should."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class ConfigError:
    """One thing that is wrong: a stable code, whose part it is, what it concerns, what it means, what to do."""

    code: str
    severity: Severity
    provider: str
    subject: str
    message: str
    action: str
