"""What the safety scan looks for: secrets by their form, code from elsewhere, data on its way out.

A `Trail` is a few things in a row on one line, each near the one before. Each is looked for by itself and the places
are matched afterwards, so that the time grows with the length of the text, whatever somebody wrote to make it slow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_I = re.IGNORECASE


@dataclass(frozen=True)
class Trail:
    """Parts that follow one another on a line, at most `reach` characters apart; `message` says what it means."""

    message: str
    reach: int
    parts: tuple[re.Pattern[str], ...]

    def starts(self, text: str) -> Iterator[int]:
        """Where in the text such a row begins, once for every match of its last part."""
        reached = [(found.start(), found.end()) for found in self.parts[0].finditer(text)]
        for part in self.parts[1:]:
            if not reached:
                return
            reached = list(self._next(text, reached, part))
        yield from (start for start, _ in reached)

    def _next(self, text: str, reached: list[tuple[int, int]], part: re.Pattern[str]) -> Iterator[tuple[int, int]]:
        nearest = -1
        for found in part.finditer(text):
            while nearest + 1 < len(reached) and reached[nearest + 1][1] <= found.start():
                nearest += 1
            if nearest < 0:
                continue
            start, end = reached[nearest]
            if found.start() - end <= self.reach and "\n" not in text[end : found.start()]:
                yield start, found.end()


def _trail(message: str, reach: int, *parts: str) -> Trail:
    return Trail(message, reach, tuple(re.compile(part, _I) for part in parts))


SECRETS = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("a private key", r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----"),
        ("an AWS access key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
        ("a GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{40,255})"),
        ("a GitLab token", r"\bglpat-[A-Za-z0-9_-]{20,64}"),
        ("a Slack token", r"\bxox[abeprs]-[A-Za-z0-9-]{10,255}"),
        ("a Slack webhook", r"hooks\.slack\.com/services/T[A-Z0-9]{6,20}/B[A-Z0-9]{6,20}/[A-Za-z0-9]{16,40}"),
        ("a Google key", r"\bAIza[0-9A-Za-z_-]{35}"),
        ("a Stripe key", r"\b[rs]k_live_[0-9A-Za-z]{20,255}"),
        ("a key of a model provider", r"\bsk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{32,255}"),
        ("an npm token", r"\bnpm_[A-Za-z0-9]{36}\b"),
        ("a token of a package index", r"\bpypi-[A-Za-z0-9_-]{50,255}"),
        ("a Hugging Face token", r"\bhf_[A-Za-z0-9]{30,64}\b"),
        ("a Telegram bot token", r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b"),
        ("a token of this application", r"\bdsk_[0-9a-f]{8}_[0-9a-f]{48}\b"),
        ("a JSON Web Token", r"\beyJ[A-Za-z0-9_-]{10,1000}+\.eyJ[A-Za-z0-9_-]{10,2000}+\.[A-Za-z0-9_-]{10,1000}"),
        ("an address with a password", r"(?<=\w)://[^\s:/@{}<>$\"']{1,64}+:[^\s:/@{}<>$\"']{3,64}+@[\w.-]"),
    )
)

GUESSED_SECRET = re.compile(
    r"(?P<name>password|passwd|secret|token|api[_-]?key|access[_-]?key|credential|bearer)s?"
    r"[\"']?(?:\s{0,3}[:=]\s{0,3}|\s{1,3})[\"']?(?P<value>[A-Za-z0-9+/_=-]{20,200}+)(?![A-Za-z0-9+/_=-])",
    _I,
)
"""A word for a secret and a long value behind it; whether the value looks random is for the scan to say."""

PLACEHOLDER = re.compile(
    r"example|placeholder|your[_-]|change[_-]?me|dummy|redacted|xxxx|0123456789|1234567890|\.\.\.", _I
)

_SHELL_NAME = r"(?:ba|z|k|da|a|fi|c|tc|pw)?sh\b"
_SHELL = rf"(?:/[\w./-]{{0,40}}/)?(?:env\s{{1,3}})?{_SHELL_NAME}"
_RUNNER = (
    rf"(?:sudo\s{{1,3}}(?:-\w{{1,9}}\s{{1,3}}){{0,3}})?(?:{_SHELL}|(?:python|perl|ruby|node|php|lua)[\d.]{{0,5}}\b)"
)
_FETCHER = r"\b(?:curl|wget|aria2c|lwp-download)\b"
_FETCH_CALL = r"(?:requests\.get|httpx\.get|urlopen|urllib\.request|\bfetch)\s{0,3}\("
_FETCH_VERB = r"\b(?:iwr|irm|Invoke-WebRequest|Invoke-RestMethod|DownloadString)\b"
_INTO_RUNNER = rf"\|\s{{0,9}}{_RUNNER}"

REMOTE_CODE = (
    _trail("It pipes a download into an interpreter.", 300, _FETCHER, _INTO_RUNNER),
    _trail("It runs a download.", 40, rf"\b(?:{_SHELL_NAME}|source|eval|exec)", rf"[`(]\s{{0,3}}{_FETCHER}"),
    _trail("It runs a download.", 1, r"(?:^|[\s;&])\.\s{1,3}<", rf"\(\s{{0,3}}{_FETCHER}"),
    _trail(
        "It downloads a file and runs it.",
        300,
        _FETCHER,
        rf"(?:&&|;)\s{{0,9}}(?:chmod\s{{1,3}}[+\w]{{1,9}}\s|{_RUNNER}\s{{1,3}}\S|\./)",
    ),
    _trail("It runs encoded text.", 120, r"\bbase64\s{1,3}(?:-d|--decode)\b", _INTO_RUNNER),
    _trail("It runs encoded text.", 80, r"\b(?:eval|exec)\s{0,3}\(", r"(?:b64decode|atob|fromhex|unhexlify)\s{0,3}\("),
    _trail("It runs a download.", 120, r"\b(?:iex|Invoke-Expression)\b", _FETCH_VERB),
    _trail("It runs a download.", 200, _FETCH_VERB, r"\|\s{0,9}(?:iex|Invoke-Expression)\b"),
    _trail("It runs a download.", 120, r"\b(?:eval|exec|compile|Function)\s{0,3}\(", _FETCH_CALL),
    _trail("It runs a script from an address.", 120, r"\b(?:mshta|regsvr32|rundll32|bitsadmin)\b", r"https?://"),
    _trail(
        "It installs from an address.",
        60,
        r"\b(?:pip3?|npm|pnpm|yarn|gem|cargo)\s{1,3}(?:install|i|add)\b(?:\s{1,3}-[\w-]{1,40}){0,5}\s{1,3}(?=git\+|https?:)",
        r"(?:git\+)?https?://",
    ),
)

_CREDENTIAL_FILE = (
    r"(?:(?:~|\$HOME|\$\{HOME\}|/root|/home/\w{1,40})/\.(?:ssh|aws|gnupg|kube|docker|netrc|npmrc|config/gcloud)\b"
    r"|/etc/(?:shadow|passwd|sudoers)\b|\bid_(?:rsa|ed25519|ecdsa)\b)"
)
_ENVIRONMENT = (
    r"(?:\$\{?\w{0,40}?(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)|\$\((?:env|printenv|cat)\b|`(?:env|printenv)\b)"
)
_SENDER = r"\b(?:curl|wget|nc(?:at)?|netcat|scp|sftp|rsync|Invoke-WebRequest|Invoke-RestMethod|sendmail)\b"
_READER = r"\b(?:cat|less|head|tail|cp|tar|zip|open|read(?:_text|_bytes|File(?:Sync)?)?)\b"
_CONFIDENTIAL = (
    r"\b(?:system prompt|api[ _-]?keys?|credentials?|passwords?|secrets?|access tokens?|auth(?:entication)? tokens?"
    r"|environment variables?|private keys?|cookies|(?:chat|conversation) history|(?:entire|whole|full) conversation)\b"
)
_SENDS = r"(?<!not )(?<!never )\b(?:send|post|upload|forward|transmit|submit|e-?mail|leak|exfiltrate)\b"
_ADDRESS = r"(?:https?://|(?<=\w)@[\w-]{1,60}\.\w)"
_COLLECTORS = (
    r"\b(?:webhook\.site|requestbin\.\w+|burpcollaborator\.net|oast\.(?:pro|live|site|online|fun|me)|interact\.sh"
    r"|requestcatcher\.com|dnslog\.cn)\b"
)

EXFILTRATION = (
    _trail("It reads a file of credentials.", 80, _READER, _CREDENTIAL_FILE),
    _trail("It sends a file of credentials.", 300, _SENDER, _CREDENTIAL_FILE),
    _trail("It sends a secret from the environment.", 300, _SENDER, _ENVIRONMENT),
    _trail("It sends the environment.", 60, r"\b(?:env|printenv|export -p)\b", rf"\|\s{{0,9}}{_SENDER}"),
    _trail("It opens a connection for a shell.", 0, r"/dev/(?:tcp|udp)/[\w.$-]{1,80}/"),
    _trail("It opens a connection for a shell.", 60, r"\bnc(?:at)?\b", rf"\s-[ec]\s{{1,3}}{_SHELL}"),
    _trail("It names a place that collects what is sent to it.", 0, _COLLECTORS),
    _trail(
        "A picture's address carries data out.",
        300,
        r"!\[[^\]\n]{0,200}+\]\(\s{0,3}https?://",
        r"(?:\{\{|\$\{|\{[a-z_]{1,40}\}|<[A-Za-z_ ]{1,40}>)[^)\n]{0,200}\)",
    ),
    _trail("It tells the model to send something secret.", 120, _SENDS, _CONFIDENTIAL, _ADDRESS),
)
