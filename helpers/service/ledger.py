"""Decisions on disk before they are answered: an append-only file of lines, each with its checksum."""

from __future__ import annotations

import json
import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from helpers.errors import CourseError


class Ledger:
    """One record a line. `append` returns when the records are on disk; `records` holds what is.

    Opening reads all lines. A torn last line, of a write that a crash cut short, was never answered: it is cut off.
    Any other bad line raises CourseError. `sync=False` is an error on purpose: records wait in a buffer of the program.
    """

    def __init__(self, path: Path, sync: bool = True) -> None:
        """Open or make the file; raises CourseError where another process has it open, or a line is damaged."""
        self.path, self.sync, self.syncs, self.broken = Path(path), sync, 0, ""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        private = lambda path, flags: os.open(path, flags, 0o600)  # noqa: E731
        self._file = open(self.path, "a+b", 0 if sync else 1_000_000, opener=private)  # noqa: SIM115
        self._lock()
        self._file.seek(0)
        content = self._file.read()
        self.records, self.end = read(content, self.path.name)
        self.torn = len(content) - self.end
        if self.torn:
            with open(f"{self.path}.torn", "ab", opener=private) as aside:  # kept for who wants to look
                aside.write(content[self.end :])
                aside.flush()
                os.fsync(aside.fileno())
            self._file.truncate(self.end)
        self._file.seek(0, os.SEEK_END)
        os.fsync(self._file.fileno())
        sync_folder(self.path.parent)

    def _lock(self) -> None:
        try:
            import fcntl

            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows
            pass
        except OSError:
            self._file.close()
            raise CourseError(f"Another service writes {self.path.name}: stop it, or name another ledger.") from None

    def append(self, records: list[dict[str, Any]]) -> None:
        """Write records with one write and one fsync; raises CourseError, and keeps none, where that fails."""
        if self.broken:
            raise CourseError(self.broken)
        content = b"".join(map(line, records))
        try:
            written = 0
            while written < len(content):
                written += self._file.write(content[written:])
            if self.sync:
                os.fsync(self._file.fileno())
                self.syncs += 1
        except OSError as error:
            self._undo(error)
        self.end += len(content)
        self.records += records

    def _undo(self, error: OSError) -> None:
        """Cut off what a failed write has left, and close: after a failed fsync nobody knows what is on disk."""
        why = f"The ledger cannot be written ({os.strerror(error.errno)})"
        self.broken = f"{why}. Make room and start the service again; a retry with the same id tells what was decided."
        with suppress(OSError):
            os.ftruncate(self._file.fileno(), self.end)
        raise CourseError(self.broken) from None

    def close(self) -> None:
        """Release the file."""
        with suppress(OSError):
            self._file.close()


def line(record: dict[str, Any]) -> bytes:
    """A record as a line: checksum, blank, JSON."""
    text = json.dumps(record, separators=(",", ":"), allow_nan=False).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def read(content: bytes, name: str = "ledger") -> tuple[list[dict[str, Any]], int]:
    """All records of a ledger's bytes, and where the last whole line ends; raises CourseError for a damaged line."""
    records, end = [], 0
    lines = content.split(b"\n")
    for number, text in enumerate(lines[:-1], 1):  # what follows the last line feed is torn
        crc, _, body = text.partition(b" ")
        if crc != b"%08x" % zlib.crc32(body):
            if number == len(lines) - 1 and not lines[-1]:
                break  # the last line: blocks of one write may reach the disk in any order
            raise CourseError(f"{name}, line {number}: damaged. Restore the file from its copy; nothing was changed.")
        records.append(json.loads(body))
        end += len(text) + 1
    return records, end


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on disk too, or a power cut may lose a new file (Windows has no such call)."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
