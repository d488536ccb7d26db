"""Everything that people look at and tests command, as one application: pages and the control room."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount

from .control.room import ControlRoom
from .control.wire import Problem, problem_answer
from .identity import routes as identity
from .phone import routes as phone
from .phone.bills import Bills
from .phone.telephones import Telephones
from .store import StateNotKept
from .stripe.operations import PREFIX as STRIPE
from .stripe.pages import StripePages
from .vipps.epayment.courier import Courier
from .world import World


def rooms(world: World) -> Starlette:
    """The application; whoever asks it stores what was changed before an answer leaves."""
    telephones = Telephones(world.recurring, world.people, world.merchants, world.clock)
    courier = Courier(world.settings.webhook_timeout_seconds)
    bills = Bills(world.payments, world.people, world.merchants, world.clock, courier)

    async def too_large(request: Request, problem: Exception) -> Response:
        return problem_answer(problem if isinstance(problem, Problem) else Problem(500, "Internal error"))

    async def nothing_there(request: Request, problem: Exception) -> Response:
        assert isinstance(problem, HTTPException)
        answer = problem_answer(Problem(problem.status_code, problem.detail))
        answer.headers.update(problem.headers or {})
        return answer

    async def not_kept(request: Request, problem: Exception) -> Response:
        return problem_answer(Problem(503, str(problem)))

    async def failed(request: Request, problem: Exception) -> Response:
        return problem_answer(Problem(500, "Internal error"))

    return Starlette(
        routes=[
            Mount(
                "/_sandbox",
                routes=ControlRoom(world).routes(identity.control_routes(world.identity)),
            ),
            Mount("/identity", routes=identity.routes(world.identity, world.people)),
            Mount("/phone", routes=phone.routes(telephones, bills)),
            Mount(STRIPE, routes=StripePages(world.stripe).routes()),
            *phone.confirmation_routes(telephones),
            *phone.payment_routes(telephones, bills),
        ],
        exception_handlers={
            Problem: too_large,
            HTTPException: nothing_there,
            StateNotKept: not_kept,
            Exception: failed,
        },
    )
