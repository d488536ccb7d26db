"""Every operation of the control room, asked at random: no fault of ours, and every answer as its description says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from avtale_sandbox.control.room import ControlRoom
from avtale_sandbox.settings import Settings
from avtale_sandbox.testing import VippsSandbox, sandbox
from avtale_sandbox.world import World

pytestmark = pytest.mark.fuzz

#: `make fuzz` asks so many times as often.
EXAMPLES = 12 * int(os.environ.get("FUZZ", "1"))
#: Whoever follows the clock from an address where nobody listens holds it up.
LEFT_OUT = {"/_sandbox/clock/participants"}
KNOWN = {"number": "4791234567", "name": "kept", "id": "known", "agreement_id": "agr_none"}

load_all_checks()
CONFORMS = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    )
]


@cache
def document() -> dict[str, Any]:
    routes = ControlRoom(World(Settings())).routes()
    handbook = next(one for one in routes if getattr(one, "path", "") == "/openapi.json")
    return dict(handbook.endpoint.__self__.document)


@cache
def described() -> Any:
    return schemathesis.openapi.from_dict(document())


ASKED = [
    pytest.param(path, method, id=operation["operationId"])
    for path, methods in document()["paths"].items()
    if path not in LEFT_OUT
    for method, operation in methods.items()
]


@pytest.fixture(scope="module")
def vipps() -> Iterator[VippsSandbox]:
    with sandbox() as running:
        yield running


@pytest.mark.parametrize(("path", "method"), ASKED)
def test_whatever_is_commanded_the_answer_is_as_described(vipps: VippsSandbox, path: str, method: str) -> None:
    operation = described()[path][method]
    rightly = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    wrongly = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    http = requests.Session()
    if path.endswith(("/{name}/restore", "/{name}")):
        vipps.snapshot("kept")
    vipps.phone("4791234567", temperament="approves")
    vipps.command("POST", "/failures", {"id": "known", "chargeId": "none"})

    @given(data=st.data(), case=st.one_of(rightly, rightly, wrongly))
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def ask(data: Any, case: Any) -> None:
        if case.path_parameters and data.draw(st.booleans()):
            case.path_parameters = {
                name: KNOWN.get(name, value) if isinstance(value, str) else value
                for name, value in case.path_parameters.items()
            }
        response = case.call(base_url=vipps.url, session=http, allow_redirects=False)
        case.validate_response(response, checks=CONFORMS)

    ask()
    http.close()
