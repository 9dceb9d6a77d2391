"""The pages of the lifecycle."""

from __future__ import annotations

from django.urls import path

from lifecycle.views import candidates, home, runs, skills, trying

urlpatterns = [
    path("", home.home, name="home"),
    path("try/", trying.try_skill, name="try_skill"),
    path("skills/", skills.skill_list, name="skill_list"),
    path("skills/<slug:name>/", skills.skill_detail, name="skill_detail"),
    path("candidates/", candidates.candidate_list, name="candidate_list"),
    path("candidates/<uuid:candidate_id>/dismiss/", candidates.dismiss_candidate, name="dismiss_candidate"),
    path("runs/", runs.run_list, name="run_list"),
    path("runs/<uuid:run_id>/", runs.run_detail, name="run_detail"),
]
