"""Keeps every resource as encoded bytes in memory and, if told to, in a file before it is answered."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

Row = TypeVar("Row", bound=msgspec.Struct)

_HEADER = b'{"avtaleSandboxState":2}\n'
_json = msgspec.json.Encoder()


class StateFileError(Exception):
    """The state file cannot be used; the text says why and what to do."""


class StateNotKept(Exception):
    """The state file takes no more just now; what was changed is kept in memory, and goes into it before any answer."""


class Table(Generic[Row]):
    """The rows of one kind by key; a row that is got is a copy, and changes nothing until it is put back."""

    def __init__(self, store: Store, kind: str, row: type[Row]) -> None:
        self._store = store
        self._kind = _json.encode(kind)
        self._decode = msgspec.json.Decoder(row).decode
        self._encode = msgspec.json.Encoder().encode
        self.encoded: dict[str, bytes] = {}

    def get(self, key: str) -> Row | None:
        """A copy of the row, or None."""
        found = self.encoded.get(key)
        return None if found is None else self._decode(found)

    def put(self, key: str, row: Row) -> None:
        """Store the row under the key, replacing what was there."""
        data = self._encode(row)
        self.encoded[key] = data
        self._store.note(self._kind, key, data)

    def delete(self, key: str) -> bool:
        """Forget the row; says whether there was one."""
        if self.encoded.pop(key, None) is None:
            return False
        self._store.note(self._kind, key, b"null")
        return True

    def values(self) -> Iterator[Row]:
        """Copies of all rows, oldest key first."""
        return map(self._decode, list(self.encoded.values()))

    def newest(self) -> Iterator[Row]:
        """Copies of all rows, newest key first, each made when it is reached; change nothing meanwhile."""
        return map(self._decode, reversed(self.encoded.values()))

    def __contains__(self, key: str) -> bool:
        return key in self.encoded

    def __len__(self) -> int:
        return len(self.encoded)


class Store:
    """All tables, and the state file that holds their changes, one line a transaction.

    A line is `[[kind, key, row-or-null], ...]`. The last line of a file may be torn by a crash: it was never
    answered, so it is cut off. Any other damage refuses the file.
    """

    def __init__(self) -> None:
        self._tables: dict[str, Table[Any]] = {}
        self._pending: list[bytes] = []
        self._fd: int | None = None
        self._size = 0
        self._synced = False

    def table(self, kind: str, row: type[Row]) -> Table[Row]:
        """Declare a kind of row; each kind once."""
        if kind in self._tables:
            raise ValueError(f"table {kind} is declared twice")
        table = Table(self, kind, row)
        self._tables[kind] = table
        return table

    def table_named(self, kind: str) -> Table[Any]:
        """The table of a kind that has been declared; raises KeyError."""
        return self._tables[kind]

    def note(self, kind: bytes, key: str, data: bytes) -> None:
        """Remember a change for the next commit; without a file there is nothing to remember."""
        if self._fd is not None:
            self._pending.append(b"[%b,%b,%b]" % (kind, _json.encode(key), data))

    def commit(self) -> None:
        """Write all noted changes as one line; when this returns, they survive the end of this process.

        The line is handed to the operating system, and forced to the disk only if `open` was told so: a `kill -9`
        loses nothing, a power cut may. Raises StateNotKept when there is no room; the next commit writes the same
        changes with its own.
        """
        if self._pending and self._fd is not None:
            line = b"[%b]\n" % b",".join(self._pending)
            try:
                _write_all(self._fd, line)
                if self._synced:
                    os.fdatasync(self._fd)
            except OSError as problem:
                # What was written of the line goes: the next one must not be joined to it.
                os.ftruncate(self._fd, self._size)
                raise StateNotKept(f"the state file cannot be written: {problem.strerror}") from problem
            self._size += len(line)
            self._pending.clear()

    def clear(self, keep: Collection[str] = ()) -> None:
        """Forget every row, in the file too, except those of the kinds to keep."""
        for kind, table in self._tables.items():
            if kind not in keep:
                for key in list(table.encoded):
                    table.delete(key)

    def rows(self, without: Collection[str] = ()) -> dict[str, dict[str, bytes]]:
        """Every row as it is now, encoded, by kind and key; later changes do not show in it."""
        return {kind: dict(table.encoded) for kind, table in self._tables.items() if kind not in without}

    def restore(self, rows: Mapping[str, Mapping[str, bytes]]) -> None:
        """Make the rows of these kinds what they were, in the file too; whoever keeps look-ups loads anew."""
        for kind, kept in rows.items():
            table = self._tables[kind]
            changed = [key for key, data in kept.items() if table.encoded.get(key) != data]
            for key in [key for key in table.encoded if key not in kept]:
                table.delete(key)
            table.encoded = dict(kept)
            name = _json.encode(kind)
            for key in changed:
                self.note(name, key, kept[key])

    def open(self, path: Path, *, synced: bool = False) -> None:
        """Read the file if there is one, and write to it from now on; a torn end is cut, much waste is packed.

        With `synced` each commit is on the disk when it returns. Raises StateFileError.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = _locked(path)
        lines, sound = self._read(path)
        if sound == 0:
            os.ftruncate(fd, 0)
            _write_all(fd, _HEADER)
            sound = len(_HEADER)
        else:
            os.ftruncate(fd, sound)
        self._fd, self._size, self._synced = fd, sound, synced
        if lines > 64 and lines > 2 * sum(len(table) for table in self._tables.values()):
            self._pack(path)
        if synced:
            os.fsync(self._fd)
            _sync_folder(path.parent)

    def close(self) -> None:
        """Write what is left and let the file go, also when it takes no more. Raises StateNotKept."""
        if self._fd is not None:
            try:
                self.commit()
            finally:
                os.close(self._fd)
                self._fd = None

    def _read(self, path: Path) -> tuple[int, int]:
        """Load the file; gives how many lines and how many sound bytes it has."""
        decode = msgspec.json.Decoder(list[tuple[str, str, msgspec.Raw]]).decode
        lines = sound = 0
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                try:
                    if lines == 0:
                        if line != _HEADER:
                            raise StateFileError(
                                f"{path} is not a state file of this version of the sandbox: remove it to begin anew"
                            )
                    else:
                        self._apply(decode(line))
                except msgspec.DecodeError as problem:
                    if file.read(1):
                        raise StateFileError(
                            f"{path} is damaged in line {lines + 1} ({problem}): restore a copy or remove it"
                        ) from problem
                    break
                lines += 1
                sound += len(line)
        return lines, sound

    def _apply(self, changes: list[tuple[str, str, msgspec.Raw]]) -> None:
        for kind, key, raw in changes:
            table = self._tables.get(kind)
            if table is None:
                raise StateFileError(f"the state file holds {kind!r}, which this version does not know")
            data = bytes(raw)
            if data == b"null":
                table.encoded.pop(key, None)
            else:
                table.encoded[key] = data

    def _pack(self, path: Path) -> None:
        """Write a new file with the living rows only and put it in the old one's place; without room, leave it be."""
        packed = path.with_name(path.name + ".packing")
        packed.unlink(missing_ok=True)
        fd = _locked(packed)
        try:
            size = _write_all(fd, _HEADER)
            for kind, table in self._tables.items():
                name = _json.encode(kind)
                for key, data in table.encoded.items():
                    size += _write_all(fd, b"[[%b,%b,%b]]\n" % (name, _json.encode(key), data))
            os.fsync(fd)
        except OSError:
            packed.unlink()
            os.close(fd)
            return
        packed.replace(path)
        if self._fd is not None:
            os.close(self._fd)
        self._fd, self._size = fd, size


def _locked(path: Path) -> int:
    """Open for appending and hold an exclusive lock as long as the descriptor lives."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        os.close(fd)
        raise StateFileError(f"{path} is in use by another sandbox") from problem
    return fd


def _write_all(fd: int, data: bytes) -> int:
    """Write it all; gives how many bytes that were."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    return len(data)


def _sync_folder(folder: Path) -> None:
    """Force to the disk which files there are."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
