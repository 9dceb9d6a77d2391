"""Jobs, signs of life, and the queue behind them (django-q2's own tables) in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django_q.models import Failure, OrmQ, Schedule, Success, Task
from unfold.enums import ActionVariant

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.accounts.roles import Permission, may
from donna_skills.adminacts import Act, Done
from donna_skills.adminbase import WindowAdmin, badge, block
from donna_skills.jobs import services
from donna_skills.jobs.models import Heartbeat, JobRun
from donna_skills.templatetags.console import JOB_TONES


def _cancel(job: JobRun, by: Actor, data: dict[str, Any]) -> Done:
    services.cancel(job, by=by)
    return Done("The job is cancelled.")


def _asked_for(user: User, job: JobRun | None) -> bool:
    return job is not None and job.requested_by_id == user.pk


@admin.register(JobRun)
class JobRunAdmin(WindowAdmin):
    list_display = (
        "id",
        "kind",
        "status_badge",
        "progress",
        "subject_type",
        "requested_label",
        "created_at",
        "finished_at",
    )
    list_filter = ("status",)
    search_fields = ("kind", "key", "subject_id", "requested_label", "error_code")
    search_help_text = "Kind, key, subject, who asked, or an error code"
    audit_subject = "job"
    acts = (
        Act(
            name="cancel",
            label="Cancel job",
            explain=lambda job: "A queued job stops at once, a running one at its next sign of progress.",
            carry_out=_cancel,
            permission=Permission.OPERATE_AUTOMATIONS,
            also=_asked_for,
            offered=lambda job: job.is_open,
            icon="cancel",
            variant=ActionVariant.DANGER,
        ),
    )
    fieldsets = (
        (
            None,
            {"fields": ("id", "kind", "key", "status_badge", "progress", "progress_message", "error_code", "error")},
        ),
        ("Work", {"fields": ("subject_type", "subject_id", "arguments", "report")}),
        ("Who and when", {"fields": ("requested_by", "requested_label", "created_at", "started_at", "finished_at")}),
        ("Hand-over", {"fields": ("attempts", "handed_over_at", "hand_overs", "lease_owner", "lease_until")}),
    )

    @admin.display(description="status", ordering="status")
    def status_badge(self, job: JobRun) -> SafeString:
        return badge(job.status, job.get_status_display(), JOB_TONES)

    @admin.display(description="progress")
    def progress(self, job: JobRun) -> str:
        return f"{job.progress_done} of {job.progress_total}" if job.progress_total else "–"


class QueueAdmin(WindowAdmin):
    """What belongs to nobody's role is shown to those who run the installation."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, Permission.MANAGE_SETTINGS)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)


@admin.register(Heartbeat)
class HeartbeatAdmin(QueueAdmin):
    list_display = ("name", "at")
    search_fields = ("name",)
    ordering = ("name",)


class TaskAdmin(QueueAdmin):
    list_display = ("name", "func", "group", "cluster", "success", "attempt_count", "started", "stopped")
    list_filter = ("success",)
    search_fields = ("name", "func", "group")
    ordering = ("-stopped",)


class ScheduleAdmin(QueueAdmin):
    list_display = ("name", "func", "schedule_type", "minutes", "cron", "next_run", "repeats")
    list_filter = ("schedule_type",)
    search_fields = ("name", "func")
    ordering = ("name",)


class OrmQAdmin(QueueAdmin):
    """Tasks on their way. The payload is signed by this installation and unpacked by the library that wrote it."""

    list_display = ("id", "name", "func", "key", "lock")
    list_needs = ("payload",)
    search_fields = ("key",)
    fields = ("id", "key", "lock", "name", "func", "arguments", "options")

    @admin.display(description="arguments")
    def arguments(self, queued: OrmQ) -> SafeString | str:
        return block(f"{queued.args()!r}\n{queued.kwargs()!r}")

    @admin.display(description="options")
    def options(self, queued: OrmQ) -> SafeString | str:
        return block(repr(queued.q_options()))

    @admin.display(description="name")
    def name(self, queued: OrmQ) -> str:
        return str(queued.name() or queued.task_id())

    @admin.display(description="function")
    def func(self, queued: OrmQ) -> str:
        return str(queued.func())


# The library's own registrations let people edit, delete and send again behind the services' backs.
for model, window in (
    (Schedule, ScheduleAdmin),
    (Task, TaskAdmin),
    (Success, TaskAdmin),
    (Failure, TaskAdmin),
    (OrmQ, OrmQAdmin),
):
    if admin.site.is_registered(model):
        admin.site.unregister(model)
    admin.site.register(model, window)
