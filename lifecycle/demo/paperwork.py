"""Parcels, invoices and meetings: what nobody has a skill for yet, so that the reference model answers each time."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

from lifecycle.demo.history import Inputs, Output

_CARRIERS = ("Northlane", "Kestrel Parcel", "Bluebox")
_PLACES = ("Altenmoor", "Brightwater", "Eastholm", "Port Salis", "the depot in Varn")
_SENTENCES = {
    "announced": "The sender has told us about your parcel {number}.",
    "in_transit": "Your parcel {number} has left {place} and should arrive on {day}.",
    "out_for_delivery": "Your parcel {number} is in the van and comes today.",
    "delivered": "Your parcel {number} was handed over in {place}.",
    "delayed": "We are sorry: your parcel {number} is held up in {place} and now comes on {day}.",
    "returned": "Nobody could take your parcel {number}; it goes back from {place}.",
}
_SUPPLIERS = ("Harbour Print", "Seedling Office Supply", "Varn Heating", "Brightwater Catering", "Kite Hosting")
_GOODS = ("paper and toner", "the yearly service", "lunch for the workshop", "two servers", "forty chairs")
_PEOPLE = ("Ines", "Tomas", "Mira", "Jonas", "Adela", "Ruben")
_MEETINGS = ("Weekly round", "Garden project", "Budget for the spring", "New printer", "Open day")
_DECISIONS = (
    *("We order the cheaper model.", "The open day is on the second Saturday.", "The old shed goes."),
    *("Nobody travels before the figures are in.", "The newsletter comes out every two weeks."),
)
_ERRANDS = (
    *("asks three firms for a price", "writes the invitation", "books the hall", "orders the seeds"),
    *("sends the figures round", "talks to the neighbours"),
)


def parcel(chance: Random, day: date) -> tuple[Inputs, Output]:
    carrier, place = chance.choice(_CARRIERS), chance.choice(_PLACES)
    number = f"{carrier[:2].upper()}{chance.randrange(10**9):09}"
    status = chance.choices(list(_SENTENCES), (3, 8, 5, 7, 2, 1))[0]
    expected = {"out_for_delivery": day, "in_transit": day + timedelta(days=2), "delayed": day + timedelta(days=4)}
    arrives = expected[status].isoformat() if status in expected else None
    sentence = _SENTENCES[status].format(number=number, place=place, day=arrives)
    output: Output = {"carrier": carrier, "tracking_number": number, "status": status, "expected_on": arrives}
    if "{place}" in _SENTENCES[status]:
        output["place"] = place
    return {"message": f"{carrier}: {sentence}", "received_on": day.isoformat()}, output


def other_status(chance: Random, right: Output) -> Output:
    return {**right, "status": "in_transit" if right["status"] != "in_transit" else "announced"}


def invoice(chance: Random, day: date) -> tuple[Inputs, Output]:
    supplier, number = chance.choice(_SUPPLIERS), f"R-{day.year}-{chance.randrange(10_000):04}"
    net = chance.randint(2_000, 240_000)
    tax, due = net // 5, day + timedelta(days=14)
    lines = [
        f"{supplier}, invoice {number} of {day.isoformat()}",
        f"For {chance.choice(_GOODS)}: {net / 100:.2f} EUR",
        f"Tax 20 %: {tax / 100:.2f} EUR",
        f"To pay: {(net + tax) / 100:.2f} EUR",
    ]
    output: Output = {
        "supplier": supplier,
        "invoice_number": number,
        "invoice_date": day.isoformat(),
        "total": (net + tax) / 100,
        "currency": "EUR",
        "tax": tax / 100,
    }
    if chance.random() < 0.7:
        lines.append(f"Please pay by {due.isoformat()}.")
        output["due_on"] = due.isoformat()
    return {"text": "\n".join(lines)}, output


def net_for_total(chance: Random, right: Output) -> Output:
    return {**right, "total": round(right["total"] - right["tax"], 2)}


def meeting(chance: Random, day: date) -> tuple[Inputs, Output]:
    title, there = chance.choice(_MEETINGS), chance.sample(_PEOPLE, 3)
    decisions = chance.sample(_DECISIONS, chance.randint(1, 2))
    actions = [_action(chance, who, day) for who in there[: chance.randint(1, 3)]]
    lines = [
        f"There: {', '.join(there)}.",
        *(f"After some talk: {decision}" for decision in decisions),
        *(f"{action['who']} {action['what']} by {action['due']}." for action in actions),
    ]
    inputs: Inputs = {"title": title, "notes": "\n".join(lines), "held_on": day.isoformat()}
    summary = f"{', '.join(there)} met about: {title}. {decisions[0]}"
    return inputs, {"summary": summary, "decisions": decisions, "actions": actions}


def nobody_does_it(chance: Random, right: Output) -> Output:
    return {**right, "actions": []}


def _action(chance: Random, who: str, day: date) -> dict[str, Any]:
    due = day + timedelta(days=chance.randint(1, 12))
    return {"who": who, "what": chance.choice(_ERRANDS), "due": due.isoformat()}
