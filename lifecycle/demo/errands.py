"""Notes, tasks and lists: what the seed skills for tasks and email are asked, and what they say to it.

The answers are the offline rules' own, so that a run shown in the demo is what trying the skill would give.
"""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

from donna_skills.llm import offline
from lifecycle.demo.history import Inputs, Output

_PEOPLE = (
    *("Ines", "Tomas", "Mira", "Jonas", "Adela", "Ruben", "Kaja", "Leo", "Nadia", "Oskar"),
    *("the mechanic", "the dentist", "the landlord", "the accountant", "the plumber", "the school"),
)
_VERBS = ("call", "email", "ask", "write to", "text", "remind")
_TOPICS = (
    *("the brakes", "the lease", "the contract", "the garden fence", "the broken heater", "the invoice for May"),
    *("the birthday party", "the train tickets", "the team trip", "the tax papers", "the new bicycle", "the printer"),
)
_WHEN = ("", "", "tomorrow", "on monday", "on friday", "next week", "in three days", "by the end of the week")
_HASTE = ("", "", "", ", urgent", ", no rush", ", it is important", " asap")
_CHORES = (
    *("Water the plants", "Renew the passport", "Pay the electricity bill", "Book the summer flights"),
    *("Clean the gutters", "Back up the photos", "Return the library books", "Order new filters"),
    *("Hand in the expense report", "Fix the garden gate", "Prepare the quarterly figures", "Buy milk and eggs"),
)
_NOTES = (
    *(None, None, "No rush, whenever there is time.", "This is urgent, people are waiting."),
    *("Important for the whole team.", "It should be done soon.", "Only if somebody has a free afternoon."),
)
_REWORDED = {"Water": "water", "Renew": "please renew", "Pay": "pay", "Book": "book", "Buy": "buy"}
_OTHER_PRIORITY = {"urgent": "normal", "high": "low", "normal": "high", "low": "normal"}
_SENDERS = ("Ana <ana@harbour.example>", "Tom <tom@team.example>", "accounts@printer.example", "hello@seeds.example")
_MAILS = (
    ("Invoice {n}", "Your invoice {n} is overdue. Could you confirm the payment date?"),
    ("Meeting about order {n}", "Could we move the meeting to Thursday? Please confirm, then I update the calendar."),
    ("Error {n} at log-in", "I get error {n} and cannot open my account. Can you help?"),
    ("Weekly digest {n}: 20% off", "This week's newsletter with all deals. Unsubscribe at any time."),
    ("Quote for {n} chairs", "We are interested in buying {n} chairs. Could you send us your pricing soon?"),
    ("Dinner on the {n}th", "The family comes for dinner at the weekend. Are you there? Let me know."),
)


def note(chance: Random, day: date) -> tuple[Inputs, Output]:
    words = [chance.choice(_VERBS), chance.choice(_PEOPLE), chance.choice(_WHEN), f"about {chance.choice(_TOPICS)}"]
    inputs = {"text": " ".join(filter(None, words)) + chance.choice(_HASTE), "today": day.isoformat()}
    return inputs, _answer("parse_task", inputs)


def other_day(chance: Random, right: Output) -> Output:
    """The right task on a wrong day, or with a priority that nobody gave."""
    if right["due"] is None:
        return {**right, "priority": _OTHER_PRIORITY[right["priority"]]}
    return {**right, "due": (date.fromisoformat(right["due"]) + timedelta(days=7)).isoformat()}


def chore(chance: Random, day: date) -> tuple[Inputs, Output]:
    inputs: Inputs = {"title": f"{chance.choice(_CHORES)} for {chance.choice(_PEOPLE)}", "today": day.isoformat()}
    if said := chance.choice(_NOTES):
        inputs["notes"] = said
    if chance.random() < 0.6:
        inputs["due"] = (day + timedelta(days=chance.choice((-2, 0, 0, 1, 2, 3, 5, 9, 20, 45)))).isoformat()
    return inputs, _answer("classify_priority", inputs)


def other_priority(chance: Random, right: Output) -> Output:
    return {"priority": _OTHER_PRIORITY[right["priority"]], "reason": "Nothing in it speaks of urgency."}


def unknown_priority(chance: Random, right: Output) -> Output:
    """In a scale of its own, or without a reason: the capability allows neither."""
    if chance.random() < 0.5:
        return {"priority": right["priority"]}
    return {**right, "priority": {"urgent": "P1", "high": "P2", "normal": "P3", "low": "P4"}[right["priority"]]}


def another_chore(chance: Random, day: date) -> tuple[Inputs, Output]:
    listed = chance.sample(_CHORES, chance.randint(2, 6))
    title = chance.choice(_CHORES)
    if chance.random() < 0.35:
        first, _, rest = listed[0].partition(" ")
        title = f"{_REWORDED.get(first, first)} {rest}"
    inputs = {
        "task": {"title": title},
        "existing": [{"id": f"t{number}", "title": chore} for number, chore in enumerate(listed, start=1)],
    }
    return inputs, _answer("dedup_check", inputs)


def no_duplicate(chance: Random, right: Output) -> Output:
    return {**right, "duplicate": not right["duplicate"], "duplicate_of": None, "confidence": 0.51}


def mail(chance: Random, day: date) -> tuple[Inputs, Output]:
    subject, body = chance.choice(_MAILS)
    number = str(chance.randint(4, 900))
    inputs = {
        "from": chance.choice(_SENDERS),
        "subject": subject.format(n=number),
        "body": body.format(n=number),
    }
    return inputs, _answer("email_triage", inputs, blunt=False)


def other_kind(chance: Random, right: Output) -> Output:
    return {**right, "category": "other", "needs_reply": not right["needs_reply"]}


def one_key_less(chance: Random, right: Output) -> Output:
    """An answer that leaves out the first thing that it has to say."""
    return dict(list(right.items())[1:])


def _answer(capability: str, inputs: Inputs, *, blunt: bool = True) -> dict[str, Any]:
    """As the skill's model says it, or as the reference does, which is not blunt."""
    known = offline.RULES[capability]({"inputs": inputs}, blunt)
    assert known is not None, f"the offline rule for {capability} knows no answer"
    return dict(known)
