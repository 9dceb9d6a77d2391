"""Registers what Django asks an app for: its checks, its receivers, and the tables that only grow."""

from django.apps import AppConfig


class LifecycleConfig(AppConfig):
    name = "lifecycle"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in
        from django.core import checks

        from donna_skills.audit import append_only
        from lifecycle import configuration, greeting

        checks.register(configuration.check_knobs)
        user_logged_in.connect(greeting.on_log_in, dispatch_uid="lifecycle.greeting")
        # A contract stays what it was when runs were checked against it; another contract is another capability.
        append_only.protect("lifecycle.Capability", columns=["name", "input_schema", "output_schema"])
        append_only.protect("lifecycle.StateTransition")
        append_only.protect("lifecycle.SkillFile")
        append_only.protect("lifecycle.Divergence")
        append_only.protect("lifecycle.GateDecision")
        append_only.protect("lifecycle.ReviewApproval")
        append_only.protect(
            "lifecycle.SkillVersion",
            columns=["skill", "number", "digest", "parent", "author_kind", "author", "changelog", "created_at"],
        )
        append_only.protect("lifecycle.Skill", columns=["capability"], delete=True)
        append_only.protect("lifecycle.SkillRun", columns=["inputs", "capability"], delete=False)
