"""The mails of the story that `manage.py demo --loop` tells, and what is in them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

CAPABILITY = "read_dispatch_mail"

_CARRIERS = ("Kestrel Post", "Blue Barge", "Nordwind", "Pedal Parcels", "Two Rivers Freight")
_GREETINGS = ("Good news!", "Hello,", "Thank you for shopping with us.", "It is on its way.")


def mail(number: int, *, today: date, new_form: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """The inputs and the right answer of the mail with this number.

    In the new form the shop names the customer first, by a code that looks just like an order's.
    """
    order, carrier = f"NO-{1000 + number % 9000}", _CARRIERS[number % len(_CARRIERS)]
    arrives = (today + timedelta(days=2 + number % 5)).isoformat()
    greeting = _GREETINGS[number // 3 % len(_GREETINGS)]
    opening = f"Dear customer KU-{1000 + number * 7 % 9000}, your order" if new_form else f"{greeting} Your order"
    text = f"{opening} {order} was handed to {carrier} today and arrives on {arrives}. See you soon."
    return {"mail": text}, {"order": order, "carrier": carrier, "arrives": arrives}
