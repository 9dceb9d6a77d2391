"""What a person is told as they log in: which reviews wait for them."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib import messages
from django.db import Error
from django.http import HttpRequest
from django.utils import timezone

from donna_skills.accounts.models import User
from lifecycle.services import reminders

logger = logging.getLogger(__name__)


def on_log_in(*, request: HttpRequest | None, user: User, **kwargs: Any) -> None:
    """A receiver of `user_logged_in`. Whatever goes wrong here keeps nobody out."""
    if request is None or not hasattr(request, "_messages"):
        return
    try:
        said = reminders.greet(user, now=timezone.now())
    except Error:
        logger.exception("What waits for somebody could not be looked up at log-in.", extra={"user": str(user.pk)})
        return
    if said:
        messages.info(request, said)
