"""The application and its peer, side by side: two databases of a kind, two servers, a bot's token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench import harness


@dataclass(frozen=True)
class Pair:
    ours_port: int
    peer_port: int
    token: str


@contextmanager
def running(kind: str) -> Iterator[Pair]:
    """Both served by the same gunicorn settings, the application with its seed skills loaded."""
    with harness.database(kind) as ours_url, harness.database(kind) as peer_url:
        ours = harness.environment(ours_url)
        peer = harness.environment(peer_url, DJANGO_SETTINGS_MODULE="bench.peer.settings")
        token = prepare(ours)
        harness.command("-m", "bench.peer.wsgi", env=peer)
        with (
            harness.served("donna_skills.wsgi:application", env=ours) as ours_port,
            harness.served("bench.peer.wsgi:application", env=peer) as peer_port,
        ):
            yield Pair(ours_port, peer_port, token)


def prepare(env: dict[str, str]) -> str:
    """Tables, seed skills and a token in an empty database; returns the token."""
    harness.command("manage.py", "migrate", "--verbosity", "0", env=env)
    harness.command("manage.py", "load_seed_skills", env=env)
    printed = harness.command("manage.py", "create_api_token", "bench", "--scope", "runs:write", "skills:read", env=env)
    return printed.strip().splitlines()[-1]
