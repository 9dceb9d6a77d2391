"""The closed-loop gate: whether a changed version solves more whole tasks, and what its growth has to buy.

A suite's tasks pass, fail or abstain; only holdout tasks gate. "Judge" is the mean judged score on holdout fixtures.
Figures may be given as str, Decimal or float; a float is read by its shortest decimal form, so that 1.00 → 0.95 is a
drop of exactly 0.05. The formulas are those of this project's specification, worked through in docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, get_args

from lifecycle.decisions.statistics import Number, count, exact, measured, share, shown
from lifecycle.decisions.verdict import Reason, Verdict

Band = Literal["uniform_failure", "no_headroom", "weak_signal", "healthy"]
Signal = Literal["closed_loop", "synthetic"]
Mode = Literal["no_regression", "non_inferiority"]

FAILS_EVERYWHERE, NEARLY_ALL, NEARLY_PERFECT = Fraction(15, 100), Fraction(95, 100), Fraction(99, 100)
FREE_GROWTH, TASKS_PER_GROWTH = Fraction(20, 100), Fraction(1)
JUDGE_TOLERANCE = Decimal("0.05")
GROWN_SIZE = Fraction(3, 2)
MAX_AA_ACCEPTANCE = Fraction(5, 100)


@dataclass(frozen=True)
class Preset:
    """How much better a longer version must be: `slope` of judged score for each unit of growth beyond `free`, and the
    size in characters that is allowed whatever the baseline's size."""

    free: Decimal
    slope: Decimal
    ceiling: int


PRESETS = {
    "strict": Preset(Decimal("0.10"), Decimal("0.50"), 3_000),
    "default": Preset(Decimal("0.20"), Decimal("0.30"), 5_000),
    "lenient": Preset(Decimal("0.30"), Decimal("0.20"), 8_000),
}


def growth(baseline_chars: int, evolved_chars: int) -> float:
    """(evolved − baseline) / max(1, baseline), in characters over all files: 0.2 is a fifth longer.

    The nearest float to the exact quotient; the rules below read it back by its shortest decimal form. Raises
    ValueError for lengths that are no whole numbers of at least 0.
    """
    before, after = count(baseline_chars), count(evolved_chars)
    if before is None or after is None:
        raise ValueError("Lengths are whole numbers of characters.")
    return float(Fraction(after - before, max(1, before)))


def required_task_gain(growth: Number, noise_floor: Number = 0) -> int:
    """Whole tasks that must be gained: max(1, ⌈max(0, 1.0 × (growth − 0.20))⌉, ⌊noise⌋ + 1).

    `noise_floor` is what an A/A run of the unchanged version gains or loses by chance, in tasks; 0 until it is
    measured. Raises ValueError for what is no finite number.
    """
    for_growth = math.ceil(max(Fraction(0), TASKS_PER_GROWTH * (exact(growth) - FREE_GROWTH)))
    return max(1, for_growth, math.floor(exact(noise_floor)) + 1)


def saturation_band(judge_mean: Number, closed_loop_rate: Number | None = None) -> Band:
    """How much a search could still find, before anything is spent on it; the first that fits.

    1. closed-loop rate known and ≤ 0.15: `uniform_failure`;
    2. judge ≥ 0.99 without a closed-loop rate, or both ≥ 0.95: `no_headroom`;
    3. judge ≥ 0.95 and 0.15 < closed-loop rate < 0.95: `weak_signal`;
    4. otherwise `healthy`.
    Raises ValueError for a judge's mean that is missing (an empty holdout), and for figures outside [0, 1].
    """
    judge, rate = share(judge_mean), share(closed_loop_rate)
    if judge is None:
        raise ValueError("The judge's mean is a number between 0 and 1; an empty holdout has none.")
    if rate is None and closed_loop_rate is not None:
        raise ValueError("The closed-loop rate is a number between 0 and 1, or None where it is not known.")
    if rate is None:
        return "no_headroom" if judge >= NEARLY_PERFECT else "healthy"
    if rate <= FAILS_EVERYWHERE:
        return "uniform_failure"
    if judge < NEARLY_ALL:
        return "healthy"
    return "no_headroom" if rate >= NEARLY_ALL else "weak_signal"


def deciding_signal(band: Band, *, has_baseline_result: bool, gate_primary: str | None = None) -> Signal:
    """Which of the two decides: the closed loop in a weak_signal band that has a baseline suite result, or where the
    skill says `gate_primary: closed_loop`; the judge ("synthetic") otherwise."""
    if gate_primary == "closed_loop" or (band == "weak_signal" and has_baseline_result):
        return "closed_loop"
    return "synthetic"


def closed_loop_verdict(
    baseline_passes: int,
    evolved_passes: int,
    baseline_judge: Number,
    evolved_judge: Number,
    growth: Number,
    noise_floor: Number = 0,
    losses: int = 0,
    *,
    max_task_losses: int = 0,
    judge_tolerance: Number = JUDGE_TOLERANCE,
) -> Verdict:
    """Accept when the gain in whole tasks reaches `required_task_gain`, the judge's mean falls by no more than the
    tolerance (inclusive), and no more tasks than `max_task_losses` that passed before fail now.

    Reasons, every one that fails, in this order: gain_below_required, judge_regressed, tasks_lost. A figure that is
    missing or no finite number fails its condition. Evidence: `gain`, `required_gain`, `judge_change`, `losses`, each
    None where it is not known.
    """
    before, after, lost = count(baseline_passes), count(evolved_passes), count(losses)
    gain = None if before is None or after is None else after - before
    grown, noise = measured(growth), measured(noise_floor)
    required = None if grown is None or noise is None else required_task_gain(grown, noise)
    judged_before, judged_after = measured(baseline_judge), measured(evolved_judge)
    change = None if judged_before is None or judged_after is None else judged_after - judged_before
    reasons = []
    if gain is None or required is None or gain < required:
        message = f"Tasks gained: {_or_unknown(gain)}; needed for this growth: {_or_unknown(required)}."
        reasons.append(Reason("gain_below_required", message))
    if change is None or change < -exact(judge_tolerance):
        moved = "by an unknown amount" if change is None else f"by {shown(change)}"
        reasons.append(Reason("judge_regressed", f"The judged mean changed {moved}; −{judge_tolerance} is allowed."))
    if lost is None or lost > max_task_losses:
        message = f"Tasks that passed before and fail now: {_or_unknown(lost)}; allowed: {max_task_losses}."
        reasons.append(Reason("tasks_lost", message))
    evidence: dict[str, Any] = {
        "gain": gain,
        "required_gain": required,
        "judge_change": None if change is None else float(change),
        "losses": lost,
    }
    return Verdict(not reasons, tuple(reasons), evidence)


def judge_verdict(
    growth: Number,
    mean: Number,
    lower: Number,
    preset: str = "default",
    mode: Mode = "no_regression",
    tolerance: Number = 0.05,
) -> Verdict:
    """Accept by the judged scores: `mean` is the mean of the paired differences, `lower` the bootstrap's lower bound.

    required = max(0, slope × (growth − free)) of the preset. Above 0: mean ≥ required, and lower > 0. At 0: mean ≥ 0
    with mode no_regression, lower ≥ −tolerance with mode non_inferiority. A figure that is missing or no finite
    number never passes (`figure_missing`). Other reasons: mean_below_required, lower_bound_not_positive,
    mean_regressed, lower_bound_below_tolerance. Evidence: `required`, `mean`, `lower`, `growth`, `preset`, `mode`.
    Raises ValueError for a preset or mode that there is not.
    """
    if preset not in PRESETS or mode not in get_args(Mode):
        raise ValueError(f"{preset!r} with {mode!r} is no preset with a mode.")
    figures = {"growth": measured(growth), "mean": measured(mean), "lower": measured(lower)}
    evidence: dict[str, Any] = {name: None if value is None else float(value) for name, value in figures.items()}
    evidence |= {"preset": preset, "mode": mode, "required": None}
    grown, difference, bound = figures.values()
    if grown is None or difference is None or bound is None:
        missing = ", ".join(name for name, value in figures.items() if value is None)
        return Verdict(False, (Reason("figure_missing", f"Not measured: {missing}."),), evidence)
    rule = PRESETS[preset]
    required = max(Fraction(0), exact(rule.slope) * (grown - exact(rule.free)))
    evidence["required"] = float(required)
    reasons = _judge_reasons(difference, bound, required, mode, exact(tolerance))
    return Verdict(not reasons, tuple(reasons), evidence)


def char_ceiling(static: Number, baseline_chars: int) -> int:
    """The largest size in characters: max(static ceiling, ⌊1.5 × baseline⌋). It holds whichever signal decides.

    Raises ValueError for what is no number.
    """
    return max(math.floor(exact(static)), math.floor(GROWN_SIZE * exact(baseline_chars)))


def size_verdict(evolved_chars: int, *, ceiling: int) -> Verdict:
    """Whether the version keeps within `char_ceiling`, inclusive. A size that is not known never passes."""
    size = count(evolved_chars)
    evidence = {"chars": size, "ceiling": ceiling}
    if size is not None and size <= ceiling:
        return Verdict(True, (), evidence)
    return Verdict(
        False, (Reason("size_above_ceiling", f"Characters: {_or_unknown(size)}; allowed: {ceiling}."),), evidence
    )


def aa_verdict(accepted: int, comparisons: int) -> Verdict:
    """Whether the suite may accept by itself: comparing a version with itself, it accepted at most 5 %.

    No A/A comparison is no evidence of dishonesty; it passes with `comparisons` 0 in the evidence, and the noise floor
    is 0 until it is measured. Raises ValueError for numbers that do not count.
    """
    yes, total = count(accepted), count(comparisons)
    if yes is None or total is None or yes > total:
        raise ValueError("Of some comparisons, at most all were accepted.")
    evidence = {"accepted": yes, "comparisons": total}
    if not total or Fraction(yes, total) <= MAX_AA_ACCEPTANCE:
        return Verdict(True, (), evidence)
    message = f"Compared with itself, a version was accepted {yes} times of {total}; a person has to decide."
    return Verdict(False, (Reason("aa_acceptance_too_high", message),), evidence)


def _judge_reasons(
    mean: Fraction, lower: Fraction, required: Fraction, mode: Mode, tolerance: Fraction
) -> Sequence[Reason]:
    reasons = []
    if required > 0:
        if mean < required:
            message = f"The mean gain is {shown(mean)}; this growth needs {shown(required)}."
            reasons.append(Reason("mean_below_required", message))
        if lower <= 0:
            message = f"The interval of the gain begins at {shown(lower)}, and not above 0."
            reasons.append(Reason("lower_bound_not_positive", message))
    elif mode == "no_regression" and mean < 0:
        reasons.append(Reason("mean_regressed", f"The mean changed by {shown(mean)}; it may not fall."))
    elif mode == "non_inferiority" and lower < -tolerance:
        message = f"The interval of the change begins at {shown(lower)}; −{shown(tolerance)} is allowed."
        reasons.append(Reason("lower_bound_below_tolerance", message))
    return reasons


def _or_unknown(value: int | None) -> str:
    return "unknown" if value is None else str(value)
