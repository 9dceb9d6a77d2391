"""Skills, their versions and files, and the record of every move."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Length
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.enums import ActionVariant

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.roles import Permission, may
from donna_skills.adminacts import Act, ActForm, Done
from donna_skills.adminbase import WindowAdmin, WindowInline, block
from donna_skills.errors import FieldError, Invalid
from lifecycle.models import Skill, SkillFile, SkillVersion, StateTransition
from lifecycle.services import evolutions, rollbacks, skills, verify
from lifecycle.templatetags.skills import state_badge, version_badge


class NoteForm(ActForm):
    note = forms.CharField(required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 2}))


def _pause(skill: Skill, by: Actor, data: dict[str, Any]) -> Done:
    skills.pause(skill, actor=by, note=data["note"])
    return Done(f"{skill} is paused: the reference model answers.")


def _resume(skill: Skill, by: Actor, data: dict[str, Any]) -> Done:
    skills.resume(skill, actor=by, note=data["note"])
    return Done(f"{skill} goes on in the state it has kept.")


class RollbackForm(ActForm):
    version = forms.IntegerField(min_value=1, label="Version", help_text="Number of a version that was released once.")
    note = forms.CharField(required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 2}))


def _roll_back(skill: Skill, by: Actor, data: dict[str, Any]) -> Done:
    version = SkillVersion.objects.filter(skill=skill, number=data["version"]).first()
    if version is None:
        found = FieldError("version", "The skill has no version with this number.")
        raise Invalid("There is no such version.", errors=[found])
    rollbacks.roll_back(skill, version, actor=by, note=data["note"])
    return Done(f"{skill} was rolled back to version {version.number}: it serves, and every answer is compared.")


def _returnable(skill: Skill) -> dict[str, Any]:
    healthy = rollbacks.last_healthy(skill)
    return {"version": healthy.number} if healthy else {}


def _improve(skill: Skill, by: Actor, data: dict[str, Any]) -> Done:
    evolutions.improve(skill, actor=by)
    return Done(f"A better version of {skill} is being written; it will wait for a reviewer.")


def _set_gate(skill: Skill, by: Actor, data: dict[str, Any]) -> Done:
    skills.set_human_gate(skill, True, actor=by)
    return Done(f"A person is asked before each promotion of {skill}.")


def _lift_gate(skill: Skill, by: Actor, data: dict[str, Any]) -> Done:
    skills.set_human_gate(skill, False, actor=by)
    return Done(f"Promotions of {skill} may follow from the gates alone.")


@admin.register(Skill)
class SkillAdmin(WindowAdmin):
    list_display = ("capability", "state_shown", "current_version", "paused", "requires_human_gate", "state_entered_at")
    list_filter = ("state", "paused", "requires_human_gate")
    list_select_related = ("capability", "current_version")
    search_fields = ("capability__name", "capability__description")
    search_help_text = "Name or description of the capability"
    see_also = (
        ("Versions", "lifecycle.SkillVersion", "skill__id"),
        ("Moves", "lifecycle.StateTransition", "skill__id"),
        ("Runs", "lifecycle.SkillRun", "skill__id"),
        ("Divergences", "lifecycle.Divergence", "skill__id"),
        ("Fixtures", "lifecycle.Fixture", "skill__id"),
        ("Reviews", "lifecycle.Review", "skill__id"),
        ("Evolutions", "lifecycle.Evolution", "skill__id"),
    )
    fieldsets = (
        (None, {"fields": ("id", "capability", "state_shown", "state_entered_at", "current_version")}),
        ("Rules", {"fields": ("paused", "requires_human_gate", "flagged_from", "initial_state", "created_at")}),
        (
            "Baseline",
            {"fields": ("baseline_mean", "baseline_success_rate", "baseline_lower", "baseline_n", "baseline_version")},
        ),
    )
    acts = (
        Act(
            name="pause",
            label="Pause skill",
            explain=lambda skill: "It stops serving at once and keeps its state; the reference model answers.",
            carry_out=_pause,
            permission=Permission.PAUSE_SKILLS,
            form=NoteForm,
            offered=lambda skill: not skill.paused,
            icon="pause",
        ),
        Act(
            name="resume",
            label="Resume skill",
            explain=lambda skill: f"It goes on in the state it has kept: {skill.get_state_display()}.",
            carry_out=_resume,
            permission=Permission.PAUSE_SKILLS,
            form=NoteForm,
            offered=lambda skill: skill.paused,
            icon="play_arrow",
        ),
        Act(
            name="improve",
            label="Improve skill",
            explain=lambda skill: (
                "A model writes a better version from the cases that went wrong. It passes the gates and waits for a "
                "reviewer; what serves now goes on."
            ),
            carry_out=_improve,
            permission=Permission.EDIT_SKILLS,
            also=lambda user, skill: may(user, Permission.OPERATE_AUTOMATIONS) or may(user, Permission.DECIDE_REVIEWS),
            offered=lambda skill: skill.current_version_id is not None,
            icon="auto_fix_high",
        ),
        Act(
            name="roll-back",
            label="Roll back skill",
            explain=lambda skill: (
                "A version that was released once serves again at once, and every answer is compared with the "
                "reference. What is in force now is withdrawn."
            ),
            carry_out=_roll_back,
            permission=Permission.DECIDE_REVIEWS,
            form=RollbackForm,
            initial=_returnable,
            offered=lambda skill: skill.versions.filter(released_at__isnull=False).exists(),
            icon="undo",
            variant=ActionVariant.DANGER,
        ),
        Act(
            name="set-gate",
            label="Set human gate",
            explain=lambda skill: "A person is asked before each later promotion, however good the figures are.",
            carry_out=_set_gate,
            permission=Permission.DECIDE_REVIEWS,
            offered=lambda skill: not skill.requires_human_gate,
            icon="lock",
        ),
        Act(
            name="lift-gate",
            label="Lift human gate",
            explain=lambda skill: "Promotions may follow from the gates alone, without asking a person.",
            carry_out=_lift_gate,
            permission=Permission.DECIDE_REVIEWS,
            offered=lambda skill: skill.requires_human_gate,
            icon="lock_open",
            variant=ActionVariant.DANGER,
        ),
    )

    @admin.display(description="state", ordering="state")
    def state_shown(self, skill: Skill) -> SafeString:
        return state_badge(skill.state)


def _verify(version: SkillVersion, by: Actor, data: dict[str, Any]) -> Done:
    job = verify.ask(version, by=by)
    return Done("The evidence is being gathered: how far it is stands on this page.", job)


class FileInline(WindowInline):
    model = SkillFile
    fields = ("path", "size", "digest")
    readonly_fields = ("size",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SkillFile]:
        return super().get_queryset(request).defer("content").annotate(size=Length("content"))

    @admin.display(description="bytes")
    def size(self, file: Any) -> int:
        return int(file.size)


@admin.register(SkillVersion)
class SkillVersionAdmin(WindowAdmin):
    list_display = ("id", "skill", "number", "status_shown", "author_kind", "author", "created_at", "released_at")
    list_filter = ("status", "author_kind")
    list_select_related = ("skill__capability", "author")
    search_fields = ("skill__capability__name", "digest", "changelog")
    search_help_text = "Skill, digest or changelog"
    inlines = (FileInline,)
    see_also = (
        ("Runs", "lifecycle.SkillRun", "version__id"),
        ("Divergences", "lifecycle.Divergence", "version__id"),
        ("Reviews", "lifecycle.Review", "version__id"),
    )
    fields = (
        "id", "skill", "number", "status_shown", "digest", "parent", "author_kind", "author", "changelog", "created_at",
        "released_at",
    )  # fmt: skip

    acts = (
        Act(
            name="verify",
            label="Verify version",
            explain=lambda version: (
                "Fixtures are made of real runs where there are too few, then every gate looks, once."
            ),
            carry_out=_verify,
            permission=Permission.EDIT_SKILLS,
            also=lambda user, version: may(user, Permission.DECIDE_REVIEWS),
            icon="fact_check",
        ),
    )

    @admin.display(description="status", ordering="status")
    def status_shown(self, version: SkillVersion) -> SafeString:
        return version_badge(version.status)


@admin.register(SkillFile)
class SkillFileAdmin(WindowAdmin):
    list_display = ("path", "version_of", "digest")
    list_select_related = ("version__skill__capability",)
    search_fields = ("path", "version__skill__capability__name")
    search_help_text = "Path or skill"
    fields = ("id", "version", "path", "digest", "contents")

    @admin.display(description="version")
    def version_of(self, file: SkillFile) -> str:
        return f"{file.version.skill} {file.version}"

    @admin.display(description="content")
    def contents(self, file: SkillFile) -> SafeString | str:
        return file_content(bytes(file.content))


@admin.register(StateTransition)
class StateTransitionAdmin(WindowAdmin):
    list_display = ("id", "skill", "from_shown", "to_shown", "reason", "actor_kind", "actor_label", "version", "at")
    list_filter = ("to_state", "reason", "actor_kind")
    list_select_related = ("skill__capability", "version")
    search_fields = ("skill__capability__name", "actor_label", "note")
    search_help_text = "Skill, actor or note"
    fields = (
        "id", "skill", "version", "from_shown", "to_shown", "reason", "actor_kind", "actor_label", "person", "note",
        "evidence", "at",
    )  # fmt: skip

    @admin.display(description="from", ordering="from_state")
    def from_shown(self, move: StateTransition) -> SafeString:
        return state_badge(move.from_state)

    @admin.display(description="to", ordering="to_state")
    def to_shown(self, move: StateTransition) -> SafeString:
        return state_badge(move.to_state)


def file_content(content: bytes) -> SafeString | str:
    """A file of a package to read, or how large it is where it is no text."""
    try:
        return block(content.decode())
    except UnicodeDecodeError:
        return f"{len(content):,} bytes that are no text"
