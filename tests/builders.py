"""Rows for tests, made through the services wherever one makes them; each call names only what its test is about."""

from __future__ import annotations

import itertools
from typing import Any

from django.contrib.auth.models import Group
from django.utils import timezone

from donna_skills.accounts import tokens
from donna_skills.accounts.actors import Actor
from donna_skills.accounts.models import ApiToken, Scope, TokenKind, User
from lifecycle.models import (
    AuthorKind,
    Candidate,
    Capability,
    Divergence,
    DivergenceStatus,
    RunPath,
    RunStatus,
    Skill,
    SkillRun,
    SkillVersion,
)
from lifecycle.packages.model import Files
from lifecycle.services import candidates, capabilities, transitions, versions, walks
from lifecycle.states import Reason, State

_numbers = itertools.count(1)
SYSTEM = Actor.system("test")

TEXT_IN = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string"}},
    "additionalProperties": False,
}
LABEL_OUT = {"type": "object", "required": ["label"], "properties": {"label": {"type": "string"}}}


def person(role: str = "", *, name: str = "", **fields: Any) -> User:
    """Somebody with a role (viewer, operator, author, reviewer, admin), or with none."""
    user = User.objects.create_user(name or f"{role or 'person'}{next(_numbers)}", password="correct horse", **fields)
    if role:
        user.groups.add(Group.objects.get(name=role))
    return user


def bot_token(*scopes: str, owner: User | None = None) -> tuple[ApiToken, str]:
    """A bot's token with these scopes (all that a bot may hold, when none are named), and the secret."""
    wanted = list(scopes) or [scope for scope in Scope.values if scope != Scope.REVIEWS_DECIDE]
    owner = owner or person("operator")
    return tokens.create(name=f"bot{next(_numbers)}", owner=owner, scopes=wanted, kind=TokenKind.BOT, by=SYSTEM)


def person_token(user: User, *scopes: str) -> tuple[ApiToken, str]:
    return tokens.create(
        name=f"cli{next(_numbers)}",
        owner=user,
        person=user,
        scopes=list(scopes) or list(Scope.values),
        kind=TokenKind.PERSON,
        by=SYSTEM,
    )


def headers(secret: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}", **more}


def capability(name: str = "", **fields: Any) -> Capability:
    """A capability with its skill, in claude_native."""
    name = name or f"capability_{next(_numbers)}"
    given = {
        "description": f"Labels texts in way {name}.",
        "input_schema": TEXT_IN,
        "output_schema": LABEL_OUT,
        "actor": SYSTEM,
        **fields,
    }
    return capabilities.register(name, **given)


def step_package(name: str, *, prompt: str = "Label this: {{ inputs.text }}", changelog: str = "") -> dict[str, bytes]:
    """The files of a package with one model step and one fixture. `changelog` makes the digest another one."""
    return {
        "skill.yaml": (
            f"capability_name: {name}\nversion: '1'\ndescription: Labels a text. {changelog}\n"
            "steps:\n  - name: answer\n    kind: llm\n    prompt: steps/answer.md\n"
            "    output_schema: schemas/label.json\n"
            "final_output: state.answer\n"
        ).encode(),
        "steps/answer.md": f"{prompt}\nAnswer as JSON with the key label.\n".encode(),
        "schemas/label.json": b'{"type": "object", "required": ["label"], "properties": {"label": {"type": "string"}}}',
        "fixtures/one.json": b'{"input": {"text": "hello"}, "assertions": [{"path": "label", "op": "exists"}]}',
    }


def skill(
    state: State = State.CLAUDE_NATIVE, *, author: User | None = None, files: Files | None = None, **fields: Any
) -> Skill:
    """A skill in any state, walked there along the table by a reviewer and the system."""
    made = capability(**fields).skill
    if state in {State.CLAUDE_NATIVE, State.SKILL_CANDIDATE}:
        return _walk(made, state)
    version(made, author=author, files=files)
    return _walk(made, state)


def version(of: Skill, *, author: User | None = None, files: Files | None = None, current: bool = True) -> SkillVersion:
    """Another version of a skill, made its current one unless told otherwise."""
    number = of.versions.count() + 1
    made = versions.add(
        of,
        files=files or step_package(of.capability.name, changelog=f"Number {number}."),
        actor=Actor.person(author) if author else SYSTEM,
        author_kind=AuthorKind.PERSON if author else AuthorKind.AUTO_DRAFT,
    )
    if current:
        walks.make_current(of, made)
    return made


def run(
    of: Skill, *, status: RunStatus = RunStatus.SUCCEEDED, path: RunPath = RunPath.SKILL, **fields: Any
) -> SkillRun:
    """A finished (or open) run as a row."""
    now = timezone.now()
    is_open = status in {RunStatus.QUEUED, RunStatus.RUNNING}
    given = {
        "capability": of.capability,
        "skill": of,
        "version": of.current_version if path in {RunPath.SKILL, RunPath.SANDBOX} else None,
        "path": path,
        "status": status,
        "outcome": "" if is_open or status == RunStatus.INTERRUPTED else status,
        "inputs": {"text": "hello"},
        "output": {"label": "greeting"} if status == RunStatus.SUCCEEDED else None,
        "started_at": None if status == RunStatus.QUEUED else now,
        "finished_at": None if is_open else now,
        **fields,
    }
    return SkillRun.objects.create(**given)


def divergence(of: Skill, agreement: float | None, *, of_run: SkillRun | None = None, **fields: Any) -> Divergence:
    """A comparison of the current version; `agreement` None is an abstention."""
    ran = of_run or run(of)
    given = {
        "skill": of,
        "version": of.current_version,
        "run": ran,
        "status": DivergenceStatus.ABSTAINED if agreement is None else DivergenceStatus.JUDGED,
        "agreement": agreement,
        "output": ran.output,
        "at": timezone.now(),
    }
    return Divergence.objects.create(**{**given, **fields})


def candidate(of: Skill, *, calls: int = 200, cost_usd: str = "0.10") -> Candidate:
    """An open candidate, found by the detection from as many answers of the reference model."""
    now = timezone.now()
    SkillRun.objects.bulk_create(
        SkillRun(
            capability=of.capability,
            skill=of,
            path=RunPath.NATIVE,
            status=RunStatus.SUCCEEDED,
            outcome=RunStatus.SUCCEEDED,
            inputs={"text": "hello"},
            output={"label": "greeting"},
            cost_usd=cost_usd,
            created_at=now,
            finished_at=now,
        )
        for _ in range(calls)
    )
    candidates.detect(now)
    return Candidate.objects.for_page().get(capability=of.capability)


_PATH = {
    State.SKILL_CANDIDATE: [(State.SKILL_CANDIDATE, Reason.GATE_PASSED)],
    State.DRAFT: [(State.SKILL_CANDIDATE, Reason.GATE_PASSED), (State.DRAFT, Reason.GATE_PASSED)],
}
_PATH[State.SANDBOX] = [*_PATH[State.DRAFT], (State.SANDBOX, Reason.HUMAN_APPROVAL)]
_PATH[State.SHADOW_PRIMARY] = [*_PATH[State.SANDBOX], (State.SHADOW_PRIMARY, Reason.HUMAN_APPROVAL)]
_PATH[State.TRUSTED] = [*_PATH[State.SHADOW_PRIMARY], (State.TRUSTED, Reason.HUMAN_APPROVAL)]
_PATH[State.FLAGGED_FOR_REVIEW] = [*_PATH[State.TRUSTED], (State.FLAGGED_FOR_REVIEW, Reason.DEGRADATION)]
_PATH[State.DEGRADED] = [*_PATH[State.FLAGGED_FOR_REVIEW], (State.DEGRADED, Reason.HUMAN_APPROVAL)]


def _walk(made: Skill, state: State) -> Skill:
    reviewer = None
    for to_state, reason in _PATH.get(state, []):
        if reason == Reason.HUMAN_APPROVAL:
            reviewer = reviewer or person("reviewer")
        actor = Actor.person(reviewer) if reason == Reason.HUMAN_APPROVAL and reviewer else SYSTEM
        transitions.move(made, to_state, reason=reason, actor=actor)
    return made
