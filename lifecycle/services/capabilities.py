"""Capabilities: register one, find the one that a text asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from donna_skills.accounts.actors import Actor, ActorKind
from donna_skills.accounts.roles import Permission
from donna_skills.audit import services as audit
from donna_skills.errors import Conflict, FieldError, Invalid, NotFound, NotPermitted
from donna_skills.llm import gateway
from donna_skills.lookups import UniqueLookup
from lifecycle.configuration import knobs
from lifecycle.decisions import matching
from lifecycle.execution import schemas, tools
from lifecycle.models import Capability, CapabilityStatus, ReviewKind, Skill, SkillVersion, TriggerType
from lifecycle.services import refusals, reviews

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MOST_EXAMPLES = 50
_LONGEST_EXAMPLE = 300
_BY_NAME, _BY_ID = UniqueLookup(Capability, "name"), UniqueLookup(Capability, "id")
_SKILL_OF, _VERSION = UniqueLookup(Skill, "capability"), UniqueLookup(SkillVersion, "id")


@dataclass(frozen=True)
class MatchResult:
    """`best` is None in the LOW band; `candidates` holds every active capability, best first."""

    best: Capability | None
    score: float
    band: matching.Band
    candidates: list[matching.Match]


def get(name: str) -> Capability:
    """The capability with its skill; NotFound says what there is to ask for."""
    capability = _BY_NAME.get(name)
    if capability is None:
        raise NotFound(f"There is no capability {name[:80]!r}; GET capabilities lists them.", code="unknown_capability")
    return _with_skill(capability)


def by_id(capability_id: UUID) -> Capability:
    """A capability that there is, with its skill."""
    capability = _BY_ID.get(capability_id)
    assert capability is not None, "capabilities are never deleted"
    return _with_skill(capability)


def _with_skill(capability: Capability) -> Capability:
    skill = _SKILL_OF.get(capability.pk)
    if skill is not None:
        skill.capability = capability
        if skill.current_version_id is not None:
            skill.current_version = _VERSION.get(skill.current_version_id)
    return capability


def register(
    name: str,
    *,
    description: str,
    input_schema: Mapping[str, Any],
    output_schema: Mapping[str, Any],
    actor: Actor,
    examples: Sequence[str] = (),
    granted_tools: Sequence[str] = (),
    trigger_type: str = TriggerType.ON_DEMAND,
    requires_human_gate: bool = True,
) -> Capability:
    """Store a capability and its (unserved) skill.

    One that is too similar to an active one is stored `pending_review`, and a person is asked about it.
    Invalid for a bad name, schema or tool; Conflict for a name that is taken.
    """
    if actor.is_person and not actor.may(Permission.EDIT_SKILLS):
        raise NotPermitted("Only authors and admins may add capabilities.")
    _check(name, description, input_schema, output_schema, granted_tools)
    shown = [name, description, *examples]
    twin = _most_similar(shown) if actor.kind != ActorKind.SYSTEM else None
    limit = knobs().similarity_audit_threshold
    pending = twin is not None and twin.score >= limit
    try:
        with transaction.atomic():
            capability = Capability.objects.create(
                name=name,
                description=description,
                examples=list(examples),
                input_schema=dict(input_schema),
                output_schema=dict(output_schema),
                granted_tools=list(granted_tools),
                trigger_type=trigger_type,
                status=CapabilityStatus.PENDING_REVIEW if pending else CapabilityStatus.ACTIVE,
            )
            skill = Skill.objects.create(
                capability=capability,
                state_entered_at=timezone.now(),
                requires_human_gate=requires_human_gate,
            )
            audit.record(
                "capability.registered",
                actor=actor,
                subject_type="capability",
                subject_id=capability.pk,
                data={"name": name, "status": capability.status, "skill_id": str(skill.pk)},
            )
            if pending and twin is not None:
                reviews.open_review(
                    ReviewKind.CAPABILITY,
                    capability=capability,
                    actor=actor,
                    summary=f"{name} resembles {twin.name} ({twin.score:.2f}, limit {limit}): is it a duplicate?",
                    evidence={"similar_to": twin.name, "score": twin.score, "limit": limit},
                )
    except IntegrityError:
        raise Conflict(f"There is a capability {name!r} already.", code="duplicate_name") from None
    return capability


def describe(capability: Capability, *, description: str, examples: Sequence[str], actor: Actor) -> Capability:
    """Change what a capability says of itself, never its contract (name, schemas, tools).

    NotPermitted for bots and for people who may not edit skills; Invalid for a blank description or endless examples. A
    question that is open about it is put anew, because it was about other words.
    """
    with refusals.recorded("capability.describe", actor=actor, subject_type="capability", subject_id=capability.pk):
        if not actor.may(Permission.EDIT_SKILLS):
            raise NotPermitted("Only authors and admins may describe capabilities.")
        _check_words(description, examples)
        words = {"description": description.strip(), "examples": list(examples)}
        # The embedding was made of the old words; the next match makes a new one.
        Capability.objects.filter(pk=capability.pk).update(**words, embedding=None, updated_at=timezone.now())
        audit.record(
            "capability.described", actor=actor, subject_type="capability", subject_id=capability.pk, data=words
        )
        capability.refresh_from_db()
        for review in capability.reviews.open().filter(kind=ReviewKind.CAPABILITY):
            reviews.open_review(
                ReviewKind.CAPABILITY,
                capability=capability,
                actor=actor,
                summary=review.summary,
                evidence=review.evidence,
            )
    return capability


def match(text: str) -> MatchResult:
    """Which active capability the text asks for, with its band; LOW gives none."""
    if not text.strip():
        raise Invalid("The text is empty: say what is to be done.", errors=[FieldError("text", "must not be blank")])
    limits = knobs()
    ranked = _ranked(text, list(Capability.objects.active()))
    if not ranked:
        return MatchResult(best=None, score=0.0, band="LOW", candidates=[])
    top = ranked[0]
    band = matching.band(top.score, high=limits.match_confidence_high, medium=limits.match_confidence_medium)
    best = None if band == "LOW" else Capability.objects.select_related("skill").get(name=top.name)
    return MatchResult(best=best, score=top.score, band=band, candidates=ranked)


def _ranked(text: str, capabilities: Sequence[Capability]) -> list[matching.Match]:
    if knobs().match_backend == "embeddings":
        return matching.vector_scores(*_vectors(text, capabilities))
    phrases = {c.name: [c.name.replace("_", " "), c.description, *map(str, c.examples)] for c in capabilities}
    return matching.lexical_scores(text, phrases)


def _vectors(text: str, capabilities: Sequence[Capability]) -> tuple[list[float], dict[str, list[float]]]:
    """The text's embedding and each capability's; those not embedded yet are embedded in the same call and kept."""
    missing = [c for c in capabilities if not c.embedding]
    query, *fresh = gateway.embed([text, *(f"{c.name.replace('_', ' ')}. {c.description}" for c in missing)])
    for capability, vector in zip(missing, fresh, strict=True):
        capability.embedding = vector
    Capability.objects.bulk_update(missing, ["embedding"])
    return query, {c.name: list(c.embedding or ()) for c in capabilities}


def _most_similar(phrases: Sequence[str]) -> matching.Match | None:
    """The active capability closest to any of the phrases; None where there is none to compare with."""
    active = list(Capability.objects.active())
    found = [_ranked(phrase, active)[0] for phrase in phrases if active and phrase.strip()]
    return max(found, key=lambda m: m.score, default=None)


def _check_words(description: str, examples: Sequence[str]) -> None:
    errors = []
    if not description.strip():
        errors.append(FieldError("description", "say in a sentence what it does"))
    if len(examples) > _MOST_EXAMPLES or any(len(example) > _LONGEST_EXAMPLE for example in examples):
        errors.append(FieldError("examples", f"at most {_MOST_EXAMPLES} phrases of {_LONGEST_EXAMPLE} characters each"))
    if errors:
        raise Invalid("The capability is not described well; nothing was stored.", errors=errors)


def _check(
    name: str,
    description: str,
    input_schema: Mapping[str, Any],
    output_schema: Mapping[str, Any],
    granted_tools: Sequence[str],
) -> None:
    errors: list[FieldError] = []
    if not _NAME.fullmatch(name):
        errors.append(FieldError("name", "use up to 64 lower-case letters, digits and underscores, a letter first"))
    if not description.strip():
        errors.append(FieldError("description", "say in a sentence what it does"))
    for path, schema in (("input_schema", input_schema), ("output_schema", output_schema)):
        if problem := schemas.schema_problem(schema):
            errors.append(FieldError(path, problem))
        elif schema.get("type") != "object" and path == "input_schema":
            errors.append(FieldError(path, 'inputs are an object: say "type": "object"'))
    unknown = sorted(set(granted_tools) - set(tools.names()))
    if unknown:
        errors.append(FieldError("granted_tools", f"unknown: {', '.join(unknown)}; known: {', '.join(tools.names())}"))
    if errors:
        raise Invalid("The capability is not valid; nothing was stored.", errors=errors)
