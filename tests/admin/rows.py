"""One more row of every model that the admin shows, with rows of its own at the end of each relation."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import Group
from django.db import models, transaction
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task
from django_q.signing import SignedPackage

from automations.models import AutomationShare, DrainSlot, FeedCursor, FollowUp
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import IdempotencyRecord, IdempotencyStatus
from donna_skills.audit import services as audit
from donna_skills.jobs.models import Heartbeat, JobRun
from donna_skills.llm.models import BudgetPeriod, CallStatus, ModelCall, PriceSource
from donna_skills.llm.port import Purpose
from donna_skills.notifications import events
from donna_skills.notifications.models import (
    Channel,
    ChannelKind,
    Delivery,
    DeliveryStatus,
    Notification,
    Preference,
    Way,
)
from lifecycle.decisions.gates import GateReason, GateResult
from lifecycle.models import (
    AttemptStatus,
    Correction,
    CorrectionSource,
    DraftAttempt,
    Evolution,
    Review,
    ReviewApproval,
    ReviewKind,
    SkillRun,
    StepResult,
    StepStatus,
)
from lifecycle.services import evidence, fixtures, reviews
from lifecycle.states import State
from tests import builders
from tests.automations import made

_numbers = itertools.count(1)
MAKERS: dict[str, Callable[[], models.Model]] = {}


def row(label: str) -> models.Model:
    return MAKERS[label]()


def rows(label: str, count: int) -> None:
    for _ in range(count):
        row(label)


def makes(label: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def keep(maker: Callable[[], Any]) -> Callable[[], Any]:
        MAKERS[label] = maker
        return maker

    return keep


@makes("accounts.User")
def user() -> models.Model:
    return builders.person("operator", email="o@example.org")


@makes("auth.Group")
def group() -> models.Model:
    return Group.objects.create(name=f"role {next(_numbers)}")


@makes("accounts.ApiToken")
def token() -> models.Model:
    return builders.person_token(builders.person("reviewer"))[0]


@makes("accounts.IdempotencyRecord")
def remembered() -> models.Model:
    return IdempotencyRecord.objects.create(
        token=builders.bot_token()[0], key="k", target="POST /api/v1/runs", body_digest="0" * 64, claim=uuid.uuid4(),
        status=IdempotencyStatus.DONE, response_status=201, response_body=b'{"id": 1}',
    )  # fmt: skip


@makes("audit.AuditEvent")
def audit_event() -> models.Model:
    with transaction.atomic():
        actor = Actor.person(builders.person("reviewer"))
        return audit.record("skill.paused", actor=actor, subject_type="skill", subject_id=uuid.uuid4(), data={"n": 1})


@makes("llm.ModelCall")
def model_call() -> models.Model:
    now = timezone.now()
    return ModelCall.objects.create(
        purpose=Purpose.NATIVE, task_type="parse_task", alias="reasoner", provider="openai", model="large",
        prompt_digest="0" * 64, prompt="Say hello", output="hello", cost_usd=Decimal("0.0031"),
        status=CallStatus.SUCCEEDED, price_source=PriceSource.CONFIGURED,
        started_at=now, finished_at=now, expires_at=now, latency_ms=740,
        run_id=uuid.uuid4(),
    )  # fmt: skip


@makes("llm.BudgetPeriod")
def period() -> models.Model:
    return BudgetPeriod.objects.create(key=f"day:{next(_numbers)}", spent_micros=3_100_000, limit_micros=20_000_000)


@makes("jobs.JobRun")
def job() -> models.Model:
    return JobRun.objects.create(kind="nightly", requested_by=builders.person("operator"), progress_total=3)


@makes("jobs.Heartbeat")
def heartbeat() -> models.Model:
    return Heartbeat.objects.create(name=f"worker {next(_numbers)}", at=timezone.now())


@makes("notifications.Event")
def event() -> Any:
    with transaction.atomic():
        return events.publish("skill.paused", subject_type="skill", subject_id=uuid.uuid4(), payload={"a": 1})


@makes("notifications.Notification")
def notification() -> Any:
    return Notification.objects.create(person=builders.person("viewer"), event=event(), title="It slipped")


@makes("notifications.Preference")
def preference() -> models.Model:
    return Preference.objects.create(person=builders.person("viewer"), way=Way.EMAIL, enabled=False)


@makes("notifications.Channel")
def channel() -> Any:
    return Channel.objects.create(
        name="On call", person=builders.person("operator"), kind=ChannelKind.WEBHOOK,
        target="https://hooks.example.org/in/sesame", secrets=["whsec_topsecret"],
    )  # fmt: skip


@makes("notifications.Delivery")
def delivery() -> models.Model:
    note = notification()
    return Delivery.objects.create(
        event=note.event,
        notification=note,
        channel=channel(),
        title=note.title,
        status=DeliveryStatus.FAILED,
        dead=True,
    )


@makes("lifecycle.Capability")
def capability() -> models.Model:
    return builders.capability(examples=["label this"])


@makes("lifecycle.Skill")
def skill() -> Any:
    return builders.skill(State.DRAFT, author=builders.person("author"))


@makes("lifecycle.SkillVersion")
def version() -> Any:
    return skill().current_version


@makes("lifecycle.SkillFile")
def file() -> models.Model:
    return version().files.first()


@makes("lifecycle.StateTransition")
def move() -> models.Model:
    return builders.skill(State.SANDBOX, author=builders.person("author")).transitions.first()


@makes("lifecycle.SkillRun")
def run() -> SkillRun:
    of = builders.skill(State.TRUSTED, author=builders.person("author"))
    return builders.run(of, requested_by=builders.person("operator"), token=builders.bot_token()[0], latency_ms=340)


@makes("lifecycle.StepResult")
def step() -> models.Model:
    return StepResult.objects.create(
        run=run(), name="answer", index=0, kind="llm", status=StepStatus.SUCCEEDED, output={"label": "greeting"}
    )


@makes("lifecycle.Divergence")
def divergence() -> models.Model:
    of = builders.skill(State.TRUSTED, author=builders.person("author"))
    return builders.divergence(of, 0.9, reference=run(), reference_output={"label": "greeting"})


@makes("lifecycle.Candidate")
def candidate() -> models.Model:
    return builders.candidate(builders.skill())


@makes("lifecycle.Correction")
def correction() -> models.Model:
    return Correction.objects.create(
        run=run(), field="label", original="greeting", corrected="farewell", source=CorrectionSource.PAGE,
        by=builders.person("operator"), token=builders.bot_token()[0],
    )  # fmt: skip


@makes("lifecycle.Fixture")
def fixture() -> models.Model:
    return fixtures.capture(run(), actor=builders.SYSTEM)


@makes("lifecycle.Review")
def review() -> Review:
    of = skill()
    return reviews.open_review(
        ReviewKind.DRAFT, capability=of.capability, version=of.current_version, actor=builders.SYSTEM,
        summary="A draft.", evidence={"passed": 5},
    )  # fmt: skip


@makes("lifecycle.ReviewApproval")
def approval() -> models.Model:
    return ReviewApproval.objects.create(
        review=review(), by=builders.person("reviewer"), digest="0" * 64, comment="Good.", at=timezone.now()
    )


@makes("lifecycle.GateDecision")
def decision() -> models.Model:
    reason = GateReason("REPLAY_REPORT_MISSING", "No recorded run has been replayed with this version.")
    results = [GateResult("static"), GateResult("replay", (reason,), {"runs": 0})]
    inputs_digest = f"{next(_numbers):064x}"
    return evidence.record(skill(), digest="0" * 64, inputs_digest=inputs_digest, results=results, evidence={})


@makes("lifecycle.DraftAttempt")
def draft_attempt() -> models.Model:
    now, of = timezone.now(), candidate()
    return DraftAttempt.objects.create(
        candidate=of, skill=of.capability.skill, status=AttemptStatus.REFUSED, started_at=now, finished_at=now,
        reply="{}", samples=[{"run_id": "1"}], reasons=[{"code": "files_missing", "message": "It has no files."}],
    )  # fmt: skip


@makes("lifecycle.Evolution")
def evolution() -> models.Model:
    now, of = timezone.now(), builders.skill(State.DEGRADED)
    return Evolution.objects.create(
        skill=of, from_version=of.current_version, degraded_by=of.transitions.first(), status=AttemptStatus.REFUSED,
        started_at=now, finished_at=now, diagnosis="It says old.", reply="{}", samples=[{"id": "1"}], holdout=["2"],
    )  # fmt: skip


@makes("automations.Automation")
def automation() -> Any:
    return made.automation(trigger="on_manual", capability_name=capability().name)


@makes("automations.AutomationRun")
def automation_run() -> models.Model:
    return made.waiting(automation(), now=timezone.now())


@makes("automations.AutomationShare")
def share() -> models.Model:
    return AutomationShare.objects.create(automation=automation(), person=builders.person("viewer"), level="view")


@makes("automations.FollowUp")
def follow_up() -> models.Model:
    return FollowUp.objects.create(automation=automation(), then=automation())


@makes("automations.DrainSlot")
def slot() -> models.Model:
    return DrainSlot.objects.create(number=next(_numbers))


@makes("automations.FeedCursor")
def cursor() -> models.Model:
    return FeedCursor.objects.create(name=f"reader {next(_numbers)}", seq=7)


@makes("django_q.Schedule")
def schedule() -> models.Model:
    return Schedule.objects.create(name=f"donna:{next(_numbers)}", func="math.sqrt", schedule_type=Schedule.HOURLY)


@makes("django_q.OrmQ")
def queued() -> models.Model:
    task = {"id": "1" * 32, "name": "run 1", "func": "math.sqrt", "args": (4,), "kwargs": {}}
    return OrmQ.objects.create(key="donna", payload=SignedPackage.dumps(task), lock=timezone.now())


def _task(*, success: bool) -> models.Model:
    now = timezone.now()
    return Task.objects.create(
        id=uuid.uuid4().hex, name="run 1", func="math.sqrt", args=(4,), kwargs={}, result=2.0, success=success,
        started=now - timedelta(seconds=1), stopped=now,
    )  # fmt: skip


MAKERS["django_q.Task"] = MAKERS["django_q.Success"] = lambda: _task(success=True)
MAKERS["django_q.Failure"] = lambda: _task(success=False)
