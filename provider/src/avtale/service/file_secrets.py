"""What all entries of a tenants file are made of, and the secrets that it names or, for tests, says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from avtale.domain.errors import Invalid


class Strict(BaseModel):
    """An entry that refuses keys which nobody knows."""

    model_config = ConfigDict(extra="forbid")


class SecretFrom(Strict):
    """Where a secret is: in a variable of the environment, or in a file."""

    env: str | None = None
    file: Path | None = None

    def read(self, environment: Mapping[str, str]) -> str:
        """The secret. Raises Invalid (`secret_missing`)."""
        if (self.env is None) == (self.file is None):
            raise Invalid("a secret is {env = …} or {file = …}", code="secret_missing")
        try:
            secret = environment[self.env] if self.env else Path(str(self.file)).read_text("utf-8").strip()
        except (KeyError, OSError) as error:
            raise Invalid(f"the secret {self.env or self.file} is not there", code="secret_missing") from error
        if not secret:
            raise Invalid(f"the secret {self.env or self.file} is empty", code="secret_missing")
        return secret


def secret_of(value: SecretFrom | str, tenant: str, kind: str, environment: Mapping[str, str]) -> str:
    """A secret from where the file says that it is; one of production is never in the file. Raises Invalid."""
    if isinstance(value, SecretFrom):
        return value.read(environment)
    if kind == "production":
        raise Invalid(
            f"tenant {tenant!r}: a production secret is {{env = …}} or {{file = …}}, not in the file itself",
            code="secret_in_file",
        )
    return value
