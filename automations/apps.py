"""Registers what Django asks an app for: its checks, its ear for a skill's moves, and what of a run never changes."""

from django.apps import AppConfig


class AutomationsConfig(AppConfig):
    name = "automations"

    def ready(self) -> None:
        from django.core import checks

        from automations import configuration
        from automations.services import cadence
        from donna_skills.audit import append_only
        from lifecycle.signals import skill_state_changed

        checks.register(configuration.check_knobs)
        skill_state_changed.connect(cadence.on_state_changed, dispatch_uid="automations.cadence")
        append_only.protect(
            "automations.AutomationRun", columns=["automation", "scheduled_for", "trigger", "cause"], delete=False
        )
