"""The pages of a person's own account."""

from __future__ import annotations

from django.urls import path

from donna_skills.accounts import views

urlpatterns = [
    path("profile/", views.profile, name="profile"),
    path("profile/tokens/", views.create_token, name="create_token"),
    path("profile/tokens/<uuid:token_id>/rotate/", views.rotate_token, name="rotate_token"),
    path("profile/tokens/<uuid:token_id>/revoke/", views.revoke_token, name="revoke_token"),
]
