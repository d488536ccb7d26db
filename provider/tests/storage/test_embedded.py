"""The embedded PostgreSQL survives what a laptop does to it, and leaves the machine as it was."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from avtale.storage import embedded, embedded_programs
from avtale.storage.embedded import EmbeddedPostgres
from avtale.storage.embedded_programs import EmbeddedPostgresError

Serve = Callable[[Path], EmbeddedPostgres]
Launch = Callable[..., subprocess.Popen[str]]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to step down")

OWNER = """
import sys
from pathlib import Path
from avtale.storage.embedded import EmbeddedPostgres

server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
server.start()
print(server.owned, server.superuser_url, flush=True)
sys.stdin.read()
server.stop()
"""

# The interpreter may be where only root can look, so everything is imported before stepping down.
STEP_DOWN = """
import os, sys, encodings.idna, psycopg, avtale.storage.embedded
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
"""


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Makes servers that are stopped after the test, whatever happened."""
    made: list[EmbeddedPostgres] = []

    def make(data_dir: Path) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(data_dir, durable=False))
        return made[-1]

    yield make
    for server in reversed(made):
        server.stop()


@pytest.fixture
def owner_process() -> Iterator[Launch]:
    """Starts processes that own (or attach to) a server until their standard input ends."""
    started: list[subprocess.Popen[str]] = []

    def start(data_dir: Path, user: int | None = None) -> subprocess.Popen[str]:
        script = [OWNER, str(data_dir)] if user is None else [STEP_DOWN + OWNER, str(data_dir), str(user)]
        process = subprocess.Popen(
            [sys.executable, "-c", *script],
            env={**os.environ, "HOME": "/nonexistent"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.communicate(timeout=60)


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A folder that every user can reach; pytest's own is closed to others."""
    with tempfile.TemporaryDirectory(prefix="avtale-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def said(process: subprocess.Popen[str]) -> tuple[bool, str]:
    assert process.stdout is not None
    owned, url = process.stdout.readline().split()
    return owned == "True", url


def query(server: EmbeddedPostgres, sql: str) -> object:
    with psycopg.connect(server.superuser_url, autocommit=True) as connection:
        cursor = connection.execute(sql)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def server_pid(server: EmbeddedPostgres) -> int:
    return int((server.data_dir / "cluster" / "postmaster.pid").read_text().split()[0])


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def skip_if_closed_to(user: int, *prefix: str) -> None:
    initdb = embedded_programs.folder_of_programs(Path("/nowhere")) / "initdb"
    tried = subprocess.run(
        [*prefix, str(initdb), "--version"],
        user=user,
        group=user,
        extra_groups=[],
        cwd="/",
        capture_output=True,
    )
    if tried.returncode != 0:
        pytest.skip(f"user {user} cannot run {initdb}: {tried.stderr.decode().strip()}")


def test_what_was_written_is_there_after_a_restart_at_the_same_address(tmp_path: Path, serve: Serve) -> None:
    server = serve(tmp_path / "data")
    server.start()
    address = server.superuser_url
    query(server, "create table kept as select 42 as answer")
    server.stop()
    assert not server.alive()

    again = serve(tmp_path / "data")
    again.start()
    assert again.superuser_url == address
    assert query(again, "select answer from kept") == 42


def test_only_the_owner_may_look_inside(tmp_path: Path, serve: Serve) -> None:
    server = serve(tmp_path / "data")
    server.start()
    assert mode(server.data_dir) == 0o700
    assert mode(server.data_dir / "superuser-password") == 0o600
    stranger = server.url("postgres", "a guess", "postgres")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(stranger)


def test_durable_is_the_default_and_tests_may_do_without(tmp_path: Path, serve: Serve) -> None:
    fast = serve(tmp_path / "fast")
    fast.start()
    assert query(fast, "show fsync") == "off"
    fast.stop()
    with EmbeddedPostgres(tmp_path / "fast") as safe:
        assert [query(safe, f"show {name}") for name in ("fsync", "full_page_writes", "synchronous_commit")] == [
            "on",
            "on",
            "on",
        ]


def test_an_odd_password_fits_into_the_address(postgres: EmbeddedPostgres) -> None:
    query(postgres, "create role odd login password 'p@ss/w:rd %'")
    with psycopg.connect(postgres.url("odd", "p@ss/w:rd %", "postgres")) as connection:
        assert connection.execute("select current_user").fetchone() == ("odd",)


def test_the_machine_is_left_as_it_was(tmp_path: Path, serve: Serve) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    data_dir = private / "deep" / "data"
    packages = Path(embedded_programs.__file__)
    watched = [*data_dir.parents[1:], *packages.parents, Path(sys.prefix), *Path(sys.executable).parents]
    before = {path: (mode(path), path.stat().st_uid, path.stat().st_gid) for path in watched}
    accounts = [Path(name).read_bytes() for name in ("/etc/passwd", "/etc/group")]

    server = serve(data_dir)
    server.start()
    assert server.alive()
    server.stop()

    assert {path: (mode(path), path.stat().st_uid, path.stat().st_gid) for path in watched} == before
    assert [Path(name).read_bytes() for name in ("/etc/passwd", "/etc/group")] == accounts


def test_a_killed_server_starts_again_with_what_was_committed(tmp_path: Path, serve: Serve) -> None:
    server = serve(tmp_path / "data")
    server.start()
    address = server.superuser_url
    query(server, "create table kept as select 42 as answer")
    busy = psycopg.connect(address)
    busy.execute("insert into kept values (43)")
    os.kill(server_pid(server), signal.SIGKILL)
    server.start()
    busy.close()
    assert server.superuser_url == address
    assert query(server, "select array_agg(answer) from kept") == [42]


def test_of_many_starts_at_once_one_owns_and_all_reach_the_same_server(tmp_path: Path, owner_process: Launch) -> None:
    answers = [said(process) for process in [owner_process(tmp_path / "data") for _ in range(3)]]
    assert sorted(owned for owned, _ in answers) == [False, False, True]
    assert len({url for _, url in answers}) == 1


def test_who_attached_does_not_stop_the_server_under_its_owner(
    tmp_path: Path, serve: Serve, owner_process: Launch
) -> None:
    owner = owner_process(tmp_path / "data")
    owned, address = said(owner)
    assert owned
    guest = serve(tmp_path / "data")
    guest.start()
    assert (guest.owned, guest.superuser_url) == (False, address)
    guest.stop()
    assert guest.alive()

    owner.communicate(timeout=60)
    assert not guest.alive()


def test_the_server_outlives_its_killed_owner_and_the_next_start_inherits_it(
    tmp_path: Path, serve: Serve, owner_process: Launch
) -> None:
    owner = owner_process(tmp_path / "data")
    _, address = said(owner)
    os.killpg(owner.pid, signal.SIGKILL)
    owner.wait(timeout=60)

    heir = serve(tmp_path / "data")
    assert heir.alive()
    pid = server_pid(heir)
    heir.start()
    assert (heir.owned, heir.superuser_url, server_pid(heir)) == (True, address, pid)
    heir.stop()
    assert not heir.alive()


def test_a_stale_pid_that_is_somebody_elses_now_neither_blocks_nor_is_hit(tmp_path: Path, serve: Serve) -> None:
    server = serve(tmp_path / "data")
    server.start()
    server.stop()
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        stale = server.data_dir / "cluster" / "postmaster.pid"
        stale.write_text(f"{bystander.pid}\n{server.data_dir / 'cluster'}\n1\n1\n\n127.0.0.1\n")
        server.start()
        assert server.alive()
        server.stop()
        assert bystander.poll() is None
    finally:
        bystander.communicate(b"\n", timeout=60)


def test_what_a_kill_leaves_while_making_or_starting_is_cleared_away(tmp_path: Path, serve: Serve) -> None:
    half_made = tmp_path / "data" / "cluster.new" / "base"
    half_made.mkdir(parents=True)
    (tmp_path / "data" / "superuser-password").write_text("")
    server = serve(tmp_path / "data")
    server.start()
    server.stop()

    pid_file = server.data_dir / "cluster" / "postmaster.pid"
    pid_file.touch()
    os.utime(pid_file, (0, 0))
    (server.data_dir / "port").write_text("")
    server.start()
    assert server.alive()


def test_a_taken_port_is_left_and_another_chosen(tmp_path: Path, serve: Serve, postgres: EmbeddedPostgres) -> None:
    server = serve(tmp_path / "data")
    server.start()
    server.stop()
    taken = (postgres.data_dir / "port").read_text()
    (server.data_dir / "port").write_text(taken)
    assert not server.alive()
    server.start()
    assert server.alive()
    assert (server.data_dir / "port").read_text() != taken


def test_a_server_that_cannot_start_says_why(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(tmp_path / "data")
    server.start()
    server.stop()
    with (server.data_dir / "cluster" / "postgresql.conf").open("a") as file:
        file.write("shared_buffers = 'a lot'\n")
    monkeypatch.setattr(embedded, "START_SECONDS_MAX", 0.1)
    with pytest.raises(EmbeddedPostgresError, match='invalid value for parameter "shared_buffers"'):
        server.start()
    assert not server.owned


def test_a_cluster_of_a_version_that_is_not_installed_is_refused(tmp_path: Path, serve: Serve) -> None:
    server = serve(tmp_path / "data")
    (server.data_dir / "cluster").mkdir(parents=True)
    (server.data_dir / "cluster" / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedPostgresError, match="bring no PostgreSQL 9"):
        server.start()


@as_root
def test_without_namespaces_root_runs_it_as_nobody(
    open_dir: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_if_closed_to(embedded_programs.NOBODY, "env")
    monkeypatch.setattr(embedded_programs, "namespaces_allowed", lambda: False)
    server = serve(open_dir / "data")
    server.start()
    assert Path(f"/proc/{server_pid(server)}").stat().st_uid == embedded_programs.NOBODY
    server.stop()
    # Later starts go by who owns the cluster, whatever the machine allows then.
    monkeypatch.undo()
    server.start()
    assert Path(f"/proc/{server_pid(server)}").stat().st_uid == embedded_programs.NOBODY


@as_root
@pytest.mark.parametrize("user", [embedded_programs.NOBODY, 54321], ids=["with an account", "without one"])
def test_a_normal_user_needs_nothing_special(user: int, open_dir: Path, serve: Serve, owner_process: Launch) -> None:
    skip_if_closed_to(user, *embedded_programs.UNSHARE)
    os.chown(open_dir, user, user)
    owned, _ = said(owner_process(open_dir / "data", user))
    guest = EmbeddedPostgres(open_dir / "data")
    assert owned
    assert guest.alive()
    assert Path(f"/proc/{server_pid(guest)}").stat().st_uid == user
