"""The lifecycle's tables in the admin: states are read there, and moved by services alone."""

from lifecycle.admin import candidates, capabilities, drafts, evidence, evolutions, reviews, runs, skills

__all__ = ["candidates", "capabilities", "drafts", "evidence", "evolutions", "reviews", "runs", "skills"]
