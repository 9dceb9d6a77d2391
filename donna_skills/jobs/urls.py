"""The pages of jobs."""

from __future__ import annotations

from django.urls import path

from donna_skills.jobs import views

urlpatterns = [
    path("jobs/", views.job_list, name="job_list"),
    path("jobs/<uuid:job_id>/", views.job_detail, name="job_detail"),
    path("jobs/<uuid:job_id>/cancel/", views.cancel_job, name="cancel_job"),
]
