"""The console's real pages, full of rows: well-formed, named for those who cannot see, and with nothing inline."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import User
from donna_skills.audit import verification
from donna_skills.jobs import services as jobs
from donna_skills.llm.models import CallStatus, ModelCall, PriceSource
from donna_skills.llm.port import Purpose
from donna_skills.notifications import channels, delivery
from donna_skills.notifications.events import Notice, publish
from donna_skills.notifications.models import Delivery
from lifecycle.states import State
from tests import builders
from tests.shell.conftest import read

pytestmark = pytest.mark.django_db
PAGES = (
    "/jobs/", "/budget/", "/audit/", "/settings/", "/inbox/", "/inbox/preferences/", "/inbox/channels/", "/profile/",
    "/capabilities/", "/capabilities/label_mail/",
)  # fmt: skip
DATA = "application/json"


@pytest.fixture
def admin() -> User:
    """Somebody who may open everything, in an installation where every page has something to show."""
    admin = builders.person("admin")
    by, now = Actor.person(admin), timezone.now()
    builders.run(builders.skill(State.TRUSTED, name="label_mail"))
    ModelCall.objects.create(
        purpose=Purpose.JUDGE, task_type="x", alias="parser", provider="offline", model="tiny", prompt_digest="0" * 64,
        cost_usd=Decimal(1), price_source=PriceSource.CONFIGURED, status=CallStatus.SUCCEEDED, started_at=now,
        expires_at=now, finished_at=now,
    )  # fmt: skip
    for number, person in enumerate((admin, None)):
        made, _ = channels.create(
            name=f"Mail {number}", kind="email", target="a@example.org", by=by, person=person,
            role="" if person else "reviewer",
        )  # fmt: skip
        lost = delivery.test(made, by=by)
        Delivery.objects.filter(pk=lost.pk).update(status="failed", dead=True)
        builders.person_token(admin)
        with transaction.atomic():
            notice = Notice(title="A decision waits", url="/skills/", people=(admin,))
            publish("review.opened", subject_type="x", subject_id=number, notify=notice)
    return admin


@pytest.fixture
def job_page(admin: User) -> str:
    job = jobs.run(verification.ask(by=Actor.person(admin)).pk)
    assert job is not None
    return f"/jobs/{job.pk}/"


def test_every_page_is_well_formed_named_and_has_nothing_inline(client: Client, admin: User, job_page: str) -> None:
    client.force_login(admin)
    for path in (*PAGES, job_page):
        response = client.get(path)
        page = read(response)
        assert response.status_code == 200, path
        assert page.unbalanced == [], path
        assert all(script.get("src") or script.get("type") == DATA for script in page.all("script")), path
        inline = [name for _, attributes in page.tags for name in attributes if name == "style" or name[:2] == "on"]
        assert inline == [] and page.all("style") == [], path

        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        labelled = {label.get("for") for label in page.all("label")}
        assert len(ids) == len(set(ids)), path
        assert labelled <= set(ids), path
        for tag in ("input", "select", "textarea"):
            for control in page.all(tag):
                named = control.get("aria-label") or control.get("id") in labelled
                assert control.get("type") == "hidden" or named, (path, control)
        for _, attributes in page.tags:
            for reference in ("aria-labelledby", "aria-describedby"):
                assert set((attributes.get(reference) or "").split()) <= set(ids), (path, attributes)
        assert len(page.all("h1")) == 1, path
