"""The lifecycle's tables. No logic: services write them, selectors read them, decisions never see them."""

from lifecycle.models.attempt import AttemptStatus, DraftAttempt, Evolution
from lifecycle.models.candidate import Candidate, CandidateStatus
from lifecycle.models.capability import Capability, CapabilityStatus, TriggerType
from lifecycle.models.decision import GateDecision, GateVerdict
from lifecycle.models.divergence import Divergence, DivergenceStatus
from lifecycle.models.evidence import Correction, CorrectionSource, Fixture, FixtureSource, FixtureSplit
from lifecycle.models.review import DECIDED, Review, ReviewApproval, ReviewKind, ReviewState, RiskTier
from lifecycle.models.run import OPEN_STATUSES, Outcome, RunPath, RunStatus, SkillRun, StepResult, StepStatus
from lifecycle.models.skill import AuthorKind, Skill, SkillFile, SkillVersion, StateTransition, VersionStatus

__all__ = [
    "DECIDED",
    "OPEN_STATUSES",
    "AttemptStatus",
    "AuthorKind",
    "Candidate",
    "CandidateStatus",
    "Capability",
    "CapabilityStatus",
    "Correction",
    "CorrectionSource",
    "Divergence",
    "DivergenceStatus",
    "DraftAttempt",
    "Evolution",
    "Fixture",
    "FixtureSource",
    "FixtureSplit",
    "GateDecision",
    "GateVerdict",
    "Outcome",
    "Review",
    "ReviewApproval",
    "ReviewKind",
    "ReviewState",
    "RiskTier",
    "RunPath",
    "RunStatus",
    "Skill",
    "SkillFile",
    "SkillRun",
    "SkillVersion",
    "StateTransition",
    "StepResult",
    "StepStatus",
    "TriggerType",
    "VersionStatus",
]
