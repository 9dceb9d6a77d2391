"""What a version earned: written with the move that earns it, and held against it ever after."""

from __future__ import annotations

from uuid import UUID

from lifecycle.configuration import knobs
from lifecycle.decisions import degradation
from lifecycle.decisions.degradation import Baseline
from lifecycle.models import Skill
from lifecycle.services import windows

LEAST = 30
"""A new baseline of a skill that was saved takes at least so many judged comparisons."""


def earned(version_id: UUID | None) -> Baseline | None:
    """The baseline of a promotion: over the judged comparisons that the gate looks at. None without any."""
    if version_id is None:
        return None
    limits = knobs()
    found = windows.judged([version_id], newest=limits.shadow_primary_promotion_min_runs)
    return degradation.baseline(
        [one.agreement for one in found.get(version_id, [])],
        threshold=limits.degradation_agreement_threshold,
        confidence=limits.degradation_ci_confidence,
    )


def reset(version_id: UUID | None) -> Baseline | None:
    """The new baseline of a skill that a person vouches for, or None: then the old one is kept.

    It takes enough comparisons, and is never below what a promotion asks for, so that saving wears nothing down.
    """
    if version_id is None:
        return None
    limits = knobs()
    found = windows.judged([version_id], newest=limits.baseline_reset_window)
    return degradation.reset_baseline(
        [one.agreement for one in found.get(version_id, [])],
        promotion_rate=limits.shadow_primary_promotion_agreement_rate,
        window=limits.baseline_reset_window,
        min_agreements=LEAST,
        threshold=limits.degradation_agreement_threshold,
        confidence=limits.degradation_ci_confidence,
    )


def store(skill: Skill, baseline: Baseline) -> None:
    """Write it for the skill's current version, in the transaction of the move, whose lock on the skill it needs."""
    values = {
        "baseline_mean": baseline.mean,
        "baseline_success_rate": baseline.success_rate,
        "baseline_lower": baseline.lower,
        "baseline_n": baseline.n,
        "baseline_version_id": skill.current_version_id,
    }
    Skill.objects.filter(pk=skill.pk, current_version_id=skill.current_version_id).update(**values)
    for name, value in values.items():
        setattr(skill, name, value)
