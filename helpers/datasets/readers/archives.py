"""Files inside files: members of zips (also of zips in zips), tar.gz and gzip; in memory, and never beyond a bound."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

from helpers.datasets.checks import Damaged

MOST = 64 << 20
"""Bytes that anything may unpack to: five times the largest that the course reads."""


def unpack(raw: bytes, members: list[str] = ()) -> bytes:
    """The plain bytes of a file: the member of a zip, the member of a zip within it and so on, or what gzip holds."""
    for name in members:
        with zipfile.ZipFile(io.BytesIO(raw)) as zipped, zipped.open(name) as member:
            raw = _bounded(member)
    return gunzip(raw) if raw[:2] == b"\x1f\x8b" else raw


def gunzip(raw: bytes) -> bytes:
    """What a gzip file holds."""
    with gzip.open(io.BytesIO(raw)) as unzipped:
        return _bounded(unzipped)


def untar(raw: bytes, ending: str) -> dict[str, bytes]:
    """The plain files of a tar.gz with this ending, by name in its order: links and devices are passed over."""
    with tarfile.open(fileobj=io.BytesIO(gunzip(raw)), mode="r:") as tar:
        members = [member for member in tar if member.isreg() and member.name.endswith(ending)]
        return {member.name: tar.extractfile(member).read() for member in members}


def unzip(raw: bytes) -> dict[str, bytes]:
    """All files of a zip by name."""
    with zipfile.ZipFile(io.BytesIO(raw)) as zipped:
        if sum(member.file_size for member in zipped.infolist()) > MOST:
            raise Damaged(f"unpacks to more than {MOST:,} bytes")
        return {member.filename: zipped.read(member) for member in zipped.infolist() if not member.is_dir()}


def _bounded(handle) -> bytes:
    whole = handle.read(MOST + 1)
    if len(whole) > MOST:
        raise Damaged(f"unpacks to more than {MOST:,} bytes")
    return whole
