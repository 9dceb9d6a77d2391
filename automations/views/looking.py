"""The pages that show automations: the list, one with its runs and reasons, and one run."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from automations import automation_pages, selectors
from automations.forms import ShareForm
from automations.models import Automation, AutomationRun, RunStatus, Status, Trigger
from automations.services import access
from automations.views import asking
from donna_skills import fragments
from donna_skills.errors import DonnaError
from lifecycle.selectors import active_capabilities

PAGE = 50
RUNS = 15
_LONGEST_TEXT = 200


@login_required
def automation_list(request: HttpRequest) -> HttpResponse:
    actor = asking.actor(request)
    filters = _filters(request, automation_pages.owners(actor))
    chosen = {one["name"]: one["value"] for one in filters}
    page = Paginator(selectors.automation_list(actor, **chosen), PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": automation_pages.rows(list(page.object_list)),
        "filters": filters,
        "attention": selectors.attention(actor),
        "may_create": access.may_create(actor),
    }
    return render(request, "automations/automation_list.html", context)


@login_required
def automation_detail(request: HttpRequest, automation_id: UUID) -> HttpResponse:
    return detail(request, asking.automation(request, automation_id))


def detail(
    request: HttpRequest, automation: Automation, *, refusal: DonnaError | None = None, share: ShareForm | None = None
) -> HttpResponse:
    """The page of one automation; after an act that was refused, in its true state and with the reason."""
    now, actor = timezone.now(), asking.actor(request)
    wanted = request.GET.get("status", "")
    status = wanted if wanted in RunStatus.values else ""
    found = selectors.run_list(automation, status=status).defer("inputs", "payload")
    runs = Paginator(found, RUNS).get_page(request.GET.get("page"))
    shown = list(runs.object_list)
    traces = automation_pages.traces(automation, shown)
    last = automation.runs.order_by("-id").first()
    field = request.GET.get("field", "")
    context: dict[str, Any] = {
        "automation": automation,
        "allowed": automation_pages.allowed(automation, actor),
        "when": automation_pages.when(automation),
        "why_run": automation_pages.why_run(automation, last=last, now=now),
        "why_alert": automation_pages.why_alert(automation, judged=automation_pages.judged_last(automation)),
        "starts": selectors.next_starts(automation, now),
        "cost": selectors.cost_of(automation, now),
        "chart": automation_pages.chart_of(automation, field=field),
        "chart_fields": automation_pages.chart_fields(automation),
        "field": field,
        "last": last,
        "runs": runs,
        "run_filter": [{"name": "status", "label": "Result", "choices": RunStatus.choices, "value": status}],
        "rows": [{"run": run, "trace": trace} for run, trace in zip(shown, traces, strict=True)],
        "shares": list(automation.shares.select_related("person", "group")),
        "share_form": share or ShareForm(),
        "follow_ups": selectors.follow_ups(automation),
        "channels": [one for one in _channels(automation) if str(one.pk) in automation.alert_channels],
        "refusal": refusal,
    }
    return render(request, "automations/automation_detail.html", context, status=refusal.status if refusal else 200)


@login_required
def run_detail(request: HttpRequest, run_id: UUID) -> HttpResponse:
    return shown_run(request, asking.run(request, run_id))


def shown_run(request: HttpRequest, run: AutomationRun, *, refusal: DonnaError | None = None) -> HttpResponse:
    """The page of a run; for htmx the part that changes, which asks for itself again only while the run is open."""
    context = {
        "run": run,
        "automation": run.automation,
        "allowed": automation_pages.allowed(run.automation, asking.actor(request)),
        "trace": automation_pages.traces(run.automation, [run])[0],
        "behind": selectors.lifecycle_runs(run),
        "refusal": refusal,
    }
    page, part = "automations/run_detail.html", "automations/_run.html"
    return fragments.either(
        request, page=page, fragment=part, context=context, status=refusal.status if refusal else 200
    )


@login_required
def run_progress(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """For htmx the line under “Run now”, until the run is over; the run's page for all others."""
    run = asking.run(request, run_id)
    if not fragments.wanted(request):
        return redirect("automation_run", run_id=run.pk)
    return render(request, "automations/_run_line.html", {"run": run})


def _channels(automation: Automation) -> list[Any]:
    return automation_pages.channels_of(automation.owner) if automation.alert_channels else []


def _filters(request: HttpRequest, owners: list[str]) -> list[dict[str, Any]]:
    """The list's filters with what is chosen; a value that is none of the choices is no filter."""
    statuses = [choice for choice in Status.choices if choice[0] != Status.DELETED]
    choices: dict[str, tuple[str, list[tuple[str, str]]]] = {
        "status": ("Status", [*statuses, (Status.DELETED.value, "Deleted")]),
        "trigger": ("Runs", Trigger.choices),
        "capability": ("Capability", [(one.name, one.name) for one in active_capabilities()]),
        "owner": ("Owner", [(name, name) for name in owners]),
    }
    found: list[dict[str, Any]] = []
    for name, (label, options) in choices.items():
        value = request.GET.get(name, "")
        known = value if value in {option for option, _ in options} else ""
        if options:
            found.append({"name": name, "label": label, "choices": options, "value": known})
    text = request.GET.get("text", "").replace("\x00", "").strip()[:_LONGEST_TEXT]
    return [*found, {"name": "text", "label": "Text", "value": text, "type": "search"}]
