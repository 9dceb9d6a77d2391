"""Every threshold of the loop, from config/skills.yaml, as one frozen value that services hand to decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from django.core import checks

from donna_skills import configuration
from donna_skills.configuration import knob


@dataclass(frozen=True)
class Knobs:
    enabled: bool = knob(True, help="false: jobs promote, demote, sample and draft nothing; serving goes on.")

    match_confidence_high: float = knob(0.75, low=0, high=1, help="At least this: band HIGH.")
    match_confidence_medium: float = knob(0.40, low=0, high=1, help="At least this: band MEDIUM.")
    similarity_audit_threshold: float = knob(0.80, low=0, high=1, help="A capability this similar waits for a person.")
    match_backend: Literal["lexical", "embeddings"] = knob("lexical", help="What capabilities.match compares with.")

    seed_skills_initial_state: Literal["claude_native", "sandbox"] = knob(
        "sandbox", help="State of a seed when loaded."
    )
    shadow_sample_rate_trusted: float = knob(0.05, low=0, high=1, help="Share of trusted runs that are compared.")

    sandbox_promotion_min_runs: int = knob(20, low=1, high=100_000, help="Runs looked at, newest first.")
    sandbox_promotion_validity_rate: float = knob(0.90, low=0, high=1, help="Share of valid runs, inclusive.")
    shadow_primary_promotion_min_runs: int = knob(100, low=1, high=100_000, help="Judged divergences looked at.")
    shadow_primary_promotion_agreement_rate: float = knob(0.85, low=0, high=1, help="Mean agreement, inclusive.")
    shadow_primary_promotion_max_failure_rate: float = knob(0.10, low=0, high=1, help="Failed share, inclusive.")

    degradation_rolling_window: int = knob(30, low=5, high=100_000, help="Judged divergences looked at.")
    degradation_ci_confidence: float = knob(0.95, low=0.5, high=0.999, help="Confidence of the Wilson interval.")
    degradation_agreement_threshold: float = knob(0.5, low=0, high=1, help="At least this agreement is a success.")
    baseline_reset_window: int = knob(100, low=30, high=100_000, help="Divergences of a recomputed baseline.")

    auto_draft_daily_cap: int = knob(50, low=0, high=10_000, help="Drafts a day.")
    auto_draft_min_expected_savings_usd: float = knob(5.0, low=0, high=1_000_000, help="Savings in 30 days, inclusive.")
    auto_draft_fixture_pass_rate: float = knob(0.80, low=0, high=1, help="Share of own fixtures passed, inclusive.")

    two_person_high_risk: bool = knob(False, help="true: a review of high risk takes two persons' approval.")

    nightly_run_hour_utc: int = knob(3, low=0, high=23, help="Hour of the night's run, in UTC.")

    evolution_min_divergence_cases: int = knob(15, low=1, high=10_000, help="With fewer, a person is asked.")
    evolution_max_divergence_cases: int = knob(30, low=1, high=10_000, help="At most this many go into an attempt.")
    evolution_targeted_case_pass_rate: float = knob(0.80, low=0, high=1, help="Gate 2, inclusive.")
    evolution_fixture_regression_pass_rate: float = knob(0.95, low=0, high=1, help="Gate 3, inclusive.")
    evolution_recent_success_count: int = knob(20, low=1, high=10_000, help="Newest successes replayed in gate 4.")
    evolution_recent_success_window_days: int = knob(30, low=1, high=3650, help="How far back gate 4 looks.")
    evolution_max_consecutive_failures: int = knob(2, low=1, high=100, help="Then the last healthy version serves.")
    evolution_estimated_cost_usd: float = knob(0.75, low=0, high=10_000, help="Must be left in the budget.")
    evolution_daily_cap: int = knob(10, low=0, high=10_000, help="Attempts a night.")

    correction_cluster_window_runs: int = knob(10, low=1, high=10_000, help="Newest runs looked at.")
    correction_cluster_threshold: int = knob(2, low=1, high=10_000, help="Corrections among them that flag.")

    run_per_step_timeout_s: int = knob(60, low=1, high=3600, help="Deadline of one model step of a serving run.")
    run_per_run_timeout_s: int = knob(120, low=1, high=7200, help="Deadline of a serving run.")
    validation_per_step_timeout_s: int = knob(60, low=1, high=3600, help="Deadline of one step under validation.")
    validation_per_run_timeout_s: int = knob(300, low=1, high=7200, help="Deadline of one run under validation.")

    web_tools_allow_hosts: tuple[str, ...] = knob((), help="host or host:port that tools may reach though private.")
    budget: Any = knob(None, help="Money; donna_skills.llm reads and checks it.")

    def __post_init__(self) -> None:
        if self.match_confidence_medium > self.match_confidence_high:
            raise ValueError("`match_confidence_medium` must not be above `match_confidence_high`.")
        if self.evolution_min_divergence_cases > self.evolution_max_divergence_cases:
            raise ValueError("`evolution_min_divergence_cases` must not be above `evolution_max_divergence_cases`.")
        if self.run_per_step_timeout_s > self.run_per_run_timeout_s:
            raise ValueError("`run_per_step_timeout_s` must not be above `run_per_run_timeout_s`.")


def knobs() -> Knobs:
    """The thresholds in force; read once per process."""
    return configuration.load(Knobs, configuration.file("skills.yaml"))


def check_knobs(**kwargs: Any) -> list[checks.CheckMessage]:
    """System check: a wrong threshold stops the start with a sentence."""
    return configuration.check(Knobs, "skills.yaml", id="lifecycle.E001")
