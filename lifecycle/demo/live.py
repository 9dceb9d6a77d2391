"""A dozen runs that really happen, so that steps, timings and the ledger have something to show. Offline only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from donna_skills.accounts.actors import Actor
from donna_skills.llm import routing
from lifecycle.demo.courses import DRIFTING, JOURNEY
from lifecycle.models import RunStatus, SkillRun
from lifecycle.services import divergences, runs

_IDS = "demo-live-"


def costs_nothing() -> bool:
    """Whether plain rules answer every call. A demo never spends money."""
    return bool(routing.status()["adapter"] == "offline")


def happen(*, today: date, bot: Actor, person: Actor, say: Callable[[str], None]) -> None:
    """Carry out what of the dozen has not been tried before, the bot's and the person's by turns."""
    if not costs_nothing():
        say("A real model provider is set up, so no run is carried out now: a demo never spends money.")
        return
    asked = _asked(today)
    tried = set(SkillRun.objects.filter(external_id__startswith=_IDS).values_list("external_id", flat=True))
    for number, (capability, inputs) in enumerate(asked, start=1):
        external_id = f"{_IDS}{number:02}"
        if external_id not in tried:
            actor = bot if number % 3 else person
            runs.execute(capability, inputs=inputs, request=runs.Request(actor=actor, external_id=external_id))
    # What runs unseen beside the reference would wait for a worker, and there may be none before the first start.
    for run in SkillRun.objects.filter(external_id__startswith=_IDS, status=RunStatus.QUEUED):
        runs.carry_out(run.pk)
    say(f"{len(asked)} runs carried out with the offline rules.")


def be_compared() -> None:
    """Lay what the dozen answered beside the reference's answers, in this process. Offline only."""
    if not costs_nothing():
        return
    due = SkillRun.objects.filter(external_id__startswith=_IDS, compare_at__isnull=False).order_by("pk")
    for run_id in list(due.values_list("pk", flat=True)):
        divergences.compare(run_id)


def _asked(today: date) -> list[tuple[str, dict[str, Any]]]:
    said_on, soon = today.isoformat(), (today + timedelta(days=2)).isoformat()
    chores = [{"id": "t1", "title": "Water the plants"}, {"id": "t2", "title": "Call the mechanic about the brakes"}]
    return [
        ("parse_task", {"text": "call the mechanic monday about the brakes, urgent", "today": said_on}),
        ("parse_task", {"text": "Email Mira tomorrow about the contract", "today": said_on}),
        ("parse_task", {"text": "remind me to book the hall by friday", "today": said_on}),
        ("parse_task", {"text": "buy milk", "today": said_on}),
        (DRIFTING, {"title": "Hand in the expense report", "due": soon, "today": said_on}),
        (DRIFTING, {"title": "Fix the broken checkout immediately", "notes": "Customers cannot pay."}),
        ("dedup_check", {"task": {"title": "call the Mechanic about the brakes"}, "existing": chores}),
        ("dedup_check", {"task": {"title": "Renew the passport"}, "existing": chores}),
        (
            "email_triage",
            {
                "from": "accounts@printer.example",
                "subject": "Invoice 118",
                "body": "Your invoice 118 is overdue. The payment is urgent. Could you confirm the payment date?",
            },
        ),
        (
            "email_triage",
            {
                "from": "newsletter@seeds.example",
                "subject": "Weekly digest: 20% off",
                "body": "This week's newsletter with all deals. Unsubscribe at any time.",
            },
        ),
        ("email_triage", {"from": "Tom <tom@team.example>", "subject": "Thursday", "body": "Could we meet at ten?"}),
        # An address of the office's own network: the tool refuses it, the skill escalates, the reference answers.
        (
            JOURNEY,
            {"url": "http://192.168.20.5/handbook", "title": "The office's handbook", "tags": ["office"]},
        ),
    ]
