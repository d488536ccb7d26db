"""A disk of its own for a folder, so small that it can be filled."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PIECE = b"\0" * 4096
MEGABYTE = 2**20
#: What the file system counts in.
BLOCK_BYTES = 512


class NoDisks(Exception):
    """This machine does not let us mount disks; the text says why."""


@dataclass(frozen=True)
class Disk:
    """A disk, mounted at `folder`."""

    folder: Path

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self) -> None:
        """Leave no byte."""
        try:
            with self._ballast.open("ab", buffering=0) as ballast:
                while ballast.write(PIECE) == len(PIECE):
                    pass
        except OSError:
            return

    def empty(self) -> None:
        """Give back what `fill` took."""
        self._ballast.unlink()


@contextmanager
def small_disk(folder: Path, spare_megabytes: int) -> Iterator[Disk]:
    """Move what is in a folder to a disk with little more room, which is gone at the end. Raises NoDisks."""
    used = sum(one.stat().st_blocks * BLOCK_BYTES for one in folder.rglob("*"))
    before = folder.with_name(f"{folder.name}-before")
    folder.rename(before)
    folder.mkdir()
    try:
        _run("mount", "-t", "tmpfs", "-o", f"size={used // MEGABYTE + spare_megabytes}m", "tmpfs", str(folder))
    except NoDisks:
        folder.rmdir()
        before.rename(folder)
        raise
    try:
        _run("cp", "-a", "--sparse=never", f"{before}/.", str(folder))
        shutil.rmtree(before)
        yield Disk(folder)
    finally:
        _run("umount", "--lazy", str(folder))


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as missing:
        raise NoDisks(str(missing)) from missing
    except subprocess.CalledProcessError as failed:
        raise NoDisks(failed.stderr.strip()) from failed
