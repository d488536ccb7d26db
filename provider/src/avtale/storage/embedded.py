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
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg

from avtale.storage.embedded_programs import EmbeddedPostgresError, run_program, server_identity

HOST = "127.0.0.1"
SUPERUSER = "postgres"
START_SECONDS_MAX = 15.0
START_PAUSE_SECONDS = 0.2
STOP_SECONDS_MAX = 30
EMPTY_PID_FILE_SECONDS_MAX = 2.0  # a younger one may be just being written

SETTINGS = (f"listen_addresses={HOST}", "unix_socket_directories=", "max_connections=200", "timezone=UTC")
# Commits still reach the operating system, so that a killed server loses none; only a crashed machine can.
NOT_DURABLE = ("fsync=off", "full_page_writes=off")


class EmbeddedPostgres:
    """One embedded server, owned by one process and shared with others by URL. All calls block.

    The server outlives a killed owner. The next `start` finds it, or starts it again, and owns it.
    `durable=False` is faster, may lose commits when the whole machine crashes, and is for tests.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self.data_dir = data_dir.resolve()
        self._durable = durable
        self._cluster = self.data_dir / "cluster"
        self._log = self._cluster / "server.log"
        self._pid_file = self._cluster / "postmaster.pid"
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
        """Whether this object owns the server. If not, after `start`, another living owner does."""
        return self._owner_lock is not None

    @property
    def superuser_url(self) -> str:
        """The address of database `postgres` as the superuser, password included."""
        return self.url(SUPERUSER, self._read(self._password_file), "postgres")

    def url(self, user: str, password: str, database: str) -> str:
        """The address of a database here: `postgresql://user:password@127.0.0.1:port/database`."""
        user, password, database = (quote(part, safe="") for part in (user, password, database))
        return f"postgresql://{user}:{password}@{HOST}:{self._read(self._port_file)}/{database}"

    def alive(self) -> bool:
        """Whether this very cluster answers a real connection; a pid or a port file alone proves nothing."""
        try:
            with psycopg.connect(self.superuser_url, connect_timeout=2, autocommit=True) as connection:
                row = connection.execute("show data_directory").fetchone()
            return row is not None and os.path.samefile(row[0], self._cluster)
        except (psycopg.Error, OSError, EmbeddedPostgresError):
            return False

    def start(self) -> None:
        """Make the cluster if there is none, start the server if it does not answer, own it if nobody does.

        Safe to call from many processes at once, and again after anything was killed.
        Raises EmbeddedPostgresError when the server does not answer within `START_SECONDS_MAX`.
        """
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            self.data_dir.mkdir(mode=0o700)
            self._hand_over(self.data_dir)
        with self._turn():
            if self._owner_lock is None:
                self._owner_lock = self._lock("owner.lock", wait=False)
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
            if self._server_pid() is not None:
                self._pg_ctl("stop", "-m", "fast", "-t", str(STOP_SECONDS_MAX))
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
        self._hand_over(new, self._password_file)
        arguments = ["-D", str(new), "-U", SUPERUSER, f"--pwfile={self._password_file}", "--no-instructions"]
        arguments += ["--auth-local=reject", "--auth-host=scram-sha-256"]
        arguments += ["-E", "UTF8", "--locale=C.UTF-8", "--locale-provider=builtin"]
        if not self._durable:
            arguments.append("--no-sync")
        made = run_program("initdb", *arguments, cluster=self._cluster)
        if made.returncode != 0:
            raise EmbeddedPostgresError(f"cannot make a cluster in {self.data_dir}: {made.stderr.strip()}")
        new.rename(self._cluster)

    def _start_server(self) -> None:
        # After a kill -9 of the server its children hold its shared memory for a moment: hence the loop.
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self.alive():
            self._drop_stale_pid_file()
            settings = (f"port={self._choose_port()}", *SETTINGS, *(() if self._durable else NOT_DURABLE))
            options = " ".join(f"-c {setting}" for setting in settings)
            said = self._pg_ctl("start", "-l", str(self._log), "-o", options)
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"the server of {self.data_dir} does not start: {said}\n{self._log_end()}")
            if said:
                time.sleep(START_PAUSE_SECONDS)

    def _pg_ctl(self, verb: str, *arguments: str) -> str:
        """What pg_ctl complained about, or nothing when it did what it should."""
        done = run_program("pg_ctl", verb, "-D", str(self._cluster), "-s", "-w", *arguments, cluster=self._cluster)
        return "" if done.returncode == 0 else done.stderr.strip() or f"pg_ctl ended with {done.returncode}"

    def _choose_port(self) -> int:
        """The port of the last start, so that addresses given away stay true; another when it is taken."""
        last = 0
        with suppress(OSError, ValueError):
            last = int(self._port_file.read_text())
        for wanted in (last, 0):
            with socket.socket() as probe, suppress(OSError):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((HOST, wanted))
                port = int(probe.getsockname()[1])
                new = self._port_file.with_suffix(".new")
                new.write_text(str(port))
                new.replace(self._port_file)
                return port
        raise EmbeddedPostgresError(f"there is no free port on {HOST}")

    def _server_pid(self) -> int | None:
        """The pid in the server's pid file, when a process of this cluster has it."""
        try:
            pid = int(self._pid_file.read_text().split("\n", 1)[0])
            os.kill(pid, 0)
            if not Path("/proc/self/cwd").exists():
                return pid
            # The server works in its cluster's directory; whoever else got its old pid does not.
            return pid if os.path.samefile(f"/proc/{pid}/cwd", self._cluster) else None
        except (OSError, ValueError):
            return None

    def _drop_stale_pid_file(self) -> None:
        # The server refuses to start while its dead forerunner's pid belongs to anybody (in containers, where
        # pids are few, it often does) or while the file is empty. Its shared memory guards a living one too.
        if self._server_pid() is None:
            with suppress(FileNotFoundError):
                found = self._pid_file.stat()
                if found.st_size > 0 or time.time() - found.st_mtime > EMPTY_PID_FILE_SECONDS_MAX:
                    self._pid_file.unlink()

    def _hand_over(self, *fresh: Path) -> None:
        """Give what was just made to whom the server will run as."""
        identity = server_identity(self._cluster)
        if identity is not None:
            for path in fresh:
                os.chown(path, *identity)

    def _log_end(self) -> str:
        with suppress(OSError):
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])
        return "(it wrote no log)"

    @contextmanager
    def _turn(self) -> Iterator[None]:
        lock = self._lock("turn.lock", wait=True)
        try:
            yield
        finally:
            if lock is not None:
                os.close(lock)

    def _lock(self, name: str, *, wait: bool) -> int | None:
        """A lock that ends with this process, as children do not inherit it; None when another has it."""
        handle = os.open(self.data_dir / name, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
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
