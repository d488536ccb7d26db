"""The published contract: what FastAPI derives from the code, with every refusal as the problem it is."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from avtale.api.problems import MEDIA_TYPE

_SCHEMAS = "#/components/schemas/"


class Fault(BaseModel):
    """One thing that is wrong with a request: in which part of it, where there (RFC 6901), and what."""

    part: str = Field(alias="in", examples=["body"])
    pointer: str = Field(examples=["/returnUrl"])
    message: str


class Problem(BaseModel):
    """Why a request was not served (RFC 9457); `code` is stable, further members depend on it."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel)

    type: str = Field(examples=["urn:avtale:problem:agreement_active"])
    title: str
    status: int
    detail: str
    instance: str
    code: str = Field(examples=["agreement_active"])
    request_id: str
    errors: list[Fault] = Field([], description="with `invalid_request`: each fault of the request")


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The failures that an operation may answer, for its `responses`."""
    content = {MEDIA_TYPE: {"schema": {"$ref": f"{_SCHEMAS}Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def without_framework_faults(said: dict[str, Any]) -> dict[str, Any]:
    """Take FastAPI's own shape of a failure, which nobody is sent, out of a document; returns its schemas."""
    for path in said["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    schemas: dict[str, Any] = said.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return schemas


class Api(FastAPI):
    """The application, with a contract that says what it really answers."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, with the problems that we answer."""
        if self.openapi_schema is not None:
            return self.openapi_schema
        said = super().openapi()
        schemas = without_framework_faults(said)
        problem = Problem.model_json_schema(ref_template=f"{_SCHEMAS}{{model}}")
        schemas.update(problem.pop("$defs"))
        schemas["Problem"] = problem
        said["components"]["schemas"] = dict(sorted(schemas.items()))
        return said
