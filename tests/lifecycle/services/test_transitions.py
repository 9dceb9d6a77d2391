"""The table, its order of checks, and the traces that a move and a refusal leave."""

from __future__ import annotations

import itertools

import pytest
from django.db import IntegrityError, transaction

from donna_skills.accounts.actors import Actor
from donna_skills.audit import services as audit
from donna_skills.audit.models import AuditEvent
from donna_skills.errors import HumanGateRequired, IllegalTransition, NotFound, NotPermitted, StaleState
from donna_skills.notifications.models import Event
from lifecycle.models import Skill, StateTransition, VersionStatus
from lifecycle.services import transitions
from lifecycle.signals import skill_state_changed
from lifecycle.states import TABLE, Reason, State
from tests import builders

pytestmark = pytest.mark.django_db


def reviewer() -> Actor:
    return Actor.person(builders.person("reviewer"))


def force(state: State, *, gate: bool = False, flagged_from: str = "") -> Skill:
    """A skill put into a state behind the service's back, to try every edge from it alike."""
    skill = builders.skill(State.DRAFT)
    Skill.objects.filter(pk=skill.pk).update(state=state, requires_human_gate=gate, flagged_from=flagged_from)
    skill.refresh_from_db()
    return skill


@pytest.mark.parametrize("edge", TABLE, ids="-".join)
def test_every_edge_of_the_table_can_be_walked_for_each_of_its_reasons(edge):
    for reason in TABLE[edge]:
        skill = force(edge[0], flagged_from=State.SHADOW_PRIMARY if edge[0] == State.FLAGGED_FOR_REVIEW else "")
        actor = builders.SYSTEM if reason in {"gate_passed", "degradation", "evolution_failed"} else reviewer()

        moved = transitions.move(skill, edge[1], reason=reason, actor=actor, note="why", evidence={"n": 1})

        skill.refresh_from_db()
        assert skill.state == edge[1]
        assert (moved.from_state, moved.to_state, moved.reason) == (*edge, reason)
        assert (moved.note, moved.evidence, moved.version_id) == ("why", {"n": 1}, skill.current_version_id)


@pytest.mark.parametrize("pair", [p for p in itertools.product(State, State) if p not in TABLE])
def test_no_other_pair_can_be_walked_and_the_refusal_is_audited(pair):
    skill = force(pair[0])

    with pytest.raises(IllegalTransition):
        transitions.move(skill, pair[1], reason=Reason.MANUAL_OVERRIDE, actor=reviewer())

    assert Skill.objects.get(pk=skill.pk).state == pair[0]
    assert AuditEvent.objects.order_by("-seq").first().action == "skill.move.refused"


def test_a_reason_that_the_edge_does_not_have_is_refused():
    with pytest.raises(IllegalTransition, match="no reason to go"):
        transitions.move(force(State.DRAFT), State.SANDBOX, reason=Reason.GATE_PASSED, actor=builders.SYSTEM)


@pytest.mark.parametrize("reason", [Reason.HUMAN_APPROVAL, Reason.MANUAL_OVERRIDE])
def test_neither_a_bot_nor_the_system_can_give_a_persons_reason(reason):
    token, _ = builders.bot_token()
    for actor in (Actor.bot(token), builders.SYSTEM):
        with pytest.raises(NotPermitted):
            transitions.move(force(State.DRAFT), State.SANDBOX, reason=reason, actor=actor)


def test_a_person_cannot_give_the_systems_reason():
    with pytest.raises(NotPermitted):
        transitions.move(force(State.SANDBOX), State.SHADOW_PRIMARY, reason=Reason.GATE_PASSED, actor=reviewer())


@pytest.mark.parametrize("role", ["viewer", "operator", "author"])
def test_a_person_without_the_permission_cannot_approve(role):
    actor = Actor.person(builders.person(role))
    with pytest.raises(NotPermitted):
        transitions.move(force(State.DRAFT), State.SANDBOX, reason=Reason.HUMAN_APPROVAL, actor=actor)


@pytest.mark.parametrize("reason", [Reason.HUMAN_APPROVAL, Reason.MANUAL_OVERRIDE])
def test_nobody_approves_their_own_version_admins_included(reason):
    admin = builders.person("admin")
    skill = builders.skill(State.DRAFT, author=admin)
    with pytest.raises(NotPermitted, match="yourself") as refused:
        transitions.move(skill, State.SANDBOX, reason=reason, actor=Actor.person(admin))
    assert refused.value.code == "own_work"


def test_the_owner_of_a_bot_does_not_approve_what_the_bot_handed_in():
    owner = builders.person("admin")
    token, _ = builders.bot_token(owner=owner)
    skill = builders.capability().skill
    from lifecycle.services import skills

    skills.submit_version(skill, files=builders.step_package(skill.capability.name), actor=Actor.bot(token))
    with pytest.raises(NotPermitted):
        transitions.move(skill, State.SANDBOX, reason=Reason.HUMAN_APPROVAL, actor=Actor.person(owner))


@pytest.mark.parametrize("pair", [(State.SANDBOX, State.SHADOW_PRIMARY), (State.SHADOW_PRIMARY, State.TRUSTED)])
def test_the_human_gate_stops_the_system_and_lets_a_person_through(pair):
    skill = force(pair[0], gate=True)
    with pytest.raises(HumanGateRequired):
        transitions.move(skill, pair[1], reason=Reason.GATE_PASSED, actor=builders.SYSTEM)
    transitions.move(skill, pair[1], reason=Reason.HUMAN_APPROVAL, actor=reviewer())
    assert Skill.objects.get(pk=skill.pk).state == pair[1]


def test_the_human_gate_never_blocks_a_demotion_or_building_up_to_draft():
    transitions.move(
        force(State.TRUSTED, gate=True), State.FLAGGED_FOR_REVIEW, reason=Reason.DEGRADATION, actor=builders.SYSTEM
    )
    transitions.move(
        force(State.SKILL_CANDIDATE, gate=True), State.DRAFT, reason=Reason.GATE_PASSED, actor=builders.SYSTEM
    )
    transitions.move(force(State.DEGRADED, gate=True), State.DRAFT, reason=Reason.GATE_PASSED, actor=builders.SYSTEM)


def test_a_skill_that_moved_since_the_caller_looked_is_stale_and_stays():
    skill = force(State.SANDBOX)
    seen_earlier = Skill.objects.get(pk=skill.pk)
    transitions.move(skill, State.SHADOW_PRIMARY, reason=Reason.GATE_PASSED, actor=builders.SYSTEM)
    with pytest.raises(StaleState):
        transitions.move(seen_earlier, State.SHADOW_PRIMARY, reason=Reason.GATE_PASSED, actor=builders.SYSTEM)
    assert Skill.objects.get(pk=skill.pk).transitions.filter(to_state=State.SHADOW_PRIMARY).count() == 1


def test_a_skill_whose_version_changed_since_the_caller_looked_is_stale():
    skill = force(State.SANDBOX)
    seen_earlier = Skill.objects.get(pk=skill.pk)
    builders.version(skill)
    with pytest.raises(StaleState):
        transitions.move(seen_earlier, State.SHADOW_PRIMARY, reason=Reason.GATE_PASSED, actor=builders.SYSTEM)


def test_a_skill_that_does_not_exist_is_not_found():
    with pytest.raises(NotFound):
        transitions.move(Skill(state=State.DRAFT), State.SANDBOX, reason=Reason.HUMAN_APPROVAL, actor=reviewer())


def test_saving_returns_to_shadow_primary_only_what_was_flagged_from_there():
    with pytest.raises(IllegalTransition, match="flagged from trusted"):
        transitions.move(
            force(State.FLAGGED_FOR_REVIEW, flagged_from=State.TRUSTED),
            State.SHADOW_PRIMARY,
            reason=Reason.HUMAN_APPROVAL,
            actor=reviewer(),
        )


def test_flagging_remembers_where_it_came_from_and_leaving_forgets_it():
    skill = force(State.SHADOW_PRIMARY)
    transitions.move(skill, State.FLAGGED_FOR_REVIEW, reason=Reason.DEGRADATION, actor=builders.SYSTEM)
    assert Skill.objects.get(pk=skill.pk).flagged_from == State.SHADOW_PRIMARY
    transitions.move(skill, State.SHADOW_PRIMARY, reason=Reason.HUMAN_APPROVAL, actor=reviewer())
    assert Skill.objects.get(pk=skill.pk).flagged_from == ""


def test_a_move_leaves_one_row_one_audit_event_one_feed_event_and_signals_after_commit(
    django_capture_on_commit_callbacks,
):
    heard = []
    skill_state_changed.connect(lambda **facts: heard.append(facts["to_state"]), weak=False, dispatch_uid="test")
    skill = force(State.DRAFT)
    moves, audits, feed = StateTransition.objects.count(), AuditEvent.objects.count(), Event.objects.count()
    try:
        with django_capture_on_commit_callbacks(execute=True):
            transitions.move(skill, State.SANDBOX, reason=Reason.HUMAN_APPROVAL, actor=reviewer())
            assert heard == []
    finally:
        skill_state_changed.disconnect(dispatch_uid="test")
    assert heard == [State.SANDBOX]
    assert StateTransition.objects.count() == moves + 1
    assert AuditEvent.objects.count() == audits + 1
    assert list(Event.objects.order_by("seq").values_list("kind", flat=True))[feed:] == ["skill.state_changed"]
    assert audit.verify().intact


def test_the_database_refuses_to_change_or_delete_a_transition():
    skill = builders.skill(State.SANDBOX)
    for act in (lambda: skill.transitions.update(note="never happened"), lambda: skill.transitions.all().delete()):
        with pytest.raises(IntegrityError), transaction.atomic():
            act()
    assert skill.transitions.count() == 3


def test_replaying_the_rows_rebuilds_the_state():
    skill = builders.skill(State.DEGRADED)
    state = skill.initial_state
    for row in skill.transitions.order_by("id"):
        assert row.from_state == state
        state = row.to_state
    assert state == Skill.objects.get(pk=skill.pk).state == State.DEGRADED


def test_the_versions_status_follows_the_skill():
    skill = builders.skill(State.SANDBOX)
    version = skill.versions.get()
    assert version.status == VersionStatus.APPROVED
    transitions.move(skill, State.SHADOW_PRIMARY, reason=Reason.HUMAN_APPROVAL, actor=reviewer())
    version.refresh_from_db()
    assert version.status == VersionStatus.RELEASED
    assert version.released_at is not None
    transitions.move(skill, State.CLAUDE_NATIVE, reason=Reason.MANUAL_OVERRIDE, actor=reviewer())
    version.refresh_from_db()
    assert version.status == VersionStatus.REVOKED


def test_moves_take_a_constant_number_of_queries(django_assert_max_num_queries):
    skill = force(State.DRAFT)
    actor = reviewer()
    with django_assert_max_num_queries(24):
        transitions.move(skill, State.SANDBOX, reason=Reason.HUMAN_APPROVAL, actor=actor)
