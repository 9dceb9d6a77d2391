"""What a decision is bound to: the subject that was shown, and what it was held against.

A subject's digest covers a version's files, or a capability's contract. A draft, an evolved version and a rollback are
besides held against the skill's fixtures and the version that they would replace: their `basis`. What a person has seen
is one text, `DIGEST` or `DIGEST.FIXTURES.BASE`; what it leaves out is as it was when the question was put.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from donna_skills.errors import FieldError
from lifecycle.models import Capability, Fixture, Review, ReviewKind, SkillVersion

WITH_BASIS = (ReviewKind.DRAFT, ReviewKind.EVOLUTION, ReviewKind.ROLLBACK)
_PARTS = ("fixtures", "base")
_SENTENCES = {
    "files": "Its files are other ones now.",
    "contract": "What the capability says of itself is something else now.",
    "fixtures": "The fixtures that it is held against have changed.",
    "base": "Another version is in force than the one that it was compared with.",
}


def digest(capability: Capability, version: SkillVersion | None, occasion: str = "") -> str:
    """Of the version's files (on this occasion), or of the capability's contract."""
    if version is not None and occasion:
        return hashlib.sha256(f"{version.digest}:{occasion}".encode()).hexdigest()
    if version is not None:
        return version.digest
    parts = (capability.name, capability.description, capability.input_schema, capability.output_schema)
    return hashlib.sha256(repr((*parts, capability.granted_tools)).encode()).hexdigest()


def basis(kind: str, version: SkillVersion | None) -> dict[str, str]:
    """What the subject is held against now, as short digests; empty for questions about a state or a contract."""
    if version is None or kind not in WITH_BASIS:
        return {}
    base = base_of(version)
    return {"fixtures": _fixtures(version), "base": base.digest[:16] if base else "none"}


def base_of(version: SkillVersion) -> SkillVersion | None:
    """The version that this one would replace: the skill's current one where that is another, or else the newest
    earlier one that ever served."""
    current = SkillVersion.objects.filter(current_of=version.skill_id).first()
    if current is not None and current.pk != version.pk:
        return current
    earlier = SkillVersion.objects.filter(skill_id=version.skill_id, released_at__isnull=False)
    return earlier.filter(number__lt=version.number).order_by("-number").first()


def seen_digest(review: Review) -> str:
    """What somebody who looks at the review now has seen, to be given back with the decision."""
    now = basis(review.kind, review.version)
    if now == review.basis:
        return review.subject_digest
    return ".".join((review.subject_digest, *(now[part] for part in _PARTS)))


def changed(review: Review, seen: str) -> list[FieldError]:
    """What is no longer as it was seen, one entry each; empty where everything is."""
    files, _, rest = seen.partition(".")
    occasion = str(review.evidence.get("occasion", ""))
    found = []
    if not files == review.subject_digest == digest(review.capability, review.version, occasion):
        found.append(_changed("files" if review.version_id else "contract"))
    now = basis(review.kind, review.version)
    before: dict[str, Any] = dict(zip(_PARTS, rest.split("."), strict=False)) if rest else review.basis
    found += [_changed(part) for part in now if before.get(part) != now[part]]
    return found


def bound_to(review: Review) -> str:
    """One digest of the subject and of everything that it is held against now."""
    now = basis(review.kind, review.version)
    return hashlib.sha256(":".join((review.subject_digest, *now.values())).encode()).hexdigest()


def _changed(part: str) -> FieldError:
    return FieldError(part, _SENTENCES[part], code="changed")


def _fixtures(version: SkillVersion) -> str:
    fields = ("name", "input", "expected_output", "assertions", "tool_mocks")
    rows = list(Fixture.objects.filter(skill_id=version.skill_id).order_by("name").values_list(*fields))
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:16]
