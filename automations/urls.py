"""The pages of automations."""

from __future__ import annotations

from django.urls import path

from automations.views import acting, demo, editing, looking

urlpatterns = [
    path("automations/", looking.automation_list, name="automation_list"),
    path("automations/new/", editing.create, name="automation_create"),
    path("automations/from-words/", editing.from_words, name="automation_from_words"),
    path("automations/outlook/", editing.outlook, name="automation_outlook"),
    path("automations/runs/<uuid:run_id>/", looking.run_detail, name="automation_run"),
    path("automations/runs/<uuid:run_id>/progress/", looking.run_progress, name="automation_run_progress"),
    path("automations/runs/<uuid:run_id>/cancel/", acting.cancel_run, name="cancel_automation_run"),
    path("automations/<uuid:automation_id>/", looking.automation_detail, name="automation_detail"),
    path("automations/<uuid:automation_id>/edit/", editing.edit, name="automation_edit"),
    path("automations/<uuid:automation_id>/run/", acting.run_now, name="run_automation"),
    path("automations/<uuid:automation_id>/share/", acting.share, name="share_automation"),
    path("automations/<uuid:automation_id>/delete/", acting.delete, name="automation_delete"),
    path("automations/<uuid:automation_id>/<slug:act>/", acting.change, name="change_automation"),
    path("demo/<path:path>", demo.page, name="demo_page"),
]
