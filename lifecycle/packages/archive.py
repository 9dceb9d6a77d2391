"""Packages as zip archives and folders. What goes out comes back with the same digest; what comes in is not trusted."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from pathlib import Path

from lifecycle.packages import layout
from lifecycle.packages.layout import JUNK, MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES, SKILL_MD, SKILL_YAML
from lifecycle.packages.model import Files, Finding, PackageInvalid

MAX_ZIP_BYTES = MAX_TOTAL_BYTES + 512 * 1024

_EPOCH = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = (stat.S_IFREG | 0o644) << 16
_UNIX = 3
_ENCRYPTED = 0x1
# The two whose decompressor gives out no more than it is asked for.
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OverflowError, NotImplementedError, RuntimeError)


def to_zip(files: Files) -> bytes:
    """The same bytes for the same files, on every machine: sorted, one fixed time, and stored rather than deflated,
    since what deflate makes depends on the library's version. Raises PackageInvalid."""
    _refuse(layout.check(files))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, date_time=_EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = _REGULAR_FILE
            archive.writestr(entry, files[path])
    return buffer.getvalue()


def from_zip(data: bytes) -> dict[str, bytes]:
    """The files of a zip, a single folder around them taken away. Raises PackageInvalid."""
    if len(data) > MAX_ZIP_BYTES:
        raise _invalid("", f"The zip has {len(data):,} bytes; it may have {MAX_ZIP_BYTES:,}.", "package_too_large")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = _unpack(archive)
    except _BROKEN:
        raise _invalid("", "This is not a zip archive, or it is damaged.", "zip_unreadable") from None
    files = _without_top_folder(files)
    _refuse(layout.check(files))
    return files


def read_folder(path: Path) -> dict[str, bytes]:
    """The files under a folder; links are refused, not followed. Raises PackageInvalid."""
    if not path.is_dir():
        raise _invalid("", f"There is no folder {path.name}.", "folder_missing")
    files: dict[str, bytes] = {}
    waiting = [path]
    while waiting:
        for entry in sorted(waiting.pop().iterdir()):
            name = entry.relative_to(path).as_posix()
            if entry.name in JUNK:
                continue
            if entry.is_symlink() or not (entry.is_dir() or entry.is_file()):
                raise _invalid(name, "This is a link or a device and no file.", "not_a_file")
            if entry.is_dir():
                waiting.append(entry)
                continue
            with entry.open("rb") as handle:
                files[name] = handle.read(MAX_FILE_BYTES + 1)
            _stop_when_too_much(files)
    _refuse(layout.check(files))
    return files


def write_folder(files: Files, path: Path) -> None:
    """Writes into a new or empty folder, so that reading it gives these files alone. Raises PackageInvalid."""
    _refuse(layout.check(files))
    path.mkdir(parents=True, exist_ok=True)
    if any(path.iterdir()):
        raise _invalid("", f"The folder {path.name} is not empty.", "folder_not_empty")
    for name, content in files.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _unpack(archive: zipfile.ZipFile) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for entry in archive.infolist():
        # orig_filename: zipfile itself cuts a name at a NUL, and would make two names of one.
        name = entry.orig_filename
        if not JUNK.isdisjoint(name.split("/")):
            continue
        if problem := layout.path_problem(name.removesuffix("/")):
            raise _invalid(name, problem, "path_invalid")
        if entry.flag_bits & _ENCRYPTED:
            raise _invalid(name, "The file is encrypted.", "zip_encrypted")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _invalid(name, "This is a link or a device and no file.", "not_a_file")
        if entry.is_dir():
            continue
        if name in files:
            raise _invalid(name, "The zip holds this file twice.", "path_duplicate")
        if entry.compress_type not in _METHODS:
            raise _invalid(name, "The file is compressed in a way other than deflate.", "zip_method")
        with archive.open(entry) as handle:
            files[name] = handle.read(MAX_FILE_BYTES + 1)  # what is really there, whatever the header says
        _stop_when_too_much(files)
    return files


def _stop_when_too_much(files: Files) -> None:
    if len(files) > MAX_FILES or sum(map(len, files.values())) > MAX_TOTAL_BYTES:
        _refuse(tuple(finding for finding in layout.check(files) if layout.too_large([finding])))


def _without_top_folder(files: dict[str, bytes]) -> dict[str, bytes]:
    tops = {name.split("/", 1)[0] for name in files}
    if len(tops) != 1:
        return files
    folder = f"{tops.pop()}/"
    if f"{folder}{SKILL_YAML}" not in files and f"{folder}{SKILL_MD}" not in files:
        return files
    return {name.removeprefix(folder): content for name, content in files.items()}


def _refuse(findings: tuple[Finding, ...]) -> None:
    if findings:
        raise PackageInvalid(findings)


def _invalid(path: str, message: str, code: str) -> PackageInvalid:
    return PackageInvalid((Finding(path, message, code),))
