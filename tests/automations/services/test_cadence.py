"""The floor follows the skill's state, from whatever process, and owners are told once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from automations.models import Automation, FeedCursor, Status
from automations.services import automations, cadence, feed
from donna_skills.accounts.actors import Actor
from donna_skills.errors import Conflict
from donna_skills.notifications.models import Notification
from lifecycle.models import Skill
from lifecycle.services import transitions
from lifecycle.states import Reason, State
from tests import builders
from tests.automations import made

pytestmark = pytest.mark.django_db


def move(automation: Automation, state: State, reason: Reason = Reason.MANUAL_OVERRIDE) -> None:
    reviewer = Actor.person(builders.person("reviewer"))
    skill = Skill.objects.get(capability_id=automation.capability_id)
    transitions.move(skill, state, reason=reason, actor=reviewer)


def told(automation: Automation) -> int:
    return Notification.objects.filter(person=automation.owner, event__kind="automation.cadence").count()


def test_a_demoted_skill_slows_its_automations_down_and_the_owner_is_told(django_capture_on_commit_callbacks):
    automation = made.automation()
    assert automation.floor_seconds == 900
    with django_capture_on_commit_callbacks(execute=True):
        move(automation, State.CLAUDE_NATIVE)
    automation.refresh_from_db()
    assert (automation.floor_seconds, automation.floor_state, automation.status) == (43_200, "claude_native", "active")
    assert (automation.schedule, told(automation)) == ("0 * * * *", 1)


def test_the_next_start_keeps_the_new_floor_from_the_last_start():
    automation = made.automation()
    last = timezone.now() - timedelta(minutes=5)
    Automation.objects.filter(pk=automation.pk).update(last_start=last)
    move(automation, State.CLAUDE_NATIVE)
    cadence.follow(automation.capability.skill.pk, now=timezone.now())
    automation.refresh_from_db()
    assert automation.next_run_at - last >= timedelta(seconds=43_200)


def test_a_move_in_another_process_is_read_from_the_feed():
    automation = made.automation()
    feed.read(timezone.now())
    move(automation, State.CLAUDE_NATIVE)  # nothing commits in this test, so that no signal comes
    automation.refresh_from_db()
    assert automation.floor_state == "trusted"
    assert feed.read(timezone.now()) > 0
    automation.refresh_from_db()
    assert automation.floor_state == "claude_native"
    assert feed.read(timezone.now()) == 1  # what was told of it
    assert told(automation) == 1


def test_a_sweep_finds_what_signal_and_feed_have_missed():
    automation, other = made.automation(), made.automation()
    move(automation, State.CLAUDE_NATIVE)
    FeedCursor.objects.all().delete()
    assert cadence.resync(timezone.now()) == 1
    assert cadence.resync(timezone.now()) == 0
    other.refresh_from_db()
    assert other.floor_state == "trusted"


def test_a_flagged_skill_pauses_scheduled_automations_by_policy_and_lets_them_go_on():
    automation = made.automation()
    by_hand = made.automation(capability_name=automation.capability.name, trigger="on_manual", owner=automation.owner)
    skill = automation.capability.skill
    move(automation, State.FLAGGED_FOR_REVIEW)
    cadence.follow(skill.pk, now=timezone.now())
    automation.refresh_from_db()
    by_hand.refresh_from_db()
    assert (automation.status, automation.pause_reason, automation.next_run_at) == (Status.PAUSED, "policy", None)
    assert by_hand.status == Status.ACTIVE
    with pytest.raises(Conflict, match="waits for a person"):
        automations.resume(automation, actor=Actor.person(automation.owner))
    move(automation, State.TRUSTED, Reason.HUMAN_APPROVAL)
    cadence.follow(skill.pk, now=timezone.now())
    automation.refresh_from_db()
    assert (automation.status, automation.pause_reason) == (Status.ACTIVE, "")
    assert automation.next_run_at is not None


def test_what_a_person_paused_stays_paused_and_nobody_is_told():
    automation = made.automation()
    automations.pause(automation, actor=Actor.person(automation.owner))
    move(automation, State.CLAUDE_NATIVE)
    assert cadence.follow(automation.capability.skill.pk, now=timezone.now()) == 0
    assert told(automation) == 0
    resumed = automations.resume(automation, actor=Actor.person(automation.owner))
    assert resumed.floor_state == "claude_native"


def test_a_new_automation_of_a_flagged_skill_begins_paused_by_policy():
    automation = made.automation(state=State.FLAGGED_FOR_REVIEW)
    assert (automation.status, automation.pause_reason) == (Status.PAUSED, "policy")
