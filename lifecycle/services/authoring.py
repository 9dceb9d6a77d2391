"""What a model that writes packages answers, read strictly: files and fixtures, or why they cannot be used.

A reply is {"files": {path: text}, "fixtures": [...], …}. Whether the files are a valid package is validation's
business; here they only become files: bounded, storable, each fixture in a file of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.decisions.verdict import Reason
from lifecycle.execution import replies
from lifecycle.packages import layout
from lifecycle.packages.layout import FIXTURES

MAX_FIXTURES = 20
MOST_REASONS = 20
LONGEST_CHANGELOG = 2_000

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["files", "fixtures"],
    "properties": {
        "files": {"type": "object", "additionalProperties": {"type": "string"}},
        "fixtures": {"type": "array", "items": {"type": "object"}},
        "changelog": {"type": "string"},
    },
}
"""What models are told that a reply looks like; `read` is what holds them to it."""


@dataclass(frozen=True)
class Written:
    """A package as it was written. `files` are texts, fixtures included; `said` is the whole reply."""

    files: Mapping[str, str]
    fixtures: int
    changelog: str
    said: Mapping[str, Any]

    @property
    def content(self) -> dict[str, bytes]:
        """The files as a version holds them."""
        return {path: text.encode() for path, text in self.files.items()}


class Unusable(Exception):
    """The reply is no package; `reasons` say why, for people and for the next attempt."""

    def __init__(self, *reasons: Reason) -> None:
        super().__init__(" ".join(reason.message for reason in reasons))
        self.reasons = reasons


def read(reply: str, *, least_fixtures: int = 1) -> Written:
    """The package in a reply. Raises Unusable: no JSON object, no files, files that are no texts, too many or too large
    ones, paths that leave the package, fixtures that are none or fewer than `least_fixtures`."""
    said = _object(reply)
    files = _files(said.get("files"))
    fixtures = _fixtures(said.get("fixtures"), files)
    count = sum(path.startswith(FIXTURES) for path in files) + len(fixtures)
    if count < least_fixtures:
        few = "no fixtures" if not count else f"{count} fixture{'s' if count > 1 else ''}"
        raise Unusable(Reason("fixtures_too_few", f"The reply has {few}; {least_fixtures} are needed."))
    files |= fixtures
    findings = layout.check({path: text.encode() for path, text in files.items()})
    if findings:
        raise Unusable(
            *(Reason(found.code, f"{found.path[:100]}: {found.message}") for found in findings[:MOST_REASONS])
        )
    changelog = said.get("changelog")
    return Written(
        files=files,
        fixtures=count,
        changelog=changelog.strip()[:LONGEST_CHANGELOG] if isinstance(changelog, str) else "",
        said=said,
    )


def storable(reply: str) -> str:
    """The reply as a row can keep it: what is too long to be read is cut, what no database holds is replaced."""
    return reply[: replies.MAX_REPLY + 1].replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def as_rows(reasons: Sequence[Reason]) -> list[dict[str, str]]:
    """Reasons as an attempt keeps them."""
    return [{"code": reason.code, "message": reason.message[:1_000]} for reason in reasons[:MOST_REASONS]]


def _object(reply: str) -> dict[str, Any]:
    try:
        said = replies.parse(reply)
    except replies.ReplyInvalid as error:
        raise Unusable(Reason("reply_unreadable", f"The reply cannot be read. {error}")) from None
    if not isinstance(said, dict):
        raise Unusable(Reason("reply_unreadable", "The reply is JSON, but no object with files and fixtures."))
    if said.get("escalate") is not None and "files" not in said:
        why = said["escalate"] if isinstance(said["escalate"], str) else json.dumps(said["escalate"])
        raise Unusable(Reason("author_gave_up", f"The author says that it cannot be done: {why[:500]}"))
    return said


def _files(given: Any) -> dict[str, str]:
    if not isinstance(given, dict) or not given:
        raise Unusable(Reason("files_missing", "The reply has no files: `files` maps each path to its text."))
    if len(given) > layout.MAX_FILES:
        raise Unusable(Reason("too_many_files", f"The reply has {len(given)} files; {layout.MAX_FILES} are allowed."))
    wrong = [path for path, text in given.items() if not isinstance(text, str)]
    if wrong:
        raise Unusable(
            *(Reason("file_not_text", f"The file {path[:100]!r} is no text.") for path in wrong[:MOST_REASONS])
        )
    return dict(given)


def _fixtures(given: Any, files: Mapping[str, str]) -> dict[str, str]:
    """A file for each, numbered; names that the reply's own files have already are passed over."""
    if given is None:
        return {}
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise Unusable(Reason("fixtures_invalid", "`fixtures` is no list of objects."))
    if len(given) > MAX_FIXTURES:
        raise Unusable(Reason("fixtures_too_many", f"{len(given)} fixtures; at most {MAX_FIXTURES} are read."))
    numbers = iter(number for number in range(1, 1_000) if f"{FIXTURES}{number:02}.json" not in files)
    return {f"{FIXTURES}{next(numbers):02}.json": json.dumps(item, indent=2, ensure_ascii=False) for item in given}
