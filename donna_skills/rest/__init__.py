"""What every route of the JSON API shares: who calls, what is refused and how, and what an answer carries."""
