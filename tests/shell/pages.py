"""A throw-away urlconf that renders every template with sample rows, in front of the real shell."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.views import LogoutView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from donna_skills import shell
from tests.shell import samples


def _page(template: str, context: Any) -> Any:
    def view(request: HttpRequest, **_: Any) -> HttpResponse:
        request.user = samples.person()
        return render(request, template, context())

    return view


def _many_skills() -> dict[str, Any]:
    skills = [samples.skill(f"skill_{state}", state) for state in samples.State] * 12
    page = samples.page(skills, per_page=20, number=2)
    return {
        "page": page,
        "rows": [samples.skill_row(skill) for skill in page],
        "filters": samples.run_filters()[:1],
        "narrowed": True,
    }


def _many_runs() -> dict[str, Any]:
    return {"page": samples.page(samples.runs() * 20), "filters": samples.run_filters()}


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a fault of ours")


def elsewhere(request: HttpRequest, **_: Any) -> HttpResponse:
    """Where links of the sample pages lead."""
    return HttpResponse("")


def forbidden(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


def talking(request: HttpRequest) -> HttpResponse:
    for level in (messages.success, messages.info, messages.warning, messages.error):
        level(request, "The run succeeded. Its answer shows below.")
    return _page("lifecycle/home.html", samples.home)(request)


def conflict(request: HttpRequest) -> HttpResponse:
    """Answers a form with the status that the address names, to see what htmx does with it."""
    return HttpResponse('<p id="try">in its true state</p>', status=int(request.GET["status"]))


def _try(request: HttpRequest, **_: Any) -> HttpResponse:
    request.user = samples.person()
    fragment = request.method == "POST" and bool(request.htmx)
    template = "lifecycle/_try.html" if fragment else "lifecycle/try.html"
    return render(request, template, samples.try_it(answered=request.method == "POST"))


urlpatterns = [
    path("", _page("lifecycle/home.html", samples.home), name="home"),
    path("new/", _page("lifecycle/home.html", lambda: samples.home(empty=True))),
    path("talking/", talking),
    path("try/", _try, name="try_skill"),
    path("answered/", _page("lifecycle/try.html", lambda: samples.try_it(answered=True))),
    path("skills/", _page("lifecycle/skill_list.html", _many_skills), name="skill_list"),
    path("skills/<slug:name>/", _page("lifecycle/skill_detail.html", samples.skill_page), name="skill_detail"),
    path("skills/<slug:name>/comparisons/", elsewhere, name="comparison_list"),
    path("skills/<slug:name>/diff/", elsewhere, name="version_diff"),
    path("capabilities/<slug:name>/", elsewhere, name="capability_detail"),
    path("review/", elsewhere, name="review_queue"),
    path("review/<uuid:review_id>/", elsewhere, name="review_detail"),
    path("budget/", elsewhere, name="budget"),
    path("no-skills/", _page("lifecycle/skill_list.html", lambda: {"page": samples.page([]), "rows": []})),
    path("runs/", _page("lifecycle/run_list.html", _many_runs), name="run_list"),
    path("runs/<uuid:run_id>/", _page("lifecycle/run_detail.html", samples.run_page), name="run_detail"),
    path(
        "no-runs/",
        _page("lifecycle/run_list.html", lambda: {"page": samples.page([]), "filters": samples.run_filters()}),
    ),
    path("broken/", broken),
    path("forbidden/", forbidden),
    path("conflict/", conflict),
    path("login/", shell.LogIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("theme/", shell.set_theme, name="theme"),
    path("admin/login/", shell.admin_log_in),
    path("admin/", admin.site.urls),
]
