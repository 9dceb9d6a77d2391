"""The pages of the lifecycle."""

from __future__ import annotations

from django.urls import include, path

from lifecycle.views import bettering, budget, candidates, capabilities, home, runs, skills, trying, versions

urlpatterns = [
    path("", home.home, name="home"),
    path("try/", trying.try_skill, name="try_skill"),
    path("skills/", skills.skill_list, name="skill_list"),
    path("skills/<slug:name>/", skills.skill_detail, name="skill_detail"),
    path("skills/<slug:name>/comparisons/", skills.comparison_list, name="comparison_list"),
    path("skills/<slug:name>/diff/", versions.version_diff, name="version_diff"),
    path("skills/<slug:name>/versions/<int:number>/file/", versions.version_file, name="version_file"),
    path("skills/<slug:name>/switch/", skills.switch_skill, name="switch_skill"),
    path("skills/<slug:name>/improve/", bettering.improve_skill, name="improve_skill"),
    path("skills/<slug:name>/rollback/<int:number>/", bettering.roll_skill_back, name="roll_skill_back"),
    path("candidates/", candidates.candidate_list, name="candidate_list"),
    path("candidates/<uuid:candidate_id>/draft/", candidates.draft_candidate, name="draft_candidate"),
    path("candidates/<uuid:candidate_id>/drafting/", candidates.draft_progress, name="draft_progress"),
    path("candidates/<uuid:candidate_id>/dismiss/", candidates.dismiss_candidate, name="dismiss_candidate"),
    path("capabilities/", capabilities.capability_list, name="capability_list"),
    path("capabilities/<slug:name>/", capabilities.capability_detail, name="capability_detail"),
    path("capabilities/<slug:name>/describe/", capabilities.describe_capability, name="describe_capability"),
    path("budget/", budget.budget, name="budget"),
    path("review/", include("lifecycle.review_urls")),
    path("runs/", runs.run_list, name="run_list"),
    path("runs/<uuid:run_id>/", runs.run_detail, name="run_detail"),
    path("runs/<uuid:run_id>/correct/", runs.correct_run, name="correct_run"),
    path("runs/<uuid:run_id>/capture/", runs.capture_run, name="capture_run"),
]
