"""Everything at once, in the control room: export, reset, snapshots and their return."""

from __future__ import annotations

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..instants import iso
from ..world import Snapshot, World
from .export import export
from .shapes import Export, SnapshotList, SnapshotShown
from .wire import Door, Problem, answer, nothing, read

_NAME_LETTERS_MAX = 80


class SnapshotOrder(Struct, forbid_unknown_fields=True):
    """What to call it; without a name it gets a number."""

    name: str = ""


class Keeper:
    """The snapshots, in this process's memory: a restart forgets them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._snapshots: dict[str, Snapshot] = {}
        self._number = 0

    def all(self) -> list[tuple[str, Snapshot]]:
        """Every snapshot with its name, oldest first."""
        return list(self._snapshots.items())

    def take(self, name: str) -> str:
        """Keep everything as it is now under a name, replacing what had it; raises Problem."""
        if len(name) > _NAME_LETTERS_MAX or "/" in name:
            raise Problem(400, f"A name has at most {_NAME_LETTERS_MAX} letters and no slash")
        if not name:
            self._number += 1
            name = f"snapshot-{self._number}"
        most = self._world.settings.snapshots_kept_max
        if name not in self._snapshots and len(self._snapshots) >= most:
            raise Problem(409, f"There are {most} snapshots already; delete one first")
        self._snapshots.pop(name, None)
        self._snapshots[name] = self._world.snapshot()
        return name

    def restore(self, name: str) -> None:
        """Make everything what it was; raises Problem."""
        snapshot = self._snapshots.get(name)
        if snapshot is None:
            raise Problem(404, "There is no such snapshot")
        world = self._world
        if world.clock.held:
            raise Problem(409, "The clock is being moved just now")
        if world.conductor.participants() and snapshot.now < world.clock.now():
            raise Problem(409, "Time would go back, which a participant follows; let the participants go first")
        world.restore(snapshot)
        world.wake()
        world.conductor.tell_all()

    def forget(self, name: str) -> None:
        """Forget a snapshot; raises Problem."""
        if self._snapshots.pop(name, None) is None:
            raise Problem(404, "There is no such snapshot")


class KeepControl:
    """The handlers of the whole."""

    def __init__(self, world: World, keeper: Keeper) -> None:
        self._world = world
        self._keeper = keeper

    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        unknown = {404: "There is no such snapshot"}
        return [
            Door("GET", "/export", self.export, gives=Export),
            Door("POST", "/reset", self.reset, status=204),
            Door("GET", "/snapshots", self.snapshots, gives=SnapshotList),
            Door("POST", "/snapshots", self.take_snapshot, body=SnapshotOrder, gives=SnapshotShown, status=201),
            Door(
                "POST",
                "/snapshots/{name}/restore",
                self.restore_snapshot,
                status=204,
                also=unknown | {409: "The clock is being moved, or somebody follows it who cannot go back"},
            ),
            Door("DELETE", "/snapshots/{name}", self.forget_snapshot, status=204, also=unknown),
        ]

    async def export(self, request: Request) -> Response:
        """Everything that happened to everybody's money."""
        return answer(export(self._world))

    async def reset(self, request: Request) -> Response:
        """Forget everything but merchants, participants, snapshots and the time."""
        self._world.reset()
        return nothing()

    async def snapshots(self, request: Request) -> Response:
        """Every snapshot."""
        return answer({"snapshots": [_shape(name, one) for name, one in self._keeper.all()]})

    async def take_snapshot(self, request: Request) -> Response:
        """Keep everything as it is now, the time included."""
        name = self._keeper.take((await read(request, SnapshotOrder)).name.strip())
        return answer(_shape(name, dict(self._keeper.all())[name]), 201)

    async def restore_snapshot(self, request: Request) -> Response:
        """Make everything what it was, the time included."""
        self._keeper.restore(request.path_params["name"])
        return nothing()

    async def forget_snapshot(self, request: Request) -> Response:
        """Forget a snapshot."""
        self._keeper.forget(request.path_params["name"])
        return nothing()


def _shape(name: str, snapshot: Snapshot) -> dict[str, str | int]:
    return {
        "name": name,
        "taken": iso(snapshot.taken),
        "now": iso(snapshot.now),
        "agreements": len(snapshot.rows["agreement"]),
    }
