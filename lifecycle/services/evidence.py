"""The one evidence pipeline: every version, whoever wrote it, goes through these gates, and nothing goes round them.

    files -> static -> safety -> leak -> dry run -> fixtures -> replay -> baseline -> one GateDecision

Cheap to dear, stopping at a BLOCK. Models are asked outside of any transaction. The decision belongs to the digest of
the files and to that of all else that was looked at: with both unchanged, the stored row is the answer.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Permission
from donna_skills.audit import services as audit
from donna_skills.notifications import events
from donna_skills.notifications.models import Level
from lifecycle.configuration import knobs
from lifecycle.decisions import gatedocument, gates, readiness
from lifecycle.decisions.gates import GateResult
from lifecycle.execution import canonical
from lifecycle.execution.ports import Models
from lifecycle.models import GateDecision, GateVerdict, Review, Skill, SkillVersion, VersionStatus
from lifecycle.packages.model import Files
from lifecycle.services import gateinputs, reviews
from lifecycle.services.gaterun import GateRun
from lifecycle.services.validation import Progress

_ACTOR = Actor.system("evidence pipeline")
_PLACES = Decimal("0.000001")
_LEVEL = {GateVerdict.PASS: Level.SUCCESS, GateVerdict.HOLD: Level.INFO, GateVerdict.BLOCK: Level.WARNING}
_SAYS = {GateVerdict.PASS: "pass", GateVerdict.HOLD: "hold", GateVerdict.BLOCK: "block"}
_FILE_GATES = ("static", "safety", "leak")
_APPROVED = (VersionStatus.APPROVED, VersionStatus.RELEASED)


def evaluate(
    skill: Skill,
    files: Files,
    *,
    actor: Actor,
    fixture_rate: float | None = None,
    progress: Progress | None = None,
    models: Models | None = None,
) -> GateDecision:
    """What the gates say to these files of this skill. Never call it inside of a transaction.

    1. Gather what there is to look at. Where it was looked at before, that decision is the answer.
    2. Run the gates in order, up to the first BLOCK or until the budget is used up.
    3. Store the decision, and tell people where the verdict is another one.

    `fixture_rate` is the share of fixtures that has to pass, `auto_draft_fixture_pass_rate` unless given; `models`
    stands in for the gateway. A decision for which a model gave no answer is not the last word: asked again, the gates
    run again.
    """
    rate = knobs().auto_draft_fixture_pass_rate if fixture_rate is None else fixture_rate
    given = gateinputs.gather(skill, files, fixture_rate=rate)
    inputs_digest = given.inputs_digest
    if stored := _stored(skill, given.digest, inputs_digest):
        return stored
    done = GateRun(given, progress=progress, models=models)
    results = done.carry_out()
    if done.incomplete:
        inputs_digest = _provisional(inputs_digest, results)
    return record(
        skill, digest=given.digest, inputs_digest=inputs_digest, results=results, evidence=done.evidence, actor=actor
    )


def record(
    skill: Skill,
    *,
    digest: str,
    inputs_digest: str,
    results: Sequence[GateResult],
    evidence: Mapping[str, Any],
    actor: Actor = _ACTOR,
) -> GateDecision:
    """Keep what the gates said; the row that is there already where it was said before.

    Everybody who decides reviews is told once for each time that the verdict of a version changes. The same verdict
    for another reason changes that line quietly.
    """
    decided = gates.combine(results)
    with transaction.atomic():
        Skill.objects.select_for_update(of=("self",)).get(pk=skill.pk)
        if stored := _stored(skill, digest, inputs_digest):
            return stored
        decision = GateDecision.objects.create(
            skill=skill,
            digest=digest,
            inputs_digest=inputs_digest,
            verdict=decided.verdict,
            gates=_storable([result.as_dict() for result in decided.gates]),
            evidence=_storable(evidence),
            cost_usd=decided.cost.quantize(_PLACES),
            at=timezone.now(),
        )
        reviews.note_verdict(skill, digest, decided.verdict)
        facts = {
            "capability": skill.capability.name,
            "digest": digest,
            "verdict": decided.verdict,
            "reasons": [reason.code for reason in decided.reasons],
            "cost_usd": str(decision.cost_usd),
        }
        audit.record("gates.decided", actor=actor, subject_type="gate_decision", subject_id=decision.pk, data=facts)
        _announce(skill, decision, facts, [reason.message for reason in decided.reasons])
    return decision


def latest(skill: Skill, digest: str) -> GateDecision | None:
    """The newest word on these files, None where nobody has looked at them."""
    return GateDecision.objects.filter(skill=skill, digest=digest).first()


def readiness_of(version: SkillVersion, *, decision: GateDecision | None = None) -> readiness.Readiness:
    """The one thing that a version needs next; three queries at most. `decision` is the newest one, where the caller
    has it."""
    decision = decision or latest(version.skill, version.digest)
    found = {gate["gate"]: gate for gate in decision.gates} if decision else {}
    broken = [r for name in _FILE_GATES for r in found.get(name, {}).get("reasons", []) if r["status"] == "BLOCK"]
    return readiness.readiness(
        readiness.VersionEvidence(
            problems=len(broken),  # a version is validated before it is stored
            fixtures=version.skill.fixtures.count(),
            fixtures_status=found.get("fixtures", {}).get("status"),
            replay_status=_replay_status(version, found.get("replay")),
            baseline_status=_unless("BASELINE_MISSING", found.get("baseline")),
            approved=version.status in _APPROVED,
            released=version.status == VersionStatus.RELEASED,
        )
    )


def _replay_status(version: SkillVersion, gate: Mapping[str, Any] | None) -> gates.Status | None:
    """Where nothing was replayed, that is still to be done, unless there is nothing to replay."""
    status = _unless("REPLAY_REPORT_MISSING", gate)
    return status if status or gate is None or gateinputs.recorded_runs(version.skill, most=1) else "HOLD"


def _unless(code: str, gate: Mapping[str, Any] | None) -> gates.Status | None:
    """The gate's status, or None where it says that nothing was measured."""
    if gate is None or any(reason["code"] == code for reason in gate["reasons"]):
        return None
    status: gates.Status = gate["status"]
    return status


def in_hand(skill: Skill) -> SkillVersion | None:
    """The version that something is to be done about: a draft that is newer than the current one, else the current."""
    current = skill.current_version
    drafts = SkillVersion.objects.filter(skill=skill, status=VersionStatus.DRAFT)
    newer = drafts.filter(number__gt=current.number if current else 0).order_by("-number").first()
    return newer or current


def document_of(decision: GateDecision) -> dict[str, Any]:
    """`gate_decision.json`; `decision.skill.capability` is loaded."""
    return gatedocument.document(
        gatedocument.Decided(
            id=str(decision.pk),
            capability=decision.skill.capability.name,
            digest=decision.digest,
            inputs_digest=decision.inputs_digest,
            verdict=decision.verdict,
            gates=decision.gates,
            evidence=decision.evidence,
            cost_usd=str(decision.cost_usd),
            at=decision.at.isoformat(),
        )
    )


def _stored(skill: Skill, digest: str, inputs_digest: str) -> GateDecision | None:
    return GateDecision.objects.filter(skill=skill, digest=digest, inputs_digest=inputs_digest).first()


def _provisional(inputs_digest: str, results: Sequence[GateResult]) -> str:
    """A name for a decision that lacks answers: not that of its inputs, which are judged again when they are asked for,
    and the same for the same gaps, so that an outage that goes on is one row."""
    gaps = [[result.gate, [[reason.code, reason.message] for reason in result.reasons]] for result in results]
    return hashlib.sha256(canonical.dumps([inputs_digest, gaps]).encode()).hexdigest()


def _announce(skill: Skill, decision: GateDecision, facts: Mapping[str, Any], sentences: Sequence[str]) -> None:
    """An event for the feed; a line for people where there is a version that they can look at."""
    name = skill.capability.name
    version = SkillVersion.objects.select_related("author").filter(skill=skill, digest=decision.digest).first()
    notice = None
    if version is not None:
        verdict = GateVerdict(decision.verdict)
        notice = events.Notice(
            title=f"The gates {_SAYS[verdict]} version {version.number} of {name}",
            body=" ".join(sentences[:3]) or "Every gate passes.",
            url=_where(version) or f"/skills/{name}/",
            level=_LEVEL[verdict],
            permission=Permission.DECIDE_REVIEWS,
            people=(version.author,) if version.author else (),
        )
    events.publish(
        "gates.decided",
        subject_type="gate_decision",
        subject_id=decision.pk,
        payload={**facts, "version": version.number if version else None},
        dedup_key=f"gates:{skill.pk}:{decision.digest}:{_since(decision)}",
        notify=notice,
    )


def _where(version: SkillVersion) -> str:
    """The newest open question about the version, which the verdict bears upon; empty where nobody is asked."""
    asked = Review.objects.open().filter(version=version).order_by("-id").values_list("pk", flat=True).first()
    return f"/review/{asked}/" if asked else ""


def _since(decision: GateDecision) -> str:
    """The first of the decisions in a row that say what this one says: which time it is that they say so."""
    first = decision.pk
    rows = GateDecision.objects.filter(skill_id=decision.skill_id, digest=decision.digest).order_by("-id")
    for pk, verdict in rows.values_list("pk", "verdict"):
        if verdict != decision.verdict:
            break
        first = pk
    return str(first)


def _storable(value: Any) -> Any:
    """As JSON that both databases hold. What is no finite number is null, so that nobody takes it for a figure."""
    if isinstance(value, Mapping):
        return {_storable(str(key)): _storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_storable(item) for item in value]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value).replace("\0", "\ufffd").encode("utf-8", "replace").decode()
