"""Any two versions of a skill, file by file, as the page of a review shows a change; and one file of one, whole."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from donna_skills import fragments, shortening
from lifecycle import review_pages, skill_pages
from lifecycle.decisions import hiddentext
from lifecycle.models import Skill, SkillVersion
from lifecycle.services import versions

MOST_OF_A_FILE = 120_000
"""Bytes of the page that a part of a long file takes."""


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
        by_number = {version.number: version for version in found}
        context["changes"] = review_pages.compare(by_number[base], by_number[to], unlike=f"version {base} may not")
    elif fragments.wanted(request):
        raise Http404
    return fragments.either(
        request, page="lifecycle/version_diff.html", fragment="lifecycle/_review_changes.html", context=context
    )


@login_required
def version_file(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """`?path=steps/answer.md`: one file as it is, in parts where it is long; 404 where the version has none such."""
    version = get_object_or_404(SkillVersion, skill__capability__name=name, number=number)
    path = request.GET.get("path", "")
    content = versions.files_of(version).get(path)
    if content is None:
        raise Http404
    context = {"name": name, "version": version, "path": path, "bytes": len(content), "most": MOST_OF_A_FILE}
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return render(request, "lifecycle/version_file.html", context)
    parts = Paginator(shortening.pages(text, MOST_OF_A_FILE), 1)
    context |= {"page": parts.get_page(request.GET.get("page")), "hidden": sum(1 for _ in hiddentext.hidden(text))}
    return render(request, "lifecycle/version_file.html", context)


def _chosen(given: str | None, numbers: list[int], *, otherwise: int) -> int:
    """A number from the address; 404 for one that is no version of the skill."""
    if not given:
        return otherwise
    if not given.isascii() or not given.isdigit() or len(given) > 9 or int(given) not in numbers:
        raise Http404
    return int(given)
