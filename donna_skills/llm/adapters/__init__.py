"""Who carries a call out. One instance of each adapter per process."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.utils.module_loading import import_string

from donna_skills.errors import ModelUnavailable
from donna_skills.llm.port import Adapter, Embedder

_OWN = {
    "real": "donna_skills.llm.adapters.real.RealAdapter",
    "offline": "donna_skills.llm.adapters.offline.OfflineAdapter",
}


def get(name: str) -> Adapter:
    """`real`, `offline`, or the dotted path of a class with the port's methods."""
    adapter: Adapter = _instance(_OWN.get(name, name))
    return adapter


def get_embedder(name: str) -> Embedder:
    adapter = _instance(_OWN.get(name, name))
    if not hasattr(adapter, "embed"):
        raise ModelUnavailable(f"The model adapter {name} makes no embeddings.", code="embeddings_not_set_up")
    embedder: Embedder = adapter
    return embedder


@cache
def _instance(path: str) -> Any:
    # By path, because the real adapter's libraries take two seconds to import, and offline nobody needs them.
    return import_string(path)()
