"""Routes of the JSON API for automations."""
