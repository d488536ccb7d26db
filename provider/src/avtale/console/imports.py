"""The operator's pages about moving in: the files, how far each is, its report, and what to do with it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from avtale.console.forms import read_form
from avtale.console.house import ConsoleHouse
from avtale.console.look.page import send_on
from avtale.console.rooms import Room, Visit
from avtale.console.streams import Streams
from avtale.domain.errors import NotFound
from avtale.domain.imports import MAY_APPLY, MAY_UNDO, ImportKind, ImportStatus, RowState
from avtale.service.imports import reporting
from avtale.service.imports.reporting import Report
from avtale.service.imports.running import UNDOABLE, apply_import, undo_import
from avtale.service.noting import said_why
from avtale.service.reading import business_now

#: Rows are shown from the first; the file has them all.
ROWS_SHOWN = 50
#: Counting a large file's rows takes a while.
LOOK_SECONDS = 1.0

KINDS = {
    ImportKind.AGREEMENTS: "Agreements",
    ImportKind.SPECIAL: "Special users",
    ImportKind.FIX_AGREEMENTS: "Repairs of agreements",
    ImportKind.RECREATE: "New ids for people",
    ImportKind.FIX_CHARGES: "Everything read again",
    ImportKind.DASHBOARD_AGREEMENTS: "Dashboard of agreements",
    ImportKind.DASHBOARD_CHARGES: "Dashboard of charges",
}
STATUSES = {
    ImportStatus.RECEIVING: ("Arriving", "wait"),
    ImportStatus.ABANDONED: ("Never arrived", "bad"),
    ImportStatus.CHECKING: ("Being checked", "wait"),
    ImportStatus.CHECKED: ("Waits for you", "wait"),
    ImportStatus.APPLYING: ("Being applied", "wait"),
    ImportStatus.APPLIED: ("Done", "good"),
    ImportStatus.UNDOING: ("Being undone", "wait"),
    ImportStatus.UNDONE: ("Undone", ""),
}
STATES = {
    RowState.READ: "Not looked up yet",
    RowState.READY: "Ready to be applied",
    RowState.APPLIED: "Applied",
    RowState.ALREADY: "Here already",
    RowState.REJECTED: "Rejected",
    RowState.UNDONE: "Undone",
    RowState.KEPT: "Kept when undone",
}


class ImportRooms(Room):
    """The pages below `/operator/imports`."""

    def __init__(self, house: ConsoleHouse, streams: Streams) -> None:
        super().__init__(house)
        self._streams = streams

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/imports", self.guarded(self.every), methods=["GET"]),
            Route("/imports/{id}", self.guarded(self.one), methods=["GET"]),
            Route("/imports/{id}/result", self.guarded(self.result), methods=["GET"]),
            Route("/imports/{id}/{verb}", self.guarded(self.act), methods=["POST"]),
            Route("/live/imports/{id}", self.guarded(self.live), methods=["GET"]),
        ]

    async def every(self, request: Request, visit: Visit) -> Response:
        """The newest files."""
        visit.operator("/operator/imports")
        values = {"seen": await reporting.reports(self.house.db, visit.tenant), "here": "/operator/imports"}
        return await self.draw(visit, "operator/imports.html", {**values, "nav": "imports", **_WORDS})

    async def one(self, request: Request, visit: Visit) -> Response:
        """One file: its progress, its report, and its verbs."""
        import_id = _id(request)
        visit.operator(f"/operator/imports/{import_id}")
        values = await self._values(visit, import_id)
        return await self.draw(visit, "operator/import.html", {**values, "here": f"/operator/imports/{import_id}"})

    async def live(self, request: Request, visit: Visit) -> Response:
        """`one`, kept true."""
        import_id = _id(request)
        visit.operator(f"/operator/imports/{import_id}")

        async def draw() -> tuple[str, str]:
            values = self.shared(visit) | await self._values(visit, import_id)
            now = await business_now(self.house.db, visit.tenant)
            return self.pages.render("operator/import_live.html", values), visit.words.moment(now)

        return self._streams.answer(draw, LOOK_SECONDS)

    async def result(self, request: Request, visit: Visit) -> Response:
        """What has become of each row, as a file."""
        import_id = _id(request)
        visit.operator(f"/operator/imports/{import_id}")
        await reporting.report(self.house.db, visit.tenant, import_id)
        headers = {"Content-Disposition": f'attachment; filename="import-{import_id}.csv"'}
        parts = reporting.result_file(self.house.db, visit.tenant, import_id)
        return StreamingResponse(parts, media_type="text/csv", headers=headers)

    async def act(self, request: Request, visit: Visit) -> Response:
        """Apply a file that was reported, or take it back."""
        import_id = _id(request)
        here = f"/operator/imports/{import_id}"
        session = visit.operator(here)
        verb = {"apply": apply_import, "undo": undo_import}.get(request.path_params["verb"])
        if verb is None:
            raise NotFound("there is no such verb")
        why = said_why((await read_form(request)).get("why", ""))
        await verb(self.house.db, visit.tenant, import_id, session.person, why)
        return send_on(here)

    async def _values(self, visit: Visit, import_id: UUID) -> dict[str, Any]:
        seen = await reporting.report(self.house.db, visit.tenant, import_id)
        wrong = await reporting.rows(
            self.house.db, visit.tenant, import_id, 0, ROWS_SHOWN, (RowState.REJECTED, RowState.KEPT)
        )
        return {"seen": seen, "wrong": wrong, "verbs": _verbs(seen), "nav": "imports", **_WORDS}


_WORDS: dict[str, Any] = {"kinds": KINDS, "statuses": STATUSES, "states": STATES}


def _verbs(seen: Report) -> list[str]:
    this = seen.this
    verbs = ["apply"] if this.status in MAY_APPLY else []
    return [*verbs, "undo"] if this.status in MAY_UNDO and this.kind in UNDOABLE else verbs


def _id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["id"])
    except ValueError as error:
        raise NotFound("there is no such import") from error
