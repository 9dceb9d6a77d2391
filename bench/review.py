"""How fast the queue and a review open while many wait: `python -m bench.review`.

Open reviews are rows; a reviewer's session reads the queue, its last page, a search, and one review with a long diff.
Beside them stands the admin's own list of the same rows, in turns. Goals with 5 000 open reviews: the queue within
60 kB of HTML, and its 95th percentile within 100 ms for one reader at a time.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import tempfile
from typing import Any

from bench import harness, pair
from bench.load import Result, drive, request

FILL = "--fill"
ADMIN = "/admin/lifecycle/review/?state__exact=open"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reviews", type=int, default=5_000)
    parser.add_argument("--requests", type=int, default=60, help="a round, for each page")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--database", choices=harness.DATABASES, action="append", help="default: both")
    parser.add_argument(FILL, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fill:
        print(json.dumps(_fill(options.fill)))
        return
    figures: dict[str, Any] = {"reviews": options.reviews, "goal": {"queue_bytes": 60_000, "queue_p95_ms": 100}}
    for kind in options.database or harness.DATABASES:
        missing = harness.available(kind)
        figures[kind] = {"skipped": missing} if missing else _measure(kind, options)
    harness.report("review", figures)


def _measure(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    with harness.database(kind) as url, tempfile.TemporaryDirectory(prefix="donna-bench-") as folder:
        env = harness.environment(url, DJANGO_SETTINGS_MODULE="donna_skills.settings", DONNA_VAR_DIR=folder)
        pair.prepare(env)
        harness.command("manage.py", "collectstatic", "--noinput", "--verbosity", "0", env=env)
        filled = json.loads(harness.command("-m", "bench.review", FILL, str(options.reviews), env=env))
        with harness.served("donna_skills.wsgi:application", env=env) as port:
            cookie = {"Cookie": f"sessionid={filled['session']}"}
            pages = {
                "queue": "/review/",
                "last_page": f"/review/?page={options.reviews // 25}",
                "search": "/review/?q=capability_4",
                "detail": f"/review/{filled['detail']}/",
                "admin_list": ADMIN,
            }
            sizes = {name: _bytes(port, path, cookie) for name, path in pages.items()}
            results: dict[str, list[Result]] = {name: [] for name in pages}
            for number in range(options.rounds + 1):
                for name, path in pages.items():
                    sent = [request("GET", path, port=port, headers=cookie)]
                    count = options.requests if number else 10  # the first round warms up and is not counted
                    results[name].append(drive(sent * count, port=port, expect=200, connections=1, at_most_s=60))
    return {name: {"bytes": sizes[name], **_summary(found[1:])} for name, found in results.items()}


def _summary(rounds: list[Result]) -> dict[str, Any]:
    """Over all rounds: a shared machine is slow at times, and the slow answers count."""
    latencies = [latency for result in rounds for latency in result.latencies]
    cuts = statistics.quantiles(latencies, n=100)
    return {"p50_ms": round(cuts[49] * 1000, 1), "p95_ms": round(cuts[94] * 1000, 1), "requests": len(latencies)}


def _bytes(port: int, path: str, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path} answered {answer.status}.")
    return len(body)


def _fill(number: int) -> dict[str, str]:
    """Open reviews, one of them a draft with a long diff, and a reviewer's session."""
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import Group
    from django.contrib.sessions.backends.db import SessionStore

    from donna_skills.accounts.actors import Actor
    from donna_skills.accounts.models import User
    from lifecycle.models import Capability, Review, ReviewKind, RiskTier, Skill
    from lifecycle.services import skills, versions

    author = User.objects.create_user("bench-author", password=None)
    author.groups.add(Group.objects.get(name="author"))
    skill = Skill.objects.select_related("capability", "current_version").get(capability__name="parse_task")
    assert skill.current_version is not None
    files = versions.files_of(skill.current_version)
    path = next(name for name in sorted(files) if name.startswith("steps/"))
    lines = files[path].decode().splitlines()
    files[path] = "\n".join([*lines, *(f"Line {n} says a little more than before." for n in range(200))]).encode()
    _, draft = skills.submit_version(skill, files=files, actor=Actor.person(author), changelog="It says more.")

    made = Capability.objects.bulk_create(
        Capability(name=f"capability_{n}", description="x", input_schema={"type": "object"}, output_schema={})
        for n in range(number - 1)
    )
    Review.objects.bulk_create(
        Review(
            kind=ReviewKind.CAPABILITY,
            capability=one,
            subject_digest="0" * 64,
            summary=f"{one.name} is much like another one that is in use already, and asks for a person. " * 2,
            risk=list(RiskTier)[n % 3],
            risk_reasons=[{"code": "TOOLS_ADDED", "message": "It may use tools that it could not use before."}],
            verdict="",
        )
        for n, one in enumerate(made)
    )
    # A superuser, so that the admin's list shows all that it can.
    reader = User.objects.create_superuser("bench-reviewer", password=None)
    session = SessionStore()
    session[SESSION_KEY] = str(reader.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = reader.get_session_auth_hash()
    session.create()
    return {"session": str(session.session_key), "detail": str(draft.pk)}


if __name__ == "__main__":
    main()
