"""Apprise URLs that people type in: which of the library's services a server lets itself be pointed at.

Services on the Internet and hosts of one's own are both fine, since connections are watched while sending (see
`public_only`). Refused is what stays on this machine or reads its files.
"""

from __future__ import annotations

import apprise
from apprise.plugins import NotifyBase

from donna_skills.errors import Invalid

# They pop up on, or write to, the machine that the worker runs on.
_LOCAL = {"blink1", "dbus", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"}
_READS_FILES = {"keyfile", "subfile", "pgpkey"}


def service(url: str) -> NotifyBase:
    """The service that the URL stands for, ready to be sent to. Raises Invalid, never with the URL in the message."""
    schema = url.partition("://")[0].strip().lower()
    if schema in _LOCAL:
        raise _refused(f"{schema}:// stays on the server's own machine, so it reaches nobody.")
    found = apprise.Apprise.instantiate(url, asset=_asset())
    if not isinstance(found, NotifyBase):
        raise _refused(f"Apprise does not understand this {schema[:20]}:// address; its documentation shows the form.")
    if _reads_files(found, url):
        raise _refused("An address that makes the server read one of its files is refused.")
    return found


def _asset() -> apprise.AppriseAsset:
    """Under our name, without pictures from elsewhere, redirects, or anything kept on disk."""
    return apprise.AppriseAsset(
        app_id="Donna Skills",
        app_desc="Donna Skills",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        async_mode=False,
        http_redirects=False,
        pgp_autogen=False,
        pem_autogen=False,
        allow_templates=False,
        storage_mode="memory",
        result_log_disk_size=0,
    )


def _reads_files(found: NotifyBase, url: str) -> bool:
    """Templates and keys are attachments of the service, or named in the address."""
    holds = any(isinstance(value, apprise.AppriseAttachment) and len(value) for value in vars(found).values())
    options = {option.partition("=")[0].lower() for option in url.partition("?")[2].split("&")}
    return holds or bool(options & _READS_FILES)


def _refused(message: str) -> Invalid:
    return Invalid(message, code="apprise_url")
