"""Has a skill earned the next level of trust? Evidence and limits in, a Verdict out; thresholds inclusive and exact.

A reason is a condition of its own: it stands where even perfect evidence for what the other reasons ask for would not
be enough, so that meeting all the reasons makes the move happen, and each of them is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from lifecycle.decisions.statistics import Number, count, exact, share, shown
from lifecycle.decisions.verdict import Reason, Verdict


def sandbox_verdict(runs_valid: Sequence[bool], *, min_runs: int = 20, validity_rate: Number = 0.90) -> Verdict:
    """From sandbox to shadow_primary: the share of valid runs among the newest `min_runs` is at least `validity_rate`.

    `runs_valid` is newest first; valid means succeeded, not degraded, and matching the output schema; anything but
    True is not valid. Evidence: `valid`, `n` (how many were looked at), `needed`. No evidence never passes: at least
    one run is needed whatever `min_runs` says. Raises ValueError for a rate that is no number.
    """
    needed = max(1, min_runs)
    looked_at = list(runs_valid[:needed])
    valid = sum(1 for run in looked_at if run is True)
    missing = needed - len(looked_at)
    reasons = []
    if missing:
        reasons.append(Reason("too_few_runs", f"{len(looked_at)} of {needed} finished runs."))
    if Fraction(valid + missing, needed) < exact(validity_rate):
        message = f"{valid} of {len(looked_at)} runs are valid, a share of {validity_rate} is needed."
        reasons.append(Reason("validity_too_low", message))
    return Verdict(not reasons, tuple(reasons), {"valid": valid, "n": len(looked_at), "needed": needed})


def trust_verdict(
    agreements: Sequence[Number],
    failed_runs: int,
    total_runs: int,
    *,
    min_runs: int = 100,
    agreement_rate: Number = 0.85,
    max_failure_rate: Number = 0.10,
) -> Verdict:
    """From shadow_primary to trusted: mean agreement of the newest `min_runs` judged divergences at least
    `agreement_rate`, and the failed share over all runs of the version since the oldest of them at most
    `max_failure_rate`. No runs at all is no evidence, and does not pass.

    `agreements` is newest first, abstentions left out, each in [0, 1]; one that is no number in [0, 1] is no evidence,
    and nothing is decided on it. Evidence: `mean` (None where it is not known), `n` (how many were looked at),
    `needed`, `failed`, `total`. Raises ValueError for a rate that is no number.
    """
    needed = max(1, min_runs)
    looked_at = [share(agreement) for agreement in agreements[:needed]]
    known = [agreement for agreement in looked_at if agreement is not None]
    missing = needed - len(looked_at)
    mean = sum(known, Fraction(0)) / len(known) if known and len(known) == len(looked_at) else None
    reasons = []
    if missing:
        reasons.append(Reason("too_few_divergences", f"{len(looked_at)} of {needed} judged comparisons."))
    if len(known) < len(looked_at):
        message = f"{len(looked_at) - len(known)} of {len(looked_at)} agreements are no numbers between 0 and 1."
        reasons.append(Reason("agreement_invalid", message))
    elif mean is not None and (sum(known) + missing) / needed < exact(agreement_rate):
        reasons.append(Reason("agreement_too_low", f"Mean agreement {shown(mean)}, {agreement_rate} is needed."))
    reasons += _failure_reasons(failed_runs, total_runs, max_failure_rate)
    evidence = {
        "mean": None if mean is None else float(mean),
        "n": len(looked_at),
        "needed": needed,
        "failed": failed_runs,
        "total": total_runs,
    }
    return Verdict(not reasons, tuple(reasons), evidence)


def _failure_reasons(failed_runs: object, total_runs: object, at_most: Number) -> list[Reason]:
    failed, total = count(failed_runs), count(total_runs)
    if not total:
        return [Reason("no_runs", "No runs are known, so no failure rate is.")]
    if failed is None or failed > total:
        return [Reason("failures_unknown", "How many of the runs failed is not known.")]
    if Fraction(failed, total) > exact(at_most):
        return [Reason("failures_too_many", f"{failed} of {total} runs failed, a share of {at_most} may.")]
    return []
