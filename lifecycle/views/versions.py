"""Any two versions of a skill, file by file, as the page of a review shows a change."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from donna_skills import fragments
from lifecycle import review_pages, skill_pages
from lifecycle.models import Skill, SkillVersion


@login_required
def version_diff(request: HttpRequest, name: str) -> HttpResponse:
    """`?from=1&to=3`: what version 3 changes against version 1. Without numbers the newest against the one before."""
    skill = get_object_or_404(Skill.objects.for_page(), capability__name=name)
    numbers = skill_pages.version_numbers(skill)
    newest, before = [*numbers, 0, 0][:2]
    to = _chosen(request.GET.get("to"), numbers, otherwise=newest)
    base = _chosen(request.GET.get("from"), numbers, otherwise=before if to == newest else newest)
    context = {"skill": skill, "numbers": numbers, "from": base, "to": to, "side": request.GET.get("diff") == "side"}
    if base != to and base in numbers and to in numbers:
        found = SkillVersion.objects.select_related("author").filter(skill=skill, number__in=[base, to])
        versions = {version.number: version for version in found}
        context["changes"] = review_pages.compare(versions[base], versions[to], unlike=f"version {base} may not")
    elif fragments.wanted(request):
        raise Http404
    return fragments.either(
        request, page="lifecycle/version_diff.html", fragment="lifecycle/_review_changes.html", context=context
    )


def _chosen(given: str | None, numbers: list[int], *, otherwise: int) -> int:
    """A number from the address; 404 for one that is no version of the skill."""
    if not given:
        return otherwise
    if not given.isascii() or not given.isdigit() or len(given) > 9 or int(given) not in numbers:
        raise Http404
    return int(given)
