"""Runs here are answered by the offline rules, or by a real HTTP server that speaks a provider's protocol."""

from tests.llm.conftest import configure, openai_stub, server

__all__ = ["configure", "openai_stub", "server"]
