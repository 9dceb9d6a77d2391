"""The routes for reviews: people's tokens alone, lists that cost the same whatever they list, and answers as services
give them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from lifecycle.models import Review, ReviewState, RiskTier, Skill
from lifecycle.services import reviews
from lifecycle.states import State
from tests import builders
from tests.lifecycle.api.conftest import Api
from tests.lifecycle.services import questions

pytestmark = pytest.mark.django_db
POSTS = ("approve", "reject", "request-changes", "set-aside", "claim", "release", "break-glass")


@pytest.fixture
def reviewer(as_person: Callable[..., Any]) -> Any:
    return as_person("reviewer")


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [item["id"] for item in answer.json()["items"]]


def test_no_bot_and_no_token_without_the_scope_gets_in(api: Any):
    review = questions.draft()
    plain = builders.person_token(builders.person("reviewer"), "skills:read")[1]
    for headers in (api.headers, builders.headers(plain)):
        answers = [api.get("reviews", **headers), api.get(f"reviews/{review.pk}", **headers)]
        answers += [api.post(f"reviews/{review.pk}/{verb}", {}, **headers) for verb in POSTS]
        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(403, "missing_scope")}
    assert Review.objects.get(pk=review.pk).state == ReviewState.OPEN


def test_a_viewer_with_the_scope_may_read_and_decide_nothing(as_person: Callable[..., Any]):
    review = questions.draft()
    viewer = as_person("viewer")
    assert ids(viewer.get("reviews")) == [str(review.pk)]
    answer = viewer.post(f"reviews/{review.pk}/approve", {"seen_digest": review.subject_digest})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")


def test_the_list_is_ordered_by_risk_then_age_over_its_pages(reviewer: Any):
    made = [questions.draft() for _ in range(4)]
    for review, risk in zip(made, [RiskTier.LOW, RiskTier.HIGH, RiskTier.MEDIUM, RiskTier.HIGH], strict=True):
        Review.objects.filter(pk=review.pk).update(risk=risk)

    first = reviewer.get("reviews?limit=3").json()
    second = reviewer.get(f"reviews?limit=3&cursor={first['next']}").json()

    order = [made[1], made[3], made[2], made[0]]
    assert [item["id"] for item in first["items"] + second["items"]] == [str(review.pk) for review in order]
    assert (first["count"], second["next"]) == (4, None)
    assert [item["risk"] for item in first["items"]] == ["high", "high", "medium"]


def test_each_filter_leaves_the_others_out(reviewer: Any):
    draft, other = questions.draft(), questions.draft()
    asked = questions.capability_review()
    questions.gates_say("HOLD", draft.version)
    Review.objects.filter(pk=other.pk).update(risk=RiskTier.HIGH)
    reviewer.post(f"reviews/{draft.pk}/claim")

    assert ids(reviewer.get("reviews?kind=capability")) == [str(asked.pk)]
    assert ids(reviewer.get(f"reviews?capability={other.capability.name}")) == [str(other.pk)]
    assert ids(reviewer.get("reviews?verdict=HOLD")) == ids(reviewer.get("reviews?mine=true")) == [str(draft.pk)]
    assert ids(reviewer.get("reviews?risk=high")) == [str(other.pk)]
    assert set(ids(reviewer.get("reviews?verdict=none"))) == {str(other.pk), str(asked.pk)}
    assert set(ids(reviewer.get("reviews?unassigned=true"))) == {str(other.pk), str(asked.pk)}
    assert ids(reviewer.get("reviews?state=approved")) == []
    assert reviewer.get("reviews?state=lost").status_code == 422


def test_the_list_costs_the_same_whatever_it_lists(reviewer: Any, django_assert_num_queries: Any):
    for _ in range(5):
        review = questions.draft()
        reviews.claim(review, by=builders.person("reviewer"))
    reviewer.get("reviews")
    with django_assert_num_queries(4):  # the token, its person, the count and the page
        assert len(ids(reviewer.get("reviews"))) == 5


def test_one_review_tells_what_an_answer_is_bound_to_and_what_it_would_do(reviewer: Any):
    review = questions.draft()
    found = reviewer.get(f"reviews/{review.pk}").json()
    assert found["seen_digest"] == found["subject_digest"] == review.version.digest
    assert found["if_approved"].startswith("Version 1 goes to the sandbox.")
    assert (found["skill_state"], found["needs_two"], found["happened"]) == ("draft", False, "")
    assert reviewer.get("reviews/00000000-0000-0000-0000-000000000000").status_code == 404


def test_what_changed_since_it_was_read_comes_back_as_data(reviewer: Any):
    review = questions.draft()
    seen = reviewer.get(f"reviews/{review.pk}").json()["seen_digest"]
    questions.fixture(review.skill)

    answer = reviewer.post(f"reviews/{review.pk}/approve", {"seen_digest": seen})

    assert (answer.status_code, answer.json()["code"]) == (409, "stale_state")
    assert [(one["path"], one["code"]) for one in answer.json()["errors"]] == [("fixtures", "changed")]
    seen = reviewer.get(f"reviews/{review.pk}").json()["seen_digest"]
    approved = reviewer.post(f"reviews/{review.pk}/approve", {"seen_digest": seen, "comment": "Good."}).json()
    assert (approved["state"], approved["comment"], approved["skill_state"]) == ("approved", "Good.", "sandbox")
    assert approved["happened"]


def test_the_second_answer_is_told_of_the_first(reviewer: Any, as_person: Callable[..., Any]):
    review = questions.draft()
    answered = reviewer.post(f"reviews/{review.pk}/reject", {"reason": "It invents dates."}).json()
    assert (answered["state"], answered["skill_state"]) == ("rejected", "claude_native")
    late = as_person("admin").post(f"reviews/{review.pk}/approve", {"seen_digest": review.subject_digest})
    assert (late.status_code, late.json()["code"]) == (409, "already_decided")
    assert answered["decided_by"] in late.json()["detail"]


def test_sent_twice_with_one_key_it_is_decided_once(reviewer: Any):
    review = questions.draft()
    body = {"seen_digest": review.subject_digest}
    first, again = (
        reviewer.post(f"reviews/{review.pk}/approve", body, **{"Idempotency-Key": "once"}) for _ in range(2)
    )
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"


def test_changes_are_requested_and_blocked_versions_are_not_approved(reviewer: Any):
    review = questions.draft()
    questions.gates_say("BLOCK", review.version)
    refused = reviewer.post(f"reviews/{review.pk}/approve", {"seen_digest": review.subject_digest})
    assert (refused.status_code, refused.json()["code"]) == (409, "gate_blocked")
    blank = reviewer.post(f"reviews/{review.pk}/request-changes", {"comment": ""})
    assert (blank.status_code, blank.json()["errors"][0]["path"]) == (422, "comment")
    answer = reviewer.post(f"reviews/{review.pk}/request-changes", {"comment": "No tools."})
    assert answer.json()["state"] == "changes_requested"


def test_what_is_set_aside_is_listed_apart_until_it_is_brought_back(reviewer: Any):
    review = questions.draft()
    until = (timezone.now() + timedelta(days=2)).isoformat()
    assert reviewer.post(f"reviews/{review.pk}/set-aside", {"until": until}).json()["set_aside_until"]
    assert ids(reviewer.get("reviews")) == []
    assert ids(reviewer.get("reviews?set_aside=true")) == [str(review.pk)]
    assert reviewer.post(f"reviews/{review.pk}/set-aside", {"until": None}).json()["set_aside_until"] is None
    assert ids(reviewer.get("reviews")) == [str(review.pk)]
    assert reviewer.post(f"reviews/{review.pk}/set-aside", {"until": "2001-01-01T00:00:00Z"}).status_code == 422


def test_a_claim_is_seen_by_others_and_can_be_taken_over(reviewer: Any, as_person: Callable[..., Any]):
    review, other = questions.draft(), as_person("reviewer")
    mine = reviewer.post(f"reviews/{review.pk}/claim").json()["claim"]
    refused = other.post(f"reviews/{review.pk}/claim")
    assert (refused.status_code, refused.json()["code"]) == (409, "claimed")
    assert mine["by"] in refused.json()["detail"]
    assert other.post(f"reviews/{review.pk}/claim", {"take_over": True}).json()["claim"]["by"] != mine["by"]
    assert other.post(f"reviews/{review.pk}/release").json()["claim"] is None


def test_two_persons_are_asked_for_over_the_api_too(reviewer: Any, as_person: Any, settings: Any, tmp_path: Any):
    questions.two_persons(settings, tmp_path)
    skill = builders.skill(State.TRUSTED)
    prompt = "\n".join(f"{number} {{{{ inputs.more }}}}" for number in range(40))
    changed = builders.step_package(skill.capability.name, prompt=prompt)["steps/answer.md"]
    review = questions.draft(skill, **{"steps/answer.md": changed})
    assert reviewer.get(f"reviews/{review.pk}").json()["needs_two"] is True

    body = {"seen_digest": review.subject_digest}
    first = reviewer.post(f"reviews/{review.pk}/approve", body).json()
    assert (first["state"], len(first["approvals"]), first["happened"]) == ("open", 1, "")
    assert reviewer.post(f"reviews/{review.pk}/approve", body).json()["code"] == "second_approval_needed"
    second = as_person("reviewer").post(f"reviews/{review.pk}/approve", body).json()
    assert (second["state"], len(second["approvals"])) == ("approved", 2)


def test_the_state_route_is_no_way_round_the_gates_or_the_second_person(reviewer: Any, settings: Any, tmp_path: Any):
    review = questions.draft()
    questions.gates_say("BLOCK", review.version)
    move = {"to_state": "sandbox", "reason": "human_approval"}
    assert reviewer.post(f"skills/{review.skill_id}/state", move).json()["code"] == "gate_blocked"
    reviewer.post(f"reviews/{review.pk}/request-changes", {"comment": "No tools."})
    assert reviewer.post(f"skills/{review.skill_id}/state", move).json()["code"] == "gate_blocked"
    assert Skill.objects.get(pk=review.skill_id).state == State.DRAFT


def test_breaking_the_glass_takes_an_administrator_and_asks_for_a_second_look():
    admin = builders.person("admin")
    review = questions.draft(by=admin)
    own = Api(builders.person_token(admin)[1])
    body = {"reason": "Now.", "seen_digest": review.subject_digest}
    assert own.post(f"reviews/{review.pk}/approve", {"seen_digest": review.subject_digest}).json()["code"] == "own_work"
    assert own.post(f"reviews/{review.pk}/break-glass", body).json()["glass_broken"] is True
    assert [item["kind"] for item in own.get("reviews").json()["items"]] == ["follow_up"]
