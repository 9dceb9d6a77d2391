"""A package as bare files: where they lie, how large they are, whether text is text. Content has no say here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from lifecycle.packages.model import Files, Finding

SKILL_YAML = "skill.yaml"
SKILL_MD = "SKILL.md"
FIXTURES = "fixtures/"

MAX_FILES = 200
MAX_FILE_BYTES = 1024 * 1024
MAX_TOTAL_BYTES = 2 * 1024 * 1024
MAX_PATH_CHARACTERS = 255

# What tools leave lying about. It is skipped when a folder or zip is read and refused in a package.
JUNK = frozenset({"__MACOSX", ".DS_Store", ".git"})

_TEXT_SUFFIXES = (
    *(".md", ".txt", ".rst", ".yaml", ".yml", ".json", ".jsonl", ".toml", ".ini", ".cfg", ".csv", ".tsv", ".xml"),
    *(".html", ".css", ".js", ".mjs", ".ts", ".py", ".sh", ".bash", ".rb", ".sql", ".j2", ".jinja"),
)
_DRIVE = re.compile(r"[A-Za-z]:")
_TOO_LARGE = frozenset({"too_many_files", "file_too_large", "package_too_large"})


def check(files: Files) -> tuple[Finding, ...]:
    """Everything wrong with the set of files as such."""
    return (*_sizes(files), *_paths(files), *_clashes(files), *_encodings(files))


def too_large(findings: Iterable[Finding]) -> bool:
    """Whether a finding of `check` means that nothing in the package may be read further."""
    return any(finding.code in _TOO_LARGE for finding in findings)


def text(files: Files, path: str) -> str | None:
    """The file's text; None when it is not there or is no text, which `check` says already."""
    content = files.get(path)
    if content is None or len(content) > MAX_FILE_BYTES or _text_problem(content):
        return None
    return content.decode("utf-8")


def path_problem(path: str) -> str | None:
    """Why this path may not be in a package, as a sentence, else None."""
    if not path or len(path) > MAX_PATH_CHARACTERS:
        return f"A path has between 1 and {MAX_PATH_CHARACTERS} characters."
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in path):
        return "The path contains a control character or half a surrogate pair."
    if "\\" in path:
        return "The path contains a backslash; folders are separated by /."
    if path.startswith("/") or _DRIVE.match(path):
        return "The path is absolute; paths start at the package's root."
    segments = path.split("/")
    if ".." in segments:
        return "The path leaves the package (..)."
    if "" in segments or "." in segments:
        return "The path has an empty or a dot segment; write it in its shortest form."
    if not JUNK.isdisjoint(segments):
        return "This file belongs to another tool and not to a skill."
    return None


def _sizes(files: Files) -> Iterator[Finding]:
    if len(files) > MAX_FILES:
        yield Finding("", f"The package has {len(files):,} files; it may have {MAX_FILES}.", "too_many_files")
    for path, content in files.items():
        if len(content) > MAX_FILE_BYTES:
            message = f"The file has {len(content):,} bytes; a file may have {MAX_FILE_BYTES:,}."
            yield Finding(path, message, "file_too_large")
    if (total := sum(map(len, files.values()))) > MAX_TOTAL_BYTES:
        message = f"The package has {total:,} bytes in all; it may have {MAX_TOTAL_BYTES:,}."
        yield Finding("", message, "package_too_large")


def _paths(files: Files) -> Iterator[Finding]:
    for path in files:
        if problem := path_problem(path):
            yield Finding(path, problem, "path_invalid")


def _clashes(files: Files) -> Iterator[Finding]:
    """Files that cannot lie side by side everywhere: same name but for case, or a file that is a folder too."""
    seen: dict[str, str] = {}
    for path in sorted(files):
        if (first := seen.setdefault(_folded(path), path)) != path:
            message = f"The path differs from {first} only by case or by how its letters are composed."
            yield Finding(path, message, "path_duplicate")
    for path in sorted(files):
        segments = _folded(path).split("/")
        for end in range(1, len(segments)):
            if (other := seen.get("/".join(segments[:end]))) is not None:
                yield Finding(path, f"{other} is a file, so that nothing can lie inside it.", "path_duplicate")


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path.casefold())


def _encodings(files: Files) -> Iterator[Finding]:
    for path, content in files.items():
        if len(content) > MAX_FILE_BYTES or not path.lower().endswith(_TEXT_SUFFIXES):
            continue
        if problem := _text_problem(content):
            yield Finding(path, problem, "not_text")


def _text_problem(content: bytes) -> str | None:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"The file is not UTF-8 text: byte {error.start} does not belong there."
    if (position := content.find(0)) >= 0:
        return f"The file contains a NUL character at byte {position}."
    return None
