"""Has a skill lost what it had earned? Two signs: judged agreement that slipped, and people's corrections.

The rule: flag when even the optimistic end of what we see now lies below what was earned. That is, the upper bound of
the Wilson interval is strictly below the baseline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from statistics import NormalDist
from typing import Any

from lifecycle.decisions.statistics import Number, count, exact, share, shares, shown, wilson_interval
from lifecycle.decisions.verdict import Reason, Verdict

WINDOW = 30


@dataclass(frozen=True)
class Baseline:
    """What a skill earned: the mean agreement, the share of successes, and the interval's lower end of that share."""

    mean: float
    success_rate: float
    lower: float
    n: int


def degradation_verdict(
    agreements: Sequence[Number],
    baseline_rate: Number | None,
    *,
    baseline_mean: Number | None = None,
    window: int = WINDOW,
    threshold: Number = 0.5,
    confidence: Number = 0.95,
) -> Verdict:
    """passed is False when the skill should be flagged.

    1. Look at the newest `window` agreements (newest first, each in [0, 1]). Abstentions are left out already; what is
       no number in [0, 1] counts as one, so that a judge's outage never demotes a skill.
    2. Fewer than the window, or no baseline (None, or no share): `insufficient_data`, which passes.
    3. Count rule: successes are agreements ≥ `threshold`; flagged when the upper bound of their Wilson interval is
       below `baseline_rate`, the share of successes at promotion.
    4. Graded rule, with `baseline_mean`: the same interval with the sum of agreements as the number of successes
       (conservative for scores in [0, 1], whose variance is at most p(1 − p)); flagged when its upper bound is below
       the mean at promotion.

    Evidence: `successes`, `trials`, `lower` and `upper` (the interval of the rate), `mean`, `mean_lower` and
    `mean_upper` (None without trials), `baseline_rate`, `baseline_mean`, and `status`: flagged, healthy or
    insufficient_data. Reasons: rate_below_baseline, mean_below_baseline.
    Raises ValueError for a threshold or confidence that is no number.
    """
    needed = max(1, window)
    newest = shares(agreements)[:needed]
    rate, mean = share(baseline_rate), share(baseline_mean)
    evidence = _evidence(newest, exact(threshold), confidence) | {
        "baseline_rate": None if rate is None else float(rate),
        "baseline_mean": None if mean is None else float(mean),
        "window": needed,
    }
    if len(newest) < needed or (rate is None and mean is None):
        return Verdict(True, (), evidence | {"status": "insufficient_data"})
    reasons = []
    for code, earned, upper, what in (
        ("rate_below_baseline", rate, evidence["upper"], "share of successes"),
        ("mean_below_baseline", mean, evidence["mean_upper"], "mean agreement"),
    ):
        if earned is not None and exact(upper) < earned:
            message = f"The {what} of the newest {needed} is at most {upper:.4f}; {shown(earned)} was earned."
            reasons.append(Reason(code, message))
    return Verdict(not reasons, tuple(reasons), evidence | {"status": "flagged" if reasons else "healthy"})


def flagged_below(earned: Number | None, *, window: int = WINDOW, confidence: Number = 0.95) -> float | None:
    """The share (or the mean) of a whole window below which it flags what has earned `earned`, in (0, 1].

    From it on, nothing is flagged. The upper bound of Wilson's interval of p lies below b exactly where
    p < b − z·sqrt(b(1 − b)/n), the score test that the interval inverts. None where nothing was earned, or where so few
    comparisons cannot flag it, whatever they say. Raises ValueError for a confidence that is no number.
    """
    known = share(earned)
    if known is None:
        return None
    b, n = float(known), max(1, window)
    z = -NormalDist().inv_cdf(float((1 - exact(confidence)) / 2))
    line = b - z * sqrt(b * (1 - b) / n)
    return line if line > 0 else None


def baseline(agreements: Sequence[Number], *, threshold: Number = 0.5, confidence: Number = 0.95) -> Baseline | None:
    """The baseline that these agreements earn, each in [0, 1]; None without any. What is no such number is left out."""
    known = shares(agreements)
    if not known:
        return None
    figures = _evidence(known, exact(threshold), confidence)
    return Baseline(
        mean=figures["mean"],
        success_rate=float(Fraction(figures["successes"], len(known))),
        lower=figures["lower"],
        n=len(known),
    )


def reset_baseline(
    agreements: Sequence[Number],
    *,
    promotion_rate: Number = 0.85,
    window: int = 100,
    min_agreements: int = 30,
    threshold: Number = 0.5,
    confidence: Number = 0.95,
) -> Baseline | None:
    """The new baseline of a skill that a person saved, from the newest `window` agreements of its version.

    None means that the old one is kept: fewer than `min_agreements`, or a mean below `promotion_rate`, the least that
    a promotion asks for. So saving a skill again and again cannot wear its baseline down.
    """
    newest = shares(agreements)[:window]
    if len(newest) < max(1, min_agreements) or sum(newest) / len(newest) < exact(promotion_rate):
        return None
    return baseline(newest, threshold=threshold, confidence=confidence)


def correction_cluster_verdict(
    corrections_per_run_newest_first: Sequence[int], *, window: int = 10, threshold: int = 2
) -> Verdict:
    """passed is False when the newest `window` runs carry at least `threshold` corrections together.

    One number a run, newest first: its corrections since the last human decision. They belong to runs and not to time,
    so that a skill that runs once a month is judged like one that runs every minute. Evidence: `corrections`, `runs`
    (the indexes of the corrected runs, 0 the newest), `n` (how many runs were looked at) and `status`: flagged,
    healthy or, without a run, insufficient_data. Raises ValueError for a number of corrections that is none.
    """
    found = [count(corrections) for corrections in corrections_per_run_newest_first[: max(1, window)]]
    if None in found:
        raise ValueError("Corrections of a run are a whole number of at least 0.")
    numbers = [corrections or 0 for corrections in found]
    total, runs = sum(numbers), [index for index, number in enumerate(numbers) if number]
    evidence: dict[str, Any] = {"corrections": total, "runs": runs, "n": len(numbers)}
    if not numbers:
        return Verdict(True, (), evidence | {"status": "insufficient_data"})
    if total < max(1, threshold):
        return Verdict(True, (), evidence | {"status": "healthy"})
    places = ", ".join(str(index + 1) for index in runs)
    message = f"{total} corrections among the newest {len(numbers)} runs (number {places} from the newest)."
    return Verdict(False, (Reason("correction_cluster", message),), evidence | {"status": "flagged"})


def _evidence(newest: Sequence[Fraction], threshold: Fraction, confidence: Number) -> dict[str, Any]:
    trials, successes = len(newest), sum(1 for agreement in newest if agreement >= threshold)
    lower, upper = wilson_interval(successes, trials, confidence)
    total = sum(newest, Fraction(0))
    mean_lower, mean_upper = wilson_interval(total, trials, confidence)
    return {
        "successes": successes,
        "trials": trials,
        "lower": lower,
        "upper": upper,
        "mean": float(total / trials) if trials else None,
        "mean_lower": mean_lower if trials else None,
        "mean_upper": mean_upper if trials else None,
    }
