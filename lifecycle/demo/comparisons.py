"""What the comparisons of six weeks said, so that trust has been earned and a drift has evidence.

The answers are those of the reported runs, the reference's are the right ones, and the judge is the offline rule: what
it says here is what it would have said then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from donna_skills.llm import offline
from lifecycle.demo import history
from lifecycle.demo.courses import COMPARED
from lifecycle.demo.history import Planned
from lifecycle.demo.people import Cast
from lifecycle.models import Skill, SkillRun
from lifecycle.services import past, promotions

_REFERENCE_USD = (Decimal("0.013"), Decimal("0.019"), Decimal("0.016"))
_REFERENCE_MS = (1_700, 2_900, 2_200, 3_800)


def tell(planned: Sequence[Planned], *, cast: Cast, say: Callable[[str], None]) -> None:
    """Those of the first four weeks, then the promotion that they earn or the question that they lead to, then those
    of the last two."""
    count = 0
    for name, (before, recently) in COMPARED.items():
        skill = Skill.objects.only("pk").get(capability__name=name)
        compared = [one for one in planned if one.report.capability == name and one.report.output is not None]
        early = [one for one in compared if one.days_ago > history.RECENT_DAYS]
        late = [one for one in compared if one.days_ago <= history.RECENT_DAYS]
        count += _record(_share(early, before), cast)
        promotions.consider(skill.pk)
        count += _record(_share(late, recently), cast)
    say(f"{count} comparisons with the reference, and the trust that they earned.")


def _record(chosen: Sequence[Planned], cast: Cast) -> int:
    ids = {one.report.external_id: one for one in chosen}
    runs = SkillRun.objects.filter(token=cast.assistant, reported=True, external_id__in=list(ids)).order_by("pk")
    return past.record_comparisons(
        [_judged(run, ids[run.external_id], number) for number, run in enumerate(runs, start=1)]
    )


def _judged(run: SkillRun, one: Planned, number: int) -> past.Compared:
    said = offline.RULES["judge"]({"first": one.reference, "second": run.output}, False)
    assert said is not None
    return past.Compared(
        run=run,
        reference_output=one.reference,
        agreement=float(said["agreement"]),
        rationale=str(said["rationale"]),
        cost_usd=_REFERENCE_USD[number % len(_REFERENCE_USD)],
        latency_ms=_REFERENCE_MS[number % len(_REFERENCE_MS)],
    )


def _share(runs: Sequence[Planned], count: int) -> list[Planned]:
    """So many of them, evenly spread, as many of the wrong ones among them as there are in all."""
    wrong = [one for one in runs if one.report.output != one.reference]
    right = [one for one in runs if one.report.output == one.reference]
    wanted = round(count * len(wrong) / max(1, len(runs)))
    chosen = [*_spread(wrong, wanted), *_spread(right, count - wanted)]
    return sorted(chosen, key=lambda one: (one.report.started_at, one.report.external_id))


def _spread(runs: Sequence[Planned], count: int) -> list[Planned]:
    return [runs[number * len(runs) // count] for number in range(count)] if runs and count <= len(runs) else [*runs]
