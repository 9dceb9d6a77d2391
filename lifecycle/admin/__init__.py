"""The lifecycle's tables in the admin: states are read there, and moved by services alone."""

from lifecycle.admin import candidates, capabilities, evidence, reviews, runs, skills

__all__ = ["candidates", "capabilities", "evidence", "reviews", "runs", "skills"]
