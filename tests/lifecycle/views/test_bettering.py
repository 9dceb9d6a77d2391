"""The skill page's two buttons: write a better version, roll back."""

from __future__ import annotations

import pytest
from django.test import Client

from donna_skills.jobs.models import JobRun
from lifecycle.models import Skill
from lifecycle.services import transitions
from lifecycle.states import Reason, State
from tests import builders
from tests.lifecycle.services.evolving import degraded

pytestmark = pytest.mark.django_db


def signed_in(client: Client, role: str) -> Client:
    client.force_login(builders.person(role))
    return client


def test_an_author_asks_for_a_better_version_and_sees_the_job(client: Client):
    skill = degraded()
    page = f"/skills/{skill.capability.name}/"
    author = signed_in(client, "author")
    assert "Write a better version" in author.get(page).content.decode()
    answer = author.post(f"{page}improve/")
    job = JobRun.objects.get()
    assert answer.url.endswith(f"{job.pk}/")
    assert "A better version is being written" in author.get(page).content.decode()


def test_a_viewer_is_offered_neither_and_may_do_neither(client: Client):
    skill = degraded()
    page = f"/skills/{skill.capability.name}/"
    viewer = signed_in(client, "viewer")
    shown = viewer.get(page).content.decode()
    assert "Write a better version" not in shown and "Roll back" not in shown
    viewer.post(f"{page}improve/")
    viewer.post(f"{page}rollback/1/")
    assert (JobRun.objects.count(), Skill.objects.get(pk=skill.pk).state) == (0, State.DEGRADED)


def test_a_reviewer_rolls_back_after_a_confirmation(client: Client):
    from donna_skills.accounts.actors import Actor

    skill = builders.skill(State.TRUSTED)
    by = Actor.person(builders.person("reviewer"))
    page = f"/skills/{skill.capability.name}/"
    reviewer = signed_in(client, "reviewer")
    assert "Roll back to version 1" not in reviewer.get(page).content.decode()  # it is in force
    transitions.move(skill, State.CLAUDE_NATIVE, reason=Reason.MANUAL_OVERRIDE, actor=by)
    assert "Roll back to version 1" in reviewer.get(page).content.decode()
    assert reviewer.get(f"{page}rollback/1/").status_code == 405
    answer = reviewer.post(f"{page}rollback/1/", {"note": "Better the old one."}, follow=True)
    assert "Version 1 serves again" in answer.content.decode()
    assert Skill.objects.get(pk=skill.pk).state == State.SHADOW_PRIMARY
    assert reviewer.post(f"{page}rollback/9/").status_code == 404
