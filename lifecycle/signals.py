"""The one signal: sent after the commit of a state change, in the process that made it.

Other processes read the same news from the outbox (`donna_skills.notifications`, event kind `skill.state_changed`).
"""

from django.dispatch import Signal

skill_state_changed = Signal()
"""Arguments: `skill_id`, `transition_id`, `from_state`, `to_state`."""
