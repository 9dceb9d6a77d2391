"""One message out on one channel: e-mail, Apprise, or a signed webhook. No database, no decisions about retries.

Each sender returns on success and raises NotSent otherwise, which says whether it is worth trying again.
"""

from __future__ import annotations

import json
import smtplib
from typing import Any
from urllib.parse import urljoin

import apprise
from django.conf import settings
from django.core import mail
from django.core.serializers.json import DjangoJSONEncoder
from django.template.loader import render_to_string
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from donna_skills import netguard
from donna_skills.errors import DonnaError
from donna_skills.notifications import apprise_urls
from donna_skills.notifications.models import ChannelKind, Delivery, Level
from donna_skills.notifications.public_only import public_connections_only

TIMEOUT_S = 10
_MAX_ANSWER_BYTES = 1_048_576
_APPRISE_TYPES = {
    Level.INFO: apprise.NotifyType.INFO,
    Level.SUCCESS: apprise.NotifyType.SUCCESS,
    Level.WARNING: apprise.NotifyType.WARNING,
    Level.ERROR: apprise.NotifyType.FAILURE,
}
# Never worth another attempt: the address itself is wrong or refused.
_HOPELESS = {"url_invalid", "target_refused"}


class NotSent(DonnaError):
    """The message did not go out. `final`: another attempt cannot help. `gone`: the receiver wants no more (410)."""

    status, code, title = 503, "not_sent", "The message could not be sent"

    def __init__(
        self,
        message: str,
        *,
        final: bool = False,
        gone: bool = False,
        response_status: int | None = None,
        retry_after_s: int = 0,
    ) -> None:
        super().__init__(message)
        self.final = final
        self.gone = gone
        self.response_status = response_status
        self.retry_after_s = retry_after_s


def send(delivery: Delivery) -> int | None:
    """Send it, and answer the receiver's HTTP status where there is one. Raises NotSent."""
    match delivery.channel.kind:
        case ChannelKind.EMAIL:
            _send_email(delivery)
        case ChannelKind.APPRISE:
            _send_apprise(delivery)
        case _:
            return _send_webhook(delivery)
    return None


def webhook_body(delivery: Delivery) -> str:
    """What a webhook receives; the event's own fields are those of `GET events`."""
    event = delivery.event
    notice = {"title": delivery.title, "body": delivery.body, "url": _link(delivery), "level": delivery.level}
    content = {
        "type": event.kind,
        "timestamp": event.at,
        "data": {
            "event_id": event.pk,
            "subject_type": event.subject_type,
            "subject_id": event.subject_id,
            "payload": event.payload,
            "notice": notice,
        },
    }
    return json.dumps(content, cls=DjangoJSONEncoder, ensure_ascii=False, separators=(",", ":"))


def _send_email(delivery: Delivery) -> None:
    text = render_to_string("notifications/email.txt", {"delivery": delivery, "link": _link(delivery)})
    message = mail.EmailMessage(
        subject=" ".join(delivery.title.split()),
        body=text,
        to=[delivery.channel.target],
        # The same over retries, so that a mail program shows a repeated one once.
        headers={"Message-ID": f"<{delivery.pk}@{settings.DEFAULT_FROM_EMAIL.rpartition('@')[2].rstrip('>')}>"},
    )
    try:
        message.connection = mail.get_connection(timeout=TIMEOUT_S)
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        code, answer = next(iter(error.recipients.values()))
        raise NotSent(f"The mail server refused the recipient: {_line(answer)}", final=500 <= code < 600) from error
    except smtplib.SMTPException as error:
        raise NotSent(f"The mail server did not take the message: {_line(error)}") from error
    except OSError as error:
        raise NotSent(f"The mail server cannot be reached: {_line(error)}") from error
    except ValueError as error:  # a line break in a header
        raise NotSent(f"The message is not a valid e-mail: {_line(error)}", final=True) from error


def _send_apprise(delivery: Delivery) -> None:
    body = "\n".join(part for part in (delivery.body, _link(delivery)) if part) or delivery.title
    with public_connections_only(allowed_hosts()) as watch:
        try:
            service = apprise_urls.service(delivery.channel.target)
        except DonnaError as error:
            raise NotSent(error.message, final=True) from error
        sender = apprise.Apprise(asset=service.asset)
        sender.add(service)
        result = sender.notify(
            title=delivery.title, body=body, notify_type=_APPRISE_TYPES[Level(delivery.level)], timeout=2 * TIMEOUT_S
        )
    if watch.refused:
        raise NotSent(watch.refused.message, final=True)
    if not result:
        said = "; ".join(str(entry.message) for entry in result.logs())
        raise NotSent(f"The service did not take the message: {_line(said or 'it did not say why')}")


def _send_webhook(delivery: Delivery) -> int:
    """Sign per Standard Webhooks and post. A redirect is not followed: who moved has to say so by changing the URL."""
    channel = delivery.channel
    if not channel.secrets:
        raise NotSent("The webhook has no secret to sign with: rotate it to get one.", final=True)
    body, now, message_id = webhook_body(delivery), timezone.now(), f"msg_{delivery.pk.hex}"
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, now, body) for secret in channel.secrets),
    }
    try:
        answer = netguard.fetch(
            channel.target,
            method="POST",
            headers=headers,
            body=body.encode(),
            timeout_s=TIMEOUT_S,
            max_bytes=_MAX_ANSWER_BYTES,
            allow_hosts=allowed_hosts(),
        )
    except netguard.FetchFailed as error:
        raise NotSent(error.message, final=error.code in _HOPELESS) from error
    if 200 <= answer.status < 300:
        return answer.status
    raise NotSent(
        f"The receiver answered {answer.status}.",
        gone=answer.status == 410,
        response_status=answer.status,
        retry_after_s=_seconds(answer.headers.get("retry-after", "")),
    )


def allowed_hosts() -> list[str]:
    """Hosts in the private network that this installation lets messages go to."""
    return list(getattr(settings, "WEBHOOK_ALLOW_HOSTS", ()))


def _link(delivery: Delivery) -> str:
    """The page's full address where the installation says its own, the path otherwise."""
    base = getattr(settings, "PUBLIC_URL", "")
    return urljoin(base, delivery.url) if base and delivery.url else delivery.url


def _seconds(retry_after: str) -> int:
    return int(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 8 else 0


def _line(thing: Any) -> str:
    """One line of bounded length that ends as a sentence does."""
    text = thing.decode("utf-8", "replace") if isinstance(thing, bytes) else str(thing)
    return f"{' '.join(text.split())[:400].rstrip('.')}."
