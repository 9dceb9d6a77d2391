"""The form's acts that save nothing: choose a capability, write a schedule, add a row, rehearse, test a channel."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, QueryDict
from django.utils import timezone

from automations import automation_pages, selectors, sheets
from automations.automation_pages import Outlook
from automations.forms import AutomationForm, RhythmForm
from automations.models import Automation, AutomationRun
from automations.services import proposals
from automations.services.alerts import Rehearsal
from automations.sheets import Desk, Sheet
from donna_skills.errors import DonnaError
from donna_skills.notifications import delivery
from lifecycle.models import Capability

REHEARSED_DAYS = 90
_SHOWN_OF_A_REHEARSAL = 20
_TIMING = ("schedule", "timezone", "spaced", "min_interval_seconds", "preferred_from", "preferred_until")


def help_with(request: HttpRequest, desk: Desk, capability: Capability | None) -> tuple[Sheet, dict[str, Any]]:
    """The form as it was typed with what the act adds; an act that is none adds nothing."""
    act, data = request.POST.get("act", ""), request.POST
    verb, _, about = act.partition(":")
    if verb == "choose":
        return sheets.chosen_anew(desk, data, capability), {"chosen": True}
    sheet = sheets.typed(desk, data, capability)
    if verb == "add-row":
        sheet.builder = sheet.builder.with_row()
        return sheet, {"new_row": len(sheet.builder.rows) - 1}
    if verb == "remove-row" and about.isdecimal():
        sheet.builder = sheet.builder.without_row(int(about[:4]))
    elif verb in {"as-json", "as-rows"}:
        sheets.turn(sheet, to_json=verb == "as-json")
    elif verb == "rhythm":
        _write_schedule(sheet, data)
    elif verb == "rehearse":
        return sheet, _rehearse(sheet)
    elif verb == "test-channel":
        return sheet, _test_channel(sheet, about)
    return sheet, {}


def outlook(data: QueryDict, capability: Capability | None) -> Outlook:
    """From what is typed at the moment; a field that cannot be read counts as its default."""
    form = AutomationForm(data)
    form.is_valid()
    read = form.cleaned_data
    start = sheets.start_values(capability)
    timing = {name: read[name] if read.get(name) is not None else start[name] for name in _TIMING}
    return _outlook({**timing, "timezone": timing["timezone"] or "UTC"}, capability)


def outlook_of(sheet: Sheet) -> Outlook:
    """The same for the form that is about to be shown."""
    shown = QueryDict(mutable=True)
    for name in _TIMING:
        value = sheet.form.fields[name].prepare_value(sheet.form[name].value())
        if value not in (None, False):
            shown[name] = value
    return outlook(shown, sheet.capability)


def _outlook(timing: dict[str, Any], capability: Capability | None) -> Outlook:
    if capability is None:
        return Outlook()
    return automation_pages.outlook(Automation(capability=capability, **timing), now=timezone.now())


def _write_schedule(sheet: Sheet, data: QueryDict) -> None:
    form = RhythmForm(data)
    sheet.rhythm = form
    if form.is_valid():
        initial = {**sheet.form.initial, "schedule": form.cron}
        sheet.form = AutomationForm(initial=initial, **sheet.desk.choices)


def _rehearse(sheet: Sheet) -> dict[str, Any]:
    """What the alert, as it is typed, would have told over the last days."""
    conditions = sheets.read_conditions(sheet)
    if sheet.capability is None or not sheet.sound:
        return {"rehearsal_error": "Look at the alert's rows first: it cannot be tried like this."}
    now = timezone.now()
    typed = AutomationForm(sheet.form.initial, **sheet.desk.choices)
    typed.is_valid()
    try:
        automation = proposals.unsaved(sheet.capability.name, conditions)
        automation.name = typed.cleaned_data.get("name") or automation.name
        automation.repeat_every_seconds = typed.cleaned_data.get("repeat_every_seconds")
        automation.cool_down_seconds = typed.cleaned_data.get("cool_down_seconds") or 0
        own = sheet.desk.automation
        same = own is not None and own.capability_id == sheet.capability.pk
        past: list[Any] = selectors.past_runs(own, now, days=REHEARSED_DAYS) if own is not None and same else []
        others = not past
        past = past or list(proposals.past_of(sheet.capability, now=now, days=REHEARSED_DAYS))
        found = proposals.rehearse(automation, past)
    except DonnaError as error:
        sheet.place(error)
        return {"rehearsal_error": error.message}
    return {"rehearsal": _shown(found), "rehearsed_others": others, "days": REHEARSED_DAYS}


def _shown(found: Rehearsal) -> dict[str, Any]:
    told = [
        {
            "run": one.run,
            "own": isinstance(one.run, AutomationRun),
            "at": one.run.finished_at or one.run.created_at,
            "decision": one.notice.kind,
            "title": one.text.title,
            "reason": one.notice.reason,
        }
        for one in found.told[:_SHOWN_OF_A_REHEARSAL]
    ]
    return {"looked_at": found.looked_at, "alerts": found.alerts, "told": told, "more": len(found.told) - len(told)}


def _test_channel(sheet: Sheet, wanted: str) -> dict[str, Any]:
    channel = next((one for one in sheet.desk.channels if str(one.pk) == wanted), None)
    if channel is None:
        return {"tested": {"id": wanted, "said": "", "error": "This is no channel of the owner's."}}
    try:
        delivery.test(channel, by=sheet.desk.actor)
    except DonnaError as error:
        return {"tested": {"id": wanted, "said": "", "error": error.message}}
    return {"tested": {"id": wanted, "said": f"A test of {channel.name} is on its way.", "error": ""}}
